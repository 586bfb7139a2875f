#include "crypto/warm_up.h"

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

static const char text[] = "what is made once is made now";

/* Keys are made, written, read, and sign. A signature that is none is asked about, too: errors
 * have tables of their own. */
static int keys(const struct kith_alloc *a)
{
    struct kith_sign_key *key, *again = NULL;
    struct kith_public_key pub;
    struct kith_signature sig;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n;
    int err = kith_sign_key_new(a, &key);

    if (err < 0)
        return err;
    kith_sign_key_public(key, &pub);
    err = kith_sign_key_to_pem(key, pem, sizeof pem, &n);
    if (err == KITH_OK)
        err = kith_sign_key_from_pem(a, (struct kith_span){pem, n}, &again);
    if (err == KITH_OK)
        err = kith_sign(again, kith_span_text(text), &sig);
    if (err == KITH_OK)
        err = kith_verify(&pub, kith_span_text(text), &sig);
    if (err == KITH_OK && kith_verify(&pub, kith_span_text(""), &sig) != KITH_E_AUTH)
        err = KITH_E_CRYPTO;
    kith_wipe(pem, sizeof pem);
    kith_sign_key_free(again);
    kith_sign_key_free(key);
    return err;
}

static int hashes(void)
{
    struct kith_span part = kith_span_text(text);
    struct kith_hash h;
    struct kith_mac mac;
    uint8_t prk[48] = {0}, out[32];
    int err = kith_sha256(part, &h);

    if (err == KITH_OK)
        err = kith_hmac_sha256(KITH_SPAN_OF(h.b), &part, 1, &mac);
    if (err == KITH_OK)
        err = kith_hkdf_expand(KITH_HKDF_SHA256, KITH_SPAN_OF(prk), part, out, sizeof out);
    if (err == KITH_OK)
        err = kith_hkdf_expand(KITH_HKDF_SHA384, KITH_SPAN_OF(prk), part, out, sizeof out);
    return err;
}

static int packets(enum kith_aead_kind kind, const struct kith_alloc *a)
{
    static const struct kith_aead_key key;
    const struct kith_span part = kith_span_text(text), none = {NULL, 0};
    struct kith_aead *seals = NULL, *opens = NULL;
    uint8_t packet[sizeof text + KITH_AEAD_TAG];
    int err = kith_aead_new(kind, &key, true, a, &seals);

    if (err == KITH_OK)
        err = kith_aead_new(kind, &key, false, a, &opens);
    if (err == KITH_OK)
        err = kith_aead_seal(seals, 0, none, &part, 1, packet);
    if (err == KITH_OK)
        err = kith_aead_open(opens, 0, none, packet, part.n + KITH_AEAD_TAG);
    kith_aead_free(opens, a);
    kith_aead_free(seals, a);
    return err;
}

static int at_rest(void)
{
    static const struct kith_seal_key key;
    static const struct kith_seal_nonce nonce;
    const struct kith_span part = kith_span_text(text), none = {NULL, 0};
    uint8_t sealed[sizeof text + KITH_SEAL_TAG], opened[sizeof text];
    size_t n;
    int err = kith_seal(&key, &nonce, none, part, sealed, sizeof sealed, &n);

    if (err == KITH_OK)
        err = kith_seal_open(&key, &nonce, none, (struct kith_span){sealed, n}, opened,
                             sizeof opened, &n);
    return err;
}

int kith_crypto_warm_up(const struct kith_alloc *a)
{
    int err = keys(a);

    if (err == KITH_OK)
        err = hashes();
    if (err == KITH_OK)
        err = packets(KITH_AEAD_AES256GCM, a);
    if (err == KITH_OK)
        err = packets(KITH_AEAD_CHACHA20POLY1305, a);
    if (err == KITH_OK)
        err = at_rest();
    return err;
}
