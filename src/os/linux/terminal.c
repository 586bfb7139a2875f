#include "os/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* One byte; with `mask`, signals come only while it waits for one, so that none is missed between
 * looking and waiting. */
static ssize_t read_byte(int fd, char *byte, const sigset_t *mask)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (mask != NULL && ppoll(&p, 1, NULL, mask) < 0)
        return -1;
    return read(fd, byte, 1);
}

static int read_line(int fd, char *buf, size_t cap, const sigset_t *mask)
{
    size_t n = 0;
    char byte = 0;
    ssize_t got = 0;

    while (n < cap && (got = read_byte(fd, &byte, mask)) == 1 && byte != '\n')
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

int kith_terminal_read_line(int fd, char *buf, size_t cap)
{
    return read_line(fd, buf, cap, NULL);
}

/* What would end or stop the program at a prompt waits until the terminal is as it was. */
static const int enders[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static volatile sig_atomic_t caught; /* a signal can reach nothing else */

static void on_ender(int number)
{
    caught = number;
}

/* Catches them, blocked but for where *ret_waiting is in force; *ret_mask was before. */
static void catch_enders(struct sigaction before[], sigset_t *ret_mask, sigset_t *ret_waiting)
{
    sigset_t blocked;

    const struct sigaction act = {.sa_handler = on_ender}; /* no SA_RESTART: read() returns */

    caught = 0;
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < KITH_COUNT(enders); i++)
        (void)sigaddset(&blocked, enders[i]);
    (void)sigprocmask(SIG_BLOCK, &blocked, ret_mask);
    *ret_waiting = *ret_mask;
    for (size_t i = 0; i < KITH_COUNT(enders); i++) {
        (void)sigdelset(ret_waiting, enders[i]);
        (void)sigaction(enders[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) /* who started us wants it ignored */
            (void)sigaction(enders[i], &act, NULL);
    }
}

static void release_enders(const struct sigaction before[], const sigset_t *mask)
{
    for (size_t i = 0; i < KITH_COUNT(enders); i++)
        (void)sigaction(enders[i], &before[i], NULL);
    (void)sigprocmask(SIG_SETMASK, mask, NULL); /* one that is pending comes now */
    if (caught != 0)
        (void)raise(caught);
}

static int ask_silently(int tty, const char *prompt, char *buf, size_t cap)
{
    struct sigaction signals[KITH_COUNT(enders)];
    struct termios before, silent;
    sigset_t mask, waiting;
    int err;

    if (tcgetattr(tty, &before) < 0)
        return KITH_E_IO;
    silent = before;
    silent.c_lflag &= (tcflag_t)~ECHO;
    catch_enders(signals, &mask, &waiting);
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    (void)!write(tty, prompt, strlen(prompt));
    err = read_line(tty, buf, cap, &waiting);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)!write(tty, "\n", 1);
    if (caught != 0)
        err = KITH_E_CANCELLED;
    release_enders(signals, &mask);
    return err;
}

int kith_terminal_ask(const char *prompt, char *buf, size_t cap)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), err;

    if (tty < 0)
        return KITH_E_IO;
    err = ask_silently(tty, prompt, buf, cap);
    (void)close(tty);
    return err;
}
