/* net.h: a network in virtual time, for tests: hosts with addresses, links between them.
 *
 * Each ordered pair of hosts has a link (link.h). Time only moves in sim_net_run. Everything random
 * comes from the seed, which tests print. */
#ifndef KITH_TESTS_SIM_NET_H
#define KITH_TESTS_SIM_NET_H

#include "base/base.h"
#include "base/event.h"
#include "base/random.h"
#include "sim/link.h"
#include "transport/batch.h"
#include "transport/transport.h"

struct sim_net;
struct sim_host;

/* What a host does with a datagram; called while time stands still. */
typedef void sim_deliver(void *ctx, const struct kith_rx *run, kith_time now);
/* Decides about one datagram on the way: false drops it. May change the bytes. */
typedef bool sim_filter(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                        uint8_t *data, size_t len);

struct sim_net *sim_net_new(uint64_t seed);
void sim_net_free(struct sim_net *n);
kith_time sim_net_now(const struct sim_net *n);
struct kith_random *sim_net_random(struct sim_net *n);
/* The model of every pair that has none of its own. */
void sim_net_default_link(struct sim_net *n, const struct sim_link *l);
/* Both directions between two hosts. */
void sim_net_link(struct sim_net *n, struct sim_host *a, struct sim_host *b,
                  const struct sim_link *l);
void sim_net_set_filter(struct sim_net *n, sim_filter *f, void *ctx);
/* What arrives is handed over at multiples of `tick` only: many nodes then have fewer turns, in
 * each of which more has come. 0, as at first: at its time. */
void sim_net_set_tick(struct sim_net *n, kith_dur tick);
/* The first of those multiples that is not before `at`. */
kith_time sim_net_tick_at(const struct sim_net *n, kith_time at);
/* In a filter: the two ECN bits of the datagram, which it may change. */
uint8_t *sim_net_ecn(struct sim_net *n);

/* A host that receives what is sent to `addr`. */
struct sim_host *sim_host_add(struct sim_net *n, const char *addr, sim_deliver *deliver, void *ctx);
struct kith_transport sim_host_transport(struct sim_host *h);
/* A batch whose only transport is the host; *t is kept beside it. Frees with kith_tx_fini. */
void sim_host_batch(struct sim_host *h, struct kith_transport *t, struct kith_tx_batch *ret);
const struct kith_addr *sim_host_addr(const struct sim_host *h);
/* Prints an event of the host's where SIM_TRACE is in the environment; name NULL: its address. */
void sim_host_trace(const struct sim_host *h, const char *name, const struct kith_event *ev);
/* The host has another address from now on, and knows it. */
void sim_host_move(struct sim_host *h, const char *addr);
/* From now on the host may still send from addresses it had before, as one with several interfaces
 * can; else what is to leave from there is lost. */
void sim_host_keep_sources(struct sim_host *h);
/* A NAT in front of the host maps it elsewhere from now on; the host does not notice. */
void sim_host_rebind(struct sim_host *h, const char *public_addr);
/* A host that is off neither sends nor receives. */
void sim_host_power(struct sim_host *h, bool on);

/* Delivers what is due up to and including `until`, at most the next instant; returns the new
 * time: that of the delivery, or `until`. */
kith_time sim_net_run(struct sim_net *n, kith_time until);
/* Datagrams and bytes handed over so far. */
uint64_t sim_net_delivered(const struct sim_net *n, uint64_t *ret_bytes);

#endif
