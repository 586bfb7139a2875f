/* udp_lab.h: what tests of the UDP transport share: an endpoint on loopback with an inbox and a
 * record of its events, runs with known bytes, and waiting with a deadline instead of sleeping. */
#ifndef KITH_TESTS_UDP_LAB_H
#define KITH_TESTS_UDP_LAB_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/udp/udp.h"

enum {
    LAB_WAIT_MS = 5000, /* far above what loopback needs; a test that meets it has failed */
    LAB_BYTES = 1 << 20,
    LAB_DATAGRAMS = 1024,
};

struct lab_inbox {
    uint8_t bytes[LAB_BYTES];
    size_t len;
    size_t size[LAB_DATAGRAMS]; /* of each datagram, in order */
    size_t datagrams, runs, batches;
    struct kith_path path; /* of the last run */
    uint8_t ecn;
};

struct lab_end {
    struct kith_udp *u;
    struct kith_transport t;
    struct kith_addr at; /* its first bound address */
    struct lab_inbox in;
    size_t events[KITH_EVENT_COUNT];
    char why[128]; /* of the last offload_off or send_failed */
    struct kith_events sink;
    struct kith_env env;
};

static inline void lab_on_event(void *ctx, const struct kith_event *ev)
{
    struct lab_end *e = ctx;

    e->events[ev->kind]++;
    if (ev->kind == KITH_EV_offload_off || ev->kind == KITH_EV_send_failed)
        snprintf(e->why, sizeof e->why, "%s", ev->field[1].text);
}

static inline void lab_take(void *ctx, const struct kith_rx *runs, size_t n)
{
    struct lab_inbox *in = ctx;

    in->batches++;
    for (size_t i = 0; i < n; i++) {
        const struct kith_rx *r = &runs[i];
        assert_true(r->len > 0 && r->segment > 0 && r->segment <= r->len);
        assert_true(in->len + r->len <= LAB_BYTES);
        memcpy(in->bytes + in->len, r->data, r->len);
        memset(r->data, 0xee, r->len); /* borrowed: nothing may depend on it later */
        in->len += r->len;
        for (size_t at = 0; at < r->len; at += r->segment) {
            assert_true(in->datagrams < LAB_DATAGRAMS);
            in->size[in->datagrams++] = r->len - at < r->segment ? r->len - at : r->segment;
        }
        in->runs++;
        in->path = r->path;
        in->ecn = r->ecn;
    }
}

static inline void lab_wait_readable(struct lab_end *e)
{
    int fds[KITH_UDP_SOCKETS_MAX];
    struct pollfd p[KITH_UDP_SOCKETS_MAX];
    size_t n = kith_udp_fds(e->u, fds, KITH_UDP_SOCKETS_MAX);

    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(p, n, LAB_WAIT_MS) <= 0)
        fail_msg("nothing came within %d ms; %zu datagrams were here", LAB_WAIT_MS,
                 e->in.datagrams);
    for (size_t i = 0; i < n; i++)
        if (p[i].revents != 0)
            assert_int_equal(kith_udp_receive(e->u, fds[i], lab_take, &e->in), KITH_OK);
}

static inline void lab_receive(struct lab_end *e, size_t datagrams)
{
    while (e->in.datagrams < datagrams)
        lab_wait_readable(e);
    assert_int_equal(e->in.datagrams, datagrams);
}

static inline void lab_clear(struct lab_end *e)
{
    e->in.len = e->in.datagrams = e->in.runs = e->in.batches = 0;
}

static inline struct kith_addr lab_addr(const char *text)
{
    struct kith_addr a;

    assert_int_equal(kith_addr_parse(text, 0, &a), KITH_OK);
    return a;
}

/* An endpoint as cfg says; e is empty before. */
static inline int lab_try(struct lab_end *e, const struct kith_udp_config *cfg,
                          struct kith_udp_why *why)
{
    struct kith_addr at[KITH_UDP_SOCKETS_MAX];
    size_t n;

    e->sink = (struct kith_events){.sink = lab_on_event, .ctx = e};
    e->env = (struct kith_env){.alloc = &kith_heap, .events = &e->sink};
    int err = kith_udp_new(cfg, 7, &e->env, &e->u, why);
    if (err < 0)
        return err;
    e->t = kith_udp_transport(e->u);
    assert_int_equal(kith_udp_local(e->u, at, KITH_UDP_SOCKETS_MAX, &n), KITH_OK);
    e->at = at[0];
    return KITH_OK;
}

/* An endpoint on one address, or skips the test where this machine has not got it. */
static inline struct lab_end *lab_open(struct kith_udp_config cfg, const char *addr)
{
    struct kith_udp_why why = {0};
    struct lab_end *e = calloc(1, sizeof *e);

    assert_non_null(e);
    cfg.listen[0] = addr != NULL ? lab_addr(addr) : (struct kith_addr){0};
    cfg.n_listen = 1;
    int err = lab_try(e, &cfg, &why);
    if (err == KITH_E_UNSUPPORTED || err == KITH_E_NOTFOUND) {
        print_message("skipped: %s\n", why.text);
        free(e);
        skip();
    }
    if (err < 0)
        fail_msg("%s", why.text);
    return e;
}

static inline void lab_close(struct lab_end *e)
{
    kith_udp_free(e->u);
    free(e);
}

/* Byte i of every run: no period that a segment size shares. */
static inline void lab_fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i ^ (i >> 8) * 31);
}

static inline struct kith_tx lab_run(const struct kith_addr *to, const uint8_t *data, size_t len,
                                     size_t segment)
{
    return (struct kith_tx){.path = {.remote = *to}, .data = data, .len = len, .segment = segment};
}

static inline size_t lab_send(struct lab_end *e, const struct kith_tx *runs, size_t n)
{
    return e->t.ops->send(e->t.ctx, runs, n);
}

static inline void lab_send_text(struct lab_end *e, const struct kith_addr *to, const char *text)
{
    struct kith_tx run = lab_run(to, (const uint8_t *)text, strlen(text), strlen(text));

    assert_int_equal(lab_send(e, &run, 1), 1);
}

/* The last datagram of the inbox is `text`. */
static inline void lab_expect_text(const struct lab_end *e, const char *text)
{
    size_t n = strlen(text);

    assert_true(e->in.datagrams > 0);
    assert_int_equal(e->in.size[e->in.datagrams - 1], n);
    assert_memory_equal(e->in.bytes + e->in.len - n, text, n);
}

/* The inbox begins with the datagrams of one run of `len` bytes from `data`; returns how many. */
static inline size_t lab_expect_run(const struct lab_end *e, const uint8_t *data, size_t len,
                                    size_t segment)
{
    size_t i = 0;

    for (size_t at = 0; at < len; at += segment, i++) {
        assert_true(i < e->in.datagrams);
        assert_int_equal(e->in.size[i], len - at < segment ? len - at : segment);
    }
    assert_memory_equal(e->in.bytes, data, len);
    return i;
}

#endif
