/* cursor.h: reading and writing big-endian fields with a cursor that remembers its first mistake.
 *
 * After a short read every getter yields zero and `bad` stays set, so a parser is straight-line
 * code with one verdict at the end (`kith_reader_done`). The writer is its mirror. */
#ifndef KITH_BASE_CURSOR_H
#define KITH_BASE_CURSOR_H

#include "base/err.h"
#include "base/span.h"

struct kith_reader {
    const uint8_t *p, *end;
    bool bad;
};

struct kith_reader kith_reader_on(struct kith_span in);
uint8_t kith_get_u8(struct kith_reader *r);
uint16_t kith_get_u16(struct kith_reader *r);
uint32_t kith_get_u32(struct kith_reader *r);
uint64_t kith_get_u64(struct kith_reader *r);
/* The next n bytes, borrowed from the input; empty and bad when there are fewer. */
struct kith_span kith_get_span(struct kith_reader *r, size_t n);
/* Copies the next n bytes to `to`, or zeroes it and turns bad. */
void kith_get_copy(struct kith_reader *r, void *to, size_t n);
/* A length of `width` (1 or 2) bytes and that many bytes; bad above max. */
struct kith_span kith_get_bytes(struct kith_reader *r, size_t width, size_t max);
size_t kith_reader_left(const struct kith_reader *r);
/* KITH_E_MALFORMED after any mistake or when bytes are left over. A `bad` reader stays bad. */
int kith_reader_done(const struct kith_reader *r) KITH_MUST_CHECK;

struct kith_writer {
    uint8_t *start, *p, *end;
    bool bad;
};

struct kith_writer kith_writer_on(uint8_t *buf, size_t cap);
/* Nothing is written after the first thing that did not fit. */
void kith_put_u8(struct kith_writer *w, uint8_t v);
void kith_put_u16(struct kith_writer *w, uint16_t v);
void kith_put_u32(struct kith_writer *w, uint32_t v);
void kith_put_u64(struct kith_writer *w, uint64_t v);
void kith_put_span(struct kith_writer *w, struct kith_span s);
/* A length of `width` (1 or 2) bytes, then s; bad when s is longer than max or than `width` bytes
 * can say. */
void kith_put_bytes(struct kith_writer *w, struct kith_span s, size_t width, size_t max);
/* KITH_E_LIMIT when something did not fit; *ret_len is then untouched. */
int kith_writer_done(const struct kith_writer *w, size_t *ret_len) KITH_MUST_CHECK;

#endif
