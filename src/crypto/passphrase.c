#include "crypto/passphrase.h"

#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static bool cost_ok(const struct kith_passphrase_cost *c)
{
    return c->passes >= 1 && c->passes <= KITH_PASSPHRASE_PASSES_MAX && c->lanes >= 1 &&
           c->lanes <= KITH_PASSPHRASE_LANES_MAX && c->memory_kib >= 8 * c->lanes &&
           c->memory_kib <= KITH_PASSPHRASE_MEMORY_MAX;
}

static bool derive(EVP_KDF_CTX *ctx, struct kith_span pass, const struct kith_salt *salt,
                   const struct kith_passphrase_cost *cost, struct kith_seal_key *key)
{
    struct kith_salt s = *salt;
    struct kith_passphrase_cost c = *cost;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)pass.p,
                                          pass.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, s.b, sizeof s.b),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &c.passes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &c.lanes),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &c.memory_kib),
        OSSL_PARAM_construct_end(),
    };

    return EVP_KDF_derive(ctx, key->b, sizeof key->b, params) == 1;
}

int kith_passphrase_key(struct kith_span passphrase, const struct kith_salt *salt,
                        const struct kith_passphrase_cost *cost, struct kith_seal_key *ret)
{
    if (passphrase.n == 0)
        return KITH_E_INVAL;
    if (!cost_ok(cost))
        return KITH_E_LIMIT;

    struct kith_seal_key key = {0};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "ARGON2ID", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && derive(ctx, passphrase, salt, cost, &key);

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    if (ok)
        *ret = key;
    kith_wipe(&key, sizeof key);
    kith_wipe_stack();
    return ok ? KITH_OK : KITH_E_CRYPTO;
}
