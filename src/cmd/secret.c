/* Reading a passphrase without showing it. */

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/cmd.h"

enum { PASSPHRASE_MIN = 8 }; /* methods.def says the same to other clients */

/* One line without its end, byte by byte: what follows it belongs to somebody else, and no stdio
 * buffer keeps a copy. KITH_E_LIMIT when it does not fit, KITH_E_CLOSED when there is none. */
static int read_line(int fd, char *buf, size_t cap)
{
    size_t n = 0;
    char byte = 0;
    ssize_t got = 0;

    while (n < cap && (got = read(fd, &byte, 1)) == 1 && byte != '\n')
        buf[n++] = byte;
    if (n == cap)
        return KITH_E_LIMIT;
    if (got != 1 && n == 0)
        return KITH_E_CLOSED;
    if (n > 0 && buf[n - 1] == '\r')
        n--;
    buf[n] = '\0';
    return KITH_OK;
}

/* Asks on the terminal with its echo off. */
static int ask(int tty, const char *prompt, char *buf, size_t cap)
{
    struct termios before, silent;
    int err;

    if (tcgetattr(tty, &before) < 0)
        return KITH_E_IO;
    silent = before;
    silent.c_lflag &= (tcflag_t)~ECHO;
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    (void)!write(tty, prompt, strlen(prompt));
    err = read_line(tty, buf, cap);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)!write(tty, "\n", 1);
    return err;
}

static int ask_terminal(bool again, char *buf, size_t cap)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), err;
    char second[1100];

    if (tty < 0)
        return KITH_E_IO;
    err = ask(tty, "Passphrase: ", buf, cap);
    if (err == KITH_OK && again)
        err = ask(tty, "The same again: ", second, sizeof second);
    if (err == KITH_OK && again && strcmp(buf, second) != 0)
        err = KITH_E_AUTH;
    explicit_bzero(second, sizeof second);
    (void)close(tty);
    return err;
}

static int read_file_line(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), err;

    if (fd < 0)
        return KITH_E_NOTFOUND;
    err = read_line(fd, buf, cap);
    (void)close(fd);
    return err;
}

int kith_cmd_passphrase(struct kith_cmd *c, bool again, char *buf, size_t cap)
{
    const char *file = kith_args_value(c->args, "passphrase-file", NULL);
    int err;

    if (file != NULL)
        err = read_file_line(file, buf, cap);
    else if (isatty(STDIN_FILENO))
        err = ask_terminal(again, buf, cap);
    else
        err = read_line(STDIN_FILENO, buf, cap);
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
