/* net_inside.h: what net.c and mail.c have in common. Nobody else looks in here. */
#ifndef KITH_TESTS_SIM_NET_INSIDE_H
#define KITH_TESTS_SIM_NET_INSIDE_H

#include "base/due.h"
#include "base/map.h"
#include "sim/net.h"

struct sim_direction { /* between two hosts */
    struct sim_link model;
    bool own;
    struct sim_pipe pipe;
};

/* Where something goes, and how; found when it is sent. */
struct sim_route {
    struct sim_host *to;
    struct sim_direction *way; /* NULL: nothing went there yet, and it has no model of its own */
};

struct sim_packet {
    struct kith_due due; /* first, so that a pointer to it is one to the packet */
    struct sim_packet *next;
    struct sim_route route;
    uint64_t moves; /* the net's when it was sent: since then `route.to` is the one */
    struct kith_addr from, to;
    uint8_t ecn;
    size_t len, cap;
    uint8_t data[];
};

struct sim_packets { /* in order; all-zero is empty */
    struct sim_packet *first, *last;
    size_t n;
};

/* What a host does with each datagram that it sends and that goes anywhere; borrows. */
typedef void sim_send(struct sim_host *h, const struct kith_tx *run, const struct sim_route *route,
                      const uint8_t *data, size_t len);

struct sim_host {
    struct sim_net *net;
    uint32_t index;
    struct kith_addr addr, public_addr;
    bool off, any_source;
    sim_deliver *deliver;
    void *ctx;
    sim_send *send;
    struct sim_packets inbox, outbox, spare; /* mail.c */
};

struct sim_net {
    kith_time now;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_due_heap heap;
    struct sim_host **host;
    uint32_t hosts, cap_hosts;
    uint64_t moves;             /* how often a host came to another address */
    struct kith_map by_addr;    /* what datagrams are sent to -> sim_host */
    struct kith_map directions; /* two indices -> sim_direction: those over which something went,
                                   or that have a model of their own */
    struct sim_link standard;
    sim_filter *filter;
    void *filter_ctx;
    uint8_t ecn; /* of the datagram that the filter sees */
    kith_dur tick;
    uint64_t delivered, bytes;
};

/* A packet with room for `cap` bytes. Frees with free. */
struct sim_packet *sim_packet_new(size_t cap);
/* All but the room. */
void sim_packet_fill(struct sim_packet *p, const struct sim_host *h, const struct kith_tx *run,
                     const struct sim_route *route, const uint8_t *data, size_t len);
/* Through the link, and on its way; or lost, and freed. */
void sim_packet_pass(struct sim_host *h, struct sim_packet *p);
/* Time goes on to when the next is due, at most to `until`; false: none is by then. */
bool sim_net_advance(struct sim_net *n, kith_time until);
/* The next that is due now, taken out, or NULL; *ret_to is who gets it: NULL when nobody does. */
struct sim_packet *sim_net_take(struct sim_net *n, struct sim_host **ret_to);
/* To the host: now. */
void sim_packet_deliver(struct sim_host *h, struct sim_packet *p);

#endif
