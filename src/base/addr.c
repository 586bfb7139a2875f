#include "base/addr.h"

#include "base/text.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct kith_ip kith_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct kith_ip){.family = KITH_FAMILY_IP4, .b = {a, b, c, d}};
}

struct kith_ip kith_ip_from(struct kith_span s)
{
    struct kith_ip ip = {0};

    if (s.n == 16 && memcmp(s.p, mapped, sizeof mapped) == 0)
        s = (struct kith_span){s.p + 12, 4};
    if (s.n != 4 && s.n != 16)
        return ip;
    ip.family = s.n == 4 ? KITH_FAMILY_IP4 : KITH_FAMILY_IP6;
    memcpy(ip.b, s.p, s.n);
    return ip;
}

struct kith_span kith_ip_bytes(const struct kith_ip *ip)
{
    size_t n = ip->family == KITH_FAMILY_IP4 ? 4 : ip->family == KITH_FAMILY_IP6 ? 16 : 0;

    return (struct kith_span){ip->b, n};
}

bool kith_ip_equal(const struct kith_ip *a, const struct kith_ip *b)
{
    return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool kith_addr_equal(const struct kith_addr *a, const struct kith_addr *b)
{
    return kith_ip_equal(&a->ip, &b->ip) && a->port == b->port && a->scope == b->scope;
}

bool kith_ip_is_unspecified(const struct kith_ip *ip)
{
    static const uint8_t zero[16];

    return memcmp(ip->b, zero, sizeof zero) == 0;
}

bool kith_ip_is_loopback(const struct kith_ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};

    if (ip->family == KITH_FAMILY_IP4)
        return ip->b[0] == 127;
    return ip->family == KITH_FAMILY_IP6 && memcmp(ip->b, one, sizeof one) == 0;
}

bool kith_ip_is_multicast(const struct kith_ip *ip)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};

    if (ip->family == KITH_FAMILY_IP4)
        return (ip->b[0] & 0xf0) == 0xe0 || memcmp(ip->b, broadcast, 4) == 0;
    return ip->family == KITH_FAMILY_IP6 && ip->b[0] == 0xff;
}

bool kith_ip_is_link_local(const struct kith_ip *ip)
{
    if (ip->family == KITH_FAMILY_IP4)
        return ip->b[0] == 169 && ip->b[1] == 254;
    return ip->family == KITH_FAMILY_IP6 && ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* ---- reading ---- */

/* A decimal number up to max at *p, no leading zeros; moves *p on. */
static bool read_number(const char **p, uint32_t max, uint32_t *ret)
{
    uint64_t v = 0; /* ten times a number up to max, and a digit, fit */
    const char *q = *p;

    if (*q < '0' || *q > '9' || (q[0] == '0' && q[1] >= '0' && q[1] <= '9'))
        return false;
    for (; *q >= '0' && *q <= '9'; q++) {
        v = v * 10 + (uint64_t)(*q - '0');
        if (v > max)
            return false;
    }
    *p = q;
    *ret = (uint32_t)v;
    return true;
}

static bool read_ip4(const char **p, uint8_t b[4])
{
    for (int i = 0; i < 4; i++) {
        uint32_t v;
        if (i > 0 && *(*p)++ != '.')
            return false;
        if (!read_number(p, 255, &v))
            return false;
        b[i] = (uint8_t)v;
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One group of at most four hex digits. */
static bool read_group(const char **p, uint8_t b[2])
{
    unsigned v = 0;
    int digits = 0;

    for (; hex_value(**p) >= 0; (*p)++) {
        v = v << 4 | (unsigned)hex_value(**p);
        if (++digits > 4)
            return false;
    }
    b[0] = (uint8_t)(v >> 8);
    b[1] = (uint8_t)v;
    return digits > 0;
}

static bool looks_like_ip4(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return *p == '.';
}

/* RFC 4291 2.2: groups, at most one "::", perhaps an IPv4 tail. */
static bool read_ip6(const char **p, uint8_t b[16])
{
    size_t n = 0, gap = SIZE_MAX;
    uint8_t out[16] = {0};

    if ((*p)[0] == ':' && (*p)[1] == ':') {
        gap = 0;
        *p += 2;
    }
    while (n < 16 && hex_value(**p) >= 0) {
        if (n <= 12 && looks_like_ip4(*p)) {
            if (!read_ip4(p, out + n))
                return false;
            n += 4;
            break;
        }
        if (!read_group(p, out + n))
            return false;
        n += 2;
        if (**p != ':' || n == 16)
            break;
        (*p)++;
        if (**p == ':') {
            if (gap != SIZE_MAX)
                return false;
            gap = n;
            (*p)++;
        } else if (hex_value(**p) < 0) {
            return false;
        }
    }
    if (gap == SIZE_MAX ? n != 16 : n > 14)
        return false;
    memset(b, 0, 16);
    if (gap == SIZE_MAX)
        gap = n;
    memcpy(b, out, gap);
    kith_copy(b + 16 - (n - gap), out + gap, n - gap);
    return true;
}

static bool read_ip(const char **p, struct kith_ip *ip)
{
    uint8_t b[16];

    if (looks_like_ip4(*p)) {
        if (!read_ip4(p, b))
            return false;
        *ip = kith_ip_from((struct kith_span){b, 4});
        return true;
    }
    if (!read_ip6(p, b))
        return false;
    *ip = kith_ip_from((struct kith_span){b, 16});
    return true;
}

int kith_ip_parse(const char *text, struct kith_ip *ret)
{
    struct kith_ip ip;

    if (!read_ip(&text, &ip) || *text != '\0')
        return KITH_E_MALFORMED;
    *ret = ip;
    return KITH_OK;
}

static bool read_port(const char **p, uint16_t *port)
{
    uint32_t v;

    if (**p == '\0')
        return true;
    if (*(*p)++ != ':' || !read_number(p, 65535, &v))
        return false;
    *port = (uint16_t)v;
    return true;
}

/* "%3" after a link-local IPv6 address; nothing is fine too. */
static bool read_scope(const char **p, struct kith_addr *a)
{
    if (**p != '%')
        return true;
    (*p)++;
    return a->ip.family == KITH_FAMILY_IP6 && kith_ip_is_link_local(&a->ip) &&
           read_number(p, UINT32_MAX, &a->scope);
}

int kith_addr_parse(const char *text, uint16_t default_port, struct kith_addr *ret)
{
    struct kith_addr a = {.port = default_port};
    bool bracket = *text == '[';

    if (bracket)
        text++;
    bool may_have_port = bracket || looks_like_ip4(text);
    if (!read_ip(&text, &a.ip) || !read_scope(&text, &a))
        return KITH_E_MALFORMED;
    if (bracket && *text++ != ']')
        return KITH_E_MALFORMED;
    if (may_have_port && !read_port(&text, &a.port))
        return KITH_E_MALFORMED;
    if (*text != '\0')
        return KITH_E_MALFORMED;
    *ret = a;
    return KITH_OK;
}

/* "/24" or nothing; *bits stays as it is where there is nothing. */
static bool read_length(const char **text, uint32_t most, uint32_t *bits)
{
    if (**text == '\0')
        return true;
    if (**text != '/')
        return false;
    (*text)++;
    return read_number(text, most, bits) && **text == '\0';
}

int kith_prefix_parse(const char *text, struct kith_prefix *ret)
{
    uint32_t most = looks_like_ip4(text) ? 32 : 128, bits = most;
    struct kith_ip ip;

    if (!read_ip(&text, &ip) || !read_length(&text, most, &bits))
        return KITH_E_MALFORMED;
    if (most == 128 && ip.family == KITH_FAMILY_IP4) { /* mapped: 96 of its bits are gone */
        if (bits < 96)
            return KITH_E_MALFORMED;
        bits -= 96;
    }
    struct kith_prefix p = kith_prefix_of(&ip, bits);
    if (!kith_ip_equal(&p.ip, &ip))
        return KITH_E_MALFORMED;
    *ret = p;
    return KITH_OK;
}

/* ---- writing ---- */

/* The longest run of two or more zero groups (RFC 5952 4.2); n == 0 when there is none. */
static void longest_zero_run(const uint8_t b[16], size_t *ret_at, size_t *ret_n)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i < 8; i++) {
        size_t k = i;
        while (k < 8 && b[2 * k] == 0 && b[2 * k + 1] == 0)
            k++;
        if (k - i > n && k - i >= 2) {
            at = i;
            n = k - i;
        }
    }
    *ret_at = at;
    *ret_n = n;
}

static const char *ip6_text(const uint8_t b[16], char *buf, size_t cap)
{
    size_t at, n, len = 0;

    longest_zero_run(b, &at, &n);
    buf[0] = '\0';
    for (size_t i = 0; i < 8; i++) {
        if (n > 0 && i == at) {
            kith_format(buf + len, cap - len, "::");
            len += 2;
            i += n - 1;
            continue;
        }
        bool colon = i > 0 && !(n > 0 && i == at + n);
        kith_format(buf + len, cap - len, "%s%x", colon ? ":" : "",
                    (unsigned)b[2 * i] << 8 | b[2 * i + 1]);
        len += strlen(buf + len);
    }
    return buf;
}

const char *kith_ip_text(const struct kith_ip *ip, char *buf, size_t cap)
{
    if (ip->family == KITH_FAMILY_IP4)
        return kith_format(buf, cap, "%u.%u.%u.%u", ip->b[0], ip->b[1], ip->b[2], ip->b[3]);
    if (ip->family == KITH_FAMILY_IP6 && cap >= KITH_IP_TEXT)
        return ip6_text(ip->b, buf, cap);
    if (ip->family == KITH_FAMILY_MESH && cap >= KITH_IP_TEXT) {
        kith_format(buf, cap, "mesh:");
        (void)kith_base32_text((struct kith_span){ip->b, sizeof ip->b}, buf + 5, cap - 5);
        return buf;
    }
    return kith_format(buf, cap, "none");
}

const char *kith_addr_text(const struct kith_addr *a, char *buf, size_t cap)
{
    char ip[KITH_IP_TEXT];

    kith_ip_text(&a->ip, ip, sizeof ip);
    if (a->ip.family == KITH_FAMILY_MESH)
        return kith_format(buf, cap, "%s", ip);
    if (a->ip.family != KITH_FAMILY_IP6)
        return kith_format(buf, cap, "%s:%u", ip, a->port);
    if (a->scope != 0)
        return kith_format(buf, cap, "[%s%%%u]:%u", ip, (unsigned)a->scope, a->port);
    return kith_format(buf, cap, "[%s]:%u", ip, a->port);
}

const char *kith_prefix_text(const struct kith_prefix *p, char *buf, size_t cap)
{
    char ip[KITH_IP_TEXT];

    return kith_format(buf, cap, "%s/%u", kith_ip_text(&p->ip, ip, sizeof ip), p->bits);
}

/* ---- prefixes ---- */

struct kith_prefix kith_prefix_of(const struct kith_ip *ip, unsigned bits)
{
    struct kith_prefix p = {.ip = *ip};
    unsigned most = (unsigned)kith_ip_bytes(ip).n * 8;

    p.bits = (uint8_t)(bits < most ? bits : most);
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = p.bits > 8 * i ? p.bits - 8 * i : 0;
        if (keep < 8)
            p.ip.b[i] &= (uint8_t)(0xff00u >> keep);
    }
    return p;
}

bool kith_prefix_holds(const struct kith_prefix *p, const struct kith_ip *ip)
{
    if (p->ip.family != ip->family)
        return false;
    struct kith_prefix q = kith_prefix_of(ip, p->bits);
    return memcmp(q.ip.b, p->ip.b, sizeof q.ip.b) == 0;
}

bool kith_prefix_overlaps(const struct kith_prefix *a, const struct kith_prefix *b)
{
    return kith_prefix_holds(a, &b->ip) || kith_prefix_holds(b, &a->ip);
}

bool kith_prefix_equal(const struct kith_prefix *a, const struct kith_prefix *b)
{
    return a->bits == b->bits && kith_ip_equal(&a->ip, &b->ip);
}
