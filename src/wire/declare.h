/* declare.h: reads the table KITH_WIRE_TABLE and declares what it describes. For every entry
 * `name`:
 *
 *   struct kith_name                  the fields; spans borrow from the decoded input
 *   kith_name_decode(in, ret)         all of `in`; KITH_E_MALFORMED, *ret then untouched
 *   kith_name_encode(m, buf, cap, ret_len)   KITH_E_LIMIT when it does not fit or a field's value
 * is one that a decoder refuses kith_name_get, kith_name_put      the same within a cursor
 *   kith_name_next(r, ret)            the next of a list of records; false at its end
 *   kith_name_equal(a, b)
 *   kith_name_print(m, buf, cap)      one line for people, cut to cap; returns buf
 *
 * and the number of a message as KITH_WIRE_name, of an object's body as KITH_OBJECT_name.
 * Included by wire/<protocol>.h, so without a guard. */
/* clang-format off */

#define MESSAGE(name, number, doc) enum { KITH_WIRE_##name = (number) }; struct kith_##name {
#define BODY(name, number, doc) enum { KITH_OBJECT_##name = (number) }; struct kith_##name {
#define RECORD(name, doc) struct kith_##name {
#define U8(f, doc) uint8_t f;
#define U16(f, doc) uint16_t f;
#define U32(f, doc) uint32_t f;
#define U64(f, doc) uint64_t f;
#define RANGE8(f, lo, hi, doc) uint8_t f;
#define ID(f, type, doc) struct kith_##type f;
#define SECRET(f, type, doc) struct kith_##type f;
#define RAW(f, len, doc) struct kith_span f;
#define SPKI(f, doc) struct kith_span f;
#define BYTES8(f, max, doc) struct kith_span f;
#define BYTES16(f, max, doc) struct kith_span f;
#define REST(f, doc) struct kith_span f;
#define TEXT8(f, max, doc) struct kith_span f;
#define LABEL(f, doc) struct kith_span f;
#define LABEL0(f, doc) struct kith_span f;
#define IP(f, doc) struct kith_ip f;
#define ADDR(f, doc) struct kith_addr f;
#define PREFIX(f, doc) struct kith_prefix f;
#define LIST8(f, record, max, doc) struct kith_records f;
#define LIST16(f, record, max, doc) struct kith_records f;
#define END(name) };
#include KITH_WIRE_TABLE
#include "wire/undef.h"

#define RECORD(name, doc)                                                             \
    int kith_##name##_decode(struct kith_span in, struct kith_##name *ret) KITH_MUST_CHECK;        \
    int kith_##name##_encode(const struct kith_##name *m, uint8_t *buf, size_t cap,                \
                             size_t *ret_len) KITH_MUST_CHECK;                                     \
    void kith_##name##_get(struct kith_reader *r, struct kith_##name *m);                          \
    void kith_##name##_put(struct kith_writer *w, const struct kith_##name *m);                    \
    bool kith_##name##_next(struct kith_reader *r, struct kith_##name *ret);                       \
    bool kith_##name##_equal(const struct kith_##name *a, const struct kith_##name *b);            \
    const char *kith_##name##_print(const struct kith_##name *m, char *buf, size_t cap);
#define MESSAGE(name, number, doc) RECORD(name, doc)
#define BODY(name, number, doc) RECORD(name, doc)
#include "wire/no_fields.h"
#include KITH_WIRE_TABLE
#include "wire/undef.h"
/* clang-format on */
