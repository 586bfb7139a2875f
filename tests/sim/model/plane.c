/* plane.c: the parts of conn/conn.h that are not modelled: the second plane and probes of size. */
#include "sim/model/model.h"

/* Callers take this error for a connection that has just ended, and go on without a word. */
int kith_conn_plane_start(struct kith_conn *c)
{
    (void)c;
    return KITH_E_STATE;
}

int kith_conn_packet_send(struct kith_conn *c, struct kith_tx_batch *b,
                          const struct kith_span *parts, size_t n, uint8_t ecn, kith_time now)
{
    (void)ecn; /* in a datagram the carrier's is QUIC's own business */
    return kith_conn_datagram_send(c, b, parts, n, now);
}

bool kith_conn_report(struct kith_conn *c, struct kith_gauge_report *ret, kith_time now)
{
    (void)c, (void)ret, (void)now;
    return false;
}

int kith_conn_report_send(struct kith_conn *c, struct kith_tx_batch *b, struct kith_span report,
                          kith_time now)
{
    return kith_conn_datagram_send(c, b, &report, 1, now);
}

int kith_conn_reported(struct kith_conn *c, const struct kith_gauge_report *r, kith_time now)
{
    (void)c, (void)r, (void)now;
    return KITH_E_STATE;
}

bool kith_conn_probe(struct kith_conn *c, size_t *ret_len, kith_time now)
{
    (void)c, (void)ret_len, (void)now;
    return false;
}

int kith_conn_probe_send(struct kith_conn *c, struct kith_tx_batch *b,
                         const struct kith_span *parts, size_t n, kith_time now)
{
    (void)c, (void)b, (void)parts, (void)n, (void)now;
    return KITH_E_STATE;
}

void kith_conn_burst_end(struct kith_conn *c, kith_time now)
{
    (void)c, (void)now; /* there is no pacing */
}
