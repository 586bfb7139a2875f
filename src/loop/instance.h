/* instance.h: everything one running node consists of, as a struct of its members.
 *
 * Not for others: daemon.c runs it, start.c makes and ends it, confine.c confines it,
 * interface.c keeps its tunnel interface, reload.c changes its options, monitoring.c tells how it
 * is. */
#ifndef KITH_LOOP_INSTANCE_H
#define KITH_LOOP_INSTANCE_H

#include "ctl/handlers.h"
#include "loop/control.h"
#include "loop/daemon.h"
#include "loop/log.h"
#include "loop/monitoring.h"
#include "loop/overlay.h"
#include "loop/prices.h"
#include "loop/pump.h"
#include "loop/state.h"
#include "loop/tun.h"
#include "loop/udp.h"
#include "loop/watch.h"

/* From being told to end until it ends whatever happens: the node takes 3 s, the promise is 5. */
#define KITH_INSTANCE_STOP (4 * KITH_SEC)

struct kith_signals {
    uv_signal_t term, interrupt, hangup;
    bool open;
};

/* All-zero: nothing open. Every member knows whether it is, so that ending is one list. */
struct kith_instance {
    const struct kith_daemon_options *options;
    struct kith_conf conf; /* in effect */
    struct kith_random random;
    struct kith_env env;
    struct kith_log log;
    struct kith_state state;
    struct kith_netlink netlink;
    bool netlink_open;
    struct kith_loop_tun tun;
    struct kith_overlay overlay;
    struct kith_prices prices;
    struct kith_tx_batch batch;
    struct kith_loop_udp udp;
    struct kith_node *node;
    struct kith_watch watch;
    struct kith_ctl ctl;
    struct kith_ctl_handlers handlers;
    struct kith_ctl_host host;
    struct kith_control control;
    struct kith_monitoring monitoring;
    struct kith_signals signals;
    struct kith_pump pump;
    uv_loop_t loop;
    bool loop_open;
    kith_time stop_by; /* 0: it is not told to end */
    bool stopped;
};

/* Opens everything in order. After an error *e is set; end it all the same. */
int kith_instance_start(struct kith_instance *d, struct kith_ctl_error *e) KITH_MUST_CHECK;
/* The last step of it: gives up what a running node does not need, where node.confine says so. */
int kith_instance_confine(struct kith_instance *d, struct kith_ctl_error *e) KITH_MUST_CHECK;
/* Closes what is open, in reverse. */
void kith_instance_end(struct kith_instance *d);
/* Tells the node to end; the second time it ends at once. */
void kith_instance_stop(struct kith_instance *d);
/* interface.c: makes the tunnel interface; has it carry what the networks want; makes it again. */
int kith_instance_interface(struct kith_instance *d, struct kith_ctl_error *e) KITH_MUST_CHECK;
void kith_instance_overlay(struct kith_instance *d);
extern const struct kith_watch_ops kith_instance_watch_ops; /* ctx: the instance */
void kith_instance_interface_turn(struct kith_instance *d);
/* monitoring.c: see there. */
int kith_instance_monitor(struct kith_instance *d, struct kith_ctl_error *e) KITH_MUST_CHECK;
void kith_instance_monitor_turn(struct kith_instance *d);
kith_time kith_instance_monitor_deadline(const struct kith_instance *d);
void kith_instance_monitor_end(struct kith_instance *d);
/* Everything there is to measure, now. */
void kith_instance_metrics(struct kith_instance *d, struct kith_metrics *ret);
/* SIGHUP. */
void kith_instance_reload(struct kith_instance *d);

extern const struct kith_pump_ops kith_instance_ops;

#endif
