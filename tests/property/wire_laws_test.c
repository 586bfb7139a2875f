/* Every table: what is accepted has one encoding, whatever happened to it on the way. */
#include "wire_laws.h"

#include "crypto/sign.h"
#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct lab_dice dice;

static uint64_t below(uint64_t n)
{
    return kith_random_below(&dice.random, n);
}

/* Field by field: a random valid value written straight to the cursor, by the table. */
static void put_random_bytes(struct kith_writer *w, size_t n)
{
    static uint8_t b[70000];

    kith_random_fill(&dice.random, b, n);
    kith_put_span(w, (struct kith_span){b, n});
}

static void put_random_text(struct kith_writer *w, size_t least, size_t most, const char *letters)
{
    size_t n = least + below(most - least + 1);

    kith_put_u8(w, (uint8_t)n);
    for (size_t i = 0; i < n; i++)
        kith_put_u8(w, (uint8_t)letters[below(strlen(letters))]);
}

static struct kith_ip random_ip(bool may_be_none)
{
    uint8_t b[16] = {0x20};
    uint64_t kind = below(may_be_none ? 3 : 2);

    if (kind == 2)
        return (struct kith_ip){0};
    kith_random_fill(&dice.random, b + 1, 15);
    return kith_ip_from((struct kith_span){b, kind == 0 ? 4 : 16});
}

static void put_random_addr(struct kith_writer *w)
{
    struct kith_addr a = {.ip = random_ip(false), .port = (uint16_t)(1 + below(65535))};

    kith_wire_put_addr(w, &a);
}

static void put_random_prefix(struct kith_writer *w)
{
    struct kith_ip ip = random_ip(true);
    struct kith_prefix p = kith_prefix_of(&ip, (unsigned)below(129));

    kith_wire_put_prefix(w, &p);
}

static void put_random_ip(struct kith_writer *w)
{
    struct kith_ip ip = random_ip(true);

    kith_wire_put_ip(w, &ip);
}

static void put_random_spki(struct kith_writer *w)
{
    static const uint8_t head[] = {0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09,
                                   0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                   0x12, 0x03, 0x82, 0x07, 0xa1, 0x00};

    kith_put_span(w, KITH_SPAN_OF(head));
    put_random_bytes(w, KITH_PUBLIC_KEY_LEN - sizeof head);
}

/* clang-format off */
#define RECORD(name, doc) static void random_##name(struct kith_writer *w);
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
#include "wire/undef.h"

#define RECORD(name, doc) static void random_##name(struct kith_writer *w) {
#define BODY(name, number, doc) RECORD(name, doc)
#define MESSAGE(name, number, doc) RECORD(name, doc) kith_put_u8(w, (number));
#define U8(f, doc) put_random_bytes(w, 1);
#define U16(f, doc) put_random_bytes(w, 2);
#define U32(f, doc) put_random_bytes(w, 4);
#define U64(f, doc) put_random_bytes(w, 8);
#define RANGE8(f, lo, hi, doc) kith_put_u8(w, (uint8_t)((lo) + below((hi) - (lo) + 1)));
#define ID(f, type, doc) put_random_bytes(w, sizeof(struct kith_##type));
#define SECRET(f, type, doc) put_random_bytes(w, sizeof(struct kith_##type));
#define RAW(f, len, doc) put_random_bytes(w, len);
#define SPKI(f, doc) put_random_spki(w);
#define BYTES8(f, max, doc) { uint8_t n = (uint8_t)below((max) + 1); kith_put_u8(w, n); put_random_bytes(w, n); }
#define BYTES16(f, max, doc) { uint16_t n = (uint16_t)below((max) + 1); kith_put_u16(w, n); put_random_bytes(w, n); }
#define REST(f, doc) put_random_bytes(w, (size_t)below(1500));
#define TEXT8(f, max, doc) put_random_text(w, 0, max, "abc XYZ 0.9-_/");
#define LABEL(f, doc) put_random_text(w, 1, 63, "abcdefxyz0189");
#define LABEL0(f, doc) put_random_text(w, 0, 63, "abcdefxyz0189");
#define IP(f, doc) put_random_ip(w);
#define ADDR(f, doc) put_random_addr(w);
#define PREFIX(f, doc) put_random_prefix(w);
#define LIST8(f, record, max, doc) { uint8_t n = (uint8_t)below((max) + 1); kith_put_u8(w, n); while (n-- > 0) random_##record(w); }
#define LIST16(f, record, max, doc) { uint16_t n = (uint16_t)below((max) + 1); kith_put_u16(w, n); while (n-- > 0) random_##record(w); }
#define END(name) }
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
#include "wire/undef.h"

#define RECORD(name, doc) random_##name,
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
static void (*const make[])(struct kith_writer *w) = {
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
};
#include "wire/undef.h"
/* clang-format on */

/* Valid ones pass; with a byte changed, cut off or added they pass or not, but never break the law.
 */
static void whatever_a_decoder_accepts_has_one_encoding(void **state)
{
    static uint8_t buf[140000];

    (void)state;
    for (size_t i = 0; i < 40 * KITH_COUNT(make); i++) {
        size_t which = i % KITH_COUNT(make), n;
        struct kith_writer w = kith_writer_on(buf, sizeof buf - 1);
        make[which](&w);
        assert_int_equal(kith_writer_done(&w, &n), KITH_OK);
        assert_true(wire_entries[which].holds((struct kith_span){buf, n}));
        for (int change = 0; change < 30 && n > 0; change++) {
            size_t at = (size_t)below(n < 300 ? n : 300);
            uint8_t was = buf[at];
            buf[at] = (uint8_t)below(256);
            (void)wire_entries[which].holds((struct kith_span){buf, n});
            (void)wire_entries[which].holds((struct kith_span){buf, at});
            buf[at] = was;
        }
        (void)wire_entries[which].holds((struct kith_span){buf, n + 1});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_decoder_accepts_has_one_encoding),
    };

    lab_seed_run(&dice);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
