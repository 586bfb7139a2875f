/* Reading a passphrase without showing it. */

#include <fcntl.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "os/process.h"
#include "os/terminal.h"

enum { PASSPHRASE_MIN = 8 }; /* methods.def says the same to other clients */

static int ask_terminal(bool again, char *buf, size_t cap)
{
    char second[1100];
    int err = kith_terminal_ask("Passphrase: ", buf, cap);

    if (err == KITH_OK && again)
        err = kith_terminal_ask("The same again: ", second, sizeof second);
    if (err == KITH_OK && again && strcmp(buf, second) != 0)
        err = KITH_E_AUTH;
    explicit_bzero(second, sizeof second);
    return err;
}

static int read_file_line(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), err;

    if (fd < 0)
        return KITH_E_NOTFOUND;
    err = kith_terminal_read_line(fd, buf, cap);
    (void)close(fd);
    return err;
}

int kith_cmd_passphrase(struct kith_cmd *c, bool again, char *buf, size_t cap)
{
    const char *file = kith_args_value(c->args, "passphrase-file", NULL);
    int err;

    (void)!kith_process_hide_memory(NULL); /* best effort, as in the node */
    if (file != NULL)
        err = read_file_line(file, buf, cap);
    else if (isatty(STDIN_FILENO))
        err = ask_terminal(again, buf, cap);
    else
        err = kith_terminal_read_line(STDIN_FILENO, buf, cap);
    if (err == KITH_E_AUTH)
        return kith_cmd_fail(KITH_EXIT_FAILED, "the two passphrases differ");
    if (err == KITH_E_LIMIT)
        return kith_cmd_fail(KITH_EXIT_FAILED, "the passphrase is too long");
    if (err < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "cannot read the passphrase%s%s",
                             file == NULL ? "" : " from ", file == NULL ? "" : file);
    if (strlen(buf) < PASSPHRASE_MIN)
        return kith_cmd_fail(KITH_EXIT_FAILED, "the passphrase must have at least %d bytes",
                             PASSPHRASE_MIN);
    return KITH_EXIT_OK;
}
