/* text.h: bytes as text and back: base32, hex, durations, numbers, names, and the nearest word. */
#ifndef KITH_BASE_TEXT_H
#define KITH_BASE_TEXT_H

#include "base/base.h"

/* Lowercase RFC 4648 base32 without padding: ceil(8n/5) characters. */
#define KITH_BASE32_LEN(n) (((n)*8 + 4) / 5)

/* Writes text and a NUL, returns buf; below a cap of KITH_BASE32_LEN(in.n) + 1 it writes nothing
 * and returns "". */
const char *kith_base32_text(struct kith_span in, char *buf, size_t cap);
/* Decodes exactly text (n characters, either case) into at most cap bytes. KITH_E_MALFORMED for a
 * foreign character, an impossible length or non-zero spare bits; KITH_E_LIMIT above cap. Either
 * way *ret_len stays, what is in buf is of no use, and no two texts (but for case) give the same
 * bytes. */
int kith_base32_parse(const char *text, size_t n, uint8_t *buf, size_t cap,
                      size_t *ret_len) KITH_MUST_CHECK;

/* Lowercase, two digits a byte; as kith_base32_text, with a cap of 2 * in.n + 1. */
const char *kith_hex_text(struct kith_span in, char *buf, size_t cap);

/* "30d", "24h", "15m", "90s", "1500ms", "20us", "5ns" and plain seconds ("90"); KITH_E_MALFORMED
 * otherwise, and for what would be KITH_NEVER or more. */
int kith_dur_parse(const char *text, kith_dur *ret) KITH_MUST_CHECK;
/* In the largest unit that divides d, as kith_dur_parse reads it; at most 23 bytes with the NUL. */
const char *kith_dur_text(kith_dur d, char *buf, size_t cap);

/* A whole decimal number, no sign, no spaces; KITH_E_MALFORMED also above UINT64_MAX. */
int kith_u64_parse(const char *text, uint64_t *ret) KITH_MUST_CHECK;

/* A DNS label (RFC 1123): 1 to 63 of a-z, 0-9 and inner hyphens. */
enum { KITH_LABEL_MAX = 63 };
bool kith_label_valid(struct kith_span s);
/* Makes a label out of any text up to its first dot (so a host's full name gives its first):
 * letters to lowercase, each run of other bytes to one hyphen, none at the ends, cut to 63; empty
 * when nothing is left. buf needs KITH_LABEL_MAX + 1. Returns buf. */
const char *kith_label_from(const char *text, char *buf, size_t cap);

/* How many single-byte edits lead from a to b (Levenshtein); the first 64 bytes of each count. */
unsigned kith_text_distance(const char *a, const char *b);
/* The word of the list nearest to `text`, the first of equals, or NULL when none is within a third
 * of its length, rounded down, + 1. */
const char *kith_text_nearest(const char *text, const char *const *words, size_t n);

/* snprintf that cannot be misread: always terminates (unless cap is 0), returns buf. */
const char *kith_format(char *buf, size_t cap, const char *fmt, ...) KITH_PRINTF(3, 4);

#endif
