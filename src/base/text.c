#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static const char base32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";

const char *kith_base32_text(struct kith_span in, char *buf, size_t cap)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t out = 0;

    if (cap < KITH_BASE32_LEN(in.n) + 1)
        return "";
    for (size_t i = 0; i < in.n; i++) {
        bits = (bits << 8 | in.p[i]) & 0xfffff;
        for (held += 8; held >= 5; held -= 5)
            buf[out++] = base32_digits[bits >> (held - 5) & 31];
    }
    if (held > 0)
        buf[out++] = base32_digits[bits << (5 - held) & 31];
    buf[out] = '\0';
    return buf;
}

static int base32_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return -1;
}

int kith_base32_parse(const char *text, size_t n, uint8_t *buf, size_t cap, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t len = n * 5 / 8;

    if (KITH_BASE32_LEN(len) != n)
        return KITH_E_MALFORMED;
    if (len > cap)
        return KITH_E_LIMIT;
    for (size_t i = 0, out = 0; i < n; i++) {
        int v = base32_value(text[i]);
        if (v < 0)
            return KITH_E_MALFORMED;
        bits = (bits << 5 | (uint32_t)v) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            buf[out++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return KITH_E_MALFORMED;
    *ret_len = len;
    return KITH_OK;
}

const char *kith_hex_text(struct kith_span in, char *buf, size_t cap)
{
    static const char digits[] = "0123456789abcdef";

    if (cap < 2 * in.n + 1)
        return "";
    for (size_t i = 0; i < in.n; i++) {
        buf[2 * i] = digits[in.p[i] >> 4];
        buf[2 * i + 1] = digits[in.p[i] & 15];
    }
    buf[2 * in.n] = '\0';
    return buf;
}

/* Reads digits at *text, moving it on; false on none or overflow. */
static bool read_digits(const char **text, uint64_t *ret)
{
    const char *p = *text;
    uint64_t v = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *text = p;
    *ret = v;
    return true;
}

int kith_u64_parse(const char *text, uint64_t *ret)
{
    uint64_t v;

    if (!read_digits(&text, &v) || *text != '\0')
        return KITH_E_MALFORMED;
    *ret = v;
    return KITH_OK;
}

static const struct unit {
    const char *name;
    kith_dur dur;
} units[] = {
    {"d", 86400 * KITH_SEC},
    {"h", 3600 * KITH_SEC},
    {"m", 60 * KITH_SEC},
    {"s", KITH_SEC},
    {"ms", KITH_MSEC},
    {"us", KITH_USEC},
    {"ns", 1},
};

int kith_dur_parse(const char *text, kith_dur *ret)
{
    uint64_t v;

    if (!read_digits(&text, &v))
        return KITH_E_MALFORMED;
    if (*text == '\0')
        text = "s";
    for (size_t i = 0; i < KITH_COUNT(units); i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (v > (KITH_NEVER - 1) / units[i].dur)
            return KITH_E_MALFORMED;
        *ret = v * units[i].dur;
        return KITH_OK;
    }
    return KITH_E_MALFORMED;
}

const char *kith_dur_text(kith_dur d, char *buf, size_t cap)
{
    if (d == 0)
        return kith_format(buf, cap, "0s");
    for (size_t i = 0; i < KITH_COUNT(units); i++)
        if (d % units[i].dur == 0)
            return kith_format(buf, cap, "%llu%s", (unsigned long long)(d / units[i].dur),
                               units[i].name);
    return buf;
}

static bool label_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool kith_label_valid(struct kith_span s)
{
    if (s.n == 0 || s.n > KITH_LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!label_char(s.p[i]))
            return false;
    return true;
}

const char *kith_label_from(const char *text, char *buf, size_t cap)
{
    size_t n = 0;

    for (; *text != '\0' && *text != '.' && n + 1 < cap && n < KITH_LABEL_MAX; text++) {
        uint8_t c = (uint8_t)*text;
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        if (!label_char(c))
            c = '-';
        if (c == '-' && (n == 0 || buf[n - 1] == '-'))
            continue;
        buf[n++] = (char)c;
    }
    while (n > 0 && buf[n - 1] == '-')
        n--;
    buf[n] = '\0';
    return buf;
}

enum { DISTANCE_MAX = 64 };

unsigned kith_text_distance(const char *a, const char *b)
{
    unsigned row[DISTANCE_MAX + 1];
    size_t an = strnlen(a, DISTANCE_MAX), bn = strnlen(b, DISTANCE_MAX);

    for (size_t j = 0; j <= bn; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= an; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= bn; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[bn];
}

const char *kith_text_nearest(const char *text, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)(strnlen(text, DISTANCE_MAX) / 3 + 2);

    for (size_t i = 0; i < n; i++) {
        unsigned d = kith_text_distance(text, words[i]);
        if (d < best) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}

const char *kith_format(char *buf, size_t cap, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(buf, cap, fmt, args) < 0 && cap > 0)
        buf[0] = '\0';
    va_end(args);
    return buf;
}
