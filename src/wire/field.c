#include "wire/field.h"

#include "base/text.h"
#include "crypto/sign.h"

/* ---- what is valid ---- */

static bool in_range(uint8_t b, uint8_t lo, uint8_t hi)
{
    return b >= lo && b <= hi;
}

/* The length of the character at s, or 0 for one that is malformed or a control. */
static size_t char_len(struct kith_span s)
{
    uint8_t b = s.p[0];
    uint8_t lo = 0x80, hi = 0xbf; /* what the second byte may be */
    size_t n = in_range(b, 0xc2, 0xdf) ? 2 : in_range(b, 0xe0, 0xef) ? 3 : 4;

    if (b < 0x80)
        return b >= 0x20 && b != 0x7f ? 1 : 0;
    if (!in_range(b, 0xc2, 0xf4) || s.n < n)
        return 0;
    if (b == 0xc2)
        lo = 0xa0; /* U+0080 to U+009F are controls */
    if (b == 0xe0)
        lo = 0xa0; /* shorter ones have shorter forms */
    if (b == 0xed)
        hi = 0x9f; /* surrogates */
    if (b == 0xf0)
        lo = 0x90;
    if (b == 0xf4)
        hi = 0x8f; /* above U+10FFFF */
    if (!in_range(s.p[1], lo, hi))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!in_range(s.p[i], 0x80, 0xbf))
            return 0;
    return n;
}

bool kith_text_valid(struct kith_span s)
{
    while (s.n > 0) {
        size_t n = char_len(s);
        if (n == 0)
            return false;
        s = (struct kith_span){s.p + n, s.n - n};
    }
    return true;
}

static bool label_ok(struct kith_span s, bool may_be_empty)
{
    return s.n == 0 ? may_be_empty : kith_label_valid(s);
}

static bool addr_ok(const struct kith_addr *a)
{
    return a->ip.family != KITH_FAMILY_NONE && a->port != 0;
}

static bool prefix_ok(const struct kith_prefix *p)
{
    struct kith_prefix q = kith_prefix_of(&p->ip, p->bits);

    return kith_prefix_equal(p, &q);
}

/* ---- reading ---- */

uint8_t kith_wire_get_range8(struct kith_reader *r, uint8_t lo, uint8_t hi)
{
    uint8_t v = kith_get_u8(r);

    r->bad |= !in_range(v, lo, hi);
    return v;
}

struct kith_span kith_wire_get_spki(struct kith_reader *r)
{
    struct kith_span s = kith_get_span(r, KITH_PUBLIC_KEY_LEN);

    r->bad |= r->bad || !kith_public_key_check(s);
    return s;
}

struct kith_span kith_wire_get_rest(struct kith_reader *r)
{
    return kith_get_span(r, kith_reader_left(r));
}

struct kith_span kith_wire_get_text(struct kith_reader *r, size_t max)
{
    struct kith_span s = kith_get_bytes(r, 1, max);

    r->bad |= !kith_text_valid(s);
    return s;
}

struct kith_span kith_wire_get_label(struct kith_reader *r, bool may_be_empty)
{
    struct kith_span s = kith_get_bytes(r, 1, KITH_LABEL_MAX);

    r->bad |= !label_ok(s, may_be_empty);
    return s;
}

struct kith_ip kith_wire_get_ip(struct kith_reader *r)
{
    uint8_t family = kith_get_u8(r);
    size_t n = family == KITH_FAMILY_IP4 ? 4 : family == KITH_FAMILY_IP6 ? 16 : 0;
    struct kith_ip ip = kith_ip_from(kith_get_span(r, n));

    /* an unknown family stays none, a mapped address became IPv4: both differ from what was sent */
    r->bad |= ip.family != family;
    return ip;
}

struct kith_addr kith_wire_get_addr(struct kith_reader *r)
{
    struct kith_addr a = {.ip = kith_wire_get_ip(r)};

    a.port = kith_get_u16(r);
    r->bad |= !addr_ok(&a);
    return a;
}

struct kith_prefix kith_wire_get_prefix(struct kith_reader *r)
{
    struct kith_prefix p = {.ip = kith_wire_get_ip(r)};

    p.bits = kith_get_u8(r);
    r->bad |= !prefix_ok(&p);
    return p;
}

/* Moves r over n records and returns their bytes. */
static struct kith_span skip_records(struct kith_reader *r, size_t n, kith_record_skip *skip)
{
    const uint8_t *start = r->p;

    for (size_t i = 0; i < n && !r->bad; i++)
        skip(r);
    return r->bad ? (struct kith_span){0} : (struct kith_span){start, (size_t)(r->p - start)};
}

struct kith_records kith_wire_get_records(struct kith_reader *r, size_t width, size_t max,
                                          kith_record_skip *skip)
{
    struct kith_records l = {.n = width == 1 ? kith_get_u8(r) : kith_get_u16(r)};

    r->bad |= l.n > max;
    if (l.n > 0)
        l.bytes = skip_records(r, l.n, skip);
    return l;
}

/* ---- writing ---- */

void kith_wire_put_range8(struct kith_writer *w, uint8_t v, uint8_t lo, uint8_t hi)
{
    w->bad |= !in_range(v, lo, hi);
    kith_put_u8(w, v);
}

void kith_wire_put_raw(struct kith_writer *w, struct kith_span s, size_t n)
{
    w->bad |= s.n != n;
    kith_put_span(w, s);
}

void kith_wire_put_spki(struct kith_writer *w, struct kith_span s)
{
    w->bad |= !kith_public_key_check(s);
    kith_put_span(w, s);
}

void kith_wire_put_text(struct kith_writer *w, struct kith_span s, size_t max)
{
    w->bad |= !kith_text_valid(s);
    kith_put_bytes(w, s, 1, max);
}

void kith_wire_put_label(struct kith_writer *w, struct kith_span s, bool may_be_empty)
{
    w->bad |= !label_ok(s, may_be_empty);
    kith_put_bytes(w, s, 1, KITH_LABEL_MAX);
}

void kith_wire_put_ip(struct kith_writer *w, const struct kith_ip *ip)
{
    struct kith_ip normal = kith_ip_from(kith_ip_bytes(ip));

    w->bad |= !kith_ip_equal(&normal, ip);
    kith_put_u8(w, ip->family);
    kith_put_span(w, kith_ip_bytes(ip));
}

void kith_wire_put_addr(struct kith_writer *w, const struct kith_addr *a)
{
    w->bad |= !addr_ok(a);
    kith_wire_put_ip(w, &a->ip);
    kith_put_u16(w, a->port);
}

void kith_wire_put_prefix(struct kith_writer *w, const struct kith_prefix *p)
{
    w->bad |= !prefix_ok(p);
    kith_wire_put_ip(w, &p->ip);
    kith_put_u8(w, p->bits);
}

void kith_wire_put_records(struct kith_writer *w, const struct kith_records *l, size_t width,
                           size_t max, kith_record_skip *skip)
{
    struct kith_reader r = kith_reader_on(l->bytes);

    (void)skip_records(&r, l->n, skip);
    w->bad |= l->n > max || kith_reader_done(&r) < 0;
    if (width == 1)
        kith_put_u8(w, (uint8_t)l->n);
    else
        kith_put_u16(w, l->n);
    kith_put_span(w, l->bytes);
}

/* ---- printing ---- */

void kith_print_text(struct kith_print *p, const char *text)
{
    if (p->len + 1 >= p->cap)
        return;
    kith_format(p->buf + p->len, p->cap - p->len, "%s", text);
    p->len += strlen(p->buf + p->len);
}

static void print_field(struct kith_print *p, const char *field, const char *value)
{
    kith_print_text(p, " ");
    kith_print_text(p, field);
    kith_print_text(p, "=");
    kith_print_text(p, value);
}

void kith_print_u64(struct kith_print *p, const char *field, uint64_t v)
{
    char text[21];

    print_field(p, field, kith_format(text, sizeof text, "%llu", (unsigned long long)v));
}

void kith_print_hex(struct kith_print *p, const char *field, struct kith_span s)
{
    char text[17];

    s.n = s.n < 8 ? s.n : 8;
    print_field(p, field, kith_hex_text(s, text, sizeof text));
}

void kith_print_size(struct kith_print *p, const char *field, size_t n)
{
    char text[32];

    print_field(p, field, kith_format(text, sizeof text, "(%zu)", n));
}

void kith_print_span(struct kith_print *p, const char *field, struct kith_span text)
{
    char copy[256];
    size_t n = text.n < sizeof copy - 1 ? text.n : sizeof copy - 1;

    kith_copy(copy, text.p, n);
    copy[n] = '\0';
    print_field(p, field, "\"");
    kith_print_text(p, copy);
    kith_print_text(p, "\"");
}

void kith_print_ip(struct kith_print *p, const char *field, const struct kith_ip *ip)
{
    char text[KITH_IP_TEXT];

    print_field(p, field, kith_ip_text(ip, text, sizeof text));
}

void kith_print_addr(struct kith_print *p, const char *field, const struct kith_addr *a)
{
    char text[KITH_ADDR_TEXT];

    print_field(p, field, kith_addr_text(a, text, sizeof text));
}

void kith_print_prefix(struct kith_print *p, const char *field, const struct kith_prefix *v)
{
    char text[KITH_PREFIX_TEXT];

    print_field(p, field, kith_prefix_text(v, text, sizeof text));
}
