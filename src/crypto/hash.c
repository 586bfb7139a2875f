#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

int kith_sha256(struct kith_span in, struct kith_hash *ret)
{
    return kith_sha256_parts(&in, 1, ret);
}

int kith_sha256_parts(const struct kith_span *parts, size_t n, struct kith_hash *ret)
{
    struct kith_hash h;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, h.b, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return KITH_E_CRYPTO;
    *ret = h;
    return KITH_OK;
}

static bool mac_parts(EVP_MAC_CTX *ctx, struct kith_span key, const struct kith_span *parts,
                      size_t n, struct kith_mac *m)
{
    static const uint8_t empty[1];
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    /* a NULL key would mean "keep the key set before" */
    bool ok = EVP_MAC_init(ctx, key.n > 0 ? key.p : empty, key.n, params) == 1;

    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1;
    return ok && EVP_MAC_final(ctx, m->b, NULL, sizeof m->b) == 1;
}

int kith_hmac_sha256(struct kith_span key, const struct kith_span *parts, size_t n,
                     struct kith_mac *ret)
{
    struct kith_mac m;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    bool ok = ctx != NULL && mac_parts(ctx, key, parts, n, &m);

    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    if (ok)
        *ret = m;
    kith_wipe(&m, sizeof m);
    kith_wipe_stack();
    return ok ? KITH_OK : KITH_E_CRYPTO;
}

static bool expand(EVP_KDF_CTX *ctx, enum kith_hkdf hash, struct kith_span prk,
                   struct kith_span info, uint8_t *out, size_t n)
{
    char sha256[] = "SHA256", sha384[] = "SHA384";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         hash == KITH_HKDF_SHA256 ? sha256 : sha384, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)prk.p, prk.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.p, info.n),
        OSSL_PARAM_construct_end(),
    };
    if (info.n == 0)
        params[3] = OSSL_PARAM_construct_end();
    return EVP_KDF_derive(ctx, out, n, params) == 1;
}

int kith_hkdf_expand(enum kith_hkdf hash, struct kith_span prk, struct kith_span info, uint8_t *out,
                     size_t n)
{
    size_t size = hash == KITH_HKDF_SHA256 ? 32 : 48;

    if (prk.n < size || n == 0 || n > 255 * size)
        return KITH_E_INVAL;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && expand(ctx, hash, prk, info, out, n);

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    kith_wipe_stack();
    return ok ? KITH_OK : KITH_E_CRYPTO;
}

bool kith_equal_ct(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void kith_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

/* Its own frame lies where those of the functions were that its caller called before. */
__attribute__((noinline)) void kith_wipe_stack(void)
{
    uint8_t frames[16384]; /* none of the library's is nearly so deep; tests/sim/wiped_test.c */

    kith_wipe(frames, sizeof frames);
}
