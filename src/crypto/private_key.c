#include "crypto/private_key.h"

#include "base/cursor.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum {
    SEED_LEN = 32,
    EXPANDED_LEN = 4032, /* FIPS 204 table 2 */
};

/* How ML-DSA-65-PrivateKey (RFC 9881 6) is told apart: each choice has one length, so one DER head
 * each. */
static const uint8_t head_seed[] = {0x80, SEED_LEN},        /* [0] IMPLICIT OCTET STRING */
    head_both[] = {0x30, 0x82, 0x0f, 0xe6, 0x04, SEED_LEN}, /* SEQUENCE, OCTET STRING */
    head_expanded[] = {0x04, 0x82, EXPANDED_LEN >> 8, EXPANDED_LEN & 0xff}; /* OCTET STRING */

struct material {
    struct kith_span seed, expanded; /* empty: not there; borrowed */
};

/* The decoder of ASN.1 blames itself (ERR_R_ASN1_LIB) for what it had no room to copy, and names
 * what is wrong with bytes by reasons of its own (ASN1_R_...). */
static bool is_of_memory(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    return reason == ERR_R_MALLOC_FAILURE ||
           (ERR_GET_LIB(error) == ERR_LIB_ASN1 && reason == ERR_R_ASN1_LIB);
}

bool kith_openssl_ran_short(void)
{
    bool found = false;

    while (ERR_count_to_mark() > 0) {
        found |= is_of_memory(ERR_peek_last_error());
        (void)ERR_pop();
    }
    return found;
}

static int refusal(void)
{
    return kith_openssl_ran_short() ? KITH_E_CRYPTO : KITH_E_MALFORMED;
}

/* One "PRIVATE KEY" without headers (RFC 7468 10), as its parts. */
static PKCS8_PRIV_KEY_INFO *read_info(BIO *bio)
{
    PKCS8_PRIV_KEY_INFO *info = NULL;
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;

    if (PEM_read_bio(bio, &name, &header, &der, &n) == 1 &&
        strcmp(name, PEM_STRING_PKCS8INF) == 0 && header[0] == '\0') {
        const unsigned char *at = der;
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, n);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, (size_t)n);
    return info;
}

/* Takes head off what is left, if that begins so. */
static bool take_head(struct kith_reader *r, struct kith_span head)
{
    if (kith_reader_left(r) < head.n || memcmp(r->p, head.p, head.n) != 0)
        return false;
    (void)kith_get_span(r, head.n);
    return true;
}

static int find_material(struct kith_span der, struct material *ret)
{
    struct kith_reader r = kith_reader_on(der);

    *ret = (struct material){0};
    if (take_head(&r, KITH_SPAN_OF(head_seed))) {
        ret->seed = kith_get_span(&r, SEED_LEN);
        return kith_reader_done(&r);
    }
    if (take_head(&r, KITH_SPAN_OF(head_both)))
        ret->seed = kith_get_span(&r, SEED_LEN);
    if (!take_head(&r, KITH_SPAN_OF(head_expanded)))
        return KITH_E_MALFORMED;
    ret->expanded = kith_get_span(&r, EXPANDED_LEN);
    return kith_reader_done(&r);
}

/* Where both are given, the library refuses those that do not belong together. */
static EVP_PKEY *assemble(const struct material *m)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM params[3], *p = params;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-DSA-65", NULL);

    if (m->seed.n != 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, (void *)m->seed.p,
                                                 m->seed.n);
    if (m->expanded.n != 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)m->expanded.p,
                                                 m->expanded.n);
    *p = OSSL_PARAM_construct_end();
    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params); /* NULL when it fails */
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static int key_of(const PKCS8_PRIV_KEY_INFO *info, EVP_PKEY **ret)
{
    const ASN1_OBJECT *algorithm = NULL;
    const unsigned char *der = NULL;
    struct material m;
    int n = 0;

    if (PKCS8_pkey_get0(&algorithm, &der, &n, NULL, info) != 1)
        return KITH_E_CRYPTO;
    if (OBJ_obj2nid(algorithm) != NID_ML_DSA_65)
        return KITH_E_UNSUPPORTED;
    int err = find_material((struct kith_span){der, (size_t)n}, &m);
    if (err < 0)
        return err;
    *ret = assemble(&m);
    return *ret != NULL ? KITH_OK : refusal();
}

int kith_private_key_read(struct kith_span pem, EVP_PKEY **ret)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (bio == NULL)
        return KITH_E_CRYPTO;
    PKCS8_PRIV_KEY_INFO *info = read_info(bio);
    BIO_free(bio);
    if (info == NULL)
        return refusal();

    int err = key_of(info, ret);
    PKCS8_PRIV_KEY_INFO_free(info);
    return err;
}
