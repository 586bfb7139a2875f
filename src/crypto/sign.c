#include "crypto/sign.h"

#include "crypto/hash.h"
#include "crypto/private_key.h"
#include "crypto/secret_heap.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

/* SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.3.18 }, BIT STRING of 1952 bytes } (RFC 9881 4) */
static const uint8_t spki_header[] = {
    0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
    0x01, 0x65, 0x03, 0x04, 0x03, 0x12, 0x03, 0x82, 0x07, 0xa1, 0x00,
};
enum { RAW_KEY_LEN = KITH_PUBLIC_KEY_LEN - sizeof spki_header };

static const char algorithm[] = "ML-DSA-65";

struct kith_sign_key {
    const struct kith_alloc *alloc;
    EVP_PKEY *pkey;
    struct kith_public_key pub;
    bool repeatable;
};

/* ---- public keys ---- */

bool kith_public_key_check(struct kith_span spki)
{
    return spki.n == KITH_PUBLIC_KEY_LEN && memcmp(spki.p, spki_header, sizeof spki_header) == 0;
}

int kith_public_key_from(struct kith_span spki, struct kith_public_key *ret)
{
    if (!kith_public_key_check(spki))
        return KITH_E_MALFORMED;
    memcpy(ret->spki, spki.p, sizeof ret->spki);
    return KITH_OK;
}

static EVP_PKEY *public_to_pkey(const struct kith_public_key *key)
{
    return EVP_PKEY_new_raw_public_key_ex(NULL, algorithm, NULL, key->spki + sizeof spki_header,
                                          RAW_KEY_LEN);
}

static bool public_from_pkey(EVP_PKEY *pkey, struct kith_public_key *ret)
{
    size_t n = RAW_KEY_LEN;

    memcpy(ret->spki, spki_header, sizeof spki_header);
    return EVP_PKEY_get_raw_public_key(pkey, ret->spki + sizeof spki_header, &n) == 1 &&
           n == RAW_KEY_LEN;
}

/* ---- signing keys ---- */

/* Around all that handles private halves: in memory for secrets, and no error stays behind. */
static void begin(void)
{
    kith_secret_heap_enter();
    ERR_set_mark();
}

static void end(void)
{
    ERR_pop_to_mark();
    kith_secret_heap_leave();
}

/* Takes pkey, also when it fails. */
static int wrap(const struct kith_alloc *a, EVP_PKEY *pkey, struct kith_sign_key **ret)
{
    if (pkey == NULL)
        return KITH_E_CRYPTO;

    struct kith_sign_key *key = kith_new_zero(a, sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return KITH_E_NOMEM;
    }
    key->alloc = a;
    key->pkey = pkey;
    if (!public_from_pkey(pkey, &key->pub)) {
        kith_sign_key_free(key);
        return KITH_E_CRYPTO;
    }
    *ret = key;
    return KITH_OK;
}

static EVP_PKEY *generate(const OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);

    if (ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_params(ctx, params) == 1)
        (void)EVP_PKEY_generate(ctx, &pkey); /* leaves NULL when it fails */
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

int kith_sign_key_new(const struct kith_alloc *a, struct kith_sign_key **ret)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_end()};
    int err;

    begin();
    err = wrap(a, generate(params), ret);
    end();
    return err;
}

int kith_sign_key_from_seed(const struct kith_alloc *a, const struct kith_sign_seed *seed,
                            struct kith_sign_key **ret)
{
    struct kith_sign_seed copy = *seed;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, copy.b, sizeof copy.b),
        OSSL_PARAM_construct_end(),
    };
    int err;

    begin();
    err = wrap(a, generate(params), ret);
    end();
    kith_wipe(&copy, sizeof copy);
    return err;
}

int kith_sign_key_from_pem(const struct kith_alloc *a, struct kith_span pem,
                           struct kith_sign_key **ret)
{
    EVP_PKEY *pkey = NULL;
    int err;

    if (pem.n == 0 || pem.n > KITH_SIGN_PEM_MAX)
        return KITH_E_MALFORMED;
    begin();
    err = kith_private_key_read(pem, &pkey);
    if (err == KITH_OK)
        err = wrap(a, pkey, ret);
    end();
    return err;
}

int kith_sign_key_to_pem(const struct kith_sign_key *key, uint8_t *buf, size_t cap, size_t *ret_len)
{
    int err = KITH_E_CRYPTO;
    char *text = NULL;

    begin();
    BIO *bio = BIO_new(BIO_s_mem()); /* wipes its memory when freed */
    if (bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        goto out;
    long n = BIO_get_mem_data(bio, &text);
    if (n <= 0)
        goto out;
    err = KITH_E_LIMIT;
    if ((size_t)n > cap)
        goto out;
    memcpy(buf, text, (size_t)n);
    *ret_len = (size_t)n;
    err = KITH_OK;
out:
    BIO_free(bio);
    end();
    return err;
}

void kith_sign_key_free(struct kith_sign_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    kith_free(key->alloc, key);
}

void kith_sign_key_public(const struct kith_sign_key *key, struct kith_public_key *ret)
{
    *ret = key->pub;
}

void kith_sign_key_set_repeatable(struct kith_sign_key *key, bool on)
{
    key->repeatable = on;
}

void *kith_sign_key_evp(const struct kith_sign_key *key)
{
    return key->pkey;
}

/* ---- signatures ---- */

int kith_sign(const struct kith_sign_key *key, struct kith_span msg, struct kith_signature *ret)
{
    int repeatable = key->repeatable;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &repeatable),
        OSSL_PARAM_construct_end(),
    };
    struct kith_signature sig;
    size_t n = sizeof sig.b;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    ERR_set_mark();
    bool ok = ctx != NULL &&
              EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, params) == 1 &&
              EVP_DigestSign(ctx, sig.b, &n, msg.p, msg.n) == 1 && n == sizeof sig.b;
    /* Without memory to encode w1 (FIPS 204 algorithm 28), OpenSSL 3.5 signs something else and
     * calls it done; what it found missing stands in its queue all the same. */
    ok = ok && !kith_openssl_ran_short();
    ERR_pop_to_mark();
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return KITH_E_CRYPTO;
    *ret = sig;
    return KITH_OK;
}

static int verdict(int verified)
{
    if (verified == 1)
        return KITH_OK;
    return verified == 0 && !kith_openssl_ran_short() ? KITH_E_AUTH : KITH_E_CRYPTO;
}

int kith_verify(const struct kith_public_key *key, struct kith_span msg,
                const struct kith_signature *sig)
{
    if (!kith_public_key_check(KITH_SPAN_OF(*key)))
        return KITH_E_MALFORMED;

    int err = KITH_E_CRYPTO;
    ERR_set_mark();
    EVP_PKEY *pkey = public_to_pkey(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (pkey != NULL && ctx != NULL &&
        EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL) == 1)
        err = verdict(EVP_DigestVerify(ctx, sig->b, sizeof sig->b, msg.p, msg.n));
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_pop_to_mark();
    return err;
}
