/* http.h: a few pages over HTTP, for programs that watch this node.
 *
 * libmicrohttpd without threads: its descriptor is polled by the loop, its time-outs wake it
 * through the pump. GET and HEAD of known paths, one request a connection, nothing is ever taken
 * in. Whoever reaches the address may ask, so everything is bounded: connections in all and per
 * address, their memory, their silence and their life. No TLS: what is told is no secret, and
 * beyond this machine the overlay is the way.
 * Where it listens on loopback only, the Host must be an IP address or localhost: a page of the
 * web that had its name point here (DNS rebinding) reads nothing.
 * Test: tests/lab/monitoring.sh, tests/unit/loop_http_test.c */
#ifndef KITH_LOOP_HTTP_H
#define KITH_LOOP_HTTP_H

#include "base/buf.h"
#include "loop/pump.h"
#include "os/why.h"

enum {
    KITH_HTTP_CONNECTIONS = 16, /* a scraper, a supervisor, a person, and room */
    KITH_HTTP_PER_ADDRESS = 4,
    KITH_HTTP_SILENCE_S = 5,  /* seconds without a byte after which a connection ends */
    KITH_HTTP_MEMORY = 32768, /* bytes of a connection: request line, headers, answer's headers */
};
#define KITH_HTTP_LIFE (10 * KITH_SEC) /* of a connection, however busily it trickles */

/* Makes the body of a page and says its status. An error becomes 500. */
typedef int kith_http_make(void *ctx, struct kith_buf *body, unsigned *ret_status);

struct kith_http_page {
    const char *path; /* "/metrics" */
    const char *type; /* of its content */
    kith_http_make *make;
};

struct kith_http_client {
    int fd; /* the library's; -1: the place is free */
    kith_time until;
};

struct MHD_Daemon;

struct kith_http { /* all-zero: not open */
    struct MHD_Daemon *daemon;
    uv_poll_t poll, listener;
    int fd; /* listens */
    struct kith_pump *pump;
    const struct kith_alloc *alloc;
    const struct kith_http_page *page; /* borrowed, ended by a NULL path */
    void *ctx;
    struct kith_addr bound;
    kith_time run_at;    /* when the library wants to be called; KITH_NEVER */
    kith_time accept_at; /* KITH_NEVER unless descriptors ran out */
    struct kith_http_client client[KITH_HTTP_CONNECTIONS];
    bool open;
};

/* Listens and answers from now on. KITH_E_INUSE, KITH_E_NOTFOUND (no such address), KITH_E_PERM,
 * KITH_E_FULL, KITH_E_NOMEM, with *why. */
int kith_http_open(struct kith_http *h, uv_loop_t *loop, struct kith_pump *pump,
                   const struct kith_alloc *alloc, const struct kith_addr *at,
                   const struct kith_http_page *pages, void *ctx,
                   struct kith_os_why *why) KITH_MUST_CHECK;
/* Ends what took too long, when it is time. */
void kith_http_turn(struct kith_http *h);
kith_time kith_http_deadline(const struct kith_http *h);
void kith_http_close(struct kith_http *h);

/* Whether a Host header (NULL: there is none, which no browser sends) names an address or
 * localhost, with or without a port. */
bool kith_http_host_plain(const char *host);

#endif
