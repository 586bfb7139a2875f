#include "conn/quic/initial.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/cursor.h"
#include "crypto/hash.h"

enum {
    INITIAL_MAX = 2048, /* larger datagrams are not of this protocol: a dialler's have 1200 bytes */
    TAG = 16,           /* of AES-128-GCM */
    SAMPLE_AT = 4,      /* the header's mask is made from what is 4 bytes behind the number's
                           beginning (RFC 9001 5.4.2) */
    FRAME_PADDING = 0x00, /* RFC 9000 19; these are all that a client's Initial may hold */
    FRAME_PING = 0x01,
    FRAME_ACK = 0x02,
    FRAME_ACK_ECN = 0x03,
    FRAME_CRYPTO = 0x06,
    FRAME_CLOSE = 0x1c,
};

/* RFC 9001 5.2 */
static const uint8_t salt[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};

struct initial_opener {
    EVP_MAC_CTX *mac;
    EVP_CIPHER_CTX *gcm, *ecb;
    uint8_t plain[INITIAL_MAX];
};

struct keys {
    uint8_t key[16], iv[12], mask[16];
};

/* ---- its parts ---- */

/* A variable-length integer (RFC 9000 16). */
static uint64_t get_varint(struct kith_reader *r)
{
    uint8_t first = kith_get_u8(r);
    uint64_t v = first & 0x3f;

    for (unsigned left = (1u << (first >> 6)) - 1; left > 0; left--)
        v = v << 8 | kith_get_u8(r);
    return v;
}

static struct kith_span get_counted(struct kith_reader *r)
{
    uint64_t n = get_varint(r);

    return kith_get_span(r, n <= INITIAL_MAX ? (size_t)n : SIZE_MAX);
}

struct parts {
    struct kith_span dcid;
    struct kith_span body; /* packet number and what is sealed */
    size_t head;           /* bytes before body */
};

/* RFC 9000 17.2.2 */
static bool take_apart(struct kith_span datagram, struct parts *p)
{
    struct kith_reader r = kith_reader_on(datagram);

    (void)kith_get_span(&r, 5); /* flags and version, which the caller has judged */
    p->dcid = kith_get_bytes(&r, 1, 20);
    (void)kith_get_bytes(&r, 1, 20);
    (void)get_counted(&r); /* the token */
    p->body = get_counted(&r);
    if (r.bad || p->body.n < SAMPLE_AT + TAG)
        return false;
    p->head = (size_t)(p->body.p - datagram.p);
    return p->head + SAMPLE_AT <= INITIAL_MAX;
}

/* ---- its keys ---- */

static bool hmac(struct initial_opener *o, struct kith_span key, struct kith_span in,
                 uint8_t out[32])
{
    return EVP_MAC_init(o->mac, key.p, key.n, NULL) == 1 &&
           EVP_MAC_update(o->mac, in.p, in.n) == 1 && EVP_MAC_final(o->mac, out, NULL, 32) == 1;
}

/* HKDF-Expand-Label of at most 32 bytes (RFC 8446 7.1). `info` is the whole HkdfLabel and the
 * counter of HKDF's only block; its second byte is the length. */
static bool expand(struct initial_opener *o, const uint8_t secret[32], struct kith_span info,
                   uint8_t *out)
{
    uint8_t block[32];

    if (!hmac(o, (struct kith_span){secret, 32}, info, block))
        return false;
    memcpy(out, block, info.p[1]);
    return true;
}

#define INFO(length, label_length, label)                                                          \
    (struct kith_span)                                                                             \
    {                                                                                              \
        (const uint8_t *)"\0" length label_length "tls13 " label "\0\1",                           \
            sizeof("\0" length label_length "tls13 " label "\0\1") - 1                             \
    }

/* Key, nonce and the mask of the header, all of the client's side. */
static bool derive(struct initial_opener *o, const struct parts *p, struct keys *k)
{
    uint8_t initial[32], client[32], hp[16];
    int n;

    return hmac(o, (struct kith_span){salt, sizeof salt}, p->dcid, initial) &&
           expand(o, initial, INFO("\x20", "\x0f", "client in"), client) &&
           expand(o, client, INFO("\x10", "\x0e", "quic key"), k->key) &&
           expand(o, client, INFO("\x0c", "\x0d", "quic iv"), k->iv) &&
           expand(o, client, INFO("\x10", "\x0d", "quic hp"), hp) &&
           EVP_EncryptInit_ex(o->ecb, NULL, NULL, hp, NULL) == 1 &&
           EVP_EncryptUpdate(o->ecb, k->mask, &n, p->body.p + SAMPLE_AT, 16) == 1;
}

/* ---- opening ---- */

/* Takes the header's mask off (RFC 9001 5.4.1) and puts the packet number into the nonce (5.3). A
 * first packet's number is its own: nothing was acknowledged before. Returns the number's length.
 */
static size_t unmask(struct keys *k, uint8_t *head, size_t head_len)
{
    head[0] ^= k->mask[0] & 0x0f;
    size_t len = (head[0] & 3u) + 1;
    for (size_t i = 0; i < len; i++) {
        head[head_len + i] ^= k->mask[1 + i];
        k->iv[sizeof k->iv - len + i] ^= head[head_len + i];
    }
    return len;
}

/* Opens the packet into o->plain; false when it is not authentic. */
static bool open_body(struct initial_opener *o, const struct parts *p, struct kith_span datagram,
                      struct keys *k, size_t *ret_len)
{
    uint8_t head[INITIAL_MAX + 4], tag[TAG];
    int n;

    memcpy(head, datagram.p, p->head + SAMPLE_AT);
    size_t number = unmask(k, head, p->head);
    size_t len = p->body.n - number - TAG;
    memcpy(tag, p->body.p + p->body.n - TAG, TAG);
    *ret_len = len;
    return EVP_DecryptInit_ex(o->gcm, NULL, NULL, k->key, k->iv) == 1 &&
           EVP_DecryptUpdate(o->gcm, NULL, &n, head, (int)(p->head + number)) == 1 &&
           EVP_DecryptUpdate(o->gcm, o->plain, &n, p->body.p + number, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(o->gcm, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(o->gcm, o->plain + n, &n) == 1;
}

/* ---- its frames ---- */

/* RFC 9000 19.3 */
static void skip_ack(struct kith_reader *r, bool ecn)
{
    (void)get_varint(r); /* largest acknowledged */
    (void)get_varint(r); /* delay */
    uint64_t ranges = get_varint(r);
    (void)get_varint(r); /* first range */
    for (uint64_t i = 0; i < ranges && !r->bad; i++) {
        (void)get_varint(r);
        (void)get_varint(r);
    }
    for (int i = 0; ecn && i < 3; i++)
        (void)get_varint(r);
}

enum initial_kind initial_judge(struct kith_span frames)
{
    struct kith_reader r = kith_reader_on(frames);
    enum initial_kind kind = INITIAL_LATER;

    while (kith_reader_left(&r) > 0 && !r.bad) {
        uint8_t type = kith_get_u8(&r);
        switch (type) {
        case FRAME_PADDING:
        case FRAME_PING: break;
        case FRAME_ACK:
        case FRAME_ACK_ECN: skip_ack(&r, type == FRAME_ACK_ECN); break;
        case FRAME_CRYPTO: {
            uint64_t offset = get_varint(&r);
            if (get_counted(&r).n > 0 && offset == 0)
                kind = INITIAL_FIRST;
            break;
        }
        case FRAME_CLOSE: return INITIAL_NOISE; /* of a connection that never was */
        default: return INITIAL_NOISE;
        }
    }
    return r.bad ? INITIAL_NOISE : kind;
}

/* ---- making and freeing ---- */

static bool prepare(struct initial_opener *o)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    o->mac = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    o->gcm = EVP_CIPHER_CTX_new();
    o->ecb = EVP_CIPHER_CTX_new();
    return o->mac != NULL && o->gcm != NULL && o->ecb != NULL &&
           EVP_MAC_CTX_set_params(o->mac, params) == 1 &&
           EVP_DecryptInit_ex(o->gcm, EVP_aes_128_gcm(), NULL, NULL, NULL) == 1 &&
           EVP_EncryptInit_ex(o->ecb, EVP_aes_128_ecb(), NULL, NULL, NULL) == 1;
}

static void discard(struct initial_opener *o)
{
    EVP_MAC_CTX_free(o->mac);
    EVP_CIPHER_CTX_free(o->gcm);
    EVP_CIPHER_CTX_free(o->ecb);
    o->mac = NULL;
    o->gcm = o->ecb = NULL;
}

int initial_opener_new(const struct kith_alloc *a, struct initial_opener **ret)
{
    struct initial_opener *o = kith_new_zero(a, sizeof *o);

    if (o == NULL)
        return KITH_E_NOMEM;
    if (!prepare(o)) {
        initial_opener_free(o, a);
        return KITH_E_CRYPTO;
    }
    *ret = o;
    return KITH_OK;
}

void initial_opener_free(struct initial_opener *o, const struct kith_alloc *a)
{
    if (o == NULL)
        return;
    discard(o);
    kith_free(a, o);
}

/* ---- looking ---- */

enum initial_kind initial_look(struct initial_opener *o, struct kith_span datagram)
{
    struct parts p;
    struct keys k;
    size_t n;

    if (!take_apart(datagram, &p))
        return INITIAL_NOISE;
    /* a library context in which an allocation failed may not be used again */
    if ((o->mac == NULL && !prepare(o)) || !derive(o, &p, &k)) {
        discard(o);
        return INITIAL_NOISE;
    }
    if (!open_body(o, &p, datagram, &k, &n))
        return INITIAL_NOISE;
    return initial_judge((struct kith_span){o->plain, n});
}
