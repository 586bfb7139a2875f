#include "mesh/relay.h"

#include "mesh/neighbours.h"
#include "mesh/shelf.h"
#include "wire/datagram.h"

enum {
    PACKET_HEAD = 8, /* flow_packet without what it carries */
    PIECE_HEAD = 14,
    PIECES_MAX = 8,
    UNHEARD = 4, /* packets without an answer before a way counts as silent */
    OPENS_BURST = 512,
    ENDS_BURST = 64,
};
#define HIGH (UINT32_C(1) << 31) /* of a label: which side chose it */
#define OPEN_COST (10 * KITH_MSEC) /* flows a neighbour begins: a hundred a second */
#define LEAVE_AFTER (4 * KITH_SEC) /* a way left for a better one is ended: what was under way is there */
#define END_COST (10 * KITH_MSEC)  /* labels that one is told to forget */

/* An attempt that came to nothing here: its other ways through the mesh need not try again. */
struct refusal {
    struct kith_flow_id id;
    uint32_t attempt;
};

struct kith_relay {
    const struct kith_env *env;
    struct kith_relay_ops ops;
    struct kith_mesh_neighbours neighbours;
    struct kith_mesh_flows flows;
    struct kith_shelf out, in;
    struct refusal refused[KITH_RELAY_REFUSED];
    size_t n_refused; /* ever */
    struct kith_relay_counters count;
    struct kith_share share; /* how much is sent on for others */
    uint32_t from;           /* whose datagrams leave now; KITH_MESH_SELF: this node's */
};

/* ---- making, neighbours ---- */

int kith_relay_new(const struct kith_env *env, const struct kith_relay_ops *ops,
                   struct kith_relay **ret)
{
    struct kith_relay *r = kith_new_zero(env->alloc, sizeof *r);

    if (r == NULL)
        return KITH_E_NOMEM;
    r->env = env;
    r->ops = *ops;
    r->from = KITH_MESH_SELF;
    r->out.alloc = r->in.alloc = env->alloc;
    r->neighbours.alloc = env->alloc;
    kith_mesh_flows_init(&r->flows, env, KITH_RELAY_FLOWS_MAX);
    *ret = r;
    return KITH_OK;
}

void kith_relay_free(struct kith_relay *r)
{
    if (r == NULL)
        return;
    kith_mesh_neighbours_fini(&r->neighbours);
    kith_mesh_flows_fini(&r->flows);
    kith_shelf_fini(&r->out);
    kith_shelf_fini(&r->in);
    kith_free(r->env->alloc, r);
}

static struct kith_mesh_neighbour *neighbour_of(const struct kith_relay *r, uint32_t number)
{
    return kith_mesh_neighbours_find(&r->neighbours, number);
}

int kith_relay_join(struct kith_relay *r, uint32_t neighbour, bool high)
{
    struct kith_mesh_neighbour *n;

    if (neighbour_of(r, neighbour) != NULL)
        return KITH_OK;
    int err = kith_mesh_neighbours_add(&r->neighbours, neighbour, &n);
    if (err >= 0)
        n->high = high;
    return err;
}

/* ---- out ---- */

static void put_out(struct kith_relay *r, uint32_t neighbour, uint8_t ecn,
                    const struct kith_span *parts, size_t n)
{
    uint8_t tag[KITH_SHELF_TAG] = {0};

    memcpy(tag, &r->from, sizeof r->from);
    if (kith_shelf_put(&r->out, neighbour, tag, ecn, parts, n) < 0)
        r->count.dropped++;
}

static void send_end(struct kith_relay *r, struct kith_mesh_end at, enum kith_mesh_why why,
                     kith_time now)
{
    const struct kith_flow_over m = {.label = at.label, .why = (uint8_t)why};
    struct kith_mesh_neighbour *n = neighbour_of(r, at.neighbour);
    uint8_t buf[8];
    size_t len;

    if (n == NULL || !kith_rate_takes(&n->ends_paid, END_COST, 1, ENDS_BURST, now) ||
        kith_flow_over_encode(&m, buf, sizeof buf, &len) < 0)
        return;
    put_out(r, at.neighbour, 0, &(struct kith_span){buf, len}, 1);
}

/* Whether anything left. */
static bool send_pieces(struct kith_relay *r, struct kith_mesh_neighbour *to, uint32_t label,
                        uint8_t hops, struct kith_span packet, uint8_t ecn, size_t room)
{
    size_t most = room - PIECE_HEAD, count = (packet.n + most - 1) / most;
    size_t part = (packet.n + count - 1) / count; /* even pieces */
    uint16_t id = to->piece_id++;

    if (count > PIECES_MAX) {
        r->count.too_big++;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct kith_writer w;
        uint8_t head[PIECE_HEAD];
        size_t at = i * part, n = packet.n - at < part ? packet.n - at : part;
        w = kith_writer_on(head, sizeof head);
        kith_put_u8(&w, KITH_WIRE_flow_piece);
        kith_put_u16(&w, 0);
        kith_put_u8(&w, hops);
        kith_put_u32(&w, label);
        kith_put_u16(&w, id);
        kith_put_u16(&w, (uint16_t)packet.n);
        kith_put_u8(&w, (uint8_t)i);
        kith_put_u8(&w, (uint8_t)count);
        const struct kith_span parts[] = {{head, sizeof head}, {packet.p + at, n}};
        put_out(r, to->number, ecn, parts, 2);
    }
    return true;
}

/* What the session with it takes; asked for once in a turn. */
static size_t room_of(const struct kith_relay *r, struct kith_mesh_neighbour *n, kith_time now)
{
    if (n->room_at != now) {
        n->room = r->ops.room(r->ops.ctx, n->number);
        n->room_at = now;
    }
    return n->room;
}

static bool send_packet(struct kith_relay *r, struct kith_mesh_end to, uint8_t hops,
                        struct kith_span packet, uint8_t ecn, kith_time now)
{
    const uint8_t head[PACKET_HEAD] = {KITH_WIRE_flow_packet,
                                       0,
                                       0,
                                       hops,
                                       (uint8_t)(to.label >> 24),
                                       (uint8_t)(to.label >> 16),
                                       (uint8_t)(to.label >> 8),
                                       (uint8_t)to.label};
    const struct kith_span parts[] = {{head, sizeof head}, packet};
    struct kith_mesh_neighbour *n = neighbour_of(r, to.neighbour);
    size_t room = n == NULL ? 0 : room_of(r, n, now);

    if (room > PIECE_HEAD && packet.n + PACKET_HEAD <= room) {
        put_out(r, to.neighbour, ecn, parts, 2);
        return true;
    }
    if (room > PIECE_HEAD && packet.n <= KITH_RELAY_WHOLE)
        return send_pieces(r, n, to.label, hops, packet, ecn, room);
    if (room > PIECE_HEAD)
        r->count.too_big++; /* spec mesh 3.5: as on any path */
    else
        r->count.dropped++;
    return false;
}

/* ---- flows ---- */

static bool is_self(const struct kith_mesh_flow *f, enum kith_mesh_side side)
{
    return f->end[side].neighbour == KITH_MESH_SELF;
}

/* Of one that begins or is handed over there no more. */
static void count_off(struct kith_relay *r, const struct kith_mesh_flow *f)
{
    struct kith_mesh_neighbour *n = neighbour_of(r, f->end[KITH_MESH_UP].neighbour);

    if (n != NULL)
        n->begun--;
}

static void drop_former(struct kith_relay *r, struct kith_mesh_flow *f)
{
    if (f->former != NULL)
        count_off(r, f->former);
    kith_mesh_flows_drop_former(&r->flows, f);
}

/* Those behind it hear that nothing more will come. */
static void end_former(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    if (f->former != NULL)
        send_end(r, f->former->end[KITH_MESH_DOWN], KITH_MESH_GONE, now);
    drop_former(r, f);
}

static void drop_flow(struct kith_relay *r, struct kith_mesh_flow *f)
{
    drop_former(r, f);
    count_off(r, f);
    kith_mesh_flows_drop(&r->flows, f);
}

static void drop_refused(struct kith_relay *r, struct kith_mesh_flow *f)
{
    r->refused[r->n_refused++ % KITH_RELAY_REFUSED] =
        (struct refusal){.id = f->id, .attempt = f->attempt};
    drop_flow(r, f);
}

static bool was_refused(const struct kith_relay *r, const struct kith_flow_open *m)
{
    for (size_t i = 0; i < KITH_RELAY_REFUSED && i < r->n_refused; i++)
        if (r->refused[i].attempt == m->attempt &&
            memcmp(r->refused[i].id.b, m->flow.b, sizeof m->flow.b) == 0)
            return true;
    return false;
}

static void no_longer_down(struct kith_relay *r, struct kith_mesh_flow *f)
{
    const struct kith_mesh_end none = {.neighbour = KITH_MESH_NOBODY};

    (void)!kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN, none); /* taking cannot fail */
}

/* A label that no flow has on the session with n. */
static struct kith_mesh_end new_label(struct kith_relay *r, struct kith_mesh_neighbour *n)
{
    struct kith_mesh_end end = {.neighbour = n->number};

    do
        end.label = (n->labels++ & ~HIGH) | (n->high ? HIGH : 0);
    while (kith_mesh_flows_by_label(&r->flows, end) != NULL);
    return end;
}

/* Begins the flow at a neighbour. */
static bool begin_at(struct kith_relay *r, struct kith_mesh_flow *f, uint32_t to)
{
    struct kith_flow_open open = {
        .hops = f->hops, .flow = f->id, .attempt = f->attempt, .destination = f->to};
    struct kith_mesh_neighbour *n = neighbour_of(r, to);
    uint8_t buf[40];
    size_t len;

    if (n == NULL)
        return false;
    struct kith_mesh_end end = new_label(r, n);
    open.label = end.label;
    if (kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN, end) < 0 ||
        kith_flow_open_encode(&open, buf, sizeof buf, &len) < 0)
        return false;
    put_out(r, to, 0, &(struct kith_span){buf, len}, 1);
    return true;
}

/* Leads the flow on by the best way that was not tried for it; whether there is one. */
static bool lead_on(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    uint32_t from = f->end[KITH_MESH_UP].neighbour, to;

    no_longer_down(r, f);
    while (f->n_tried < KITH_MESH_WAYS &&
           r->ops.way(r->ops.ctx, &f->to, from, f->tried, f->n_tried, now, &to)) {
        f->tried[f->n_tried++] = to;
        if (begin_at(r, f, to))
            return true;
    }
    return false;
}

/* The way down is none any more. One that goes through this node is led another way, or ends at who
 * handed it over; one that begins here is led on with the next packet. */
static void lost_down(struct kith_relay *r, struct kith_mesh_flow *f, enum kith_mesh_why why,
                      kith_time now)
{
    no_longer_down(r, f);
    if (is_self(f, KITH_MESH_UP))
        return;
    if (lead_on(r, f, now)) {
        r->count.rerouted++;
        return;
    }
    send_end(r, f->end[KITH_MESH_UP], why, now);
    drop_refused(r, f);
}

static void lost_up(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    if (f->latter != NULL) {
        end_former(r, f->latter, now);
        return;
    }
    end_former(r, f, now);
    send_end(r, f->end[KITH_MESH_DOWN], KITH_MESH_GONE, now); /* if that is a neighbour */
    drop_flow(r, f);
}

void kith_relay_part(struct kith_relay *r, uint32_t neighbour, kith_time now)
{
    struct kith_mesh_neighbour *n = kith_mesh_neighbours_take(&r->neighbours, neighbour);

    if (n == NULL)
        return;
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (f->end[KITH_MESH_UP].neighbour == neighbour)
            lost_up(r, f, now);
        else if (f->end[KITH_MESH_DOWN].neighbour == neighbour)
            lost_down(r, f, KITH_MESH_GONE, now);
    }
    for (struct kith_link *l = r->flows.formers.next, *next; l != &r->flows.formers; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (f->end[KITH_MESH_UP].neighbour == neighbour ||
            f->end[KITH_MESH_DOWN].neighbour == neighbour)
            end_former(r, f->latter, now);
    }
    kith_mesh_neighbour_free(&r->neighbours, n);
}

void kith_relay_end_to(struct kith_relay *r, const struct kith_destination *to, kith_time now)
{
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (is_self(f, KITH_MESH_UP) || !kith_destination_equal(&f->to, to))
            continue;
        end_former(r, f, now);
        send_end(r, f->end[KITH_MESH_DOWN], KITH_MESH_GONE, now); /* where it is a neighbour */
        send_end(r, f->end[KITH_MESH_UP], KITH_MESH_NO_WAY, now);
        drop_refused(r, f);
    }
}

/* ---- from this node ---- */

static bool is_silent(const struct kith_mesh_flow *f, kith_time now)
{
    return f->end[KITH_MESH_DOWN].neighbour != KITH_MESH_NOBODY && f->unheard >= UNHEARD &&
           kith_since(now, f->unheard_at) >= KITH_RELAY_SILENCE;
}

static struct kith_mesh_flow *flow_to(struct kith_relay *r, const struct kith_destination *to,
                                      kith_time now)
{
    struct kith_mesh_flow *f = kith_mesh_flows_to(&r->flows, to);
    struct kith_flow_id id;

    if (f != NULL)
        return f;
    kith_random_fill(r->env->random, id.b, sizeof id.b);
    if (kith_mesh_flows_add(&r->flows, &id, to, true, now, &f) < 0)
        return NULL;
    f->hops = KITH_MESH_HOPS_MAX;
    r->count.opened++;
    return f;
}

/* Another attempt, by a way that this one has not gone; when all have been, from the beginning. */
static bool attempt(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    f->unheard = 0;
    f->unheard_at = KITH_NEVER;
    f->attempt++;
    if (lead_on(r, f, now))
        return true;
    f->n_tried = 0;
    return lead_on(r, f, now);
}

static void leave_silent(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    struct kith_mesh_end old = f->end[KITH_MESH_DOWN];

    r->count.rerouted++;
    r->ops.failed(r->ops.ctx, &f->to, old.neighbour, true, now);
    send_end(r, old, KITH_MESH_GONE, now);
    no_longer_down(r, f);
}

static void send_on_own(struct kith_relay *r, const struct kith_destination *to,
                        struct kith_span packet, uint8_t ecn, kith_time now)
{
    struct kith_mesh_flow *f = flow_to(r, to, now);

    if (f != NULL && is_silent(f, now))
        leave_silent(r, f, now);
    if (f == NULL ||
        (f->end[KITH_MESH_DOWN].neighbour == KITH_MESH_NOBODY && !attempt(r, f, now))) {
        r->count.no_way++;
        return;
    }
    kith_mesh_flows_touch(&r->flows, f, now);
    if (send_packet(r, f->end[KITH_MESH_DOWN], KITH_MESH_HOPS_MAX, packet, ecn, now) &&
        f->unheard++ == 0)
        f->unheard_at = now;
}

struct kith_ip kith_mesh_address(const struct kith_destination *to)
{
    struct kith_ip ip = {.family = KITH_FAMILY_MESH};

    memcpy(ip.b, to->b, sizeof ip.b);
    return ip;
}

static struct kith_ip address_of_flow(const struct kith_mesh_flow *f)
{
    struct kith_ip ip = {.family = KITH_FAMILY_MESH};

    memcpy(ip.b, f->id.b, sizeof f->id.b);
    return ip;
}

/* Whether the address is a flow's: 8 of its bytes are zeros, as in one of 2^64 destinations. */
static bool is_of_flow(const struct kith_ip *ip)
{
    static const uint8_t zeros[8];

    return memcmp(ip->b + sizeof(struct kith_flow_id), zeros, sizeof zeros) == 0;
}

/* The flow that ends here and has this address; NULL. */
static struct kith_mesh_flow *accepted(const struct kith_relay *r, const struct kith_ip *ip)
{
    struct kith_flow_id id;
    struct kith_mesh_flow *f;

    memcpy(id.b, ip->b, sizeof id.b);
    f = kith_mesh_flows_by_id(&r->flows, &id);
    if (f == NULL || !is_self(f, KITH_MESH_DOWN))
        return NULL;
    const struct kith_ip whole = address_of_flow(f);
    return kith_ip_equal(&whole, ip) ? f : NULL;
}

static struct kith_destination destination_of(const struct kith_ip *ip)
{
    struct kith_destination to;

    memcpy(to.b, ip->b, sizeof to.b);
    return to;
}

void kith_relay_send(struct kith_relay *r, const struct kith_ip *to, struct kith_span packet,
                     uint8_t ecn, kith_time now)
{
    struct kith_destination d = destination_of(to);
    struct kith_mesh_flow *f = accepted(r, to);

    if (f == NULL && is_of_flow(to)) { /* it has ended, and only the other side can begin anew */
        r->count.no_way++;
        return;
    }
    if (f == NULL) {
        send_on_own(r, &d, packet, ecn, now);
        return;
    }
    kith_mesh_flows_touch(&r->flows, f, now);
    (void)send_packet(r, f->end[KITH_MESH_UP], KITH_MESH_HOPS_MAX, packet, ecn, now);
}

bool kith_relay_route(const struct kith_relay *r, const struct kith_ip *to, uint32_t *ret)
{
    struct kith_destination d = destination_of(to);
    const struct kith_mesh_flow *f = accepted(r, to), *own = kith_mesh_flows_to(&r->flows, &d);

    if (f == NULL && own == NULL)
        return false;
    *ret = f != NULL ? f->end[KITH_MESH_UP].neighbour : own->end[KITH_MESH_DOWN].neighbour;
    return *ret != KITH_MESH_NOBODY;
}

/* Make before break: what is under way by the former way comes through, there and back. */
static void improve(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    struct kith_mesh_end old = f->end[KITH_MESH_DOWN];
    uint32_t to;

    if (is_self(f, KITH_MESH_UP) && f->former != NULL &&
        kith_since(now, f->former->used_at) >= LEAVE_AFTER)
        end_former(r, f, now);
    if (!is_self(f, KITH_MESH_UP) || f->former != NULL || old.neighbour == KITH_MESH_NOBODY ||
        !r->ops.better(r->ops.ctx, &f->to, old.neighbour, now, &to) || neighbour_of(r, to) == NULL)
        return;
    r->count.improved++;
    bool kept = kith_mesh_flows_retire(&r->flows, f, now) == KITH_OK;
    f->attempt++;
    f->n_tried = 1; /* the others are tried when this one fails */
    f->tried[0] = to;
    f->unheard = 0;
    f->unheard_at = KITH_NEVER;
    if (begin_at(r, f, to) && !kept)
        send_end(r, old, KITH_MESH_GONE, now);
}

void kith_relay_improve(struct kith_relay *r, kith_time now)
{
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        next = l->next;
        improve(r, KITH_OF(l, struct kith_mesh_flow, used), now);
    }
}

/* ---- from neighbours ---- */

/* Whether what is known of the flow already, f or NULL, speaks for taking this beginning of it. */
static bool supersedes(const struct kith_mesh_flow *f, const struct kith_flow_open *m)
{
    /* spec mesh 3.3: that is what keeps it from going in circles */
    return f == NULL || (!is_self(f, KITH_MESH_UP) && m->attempt > f->attempt);
}

static bool is_beginning_of(const struct kith_mesh_flow *f, const struct kith_mesh_neighbour *n,
                            const struct kith_flow_open *m)
{
    return f != NULL && f->attempt == m->attempt && f->end[KITH_MESH_UP].neighbour == n->number &&
           f->end[KITH_MESH_UP].label == m->label;
}

/* Said once more, as when it was repeated on the way. */
static bool is_repeated(const struct kith_relay *r, const struct kith_mesh_neighbour *n,
                        const struct kith_flow_open *m)
{
    const struct kith_mesh_flow *f = kith_mesh_flows_by_id(&r->flows, &m->flow);

    return f != NULL && (is_beginning_of(f, n, m) || is_beginning_of(f->former, n, m));
}

static struct kith_mesh_flow *take_in(struct kith_relay *r, struct kith_mesh_neighbour *n,
                                      const struct kith_flow_open *m, kith_time now)
{
    const struct kith_mesh_end up = {.neighbour = n->number, .label = m->label};
    struct kith_mesh_flow *f;

    if (n->begun >= KITH_RELAY_FLOWS_OF_NEIGHBOUR ||
        !kith_rate_takes(&n->opens_paid, OPEN_COST, 1, OPENS_BURST, now) ||
        kith_mesh_flows_add(&r->flows, &m->flow, &m->destination, false, now, &f) < 0)
        return NULL;
    if (kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_UP, up) < 0) {
        kith_mesh_flows_drop(&r->flows, f);
        return NULL;
    }
    n->begun++;
    f->attempt = m->attempt;
    f->hops = (uint8_t)(m->hops - 1);
    return f;
}

/* As take_in, for a newer attempt of a flow that is known: its labels carry on for a while. */
static struct kith_mesh_flow *take_over(struct kith_relay *r, struct kith_mesh_flow *old,
                                        struct kith_mesh_neighbour *n,
                                        const struct kith_flow_open *m, kith_time now)
{
    struct kith_mesh_flow kept = {.former = NULL}, *f;

    drop_former(r, old); /* of which there is one */
    if (n->begun < KITH_RELAY_FLOWS_OF_NEIGHBOUR &&
        kith_mesh_flows_retire(&r->flows, old, now) == KITH_OK)
        kith_mesh_flows_bequeath(old, &kept);
    drop_flow(r, old);
    f = take_in(r, n, m, now);
    if (f != NULL)
        kith_mesh_flows_bequeath(&kept, f);
    else
        drop_former(r, &kept);
    return f;
}

/* A new flow of a neighbour's: it ends here, goes on, or is refused. Why it is refused, or -1. */
static int begin(struct kith_relay *r, struct kith_mesh_neighbour *n,
                 const struct kith_flow_open *m, kith_time now)
{
    const struct kith_mesh_end here = {.neighbour = KITH_MESH_SELF};

    struct kith_mesh_flow *old = kith_mesh_flows_by_id(&r->flows, &m->flow);
    if (was_refused(r, m) || !supersedes(old, m))
        return KITH_MESH_LOOP;
    struct kith_mesh_flow *f = old != NULL ? take_over(r, old, n, m, now) : take_in(r, n, m, now);
    if (f == NULL)
        return KITH_MESH_FULL;
    if (r->ops.is_here(r->ops.ctx, &m->destination)) {
        r->count.accepted++;
        (void)!kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN,
                                       here); /* no label: cannot fail */
        return -1;
    }
    bool on = f->hops > 0 && lead_on(r, f, now);
    if (on) {
        r->count.forwarded_flows++;
        return -1;
    }
    if (f->hops == 0) { /* by a shorter way it may come again */
        r->count.expired++;
        drop_flow(r, f);
        return KITH_MESH_HOPS;
    }
    drop_refused(r, f);
    return KITH_MESH_NO_WAY;
}

static bool heard_open(struct kith_relay *r, struct kith_mesh_neighbour *n,
                       struct kith_span datagram, kith_time now)
{
    struct kith_flow_open m;

    if (kith_flow_open_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end up = {.neighbour = n->number, .label = m.label};
    if (((m.label & HIGH) != 0) == n->high)
        return false; /* spec mesh 3.2: it is not its to choose */
    if (is_repeated(r, n, &m))
        return true;
    struct kith_mesh_flow *former = kith_mesh_flows_by_label(&r->flows, up);
    if (former != NULL)
        lost_up(r, former, now); /* the sender began to count anew */
    int why = begin(r, n, &m, now);
    if (why >= 0) {
        r->count.refused++;
        send_end(r, up, (enum kith_mesh_why)why, now);
    }
    return true;
}

static void arrive(struct kith_relay *r, const struct kith_mesh_flow *f, enum kith_mesh_side from,
                   struct kith_span packet, uint8_t ecn)
{
    const struct kith_ip address =
        from == KITH_MESH_UP ? address_of_flow(f) : kith_mesh_address(&f->to);

    if (kith_shelf_put(&r->in, 0, address.b, ecn, &packet, 1) < 0)
        r->count.dropped++;
}

/* A datagram of a flow, whole. */
static void carry(struct kith_relay *r, struct kith_mesh_flow *f, struct kith_mesh_neighbour *n,
                  struct kith_mesh_end at, uint8_t hops, struct kith_span packet, uint8_t ecn,
                  kith_time now)
{
    bool up =
        f->end[KITH_MESH_UP].neighbour == at.neighbour && f->end[KITH_MESH_UP].label == at.label;
    enum kith_mesh_side from = up ? KITH_MESH_UP : KITH_MESH_DOWN,
                        to = up ? KITH_MESH_DOWN : KITH_MESH_UP;

    if (f->latter == NULL) /* a former's time is up when it is up */
        kith_mesh_flows_touch(&r->flows, f, now);
    if (is_self(f, to)) {
        f->unheard = 0;
        f->unheard_at = KITH_NEVER;
        f->n_tried = 0;
        arrive(r, f, from, packet, ecn);
        return;
    }
    if (hops <= 1) {
        r->count.expired++;
        return;
    }
    if (!kith_share_takes(&r->share, &n->share, packet.n, now)) {
        r->count.over_rate++;
        return;
    }
    r->count.forwarded++;
    r->count.forwarded_bytes += packet.n;
    (void)send_packet(r, f->end[to], (uint8_t)(hops - 1), packet, ecn, now);
}

/* The flow of a label; who uses one that means nothing is told. */
static struct kith_mesh_flow *flow_at(struct kith_relay *r, struct kith_mesh_end at, kith_time now)
{
    struct kith_mesh_flow *f = kith_mesh_flows_by_label(&r->flows, at);

    if (f == NULL) {
        r->count.unknown++;
        send_end(r, at, KITH_MESH_UNKNOWN, now);
    }
    return f;
}

static bool heard_packet(struct kith_relay *r, struct kith_mesh_neighbour *n,
                         struct kith_span datagram, uint8_t ecn, kith_time now)
{
    struct kith_flow_packet m;

    if (kith_flow_packet_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = flow_at(r, at, now);
    if (f != NULL)
        carry(r, f, n, at, m.hops, m.packet, ecn, now);
    return true;
}

static bool heard_piece(struct kith_relay *r, struct kith_mesh_neighbour *n,
                        struct kith_span datagram, uint8_t ecn, kith_time now)
{
    struct kith_flow_piece m;
    struct kith_span whole;

    if (kith_flow_piece_decode(datagram, &m) < 0 || m.size > KITH_RELAY_WHOLE)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = flow_at(r, at, now); /* before any memory is given to it */
    if (f == NULL)
        return true;
    const struct kith_ip_fragment piece = {
        .id = m.id, .index = m.index, .count = m.count, .part = m.part};
    int err = kith_reassembly_add(&n->pieces, &piece, ecn, now, &whole, &ecn);
    if (err == KITH_E_AGAIN || err == KITH_E_NOMEM)
        return true;
    if (err < 0 || whole.n != m.size)
        return false;
    carry(r, f, n, at, m.hops, whole, ecn, now);
    return true;
}

static bool heard_end(struct kith_relay *r, const struct kith_mesh_neighbour *n,
                      struct kith_span datagram, kith_time now)
{
    struct kith_flow_over m;

    if (kith_flow_over_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = kith_mesh_flows_by_label(&r->flows, at);
    if (f == NULL)
        return true; /* it crossed our own */
    if (f->end[KITH_MESH_UP].neighbour == at.neighbour && f->end[KITH_MESH_UP].label == at.label) {
        lost_up(r, f, now);
        return true;
    }
    if (f->latter != NULL) { /* it would have ended soon */
        drop_former(r, f->latter);
        return true;
    }
    if (m.why == KITH_MESH_UNKNOWN)
        f->n_tried = 0; /* the way is good, it was only forgotten */
    else
        r->ops.failed(r->ops.ctx, &f->to, at.neighbour, false, now);
    lost_down(r, f, KITH_MESH_NO_WAY, now);
    return true;
}

bool kith_relay_heard(struct kith_relay *r, uint32_t neighbour, struct kith_span datagram,
                      uint8_t ecn, kith_time now)
{
    struct kith_mesh_neighbour *n = neighbour_of(r, neighbour);
    bool good = false;

    r->from = neighbour;
    if (n != NULL && datagram.n > 0)
        switch (datagram.p[0]) {
        case KITH_WIRE_flow_open: good = heard_open(r, n, datagram, now); break;
        case KITH_WIRE_flow_packet: good = heard_packet(r, n, datagram, ecn, now); break;
        case KITH_WIRE_flow_piece: good = heard_piece(r, n, datagram, ecn, now); break;
        case KITH_WIRE_flow_over: good = heard_end(r, n, datagram, now); break;
        default: break;
        }
    r->from = KITH_MESH_SELF;
    r->count.malformed += good ? 0 : 1;
    return good;
}

void kith_relay_limit(struct kith_relay *r, uint64_t bytes_per_second)
{
    r->share.rate = bytes_per_second;
}

/* ---- taking, time ---- */

bool kith_relay_next_out(struct kith_relay *r, struct kith_relay_out *ret)
{
    struct kith_shelved s;

    if (!kith_shelf_take(&r->out, &s))
        return false;
    *ret = (struct kith_relay_out){.neighbour = s.who, .datagram = {s.p, s.n}, .ecn = s.ecn};
    memcpy(&ret->from, s.tag, sizeof ret->from);
    return true;
}

bool kith_relay_next_in(struct kith_relay *r, struct kith_relay_in *ret)
{
    struct kith_shelved s;

    if (!kith_shelf_take(&r->in, &s))
        return false;
    *ret = (struct kith_relay_in){
        .from = {.family = KITH_FAMILY_MESH}, .packet = s.p, .n = s.n, .ecn = s.ecn};
    memcpy(ret->from.b, s.tag, sizeof ret->from.b);
    return true;
}

void kith_relay_taken(struct kith_relay *r)
{
    kith_shelf_clear(&r->out);
    kith_shelf_clear(&r->in);
}

bool kith_relay_is_heavy(const struct kith_relay *r)
{
    return kith_shelf_weight(&r->out) > KITH_SHELF_BYTES / 2 ||
           kith_shelf_weight(&r->in) > KITH_SHELF_BYTES / 2;
}

bool kith_relay_is_laden(const struct kith_relay *r)
{
    return kith_shelf_is_laden(&r->out) || kith_shelf_is_laden(&r->in);
}

/* Whoever began it says so; others forget it, as they would have with the newer attempt. */
static void end_formers(struct kith_relay *r, kith_time now)
{
    struct kith_mesh_flow *f;

    while ((f = kith_mesh_flows_first_former(&r->flows)) != NULL &&
           kith_since(now, f->used_at) >= KITH_MESH_FORMER) {
        if (is_self(f, KITH_MESH_UP))
            end_former(r, f->latter, now);
        else
            drop_former(r, f->latter);
    }
}

void kith_relay_tick(struct kith_relay *r, kith_time now)
{
    struct kith_mesh_flow *f;

    end_formers(r, now);
    while ((f = kith_mesh_flows_oldest(&r->flows)) != NULL &&
           kith_since(now, f->used_at) >= KITH_MESH_IDLE)
        drop_flow(r, f);
    if (f == NULL && !kith_relay_is_laden(r)) {
        kith_shelf_fini(&r->out);
        kith_shelf_fini(&r->in);
    }
}

kith_time kith_relay_deadline(const struct kith_relay *r)
{
    const struct kith_mesh_flow *f = kith_mesh_flows_oldest(&r->flows),
                                *former = kith_mesh_flows_first_former(&r->flows);
    kith_time end = former == NULL ? KITH_NEVER : kith_after(former->used_at, KITH_MESH_FORMER);

    if (f != NULL)
        return kith_sooner(end, kith_after(f->used_at, KITH_MESH_IDLE));
    /* the shelves may go, once they are empty */
    bool kept = kith_shelf_is_kept(&r->out) || kith_shelf_is_kept(&r->in);
    return kept && !kith_relay_is_laden(r) ? 0 : KITH_NEVER;
}

const struct kith_relay_counters *kith_relay_counters(const struct kith_relay *r)
{
    return &r->count;
}

bool kith_relay_carries(const struct kith_relay *r, uint32_t neighbour)
{
    return kith_mesh_flows_at(&r->flows, neighbour);
}

size_t kith_relay_flows(const struct kith_relay *r)
{
    return kith_mesh_flows_count(&r->flows);
}

struct kith_relay_view kith_relay_view(const struct kith_relay *r)
{
    return (struct kith_relay_view){
        .flows = &r->flows, .neighbours = &r->neighbours, .out = &r->out, .in = &r->in};
}
