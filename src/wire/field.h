/* field.h: reading, writing, comparing and printing one field of each kind the tables use.
 *
 * The kinds are listed and explained here; a table (*.def) composes them into messages, and
 * wire/declare.h and wire/define.h turn a table into structs and codecs. Every kind has exactly
 * one encoding of each value, so decoding and encoding again gives the same bytes.
 *
 *   MESSAGE(name, type, doc)     opens a message; its first byte is `type`
 *   BODY(name, kind, doc)        opens the body of a signed object of that kind; no type byte
 *   RECORD(name, doc)            opens a record without a type byte, e.g. the element of a list
 *   END(name)                    closes any of them
 *   U8 U16 U32 U64(field, doc)   big-endian integer
 *   RANGE8(field, lo, hi, doc)   u8 within lo..hi
 *   ID(field, type, doc)         the bytes of struct kith_<type>
 *   SECRET(field, type, doc)     the same, never printed
 *   RAW(field, n, doc)           exactly n bytes
 *   SPKI(field, doc)             an ML-DSA-65 SubjectPublicKeyInfo, 1974 bytes
 *   BYTES8, BYTES16(field, max, doc)   length of 1 or 2 bytes, then at most max bytes
 *   REST(field, doc)             all bytes that are left; only as the last field
 *   TEXT8(field, max, doc)       u8 length, then UTF-8 without control characters
 *   LABEL(field, doc)            u8 length, then a DNS label (RFC 1123, lowercase)
 *   LABEL0(field, doc)           the same, or empty
 *   IP(field, doc)               u8 family 0 (none), 4 or 6, then 0, 4 or 16 bytes; never mapped
 *   ADDR(field, doc)             an IP that is not none, then u16 port that is not 0
 *   PREFIX(field, doc)           an IP, then u8 bits; host bits are zero; none has 0 bits
 *   LIST8, LIST16(field, record, max, doc)   count of 1 or 2 bytes, then that many records
 *
 * Test: tests/unit/wire_field_test.c, tests/property/wire_laws_test.c. Fuzz: tests/fuzz/wire.c. */
#ifndef KITH_WIRE_FIELD_H
#define KITH_WIRE_FIELD_H

#include "base/addr.h"
#include "base/base.h"

/* Records end to end, already validated when they come out of a decoder. Walk them with
 *   struct kith_reader r = kith_reader_on(list.bytes);
 *   while (kith_<record>_next(&r, &item)) … */
struct kith_records {
    struct kith_span bytes; /* borrowed */
    uint16_t n;
};

/* Text that is cut at its end, always NUL-terminated. */
struct kith_print {
    char *buf;
    size_t cap, len;
};

/* Moves r over one record; turns r bad when there is none. */
typedef void kith_record_skip(struct kith_reader *r);

uint8_t kith_wire_get_range8(struct kith_reader *r, uint8_t lo, uint8_t hi);
struct kith_span kith_wire_get_spki(struct kith_reader *r);
struct kith_span kith_wire_get_rest(struct kith_reader *r);
struct kith_span kith_wire_get_text(struct kith_reader *r, size_t max);
struct kith_span kith_wire_get_label(struct kith_reader *r, bool may_be_empty);
struct kith_ip kith_wire_get_ip(struct kith_reader *r);
struct kith_addr kith_wire_get_addr(struct kith_reader *r);
struct kith_prefix kith_wire_get_prefix(struct kith_reader *r);
struct kith_records kith_wire_get_records(struct kith_reader *r, size_t width, size_t max,
                                          kith_record_skip *skip);

/* Writers turn bad at any value a reader would refuse. A port's scope is local and not written. */
void kith_wire_put_range8(struct kith_writer *w, uint8_t v, uint8_t lo, uint8_t hi);
void kith_wire_put_raw(struct kith_writer *w, struct kith_span s, size_t n);
void kith_wire_put_spki(struct kith_writer *w, struct kith_span s);
void kith_wire_put_text(struct kith_writer *w, struct kith_span s, size_t max);
void kith_wire_put_label(struct kith_writer *w, struct kith_span s, bool may_be_empty);
void kith_wire_put_ip(struct kith_writer *w, const struct kith_ip *ip);
void kith_wire_put_addr(struct kith_writer *w, const struct kith_addr *a);
void kith_wire_put_prefix(struct kith_writer *w, const struct kith_prefix *p);
void kith_wire_put_records(struct kith_writer *w, const struct kith_records *l, size_t width,
                           size_t max, kith_record_skip *skip);

static inline bool kith_records_equal(const struct kith_records *a, const struct kith_records *b)
{
    return a->n == b->n && kith_span_equal(a->bytes, b->bytes);
}

/* Well-formed UTF-8 (Unicode 3.9, table 3-7) without control characters (category Cc). */
bool kith_text_valid(struct kith_span s);

void kith_print_text(struct kith_print *p, const char *text);
void kith_print_u64(struct kith_print *p, const char *field, uint64_t v);
void kith_print_hex(struct kith_print *p, const char *field, struct kith_span s); /* 8 bytes */
void kith_print_size(struct kith_print *p, const char *field, size_t n);
void kith_print_span(struct kith_print *p, const char *field, struct kith_span text);
void kith_print_ip(struct kith_print *p, const char *field, const struct kith_ip *ip);
void kith_print_addr(struct kith_print *p, const char *field, const struct kith_addr *a);
void kith_print_prefix(struct kith_print *p, const char *field, const struct kith_prefix *v);

#endif
