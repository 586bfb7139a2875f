#include "identity/backup.h"

#include "crypto/hash.h"

static const char magic[] = "kith root backup\n";
enum {
    VERSION = 1,
    MAGIC_LEN = sizeof magic - 1,
    HEAD_LEN = MAGIC_LEN + 1 + 3 * 4 + 16 + 12, /* bound to the sealed bytes, but not sealed */
};

/* Writes everything before the sealed bytes' length: what is bound to them. */
static void put_head(uint8_t head[HEAD_LEN], const struct kith_passphrase_cost *c,
                     const struct kith_salt *salt, const struct kith_seal_nonce *nonce)
{
    struct kith_writer w = kith_writer_on(head, HEAD_LEN);

    kith_put_span(&w, kith_span_text(magic));
    kith_put_u8(&w, VERSION);
    kith_put_u32(&w, c->memory_kib);
    kith_put_u32(&w, c->passes);
    kith_put_u32(&w, c->lanes);
    kith_put_span(&w, KITH_SPAN_OF(*salt));
    kith_put_span(&w, KITH_SPAN_OF(*nonce));
}

/* The file around what was sealed. */
static int put_file(const uint8_t head[HEAD_LEN], struct kith_span sealed, uint8_t *buf, size_t cap,
                    size_t *ret_len)
{
    struct kith_writer w = kith_writer_on(buf, cap);

    kith_put_span(&w, (struct kith_span){head, HEAD_LEN});
    kith_put_bytes(&w, sealed, 2, 32768);
    return kith_writer_done(&w, ret_len);
}

int kith_backup_seal(const struct kith_random *random, struct kith_span passphrase,
                     const struct kith_passphrase_cost *cost,
                     const struct kith_backup_content *content, uint8_t *buf, size_t cap,
                     size_t *ret_len)
{
    uint8_t head[HEAD_LEN], plain[KITH_BACKUP_MAX], sealed[KITH_BACKUP_MAX];
    struct kith_salt salt;
    struct kith_seal_nonce nonce;
    struct kith_seal_key key = {{0}};
    size_t n = 0, sealed_len = 0;

    kith_random_fill(random, &salt, sizeof salt);
    kith_random_fill(random, &nonce, sizeof nonce);
    put_head(head, cost, &salt, &nonce);
    int err = kith_backup_content_encode(content, plain, sizeof plain, &n);
    if (err == KITH_OK)
        err = kith_passphrase_key(passphrase, &salt, cost, &key);
    if (err == KITH_OK)
        err = kith_seal(&key, &nonce, KITH_SPAN_OF(head), (struct kith_span){plain, n}, sealed,
                        sizeof sealed, &sealed_len);
    if (err == KITH_OK)
        err = put_file(head, (struct kith_span){sealed, sealed_len}, buf, cap, ret_len);
    kith_wipe(&key, sizeof key);
    kith_wipe(plain, sizeof plain);
    return err;
}

/* The head is as it was written; only its magic and version are known here. */
static int open_file(struct kith_span file, struct kith_backup_file *ret)
{
    if (file.n < MAGIC_LEN || memcmp(file.p, magic, MAGIC_LEN) != 0)
        return KITH_E_MALFORMED;
    if (file.n > MAGIC_LEN && file.p[MAGIC_LEN] != VERSION)
        return KITH_E_VERSION;
    return kith_backup_file_decode((struct kith_span){file.p + MAGIC_LEN, file.n - MAGIC_LEN}, ret);
}

int kith_backup_open(struct kith_span file, struct kith_span passphrase, uint8_t *buf, size_t cap,
                     struct kith_backup_content *ret)
{
    struct kith_backup_file f;
    struct kith_salt salt;
    struct kith_seal_nonce nonce;
    struct kith_seal_key key = {{0}};
    size_t n = 0;
    int err = open_file(file, &f);

    if (err < 0)
        return err;
    memcpy(salt.b, f.salt.p, sizeof salt.b);
    memcpy(nonce.b, f.nonce.p, sizeof nonce.b);
    err = kith_passphrase_key(
        passphrase, &salt, &(struct kith_passphrase_cost){f.memory_kib, f.passes, f.lanes}, &key);
    if (err == KITH_OK)
        err = kith_seal_open(&key, &nonce, (struct kith_span){file.p, HEAD_LEN}, f.sealed, buf, cap,
                             &n);
    if (err == KITH_OK)
        err = kith_backup_content_decode((struct kith_span){buf, n}, ret);
    kith_wipe(&key, sizeof key);
    return err;
}
