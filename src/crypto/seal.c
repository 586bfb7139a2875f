#include "crypto/seal.h"

#include "crypto/hash.h"

#include <limits.h>
#include <openssl/evp.h>

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct kith_seal_key *key,
                    const struct kith_seal_nonce *nonce, struct kith_span aad, struct kith_span in,
                    uint8_t *out)
{
    int n = 0;

    return EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key->b, nonce->b, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, aad.p, (int)aad.n) == 1 &&
           EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && n == (int)in.n &&
           EVP_EncryptFinal_ex(ctx, out + in.n, &n) == 1 && n == 0 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, KITH_SEAL_TAG, out + in.n) == 1;
}

int kith_seal(const struct kith_seal_key *key, const struct kith_seal_nonce *nonce,
              struct kith_span aad, struct kith_span in, uint8_t *out, size_t cap, size_t *ret_len)
{
    if (in.n > INT_MAX - KITH_SEAL_TAG || aad.n > INT_MAX || cap < in.n + KITH_SEAL_TAG)
        return KITH_E_LIMIT;

    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && encrypt(ctx, key, nonce, aad, in, out);
    EVP_CIPHER_CTX_free(ctx);
    kith_wipe_stack();
    if (!ok)
        return KITH_E_CRYPTO;
    *ret_len = in.n + KITH_SEAL_TAG;
    return KITH_OK;
}

/* KITH_E_AUTH only when the tag was compared and differs. */
static int decrypt(EVP_CIPHER_CTX *ctx, const struct kith_seal_key *key,
                   const struct kith_seal_nonce *nonce, struct kith_span aad, struct kith_span in,
                   const uint8_t *tag, uint8_t *out)
{
    uint8_t copy[KITH_SEAL_TAG];
    int n = 0;

    memcpy(copy, tag, sizeof copy);
    if (EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key->b, nonce->b, NULL) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1 ||
        EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1 || n != (int)in.n ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, KITH_SEAL_TAG, copy) != 1)
        return KITH_E_CRYPTO;
    return EVP_DecryptFinal_ex(ctx, out + in.n, &n) == 1 ? KITH_OK : KITH_E_AUTH;
}

int kith_seal_open(const struct kith_seal_key *key, const struct kith_seal_nonce *nonce,
                   struct kith_span aad, struct kith_span in, uint8_t *out, size_t cap,
                   size_t *ret_len)
{
    if (in.n < KITH_SEAL_TAG)
        return KITH_E_MALFORMED;
    struct kith_span body = {in.p, in.n - KITH_SEAL_TAG};
    if (in.n > INT_MAX || aad.n > INT_MAX || cap < body.n)
        return KITH_E_LIMIT;

    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int err = ctx == NULL ? KITH_E_CRYPTO : decrypt(ctx, key, nonce, aad, body, in.p + body.n, out);
    EVP_CIPHER_CTX_free(ctx);
    kith_wipe_stack();
    if (err < 0) {
        kith_wipe(out, body.n);
        return err;
    }
    *ret_len = body.n;
    return KITH_OK;
}
