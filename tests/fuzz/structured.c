#include "fuzz/structured.h"

#include "crypto/sign.h"
#include "wire/backup.h"
#include "wire/control.h"
#include "wire/datagram.h"
#include "wire/enrol.h"
#include "wire/object.h"
#include "wire/ticket.h"

/* ---- choices ---- */

struct recipe recipe_on(const uint8_t *data, size_t n, const struct known *known)
{
    return (struct recipe){.in = {data, n}, .known = known};
}

size_t recipe_left(const struct recipe *r)
{
    return r->in.n;
}

uint8_t recipe_byte(struct recipe *r)
{
    if (r->in.n == 0)
        return 0;
    r->in.n--;
    return *r->in.p++;
}

size_t recipe_below(struct recipe *r, size_t n)
{
    size_t v = recipe_byte(r);

    if (n > 256)
        v |= (size_t)recipe_byte(r) << 8;
    return v % n;
}

static uint64_t raw_number(struct recipe *r)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | recipe_byte(r);
    return v;
}

uint64_t recipe_number(struct recipe *r)
{
    uint8_t how = recipe_byte(r);

    switch (how % 6) {
    case 1: return ((uint64_t)1 << recipe_below(r, 64)) - (how > 127);
    case 2: return UINT64_MAX - recipe_byte(r);
    case 3:
        if (r->known != NULL)
            return r->known->number[how / 6 % 4] + recipe_byte(r) - 128;
        return recipe_byte(r);
    case 4: return raw_number(r);
    case 5: return ++r->made_up;
    default: return recipe_byte(r);
    }
}

/* Ascending big-endian numbers, so that lists that must be in order often are. */
static void make_up(struct recipe *r, uint8_t *to, size_t n)
{
    uint64_t v = ++r->made_up;

    memset(to, 0, n);
    for (size_t i = n < 4 ? n : 4; i-- > 0; v >>= 8)
        to[i] = (uint8_t)v;
}

static bool fill_known(struct recipe *r, uint8_t *to, size_t n)
{
    size_t fit[KNOWN_MAX], fits = 0;

    for (size_t i = 0; r->known != NULL && i < r->known->n; i++)
        if (r->known->value[i].n == n)
            fit[fits++] = i;
    if (fits == 0)
        return false;
    kith_copy(to, r->known->value[fit[recipe_below(r, fits)]].p, n);
    return true;
}

void recipe_fill(struct recipe *r, uint8_t *to, size_t n)
{
    switch (recipe_byte(r) % 4) {
    case 1: memset(to, recipe_byte(r), n); return;
    case 2:
        for (size_t i = 0; i < n; i++)
            to[i] = recipe_byte(r);
        return;
    case 3:
        if (fill_known(r, to, n))
            return;
        break;
    default: break;
    }
    make_up(r, to, n);
}

void known_add(struct known *k, struct kith_span value)
{
    if (k->n < KNOWN_MAX)
        k->value[k->n++] = value;
}

/* ---- fields ---- */

/* Whether this field is the one that breaks its rule. */
static bool bends(struct recipe *r)
{
    if (r->bent || r->bend_at == 0 || r->fields < r->bend_at)
        return false;
    r->bent = true;
    return true;
}

static void draw_int(struct recipe *r, struct kith_writer *w, size_t width)
{
    uint64_t v = recipe_number(r);

    r->fields++;
    while (width-- > 0)
        kith_put_u8(w, (uint8_t)(v >> 8 * width));
}

static void draw_range(struct recipe *r, struct kith_writer *w, unsigned lo, unsigned hi)
{
    unsigned v = lo + (unsigned)recipe_below(r, hi - lo + 1);

    r->fields++;
    if (bends(r))
        v = lo > 0 && (v & 1) != 0 ? lo - 1 : hi + 1;
    kith_put_u8(w, (uint8_t)v);
}

static void put_filled(struct recipe *r, struct kith_writer *w, size_t n)
{
    static uint8_t b[70000];

    recipe_fill(r, b, n);
    kith_put_span(w, (struct kith_span){b, n});
}

static void draw_raw(struct recipe *r, struct kith_writer *w, size_t n)
{
    r->fields++;
    put_filled(r, w, n);
}

static void draw_spki(struct recipe *r, struct kith_writer *w)
{
    static const uint8_t head[] = {0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09,
                                   0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                   0x12, 0x03, 0x82, 0x07, 0xa1, 0x00};
    uint8_t key[KITH_PUBLIC_KEY_LEN];

    r->fields++;
    recipe_fill(r, key, sizeof key);
    memcpy(key, head, sizeof head);
    if (bends(r))
        key[recipe_below(r, sizeof head)] ^= (uint8_t)(1 << recipe_below(r, 8));
    kith_put_span(w, KITH_SPAN_OF(key));
}

static void put_length(struct kith_writer *w, size_t width, size_t n)
{
    if (width == 2)
        kith_put_u16(w, (uint16_t)n);
    else
        kith_put_u8(w, (uint8_t)n);
}

/* A length: none, few, the most, or anything; `bent`: one too many. */
static size_t draw_length(struct recipe *r, size_t max, bool bent)
{
    if (bent)
        return max + 1;
    switch (recipe_byte(r) % 5) {
    case 1: return recipe_below(r, max < 32 ? max + 1 : 32);
    case 2: return max;
    case 3: return recipe_below(r, max + 1);
    case 4: return max - recipe_below(r, max < 4 ? max + 1 : 4);
    default: return 0;
    }
}

/* Bytes behind a length; a known value where the input says so. */
static void draw_bytes(struct recipe *r, struct kith_writer *w, size_t width, size_t max)
{
    bool bent;

    r->fields++;
    bent = max < ((size_t)1 << 8 * width) - 1 && bends(r);
    if (!bent && r->known != NULL && r->known->n > 0 && (recipe_byte(r) & 1) != 0) {
        struct kith_span s = r->known->value[recipe_below(r, r->known->n)];
        if (s.n <= max) {
            kith_put_bytes(w, s, width, max);
            return;
        }
    }
    size_t n = draw_length(r, max, bent);
    put_length(w, width, n);
    put_filled(r, w, n);
}

static void draw_rest(struct recipe *r, struct kith_writer *w)
{
    r->fields++;
    put_filled(r, w, draw_length(r, 1400, false));
}

/* Well-formed UTF-8 of every width. */
static void draw_text(struct recipe *r, struct kith_writer *w, size_t max)
{
    static const char *const letter[] = {"a", " ", "\"", "%s", "\\", "é", "€", "𐍈"};
    uint8_t text[255];
    size_t n = 0, want = draw_length(r, max, false);

    r->fields++;
    while (n < want) {
        struct kith_span s = kith_span_text(letter[recipe_below(r, KITH_COUNT(letter))]);
        if (n + s.n > want)
            s = kith_span_text("z");
        memcpy(text + n, s.p, s.n);
        n += s.n;
    }
    if (n > 0 && bends(r))
        text[n - 1] = (n & 1) != 0 ? '\n' : 0xff;
    kith_put_u8(w, (uint8_t)n);
    kith_put_span(w, (struct kith_span){text, n});
}

static void draw_label(struct recipe *r, struct kith_writer *w, bool may_be_empty)
{
    static const char letters[] = "abz09-ax";
    uint8_t label[64];
    size_t n = draw_length(r, 63, false);

    r->fields++;
    if (n == 0 && !may_be_empty)
        n = 1;
    for (size_t i = 0; i < n; i++)
        label[i] = (uint8_t)letters[recipe_below(r, sizeof letters - 1)];
    if (n > 0 && label[0] == '-')
        label[0] = 'a';
    if (n > 0 && label[n - 1] == '-')
        label[n - 1] = 'z';
    if (n > 0 && bends(r))
        label[recipe_below(r, n)] = recipe_byte(r) % 2 != 0 ? 'A' : '.';
    kith_put_u8(w, (uint8_t)n);
    kith_put_span(w, (struct kith_span){label, n});
}

/* Bent: an unknown family, or an IPv4 address as IPv6. */
static struct kith_ip draw_ip_value(struct recipe *r, bool may_be_none)
{
    static const uint8_t near[][16] = {{127, [15] = 1}, {192, 0, 2, 1}, {100, 80, 0, 1},
                                       {0xfe, 0x80},    {224, 1},       {0xfd, 1}};
    uint8_t b[16];
    size_t kind = recipe_below(r, may_be_none ? 5 : 4);

    if (kind == 4)
        return (struct kith_ip){0};
    if (kind >= 2)
        memcpy(b, near[recipe_below(r, KITH_COUNT(near))], sizeof b);
    else
        recipe_fill(r, b, sizeof b);
    return kith_ip_from((struct kith_span){b, kind % 2 == 0 ? 4 : 16});
}

static void put_bad_ip(struct recipe *r, struct kith_writer *w)
{
    static const uint8_t mapped[] = {6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};

    if (recipe_byte(r) % 2 == 0)
        kith_put_span(w, KITH_SPAN_OF(mapped));
    else
        kith_put_u8(w, 5);
}

static void draw_ip(struct recipe *r, struct kith_writer *w)
{
    struct kith_ip ip = draw_ip_value(r, true);

    r->fields++;
    if (bends(r))
        put_bad_ip(r, w);
    else
        kith_wire_put_ip(w, &ip);
}

static void draw_addr(struct recipe *r, struct kith_writer *w)
{
    struct kith_addr a = {.ip = draw_ip_value(r, false), .port = (uint16_t)recipe_number(r)};

    r->fields++;
    if (a.port == 0)
        a.port = 9000;
    if (!bends(r)) {
        kith_wire_put_addr(w, &a);
    } else if (recipe_byte(r) % 2 == 0) {
        put_bad_ip(r, w);
        kith_put_u16(w, 1);
    } else {
        kith_wire_put_ip(w, &a.ip);
        kith_put_u16(w, 0);
    }
}

static void draw_prefix(struct recipe *r, struct kith_writer *w)
{
    struct kith_ip ip = draw_ip_value(r, true);
    struct kith_prefix p = kith_prefix_of(&ip, (unsigned)recipe_below(r, 129));

    r->fields++;
    if (bends(r)) {
        kith_wire_put_ip(w, &p.ip);
        kith_put_u8(w, 129);
    } else {
        kith_wire_put_prefix(w, &p);
    }
}

static void draw_list(struct recipe *r, struct kith_writer *w, size_t width, size_t max,
                      void (*draw)(struct recipe *r, struct kith_writer *w))
{
    bool bent;

    r->fields++;
    bent = bends(r);
    size_t n = draw_length(r, max, bent);
    put_length(w, width, n);
    while (n-- > 0)
        draw(r, w);
}

/* ---- tables ---- */

/* clang-format off */
#define RECORD(name, doc) static void draw_##name(struct recipe *r, struct kith_writer *w);
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

#define RECORD(name, doc) static void draw_##name(struct recipe *r, struct kith_writer *w) {
#define BODY(name, number, doc) RECORD(name, doc)
#define MESSAGE(name, number, doc) RECORD(name, doc) kith_put_u8(w, (number));
#define U8(f, doc) draw_int(r, w, 1);
#define U16(f, doc) draw_int(r, w, 2);
#define U32(f, doc) draw_int(r, w, 4);
#define U64(f, doc) draw_int(r, w, 8);
#define RANGE8(f, lo, hi, doc) draw_range(r, w, lo, hi);
#define ID(f, type, doc) draw_raw(r, w, sizeof(struct kith_##type));
#define SECRET(f, type, doc) draw_raw(r, w, sizeof(struct kith_##type));
#define RAW(f, len, doc) draw_raw(r, w, len);
#define SPKI(f, doc) draw_spki(r, w);
#define BYTES8(f, max, doc) draw_bytes(r, w, 1, max);
#define BYTES16(f, max, doc) draw_bytes(r, w, 2, max);
#define REST(f, doc) draw_rest(r, w);
#define TEXT8(f, max, doc) draw_text(r, w, max);
#define LABEL(f, doc) draw_label(r, w, false);
#define LABEL0(f, doc) draw_label(r, w, true);
#define IP(f, doc) draw_ip(r, w);
#define ADDR(f, doc) draw_addr(r, w);
#define PREFIX(f, doc) draw_prefix(r, w);
#define LIST8(f, record, max, doc) draw_list(r, w, 1, max, draw_##record);
#define LIST16(f, record, max, doc) draw_list(r, w, 2, max, draw_##record);
#define END(name) }
#include "wire/control.def"
#include "wire/datagram.def"
#include "wire/enrol.def"
#include "wire/object.def"
#include "wire/ticket.def"
#include "wire/backup.def"
#include "wire/undef.h"

#define MESSAGE(name, number, doc) {#name, STRUCTURED_TABLE, (number), draw_##name},
#define BODY(name, number, doc) {#name, STRUCTURED_TABLE, (number), draw_##name},
#define RECORD(name, doc) {#name, STRUCTURED_TABLE, -1, draw_##name},
#include "wire/no_fields.h"
const struct structured_entry structured_entry[] = {
#define STRUCTURED_TABLE STRUCTURED_CONTROL
#include "wire/control.def"
#undef STRUCTURED_TABLE
#define STRUCTURED_TABLE STRUCTURED_DATAGRAM
#include "wire/datagram.def"
#undef STRUCTURED_TABLE
#define STRUCTURED_TABLE STRUCTURED_ENROL
#include "wire/enrol.def"
#undef STRUCTURED_TABLE
#define STRUCTURED_TABLE STRUCTURED_OBJECT
#include "wire/object.def"
#undef STRUCTURED_TABLE
#define STRUCTURED_TABLE STRUCTURED_TICKET
#include "wire/ticket.def"
#undef STRUCTURED_TABLE
#define STRUCTURED_TABLE STRUCTURED_BACKUP
#include "wire/backup.def"
#undef STRUCTURED_TABLE
};
#include "wire/undef.h"
/* clang-format on */

const size_t structured_count = KITH_COUNT(structured_entry);

/* ---- messages ---- */

size_t recipe_entry(struct recipe *r, const struct structured_entry *e, bool bend, uint8_t *buf,
                    size_t cap)
{
    struct kith_writer w = kith_writer_on(buf, cap);
    size_t n;

    r->fields = 0;
    r->bent = false;
    r->bend_at = bend ? (unsigned)recipe_below(r, 12) : 0;
    e->draw(r, &w);
    return kith_writer_done(&w, &n) == KITH_OK ? n : 0;
}

size_t recipe_message(struct recipe *r, enum structured_table table, bool bend, uint8_t *buf,
                      size_t cap)
{
    size_t of_table[64], n = 0;

    for (size_t i = 0; i < structured_count && n < KITH_COUNT(of_table); i++)
        if (structured_entry[i].table == table && structured_entry[i].number >= 0)
            of_table[n++] = i;
    return recipe_entry(r, &structured_entry[of_table[recipe_below(r, n)]], bend, buf, cap);
}
