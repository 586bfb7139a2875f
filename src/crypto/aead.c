#include "crypto/aead.h"

#include <openssl/evp.h>

#include "crypto/hash.h"

enum { STRIDE = 64 }; /* bytes: a block of ChaCha20, four of AES */

struct kith_aead {
    EVP_CIPHER_CTX *ctx;
    uint8_t iv[KITH_AEAD_IV];
};

static const EVP_CIPHER *cipher_of(enum kith_aead_kind kind)
{
    switch (kind) {
    case KITH_AEAD_AES256GCM: return EVP_aes_256_gcm();
    case KITH_AEAD_CHACHA20POLY1305: return EVP_chacha20_poly1305();
    }
    return NULL;
}

int kith_aead_new(enum kith_aead_kind kind, const struct kith_aead_key *key, bool seals,
                  const struct kith_alloc *a, struct kith_aead **ret)
{
    struct kith_aead *k = kith_new_zero(a, sizeof *k);

    if (k == NULL)
        return KITH_E_NOMEM;
    memcpy(k->iv, key->iv, sizeof k->iv);
    k->ctx = EVP_CIPHER_CTX_new();
    if (k->ctx == NULL ||
        EVP_CipherInit_ex2(k->ctx, cipher_of(kind), key->key, key->iv, seals, NULL) != 1) {
        kith_aead_free(k, a);
        return KITH_E_CRYPTO;
    }
    *ret = k;
    return KITH_OK;
}

void kith_aead_free(struct kith_aead *k, const struct kith_alloc *a)
{
    if (k == NULL)
        return;
    EVP_CIPHER_CTX_free(k->ctx); /* wipes the key schedule */
    kith_wipe(k->iv, sizeof k->iv);
    kith_free(a, k);
}

/* The key stays; only the nonce is new. */
static bool begin(struct kith_aead *k, uint64_t number, struct kith_span aad)
{
    uint8_t nonce[KITH_AEAD_IV];
    int n;

    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(number >> (56 - 8 * i));
    return EVP_CipherInit_ex2(k->ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CipherUpdate(k->ctx, NULL, &n, aad.p, (int)aad.n) == 1;
}

/* Small parts are laid end to end at `out`, up to a whole number of blocks, so that the cipher is
 * entered once for them and once, in step with its blocks, for the rest of the last part: headers
 * in front of a payload cost next to nothing. Returns how many bytes it took; *ret_rest is what is
 * left. Nothing is left of parts other than the last. */
static size_t gather(const struct kith_span *parts, size_t n, uint8_t *out,
                     struct kith_span *ret_rest)
{
    size_t len = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        kith_copy(out + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    struct kith_span last = n > 0 ? parts[n - 1] : (struct kith_span){0};
    size_t fill = (STRIDE - len % STRIDE) % STRIDE;
    if (fill > last.n)
        fill = last.n;
    kith_copy(out + len, last.p, fill);
    *ret_rest = (struct kith_span){0};
    if (last.n > fill)
        *ret_rest = (struct kith_span){last.p + fill, last.n - fill};
    return len + fill;
}

int kith_aead_seal(struct kith_aead *k, uint64_t number, struct kith_span aad,
                   const struct kith_span *parts, size_t n, uint8_t *out)
{
    bool ok = begin(k, number, aad);
    struct kith_span rest;
    size_t first = gather(parts, n, out, &rest);
    int len = 0;

    /* an update with nothing would mean the end */
    if (ok && first > 0)
        ok = EVP_CipherUpdate(k->ctx, out, &len, out, (int)first) == 1;
    if (ok && rest.n > 0)
        ok = EVP_CipherUpdate(k->ctx, out + first, &len, rest.p, (int)rest.n) == 1;
    out += first + rest.n;
    ok = ok && EVP_CipherFinal_ex(k->ctx, out, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, KITH_AEAD_TAG, out) == 1;
    return ok ? KITH_OK : KITH_E_CRYPTO;
}

int kith_aead_open(struct kith_aead *k, uint64_t number, struct kith_span aad, uint8_t *data,
                   size_t n)
{
    int len = 0;

    if (n < KITH_AEAD_TAG)
        return KITH_E_MALFORMED;
    n -= KITH_AEAD_TAG;
    if (!begin(k, number, aad) ||
        (n > 0 && EVP_CipherUpdate(k->ctx, data, &len, data, (int)n) != 1) ||
        EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, KITH_AEAD_TAG, data + n) != 1)
        return KITH_E_CRYPTO;
    return EVP_CipherFinal_ex(k->ctx, data + n, &len) == 1 ? KITH_OK : KITH_E_AUTH;
}
