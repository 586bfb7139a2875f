#include "sim/mail.h"

#include <stdlib.h>

#include "sim/net_inside.h"

enum {
    ROOM = 1536,    /* bytes: nearly all datagrams fit */
    SPARE_MAX = 16, /* packets that a host keeps: about as many as it sends at once */
};

static void append(struct sim_packets *l, struct sim_packet *p)
{
    p->next = NULL;
    *(l->first == NULL ? &l->first : &l->last->next) = p;
    l->last = p;
    l->n++;
}

static struct sim_packet *take_first(struct sim_packets *l)
{
    struct sim_packet *p = l->first;

    if (p != NULL) {
        l->first = p->next;
        l->n--;
    }
    return p;
}

static struct sim_packet *packet_get(struct sim_host *h, size_t len)
{
    struct sim_packet *p = len <= ROOM ? take_first(&h->spare) : NULL;

    return p != NULL ? p : sim_packet_new(len < ROOM ? ROOM : len);
}

static void packet_done(struct sim_host *h, struct sim_packet *p)
{
    if (p->cap == ROOM && h->spare.n < SPARE_MAX)
        append(&h->spare, p);
    else
        free(p);
}

static void put_in_outbox(struct sim_host *h, const struct kith_tx *run,
                          const struct sim_route *route, const uint8_t *data, size_t len)
{
    struct sim_packet *p = packet_get(h, len);

    sim_packet_fill(p, h, run, route, data, len);
    append(&h->outbox, p);
}

void sim_mail_begin(struct sim_host *h)
{
    h->send = put_in_outbox;
}

kith_time sim_mail_collect(struct sim_net *n, kith_time until, bool (*came)(void *ctx))
{
    struct sim_packet *p;
    struct sim_host *to;

    if (!sim_net_advance(n, until))
        return n->now;
    while ((p = sim_net_take(n, &to)) != NULL) {
        if (to != NULL && came(to->ctx))
            append(&to->inbox, p);
        else
            free(p);
    }
    return n->now;
}

void sim_mail_read(struct sim_host *h)
{
    struct sim_packet *p;

    while ((p = take_first(&h->inbox)) != NULL) {
        sim_packet_deliver(h, p);
        packet_done(h, p);
    }
}

void sim_mail_post(struct sim_host *h)
{
    struct sim_packet *p;

    while ((p = take_first(&h->outbox)) != NULL)
        sim_packet_pass(h, p);
}
