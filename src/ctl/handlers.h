/* handlers.h: what every method of the control API does: questions and requests to one node.
 *
 * Fills `kith_ctl_ops`. Most calls are answered at once from the node's interface; join, ping,
 * probe and a followed log stay open until the node's effects or new events end them. What is the
 * process's and not the node's (its log, its end, its options, the host's routes) comes through
 * `kith_ctl_host`. It reads no clock and no socket, and decides nothing about networks.
 *
 * Order: init; kith_ctl_init with kith_ctl_handlers_ops and the handlers as context; then
 * kith_ctl_handlers_effect for every DONE and PONG of the node, kith_ctl_handlers_turn after every
 * turn of the loop.
 * backup and restore derive a key from a passphrase and block for a tenth of a second.
 * Spec: docs/spec/control.md.  Tests: tests/unit/ctl_handlers*_test.c */
#ifndef KITH_CTL_HANDLERS_H
#define KITH_CTL_HANDLERS_H

#include "conf/conf.h"
#include "ctl/ctl.h"
#include "ctl/metrics.h"
#include "node/node.h"

/* An event as the log keeps it; borrowed until the next call of the host. */
struct kith_ctl_event {
    enum kith_level level;
    const char *json; /* one object: time, level, event and its fields */
    const char *text; /* the same as a sentence */
};

/* The process around the node. Everything is borrowed and outlives the handlers. */
struct kith_ctl_host {
    struct kith_now (*now)(void *ctx);
    /* Ends the node; what is answered until then is still sent. */
    void (*down)(void *ctx);
    /* The first event kept whose number is *at or more; *at is then the number after it. False when
     * there is none. Numbers count up from 0 and never come again. */
    bool (*next_event)(void *ctx, uint64_t *at, struct kith_ctl_event *ret);
    /* Whether an address or route of this host, other than ours, overlaps the prefix. */
    bool (*prefix_in_use)(void *ctx, const struct kith_prefix *p);
    /* The tunnel interface's name; NULL: there is none. */
    const char *(*tun)(void *ctx);
    /* Why there is none although there should be, with the remedy; NULL. */
    const char *(*tun_trouble)(void *ctx);
    /* Everything there is to measure, now. */
    void (*metrics)(void *ctx, struct kith_metrics *ret);
    void *ctx;
    const struct kith_conf *conf;
    const char *state_dir;
    const struct kith_addr *listen;
    size_t n_listen;
    kith_time ready_at;
};

struct kith_ctl_ping {
    struct kith_peer_id peer;
    struct kith_destination destination; /* this and the service are a probe's */
    char service[KITH_LABEL_MAX + 1];
    char name[KITH_LABEL_MAX + 1], address[KITH_IP_TEXT];
    uint64_t sent, received;
    kith_dur least, most, sum;
};

struct kith_ctl_follow {
    uint64_t at; /* number of the next event to tell */
    uint64_t told;
    enum kith_level level;
};

/* A call that was not answered at once. */
struct kith_ctl_waiting {
    uint64_t call; /* 0: free */
    enum kith_ctl_method method;
    struct kith_ctl_ping ping;
    struct kith_ctl_follow follow;
};

enum { KITH_CTL_WAITING = KITH_CTL_CLIENTS * KITH_CTL_CALLS }; /* no more calls can be open */

struct kith_ctl_handlers {
    struct kith_ctl *ctl;
    struct kith_node *node;
    const struct kith_ctl_host *host;
    struct kith_ctl_waiting waiting[KITH_CTL_WAITING];
};

extern const struct kith_ctl_ops kith_ctl_handlers_ops;

/* All are borrowed. Allocates nothing. */
void kith_ctl_handlers_init(struct kith_ctl_handlers *h, struct kith_ctl *ctl,
                            struct kith_node *node, const struct kith_ctl_host *host);
/* A DONE or PONG of the node; others, and those of calls that are no more, are ignored. */
void kith_ctl_handlers_effect(struct kith_ctl_handlers *h, const struct kith_node_effect *fx);
/* Tells followers the events that came since the last turn. */
void kith_ctl_handlers_turn(struct kith_ctl_handlers *h);

#endif
