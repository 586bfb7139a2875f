/* client_socket.h: the program's end of the control socket. The one file of src/cmd that knows
 * sockets is client_socket.c; it has the shape of os/unix_socket.h. */
#ifndef KITH_CMD_CLIENT_SOCKET_H
#define KITH_CMD_CLIENT_SOCKET_H

#include "base/base.h"

/* KITH_E_NOTFOUND: no such socket; KITH_E_CLOSED: nobody listens; KITH_E_PERM; KITH_E_IO. */
int kith_client_connect(const char *path, int *ret_fd) KITH_MUST_CHECK;
/* KITH_E_CLOSED when the other side is gone. */
int kith_client_send_all(int fd, struct kith_span bytes) KITH_MUST_CHECK;
/* At least one byte. KITH_E_TIMEOUT after timeout_ms; KITH_E_CANCELLED when a signal came first;
 * KITH_E_CLOSED at the end of the stream. */
int kith_client_receive(int fd, void *buf, size_t cap, int timeout_ms,
                        size_t *ret_len) KITH_MUST_CHECK;
/* A descriptor that becomes readable when the process at the other end has ended; -1 where the
 * system has none. */
int kith_client_process(int fd);
/* Waits for that. KITH_E_TIMEOUT. */
int kith_client_process_wait(int process_fd, int timeout_ms) KITH_MUST_CHECK;
void kith_client_close(int fd);

#endif
