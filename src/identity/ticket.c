#include "identity/ticket.h"

#include "base/text.h"

static const char text_prefix[] = "kith1";
enum { PREFIX_LEN = sizeof text_prefix - 1, CHECKSUM_LEN = 4 };

/* ---- text ---- */

int kith_ticket_text(const struct kith_ticket *t, char *buf, size_t cap)
{
    uint8_t b[KITH_TICKET_MAX];
    struct kith_hash sum;
    size_t n = 0;
    int err = kith_ticket_encode(t, b, sizeof b - CHECKSUM_LEN, &n);

    if (err == KITH_OK)
        err = kith_sha256((struct kith_span){b, n}, &sum);
    if (err < 0)
        goto out;
    memcpy(b + n, sum.b, CHECKSUM_LEN);
    n += CHECKSUM_LEN;
    err = KITH_E_LIMIT;
    if (cap < PREFIX_LEN + KITH_BASE32_LEN(n) + 1)
        goto out;
    memcpy(buf, text_prefix, PREFIX_LEN);
    kith_base32_text((struct kith_span){b, n}, buf + PREFIX_LEN, cap - PREFIX_LEN);
    err = KITH_OK;
out:
    kith_wipe(b, sizeof b);
    return err;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether text starts with "kith" and a digit, in either case; *ret_digit is that. */
static bool has_prefix(struct kith_span text, char *ret_digit)
{
    if (text.n < PREFIX_LEN)
        return false;
    for (size_t i = 0; i + 1 < PREFIX_LEN; i++)
        if (lower((char)text.p[i]) != text_prefix[i])
            return false;
    *ret_digit = (char)text.p[PREFIX_LEN - 1];
    return *ret_digit >= '0' && *ret_digit <= '9';
}

static struct kith_span trimmed(const char *text)
{
    size_t n;

    while (is_space(*text))
        text++;
    n = strlen(text);
    while (n > 0 && is_space(text[n - 1]))
        n--;
    return (struct kith_span){(const uint8_t *)text, n};
}

/* Base32 to bytes, checksum compared and taken off. */
static int unwrap(struct kith_span text, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_hash sum;
    size_t n = 0;

    if (kith_base32_parse((const char *)text.p, text.n, buf, cap, &n) < 0 || n < CHECKSUM_LEN)
        return KITH_E_CORRUPT;
    n -= CHECKSUM_LEN;
    int err = kith_sha256((struct kith_span){buf, n}, &sum);
    if (err < 0)
        return err;
    if (memcmp(sum.b, buf + n, CHECKSUM_LEN) != 0)
        return KITH_E_CORRUPT;
    *ret_len = n;
    return KITH_OK;
}

static int parse(const char *text, uint8_t *buf, size_t cap, struct kith_ticket *ret)
{
    struct kith_span s = trimmed(text);
    size_t n = 0;
    char digit;

    if (!has_prefix(s, &digit))
        return KITH_E_MALFORMED;
    if (digit != text_prefix[PREFIX_LEN - 1])
        return KITH_E_VERSION;
    int err = unwrap((struct kith_span){s.p + PREFIX_LEN, s.n - PREFIX_LEN}, buf, cap, &n);
    if (err < 0)
        return err;
    if (n > 0 && buf[0] != KITH_TICKET_VERSION)
        return KITH_E_VERSION;
    /* its checksum is right, so whoever made it made it wrong */
    return kith_ticket_decode((struct kith_span){buf, n}, ret);
}

int kith_ticket_parse(const char *text, uint8_t *buf, size_t cap, struct kith_ticket *ret,
                      const char **ret_why)
{
    int err = parse(text, buf, cap, ret);

    if (err == KITH_E_MALFORMED)
        *ret_why = "this is not a ticket; one begins with kith1";
    else if (err == KITH_E_CORRUPT)
        *ret_why = "the ticket is damaged: something is missing or was changed";
    else if (err == KITH_E_VERSION)
        *ret_why = "the ticket was made by a newer version of kith";
    else if (err < 0)
        *ret_why = kith_err_text(err);
    if (err < 0)
        kith_wipe(buf, cap);
    return err;
}

/* ---- id and proof ---- */

/* Spec ticket 3.1. */
int kith_ticket_id(const struct kith_ticket_secret *secret, struct kith_ticket_id *ret)
{
    struct kith_span parts[] = {kith_span_text("kith ticket id v1"), KITH_SPAN_OF(*secret)};
    struct kith_hash h;
    int err = kith_sha256_parts(parts, KITH_COUNT(parts), &h);

    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

/* Spec enrolment 3.2: everything of fixed length but the name, which is last and has its length. */
int kith_ticket_prove(const struct kith_ticket_secret *secret, const struct kith_enrol_claim *c,
                      struct kith_ticket_proof *ret)
{
    uint8_t name_len = (uint8_t)c->name.n;
    struct kith_span parts[] = {
        kith_span_text("kith enrol v1"),
        KITH_SPAN_OF(*c->exporter),
        KITH_SPAN_OF(*c->network),
        KITH_SPAN_OF(*c->issuer),
        KITH_SPAN_OF(*c->joiner),
        KITH_SPAN_OF(name_len),
        c->name,
    };
    struct kith_mac mac;

    if (c->name.n > KITH_LABEL_MAX)
        return KITH_E_INVAL;
    int err = kith_hmac_sha256(KITH_SPAN_OF(*secret), parts, KITH_COUNT(parts), &mac);
    if (err == KITH_OK)
        memcpy(ret->b, mac.b, sizeof ret->b);
    kith_wipe(&mac, sizeof mac);
    return err;
}

/* Spec enrolment 3.3. */
int kith_ticket_check(const struct kith_ticket_secret *secret, const struct kith_enrol_claim *c,
                      const struct kith_ticket_proof *proof)
{
    struct kith_ticket_proof right;
    int err = kith_ticket_prove(secret, c, &right);

    if (err == KITH_OK && !kith_equal_ct(right.b, proof->b, sizeof right.b))
        err = KITH_E_AUTH;
    kith_wipe(&right, sizeof right);
    return err;
}
