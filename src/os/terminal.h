/* terminal.h: a line that somebody types, without showing it, or that a file descriptor gives.
 *
 * For passphrases: nothing is buffered and nothing is echoed; wiping the line is the caller's, as
 * is asking twice. Test: tests/unit/os_terminal_test.c. */
#ifndef KITH_OS_TERMINAL_H
#define KITH_OS_TERMINAL_H

#include "base/base.h"

/* One line without its end, byte by byte: what follows it belongs to somebody else, and no buffer
 * keeps a copy. KITH_E_LIMIT when it does not fit, KITH_E_CLOSED when there is none. */
int kith_terminal_read_line(int fd, char *buf, size_t cap) KITH_MUST_CHECK;
/* Writes the prompt to the controlling terminal and reads a line from it, with its echo off
 * meanwhile. Errors as above; KITH_E_IO when there is no terminal. */
int kith_terminal_ask(const char *prompt, char *buf, size_t cap) KITH_MUST_CHECK;

#endif
