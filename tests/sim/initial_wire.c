#include "sim/initial_wire.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

/* RFC 9001 5.2 */
static const uint8_t initial_salt[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34,
                                         0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
                                         0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};

struct initial_keys {
    uint8_t key[16], iv[12], hp[16];
};

static void hmac(const uint8_t *key, size_t key_len, const uint8_t *in, size_t n, uint8_t out[32])
{
    unsigned len = 32;

    if (HMAC(EVP_sha256(), key, (int)key_len, in, n, out, &len) == NULL || len != 32)
        abort();
}

/* HKDF-Expand-Label of at most 32 bytes with an empty context (RFC 8446 7.1). */
static void expand(const uint8_t secret[32], const char *label, uint8_t *out, size_t n)
{
    uint8_t info[64] = {0}, block[32];
    size_t label_len = strlen(label), at = 0;

    info[at++] = 0;
    info[at++] = (uint8_t)n;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0;
    info[at++] = 1; /* the counter of HKDF's first block */
    hmac(secret, 32, info, at, block);
    memcpy(out, block, n);
}

static void derive(const struct wire_hello *w, struct initial_keys *k)
{
    uint8_t initial[32], client[32];

    hmac(initial_salt, sizeof initial_salt, w->dcid, w->dcid_len, initial);
    expand(initial, "client in", client, 32);
    expand(client, "quic key", k->key, sizeof k->key);
    expand(client, "quic iv", k->iv, sizeof k->iv);
    expand(client, "quic hp", k->hp, sizeof k->hp);
}

static void header_mask(const struct initial_keys *k, const uint8_t *sample, uint8_t mask[16])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;

    if (c == NULL || EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, k->hp, NULL) != 1 ||
        EVP_EncryptUpdate(c, mask, &n, sample, 16) != 1 || n != 16)
        abort();
    EVP_CIPHER_CTX_free(c);
}

static bool open_packet(const struct initial_keys *k, uint64_t number, const uint8_t *head,
                        size_t head_len, const uint8_t *in, size_t n, uint8_t *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t nonce[12], tag[16];
    int len = 0;

    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(number >> (8 * i));
    memcpy(tag, in + n - 16, 16);
    bool ok = c != NULL && EVP_DecryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, nonce) == 1 &&
              EVP_DecryptUpdate(c, NULL, &len, head, (int)head_len) == 1 &&
              EVP_DecryptUpdate(c, out, &len, in, (int)n - 16) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
              EVP_DecryptFinal_ex(c, out + len, &len) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static uint64_t varint(const uint8_t *p, size_t n, size_t *at)
{
    if (*at >= n)
        abort();
    size_t len = (size_t)1 << (p[*at] >> 6);
    uint64_t v = p[*at] & 0x3f;
    if (*at + len > n)
        abort();
    for (size_t i = 1; i < len; i++)
        v = v << 8 | p[*at + i];
    *at += len;
    return v;
}

/* PADDING, PING, ACK and CRYPTO are all a client's first Initials hold (RFC 9000 12.4). */
static void read_frames(struct wire_hello *w, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint64_t type = varint(p, n, &at);
        if (type == 0 || type == 1)
            continue;
        if (type != 6)
            return; /* an ACK: nothing of the hello comes after it in what we read */
        uint64_t offset = varint(p, n, &at), len = varint(p, n, &at);
        if (at + len > n || offset + len > WIRE_HELLO_MAX)
            abort();
        memcpy(w->bytes + offset, p + at, len);
        memset(w->have + offset, 1, len);
        w->frames++;
        at += len;
    }
}

/* One packet at p; returns its whole length, 0 when it is no Initial. */
static size_t see_packet(struct wire_hello *w, const uint8_t *p, size_t n)
{
    struct initial_keys k;
    uint8_t head[512], mask[16], plain[2048];
    size_t at = 5;

    if (n < 7 || (p[0] & 0xf0) != 0xc0)
        return 0; /* long header, fixed bit, type Initial */
    size_t dcid_len = p[at++];
    const uint8_t *dcid = p + at;
    at += dcid_len;
    at += 1u + p[at];
    size_t token_len = varint(p, n, &at);
    at += token_len;
    uint64_t len = varint(p, n, &at);
    if (at + len > n || len < 20 || at + 4 > sizeof head)
        abort();
    if (w->dcid_len == 0) {
        memcpy(w->dcid, dcid, dcid_len);
        w->dcid_len = dcid_len;
    }
    derive(w, &k);
    header_mask(&k, p + at + 4, mask);
    memcpy(head, p, at + 4);
    head[0] ^= mask[0] & 0x0f;
    size_t number_len = (head[0] & 3u) + 1;
    uint64_t number = 0;
    for (size_t i = 0; i < number_len; i++) {
        head[at + i] ^= mask[1 + i];
        number = number << 8 | head[at + i];
    }
    w->packets++;
    if (open_packet(&k, number, head, at + number_len, p + at + number_len, len - number_len,
                    plain))
        read_frames(w, plain, len - number_len - 16);
    else
        w->failures++;
    return at + len;
}

void wire_hello_see(struct wire_hello *w, const uint8_t *datagram, size_t len)
{
    for (size_t at = 0, n; at < len; at += n) {
        n = see_packet(w, datagram + at, len - at);
        if (n == 0)
            return;
    }
}

/* Seals n bytes behind `head_len` bytes of header in place, packet number 4 bytes long. */
static void seal_packet(const struct initial_keys *k, uint8_t number, uint8_t *head,
                        size_t head_len, size_t n)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t nonce[12], mask[16];
    int len = 0;

    memcpy(nonce, k->iv, sizeof nonce);
    nonce[11] ^= number;
    if (c == NULL || EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, nonce) != 1 ||
        EVP_EncryptUpdate(c, NULL, &len, head, (int)head_len) != 1 ||
        EVP_EncryptUpdate(c, head + head_len, &len, head + head_len, (int)n) != 1 ||
        EVP_EncryptFinal_ex(c, head + head_len + len, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, head + head_len + n) != 1)
        abort();
    EVP_CIPHER_CTX_free(c);
    header_mask(k, head + head_len, mask);
    head[0] ^= mask[0] & 0x0f;
    for (size_t i = 0; i < 4; i++)
        head[head_len - 4 + i] ^= mask[1 + i];
}

void wire_initial_seal(const uint8_t dcid[WIRE_ID], const uint8_t scid[WIRE_ID], uint8_t number,
                       size_t offset, const uint8_t *bytes, size_t n, uint8_t out[WIRE_INITIAL])
{
    enum { HEAD = 30, LENGTH = WIRE_INITIAL - HEAD + 4 }; /* the packet number counts */
    struct wire_hello w = {.dcid_len = WIRE_ID};
    struct initial_keys k;
    uint8_t *p = out;

    if (n > WIRE_CRYPTO || offset > 0x3fff)
        abort();
    memset(out, 0, WIRE_INITIAL);
    *p++ = 0xc3; /* long header, Initial, number of 4 bytes */
    p += 3;
    *p++ = 1; /* version */
    *p++ = WIRE_ID;
    p = (uint8_t *)memcpy(p, dcid, WIRE_ID) + WIRE_ID;
    *p++ = WIRE_ID;
    p = (uint8_t *)memcpy(p, scid, WIRE_ID) + WIRE_ID;
    *p++ = 0; /* no token */
    *p++ = 0x40 | LENGTH >> 8;
    *p++ = LENGTH & 0xff;
    p += 3;
    *p++ = number;
    *p++ = 6; /* CRYPTO */
    *p++ = (uint8_t)(0x40 | offset >> 8);
    *p++ = (uint8_t)offset;
    *p++ = (uint8_t)(0x40 | n >> 8);
    *p++ = (uint8_t)n;
    memcpy(p, bytes, n);
    memcpy(w.dcid, dcid, WIRE_ID);
    derive(&w, &k);
    seal_packet(&k, number, out, HEAD, WIRE_INITIAL - HEAD - 16);
}

size_t wire_long_bytes(const uint8_t *p, size_t n)
{
    size_t start = 0;

    while (start < n && (p[start] & 0x80) != 0) {
        size_t at = start + 5;
        at += 1u + p[at];
        at += 1u + p[at];
        if ((p[start] & 0x30) == 0x30)
            return n; /* a Retry has no length: it is the whole datagram */
        size_t token_len = (p[start] & 0x30) == 0 ? varint(p, n, &at) : 0;
        at += token_len;
        size_t packet_len = varint(p, n, &at);
        at += packet_len;
        if (at > n)
            abort();
        start = at;
    }
    return start;
}

size_t wire_hello_len(const struct wire_hello *w)
{
    size_t n = 4;

    for (size_t i = 0; i < n; i++) {
        if (i >= WIRE_HELLO_MAX || !w->have[i])
            return 0;
        if (i == 3)
            n = 4 + ((size_t)w->bytes[1] << 16 | (size_t)w->bytes[2] << 8 | w->bytes[3]);
    }
    return n;
}
