/* terminal.h: a line that somebody types, without showing it, or that a file descriptor gives. */
#ifndef KITH_CMD_TERMINAL_H
#define KITH_CMD_TERMINAL_H

#include "base/base.h"

/* One line without its end, byte by byte: what follows it belongs to somebody else, and no buffer
 * keeps a copy. KITH_E_LIMIT when it does not fit, KITH_E_CLOSED when there is none. */
int kith_terminal_read_line(int fd, char *buf, size_t cap) KITH_MUST_CHECK;
/* The same from the controlling terminal, with its echo off. KITH_E_IO when there is none. */
int kith_terminal_ask(const char *prompt, char *buf, size_t cap) KITH_MUST_CHECK;

#endif
