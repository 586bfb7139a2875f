/* define.h: reads the table KITH_WIRE_TABLE and defines what wire/declare.h declares. Included by
 * wire/<protocol>.c, so without a guard. */
#include "crypto/hash.h"
#include "wire/field.h"

/* clang-format off */

/* skip: an element of a list, forgotten again */
#define RECORD(name, doc) static inline void skip_##name(struct kith_reader *r);
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
#include KITH_WIRE_TABLE
#include "wire/undef.h"

/* get: straight down the fields; the cursor remembers the first mistake */
#define RECORD(name, doc) void kith_##name##_get(struct kith_reader *r, struct kith_##name *m) {
#define BODY(name, number, doc) void kith_##name##_get(struct kith_reader *r, struct kith_##name *m) {
#define MESSAGE(name, number, doc) void kith_##name##_get(struct kith_reader *r, struct kith_##name *m) { r->bad |= kith_get_u8(r) != (number);
#define U8(f, doc) m->f = kith_get_u8(r);
#define U16(f, doc) m->f = kith_get_u16(r);
#define U32(f, doc) m->f = kith_get_u32(r);
#define U64(f, doc) m->f = kith_get_u64(r);
#define RANGE8(f, lo, hi, doc) m->f = kith_wire_get_range8(r, lo, hi);
#define ID(f, type, doc) kith_get_copy(r, m->f.b, sizeof m->f.b);
#define SECRET(f, type, doc) kith_get_copy(r, m->f.b, sizeof m->f.b);
#define RAW(f, len, doc) m->f = kith_get_span(r, len);
#define SPKI(f, doc) m->f = kith_wire_get_spki(r);
#define BYTES8(f, max, doc) m->f = kith_get_bytes(r, 1, max);
#define BYTES16(f, max, doc) m->f = kith_get_bytes(r, 2, max);
#define REST(f, doc) m->f = kith_wire_get_rest(r);
#define TEXT8(f, max, doc) m->f = kith_wire_get_text(r, max);
#define LABEL(f, doc) m->f = kith_wire_get_label(r, false);
#define LABEL0(f, doc) m->f = kith_wire_get_label(r, true);
#define IP(f, doc) m->f = kith_wire_get_ip(r);
#define ADDR(f, doc) m->f = kith_wire_get_addr(r);
#define PREFIX(f, doc) m->f = kith_wire_get_prefix(r);
#define LIST8(f, record, max, doc) m->f = kith_wire_get_records(r, 1, max, skip_##record);
#define LIST16(f, record, max, doc) m->f = kith_wire_get_records(r, 2, max, skip_##record);
#define END(name) }
#include KITH_WIRE_TABLE
#include "wire/undef.h"

/* put */
#define RECORD(name, doc) void kith_##name##_put(struct kith_writer *w, const struct kith_##name *m) {
#define BODY(name, number, doc) void kith_##name##_put(struct kith_writer *w, const struct kith_##name *m) {
#define MESSAGE(name, number, doc) void kith_##name##_put(struct kith_writer *w, const struct kith_##name *m) { kith_put_u8(w, (number));
#define U8(f, doc) kith_put_u8(w, m->f);
#define U16(f, doc) kith_put_u16(w, m->f);
#define U32(f, doc) kith_put_u32(w, m->f);
#define U64(f, doc) kith_put_u64(w, m->f);
#define RANGE8(f, lo, hi, doc) kith_wire_put_range8(w, m->f, lo, hi);
#define ID(f, type, doc) kith_put_span(w, KITH_SPAN_OF(m->f));
#define SECRET(f, type, doc) kith_put_span(w, KITH_SPAN_OF(m->f));
#define RAW(f, len, doc) kith_wire_put_raw(w, m->f, len);
#define SPKI(f, doc) kith_wire_put_spki(w, m->f);
#define BYTES8(f, max, doc) kith_put_bytes(w, m->f, 1, max);
#define BYTES16(f, max, doc) kith_put_bytes(w, m->f, 2, max);
#define REST(f, doc) kith_put_span(w, m->f);
#define TEXT8(f, max, doc) kith_wire_put_text(w, m->f, max);
#define LABEL(f, doc) kith_wire_put_label(w, m->f, false);
#define LABEL0(f, doc) kith_wire_put_label(w, m->f, true);
#define IP(f, doc) kith_wire_put_ip(w, &m->f);
#define ADDR(f, doc) kith_wire_put_addr(w, &m->f);
#define PREFIX(f, doc) kith_wire_put_prefix(w, &m->f);
#define LIST8(f, record, max, doc) kith_wire_put_records(w, &m->f, 1, max, skip_##record);
#define LIST16(f, record, max, doc) kith_wire_put_records(w, &m->f, 2, max, skip_##record);
#define END(name) }
#include KITH_WIRE_TABLE
#include "wire/undef.h"

/* equal */
#define RECORD(name, doc) bool kith_##name##_equal(const struct kith_##name *a, const struct kith_##name *b) { bool same = true;
#define BODY(name, number, doc) bool kith_##name##_equal(const struct kith_##name *a, const struct kith_##name *b) { bool same = true;
#define MESSAGE(name, number, doc) bool kith_##name##_equal(const struct kith_##name *a, const struct kith_##name *b) { bool same = true;
#define U8(f, doc) same &= a->f == b->f;
#define U16(f, doc) same &= a->f == b->f;
#define U32(f, doc) same &= a->f == b->f;
#define U64(f, doc) same &= a->f == b->f;
#define RANGE8(f, lo, hi, doc) same &= a->f == b->f;
#define ID(f, type, doc) same &= memcmp(a->f.b, b->f.b, sizeof a->f.b) == 0;
#define SECRET(f, type, doc) same &= kith_equal_ct(a->f.b, b->f.b, sizeof a->f.b);
#define RAW(f, len, doc) same &= kith_span_equal(a->f, b->f);
#define SPKI(f, doc) same &= kith_span_equal(a->f, b->f);
#define BYTES8(f, max, doc) same &= kith_span_equal(a->f, b->f);
#define BYTES16(f, max, doc) same &= kith_span_equal(a->f, b->f);
#define REST(f, doc) same &= kith_span_equal(a->f, b->f);
#define TEXT8(f, max, doc) same &= kith_span_equal(a->f, b->f);
#define LABEL(f, doc) same &= kith_span_equal(a->f, b->f);
#define LABEL0(f, doc) same &= kith_span_equal(a->f, b->f);
#define IP(f, doc) same &= kith_ip_equal(&a->f, &b->f);
#define ADDR(f, doc) same &= kith_addr_equal(&a->f, &b->f);
#define PREFIX(f, doc) same &= kith_prefix_equal(&a->f, &b->f);
#define LIST8(f, record, max, doc) same &= kith_records_equal(&a->f, &b->f);
#define LIST16(f, record, max, doc) same &= kith_records_equal(&a->f, &b->f);
#define END(name) return same; }
#include KITH_WIRE_TABLE
#include "wire/undef.h"

/* print */
#define RECORD(name, doc) const char *kith_##name##_print(const struct kith_##name *m, char *buf, size_t cap) { struct kith_print p = {buf, cap, 0}; kith_print_text(&p, #name);
#define BODY(name, number, doc) const char *kith_##name##_print(const struct kith_##name *m, char *buf, size_t cap) { struct kith_print p = {buf, cap, 0}; kith_print_text(&p, #name);
#define MESSAGE(name, number, doc) const char *kith_##name##_print(const struct kith_##name *m, char *buf, size_t cap) { struct kith_print p = {buf, cap, 0}; kith_print_text(&p, #name);
#define U8(f, doc) kith_print_u64(&p, #f, m->f);
#define U16(f, doc) kith_print_u64(&p, #f, m->f);
#define U32(f, doc) kith_print_u64(&p, #f, m->f);
#define U64(f, doc) kith_print_u64(&p, #f, m->f);
#define RANGE8(f, lo, hi, doc) kith_print_u64(&p, #f, m->f);
#define ID(f, type, doc) kith_print_hex(&p, #f, KITH_SPAN_OF(m->f));
#define SECRET(f, type, doc) kith_print_text(&p, " " #f "=(secret)");
#define RAW(f, len, doc) kith_print_size(&p, #f, m->f.n);
#define SPKI(f, doc) kith_print_size(&p, #f, m->f.n);
#define BYTES8(f, max, doc) kith_print_size(&p, #f, m->f.n);
#define BYTES16(f, max, doc) kith_print_size(&p, #f, m->f.n);
#define REST(f, doc) kith_print_size(&p, #f, m->f.n);
#define TEXT8(f, max, doc) kith_print_span(&p, #f, m->f);
#define LABEL(f, doc) kith_print_span(&p, #f, m->f);
#define LABEL0(f, doc) kith_print_span(&p, #f, m->f);
#define IP(f, doc) kith_print_ip(&p, #f, &m->f);
#define ADDR(f, doc) kith_print_addr(&p, #f, &m->f);
#define PREFIX(f, doc) kith_print_prefix(&p, #f, &m->f);
#define LIST8(f, record, max, doc) kith_print_size(&p, #f, m->f.n);
#define LIST16(f, record, max, doc) kith_print_size(&p, #f, m->f.n);
#define END(name) return buf; }
#include KITH_WIRE_TABLE
#include "wire/undef.h"

/* what is the same for all */
#define RECORD(name, doc)                                                                           \
    static inline void skip_##name(struct kith_reader *r)                                          \
    {                                                                                              \
        struct kith_##name m;                                                                      \
        kith_##name##_get(r, &m);                                                                  \
    }                                                                                              \
    int kith_##name##_decode(struct kith_span in, struct kith_##name *ret)                         \
    {                                                                                              \
        struct kith_reader r = kith_reader_on(in);                                                 \
        struct kith_##name m;                                                                      \
        kith_##name##_get(&r, &m);                                                                 \
        int err = kith_reader_done(&r);                                                            \
        if (err == KITH_OK)                                                                        \
            *ret = m;                                                                              \
        kith_wipe(&m, sizeof m); /* some tables carry secrets */                                   \
        return err;                                                                                \
    }                                                                                              \
    int kith_##name##_encode(const struct kith_##name *m, uint8_t *buf, size_t cap,                \
                             size_t *ret_len)                                                      \
    {                                                                                              \
        struct kith_writer w = kith_writer_on(buf, cap);                                           \
        kith_##name##_put(&w, m);                                                                  \
        return kith_writer_done(&w, ret_len);                                                      \
    }                                                                                              \
    bool kith_##name##_next(struct kith_reader *r, struct kith_##name *ret)                        \
    {                                                                                              \
        struct kith_##name m;                                                                      \
        if (r->bad || kith_reader_left(r) == 0)                                                    \
            return false;                                                                          \
        kith_##name##_get(r, &m);                                                                  \
        if (!r->bad)                                                                               \
            *ret = m;                                                                              \
        return !r->bad;                                                                            \
    }
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
#include KITH_WIRE_TABLE
#include "wire/undef.h"
/* clang-format on */
