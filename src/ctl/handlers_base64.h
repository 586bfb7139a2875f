/* handlers_base64.h: bytes as base64 with padding (RFC 4648, section 4), for blobs inside JSON. */
#ifndef KITH_CTL_HANDLERS_BASE64_H
#define KITH_CTL_HANDLERS_BASE64_H

#include "base/base.h"

#define KITH_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes text and a NUL; cap must be at least KITH_BASE64_LEN(in.n) + 1. Returns buf. */
char *kith_base64_text(struct kith_span in, char *buf, size_t cap);
/* Decodes the whole text; white space between groups of a wrapped text is skipped. KITH_E_MALFORMED
 * for a foreign character, wrong padding or non-zero spare bits; KITH_E_LIMIT above cap. */
int kith_base64_parse(struct kith_span text, uint8_t *buf, size_t cap,
                      size_t *ret_len) KITH_MUST_CHECK;

#endif
