#include "identity/identity.h"

#include "base/text.h"

/* Takes key, also when it fails. */
static int identity_of(struct kith_sign_key *key, struct kith_identity *ret)
{
    struct kith_identity id = {.key = key};

    kith_sign_key_public(key, &id.pub);
    int err = kith_peer_id_of(&id.pub, &id.id);
    if (err < 0)
        kith_sign_key_free(key);
    else
        *ret = id;
    return err;
}

int kith_identity_new(const struct kith_alloc *a, struct kith_identity *ret)
{
    struct kith_sign_key *key;
    int err = kith_sign_key_new(a, &key);

    return err < 0 ? err : identity_of(key, ret);
}

int kith_identity_from_seed(const struct kith_alloc *a, const struct kith_sign_seed *seed,
                            struct kith_identity *ret)
{
    struct kith_sign_key *key;
    int err = kith_sign_key_from_seed(a, seed, &key);

    if (err < 0)
        return err;
    kith_sign_key_set_repeatable(key, true);
    return identity_of(key, ret);
}

int kith_identity_from_pem(const struct kith_alloc *a, struct kith_span pem,
                           struct kith_identity *ret, const char **ret_why)
{
    struct kith_sign_key *key;
    int err = kith_sign_key_from_pem(a, pem, &key);

    if (err == KITH_OK)
        err = identity_of(key, ret);
    if (err == KITH_E_MALFORMED)
        *ret_why = "it is not an unencrypted PKCS#8 private key in PEM";
    else if (err == KITH_E_UNSUPPORTED)
        *ret_why = "it holds a key of another algorithm than ML-DSA-65";
    else if (err < 0)
        *ret_why = kith_err_text(err);
    return err;
}

int kith_identity_to_pem(const struct kith_identity *id, uint8_t *buf, size_t cap, size_t *ret_len)
{
    return kith_sign_key_to_pem(id->key, buf, cap, ret_len);
}

void kith_identity_fini(struct kith_identity *id)
{
    kith_sign_key_free(id->key);
    *id = (struct kith_identity){0};
}

/* ---- ids ---- */

static int hash_of(const struct kith_public_key *key, struct kith_hash *ret)
{
    return kith_sha256(KITH_SPAN_OF(*key), ret);
}

int kith_peer_id_of(const struct kith_public_key *key, struct kith_peer_id *ret)
{
    struct kith_hash h;
    int err = hash_of(key, &h);

    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

int kith_network_id_of(const struct kith_public_key *root, struct kith_network_id *ret)
{
    struct kith_hash h;
    int err = hash_of(root, &h);

    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

struct kith_peer_id kith_network_root(const struct kith_network_id *network)
{
    struct kith_peer_id root;

    memcpy(root.b, network->b, sizeof root.b);
    return root;
}

const char *kith_peer_id_text(const struct kith_peer_id *id, char *buf, size_t cap)
{
    return kith_base32_text(KITH_SPAN_OF(*id), buf, cap);
}

const char *kith_peer_id_short(const struct kith_peer_id *id, char *buf, size_t cap)
{
    /* 5 bytes are 8 characters of base32 */
    return kith_base32_text((struct kith_span){id->b, 5}, buf, cap);
}

const char *kith_network_id_text(const struct kith_network_id *id, char *buf, size_t cap)
{
    return kith_base32_text(KITH_SPAN_OF(*id), buf, cap);
}

static int parse_id(const char *text, uint8_t id[32])
{
    uint8_t b[32];
    size_t n = 0, len = strnlen(text, KITH_ID_TEXT);

    if (len != KITH_ID_TEXT - 1 || kith_base32_parse(text, len, b, sizeof b, &n) < 0)
        return KITH_E_MALFORMED;
    memcpy(id, b, sizeof b);
    return KITH_OK;
}

int kith_peer_id_parse(const char *text, struct kith_peer_id *ret)
{
    return parse_id(text, ret->b);
}

int kith_network_id_parse(const char *text, struct kith_network_id *ret)
{
    return parse_id(text, ret->b);
}
