#include "loop/state.h"

#include "base/text.h"

#define IDENTITY_FILE "identity.pem"
#define STORE_FILE "kith.db"
#define LOCK_FILE "kith.lock"

static int path_of(const char *dir, const char *name, char *buf, size_t cap,
                   struct kith_ctl_error *e)
{
    if (strlen(dir) + 1 + strlen(name) >= cap)
        return kith_ctl_error_set(e, KITH_E_LIMIT, "the state directory's path is too long");
    (void)kith_format(buf, cap, "%s/%s", dir, name);
    return KITH_OK;
}

/* What src/os says of something that can be mended begins with the command ("chmod 600 PATH: others
 * may touch it"): that becomes the remedy. */
static int explain(struct kith_ctl_error *e, int err, const char *what,
                   const struct kith_os_why *why)
{
    const char *end = strstr(why->text, ": ");
    bool mends = strncmp(why->text, "ch", 2) == 0 && end != NULL;

    if (mends)
        (void)kith_format(e->remedy, sizeof e->remedy, "%.*s", (int)(end - why->text), why->text);
    return kith_ctl_error_set(e, err, "%s: %s", what, mends ? end + 2 : why->text);
}

/* ---- identity ---- */

static int identity_read(const char *path, struct kith_identity *ret, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};
    struct kith_buf pem;
    const char *reason;
    int err = kith_file_read_private(path, KITH_SIGN_PEM_MAX, &kith_heap, &pem, &why);

    if (err == KITH_E_NOTFOUND)
        return err;
    if (err < 0 && err != KITH_E_LIMIT)
        return explain(e, err, IDENTITY_FILE, &why);
    if (err == KITH_E_LIMIT)
        reason = "it is longer than any key";
    else {
        err = kith_identity_from_pem(&kith_heap, kith_buf_span(&pem), ret, &reason);
        explicit_bzero(pem.data, pem.cap);
        kith_buf_fini(&pem);
    }
    if (err == KITH_OK || err == KITH_E_NOMEM || err == KITH_E_CRYPTO)
        return err;
    (void)kith_format(e->remedy, sizeof e->remedy,
                      "restore %.120s from a backup; moving it away gives this node a new identity "
                      "that has to join every network anew",
                      path);
    return kith_ctl_error_set(e, KITH_E_CORRUPT, "%.120s is damaged: %s", path, reason);
}

/* A new one, unless somebody else has just made one: then that. */
static int identity_make(const char *path, struct kith_identity *ret, struct kith_ctl_error *e)
{
    struct kith_identity fresh = {.key = NULL};
    struct kith_os_why why = {.text = ""};
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n;
    int err = kith_identity_new(&kith_heap, &fresh);

    if (err < 0)
        return kith_ctl_error_set(e, err, "cannot make an identity: %s", kith_err_text(err));
    err = kith_identity_to_pem(&fresh, pem, sizeof pem, &n);
    if (err == KITH_OK)
        err = kith_file_create_exclusive(path, (struct kith_span){pem, n}, 0600, NULL, &why);
    explicit_bzero(pem, sizeof pem);
    if (err == KITH_OK) {
        *ret = fresh;
        return KITH_OK;
    }
    kith_identity_fini(&fresh);
    return err == KITH_E_EXISTS ? identity_read(path, ret, e)
                                : explain(e, err, "cannot keep a new identity", &why);
}

int kith_state_identity(const char *dir, struct kith_identity *ret, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};
    char path[KITH_PATH_MAX];
    int err = path_of(dir, IDENTITY_FILE, path, sizeof path, e);

    if (err == KITH_OK && (err = kith_dir_private(dir, true, &why)) < 0)
        return explain(e, err, "cannot use the state directory", &why);
    if (err == KITH_OK)
        err = identity_read(path, ret, e);
    return err == KITH_E_NOTFOUND ? identity_make(path, ret, e) : err;
}

/* ---- the rest ---- */

static int lock_take(struct kith_state *s, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};
    char path[KITH_PATH_MAX];
    int err = path_of(s->dir, LOCK_FILE, path, sizeof path, e);

    if (err < 0)
        return err;
    if ((err = kith_dir_private(s->dir, true, &why)) < 0)
        return explain(e, err, "cannot use the state directory", &why);
    err = kith_lock_take(path, &s->lock, &why);
    s->locked = err == KITH_OK;
    if (err == KITH_E_INUSE) {
        (void)kith_format(e->remedy, sizeof e->remedy,
                          "end that node first, or use another state directory");
        return explain(e, err, "another kith runs for this state directory", &why);
    }
    return err < 0 ? explain(e, err, "cannot lock the state directory", &why) : KITH_OK;
}

static int store_open(struct kith_state *s, const struct kith_env *env, struct kith_ctl_error *e)
{
    struct kith_store_why why = {.text = ""};
    char path[KITH_PATH_MAX];
    int err = path_of(s->dir, STORE_FILE, path, sizeof path, e);

    if (err == KITH_OK && (err = kith_store_open(path, env, &s->store, &why)) < 0)
        return kith_ctl_error_set(e, err, "%.90s: %s", path, why.text);
    return err;
}

int kith_state_open(struct kith_state *s, const char *dir, const struct kith_env *env,
                    struct kith_ctl_error *e)
{
    int err;

    *s = (struct kith_state){.dir = dir};
    err = lock_take(s, e);
    if (err == KITH_OK)
        err = kith_state_identity(dir, &s->identity, e);
    if (err == KITH_OK)
        err = store_open(s, env, e);
    return err;
}

void kith_state_close(struct kith_state *s)
{
    kith_store_close(s->store);
    kith_identity_fini(&s->identity);
    if (s->locked)
        kith_lock_release(&s->lock);
    *s = (struct kith_state){.dir = NULL};
}
