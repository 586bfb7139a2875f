#include "ctl/handlers_base64.h"

#include <assert.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *kith_base64_text(struct kith_span in, char *buf, size_t cap)
{
    char *to = buf;

    assert(cap > KITH_BASE64_LEN(in.n));
    for (size_t i = 0; i < in.n; i += 3) {
        size_t n = in.n - i < 3 ? in.n - i : 3;
        uint32_t bits = (uint32_t)in.p[i] << 16;
        bits |= n > 1 ? (uint32_t)in.p[i + 1] << 8 : 0;
        bits |= n > 2 ? in.p[i + 2] : 0;
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = n > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = n > 2 ? alphabet[bits & 63] : '=';
    }
    *to = '\0';
    return buf;
}

/* 0 to 63, or -1. */
static int value_of(uint8_t c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

/* The next character that is no white space; 0 at the end. */
static uint8_t next_of(struct kith_span *text)
{
    while (text->n > 0) {
        uint8_t c = text->p[0];
        *text = (struct kith_span){text->p + 1, text->n - 1};
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return c == '\0' ? 0xff : c;
    }
    return 0;
}

/* One group of four, the first of which is known; how many bytes it holds, or an error. */
static int group_parse(uint8_t first, struct kith_span *text, uint8_t out[3])
{
    uint8_t c[4] = {first, next_of(text), next_of(text), next_of(text)};
    int n = c[2] == '=' && c[3] == '=' ? 1 : c[3] == '=' ? 2 : 3;
    uint32_t bits = 0;

    for (int i = 0; i < 4; i++) {
        int v = i <= n ? value_of(c[i]) : 0;
        if (v < 0)
            return KITH_E_MALFORMED;
        bits = bits << 6 | (uint32_t)v;
    }
    if ((n < 3 && (bits & 0xff) != 0) || (n < 2 && (bits & 0xffff) != 0))
        return KITH_E_MALFORMED;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return n;
}

int kith_base64_parse(struct kith_span text, uint8_t *buf, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    int n = 3;

    for (uint8_t c; (c = next_of(&text)) != 0;) {
        uint8_t out[3];
        if (n < 3) /* something follows the padding */
            return KITH_E_MALFORMED;
        n = group_parse(c, &text, out);
        if (n < 0)
            return n;
        if ((size_t)n > cap - len)
            return KITH_E_LIMIT;
        memcpy(buf + len, out, (size_t)n);
        len += (size_t)n;
    }
    *ret_len = len;
    return KITH_OK;
}
