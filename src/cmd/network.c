/* Commands about networks: create, list, leave, admins, backup and restore of the root key. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"

enum {
    PASSPHRASE_CAP = 1025, /* methods.def: 1024 bytes, and a NUL */
    BACKUP_MAX = 48 << 10, /* methods.def: sealed has at most 49152 bytes */
    BACKUP_LINE = 64,      /* base64 characters a line, as PEM has them */
};

static void print_address(const json_t *r, const char *name)
{
    printf("%s: this node is %s and %s\n", kith_cmd_text(r, name), kith_cmd_text(r, "ipv4"),
           kith_cmd_text(r, "ipv6"));
}

int kith_cmd_network_create(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, KITH_CTL_network_create,
                            json_pack("{s:s, s:s*}", "name", c->args->arg[0], "ipv4",
                                      kith_args_value(c->args, "ipv4", NULL)),
                            &r);

    if (code == KITH_EXIT_OK && r != NULL)
        print_address(r, "name");
    json_decref(r);
    return code;
}

static const char *role_in(const json_t *network)
{
    const char *standing = kith_cmd_text(network, "standing");

    if (strcmp(standing, "member") != 0)
        return standing;
    if (json_is_true(json_object_get(network, "root")))
        return "root";
    return json_is_true(json_object_get(network, "admin")) ? "admin" : "member";
}

int kith_cmd_network_list(struct kith_cmd *c)
{
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *n;
    size_t i;
    int code = kith_cmd_ask(c, KITH_CTL_network_list, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_table_column(&t, "NETWORK", KITH_CUT);
    kith_table_column(&t, "ID", KITH_LEFT);
    kith_table_column(&t, "RANGE", KITH_LEFT);
    kith_table_column(&t, "IPV4", KITH_LEFT);
    kith_table_column(&t, "MEMBERS", KITH_RIGHT);
    kith_table_column(&t, "ROLE", KITH_LEFT);
    json_array_foreach(json_object_get(r, "networks"), i, n)
    {
        kith_table_cell(&t, "%s", kith_cmd_text(n, "name"));
        kith_table_cell(&t, "%.8s", kith_cmd_text(n, "id"));
        kith_table_cell(&t, "%s", kith_cmd_text(n, "range"));
        kith_table_cell(&t, "%s", kith_cmd_text(n, "ipv4"));
        kith_table_cell(&t, "%llu", (unsigned long long)kith_cmd_number(n, "members"));
        kith_table_cell(&t, "%s", role_in(n));
    }
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    kith_table_fini(&t);
    json_decref(r);
    return code;
}

/* Asks and says nothing unless it fails: a change that worked needs no words. */
static int ask_quietly(struct kith_cmd *c, enum kith_ctl_method m, json_t *params)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, m, params, &r);

    json_decref(r);
    return code;
}

int kith_cmd_network_leave(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code =
        kith_cmd_ask(c, KITH_CTL_network_leave, json_pack("{s:s}", "name", c->args->arg[0]), &r);

    if (code == KITH_EXIT_OK && r != NULL && kith_cmd_number(r, "others") > 0 &&
        kith_cmd_number(r, "told") == 0)
        fprintf(stderr, "kith: no other member was connected: they list this machine until its "
                        "certificate ends, or until an admin revokes it\n");
    json_decref(r);
    return code;
}

static json_t *name_and_network(struct kith_cmd *c)
{
    return json_pack("{s:s, s:s*}", "name", c->args->arg[0], "network",
                     kith_args_value(c->args, "network", NULL));
}

int kith_cmd_admin_add(struct kith_cmd *c)
{
    return ask_quietly(c, KITH_CTL_admin_add, name_and_network(c));
}

int kith_cmd_admin_remove(struct kith_cmd *c)
{
    return ask_quietly(c, KITH_CTL_admin_remove, name_and_network(c));
}

int kith_cmd_revoke(struct kith_cmd *c)
{
    return ask_quietly(c, KITH_CTL_revoke, name_and_network(c));
}

/* ---- backup ---- */

/* Writes the text in lines; the file's content is safe on disk when it says KITH_OK. */
static int write_lines(FILE *f, const char *text)
{
    for (; *text != '\0'; text += strnlen(text, BACKUP_LINE))
        if (fprintf(f, "%.*s\n", BACKUP_LINE, text) < 0)
            return KITH_E_IO;
    return fflush(f) == 0 && fsync(fileno(f)) == 0 ? KITH_OK : KITH_E_IO;
}

/* A new file that only its owner can read. errno says why there is none. */
static int write_new(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = KITH_E_IO, why;
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd < 0)
        return errno == EACCES || errno == EPERM ? KITH_E_PERM : KITH_E_IO;
    if (f == NULL)
        (void)close(fd);
    else {
        err = write_lines(f, text);
        if (fclose(f) != 0)
            err = KITH_E_IO;
    }
    why = errno;
    if (err < 0)
        (void)unlink(path);
    errno = why;
    return err;
}

static int save_backup(struct kith_cmd *c, const json_t *r)
{
    const char *path = c->args->arg[0];
    int err = write_new(path, kith_cmd_text(r, "sealed"));

    if (err < 0)
        return kith_cmd_fail(err == KITH_E_PERM ? KITH_EXIT_PERMISSION : KITH_EXIT_FAILED,
                             "cannot write %s: %s", path, strerror(errno));
    if (c->json)
        return kith_cmd_json(
            json_pack("{s:s, s:s}", "network", kith_cmd_text(r, "network"), "file", path));
    return KITH_EXIT_OK;
}

int kith_cmd_network_backup(struct kith_cmd *c)
{
    char passphrase[PASSPHRASE_CAP];
    json_t *r = NULL;
    int code;

    if (access(c->args->arg[0], F_OK) == 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "%s exists already", c->args->arg[0]);
    code = kith_cmd_passphrase(c, true, passphrase, sizeof passphrase);
    if (code == KITH_EXIT_OK)
        code = kith_cmd_call(c, KITH_CTL_network_backup,
                             json_pack("{s:s, s:s*}", "passphrase", passphrase, "network",
                                       kith_args_value(c->args, "network", NULL)),
                             NULL, NULL, &r);
    explicit_bzero(passphrase, sizeof passphrase);
    if (code == KITH_EXIT_OK)
        code = r == NULL ? kith_cmd_fail(KITH_EXIT_FAILED, "interrupted") : save_backup(c, r);
    json_decref(r);
    return code;
}

/* Takes line ends and spaces out, in place. */
static void join_lines(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++)
        if (strchr(" \t\r\n", *text) == NULL)
            *to++ = *text;
    *to = '\0';
}

static int restore(struct kith_cmd *c, const char *sealed)
{
    char passphrase[PASSPHRASE_CAP];
    json_t *r = NULL;
    int code = kith_cmd_passphrase(c, false, passphrase, sizeof passphrase);

    if (code == KITH_EXIT_OK)
        code =
            kith_cmd_ask(c, KITH_CTL_network_restore,
                         json_pack("{s:s, s:s}", "sealed", sealed, "passphrase", passphrase), &r);
    explicit_bzero(passphrase, sizeof passphrase);
    if (code == KITH_EXIT_OK && r != NULL)
        print_address(r, "name");
    json_decref(r);
    return code;
}

int kith_cmd_network_restore(struct kith_cmd *c)
{
    static char sealed[BACKUP_MAX + BACKUP_MAX / 32 + 1];
    size_t n;
    int err = kith_cmd_read_file(c->args->arg[0], sealed, sizeof sealed - 1, &n);

    if (err < 0)
        return kith_cmd_fail(err == KITH_E_PERM ? KITH_EXIT_PERMISSION : KITH_EXIT_FAILED,
                             "cannot read %s: %s", c->args->arg[0], kith_err_text(err));
    sealed[n] = '\0';
    join_lines(sealed);
    if (sealed[0] == '\0')
        return kith_cmd_fail(KITH_EXIT_FAILED, "%s is empty", c->args->arg[0]);
    return restore(c, sealed);
}
