/* metrics.h: everything a node measures of itself, as rows of one table (metrics.def).
 *
 * struct kith_metrics is plain values: whoever owns them fills it in (loop/monitoring.c), the
 * printers here write them as Prometheus text and as JSON. Nothing is measured here, and nothing is
 * remembered. No label comes from a peer, so the size of the output is the table's.
 * Page: docs/metrics.md.  Test: tests/unit/ctl_metrics_test.c */
#ifndef KITH_CTL_METRICS_H
#define KITH_CTL_METRICS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/event.h"
#include "conn/quic/quic.h"
#include "ctl/health.h"
#include "mesh/relay.h"
#include "node/node.h"
#include "os/process.h"
#include "session/session.h"
#include "store/store.h"
#include "transport/udp/udp.h"
#include "vpn/counters.h"

/* All-zero is valid. A value of KITH_METRIC_UNKNOWN is left out. */
struct kith_metrics {
    uint64_t build[1]; /* 1 */
    kith_wall started; /* when the node was */
    struct kith_process_usage process;
    uint64_t problem[KITH_HEALTH_REASONS]; /* 1: it holds */
    struct {
        uint64_t happened[KITH_EVENT_COUNT], held_back;
    } events;
    struct kith_node_totals node;
    struct kith_session_counters session;
    struct kith_relay_counters mesh;
    struct kith_telling_counters telling;
    struct kith_vpn_counters vpn;
    struct kith_quic_counters quic;
    uint64_t sockets, sockets_dead;
    struct kith_udp_counters udp;
    struct kith_store_counters store;
};

#define KITH_METRIC_UNKNOWN KITH_PROCESS_UNKNOWN

enum {
    KITH_METRICS_TEXT_MAX = 256 << 10, /* bytes of the Prometheus text: ten times today's */
};

enum kith_metric_kind { KITH_METRIC_COUNTER, KITH_METRIC_GAUGE };

/* What a value is; the names say the same to people. */
enum kith_metric_unit {
    KITH_METRIC_NUMBER,
    KITH_METRIC_BYTES,
    KITH_METRIC_SECONDS, /* kept in nanoseconds */
    KITH_METRIC_DATE,    /* seconds since 1970 */
};

struct kith_metric_row {
    const char *group; /* "vpn" */
    const char *name;  /* "kith_vpn_dropped_packets_total" */
    enum kith_metric_kind kind;
    const char *label; /* "reason"; NULL: there is one value without a label */
    const char *(*word)(size_t i);
    const char *help;
    size_t offset, values; /* in struct kith_metrics */
};

/* Row i of the table; NULL behind the last. */
const struct kith_metric_row *kith_metric_row(size_t i);
/* What the group is about. */
const char *kith_metric_group_about(const char *group);
enum kith_metric_unit kith_metric_unit(const struct kith_metric_row *row);
/* Value i of a row, below row->values. */
uint64_t kith_metric_value(const struct kith_metrics *m, const struct kith_metric_row *row,
                           size_t i);

/* Appends all of them in the Prometheus text format 0.0.4. Errors as kith_buf_add. */
int kith_metrics_text(const struct kith_metrics *m, struct kith_buf *out) KITH_MUST_CHECK;
/* text with what the format escapes escaped: backslash and newline, in a label's value ("quoted")
 * the quotation mark, too. Cut to cap between characters of the format. Returns buf. */
const char *kith_metric_escape(const char *text, bool quoted, char *buf, size_t cap);
/* {"metrics": [{"name", "type", "group", "unit", "labels", "value", "help"}]}; NULL without memory.
 */
json_t *kith_metrics_json(const struct kith_metrics *m);

/* Words of labels. */
const char *kith_metric_version(size_t i);
const char *kith_metric_reason(size_t i);
const char *kith_metric_event(size_t i);
const char *kith_metric_drop(size_t i);

#endif
