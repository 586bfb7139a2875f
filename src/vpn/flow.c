#include "vpn/flow.h"

#include "base/map.h"

int kith_flows_init(struct kith_flows *f, const struct kith_env *env)
{
    struct kith_flow *entry = kith_new_bytes(env->alloc, KITH_FLOWS_MAX * sizeof *entry);
    struct kith_flow **bucket =
        (struct kith_flow **)kith_new_array(env->alloc, KITH_FLOWS_MAX, sizeof *bucket);

    if (entry == NULL || bucket == NULL) {
        kith_free(env->alloc, entry);
        kith_free(env->alloc, (void *)bucket);
        return KITH_E_NOMEM;
    }
    *f = (struct kith_flows){.alloc = env->alloc, .entry = entry, .bucket = bucket};
    f->k0 = kith_random_u64(env->random);
    f->k1 = kith_random_u64(env->random);
    kith_list_init(&f->used);
    kith_list_init(&f->spare);
    return KITH_OK;
}

void kith_flows_fini(struct kith_flows *f)
{
    if (f->alloc == NULL)
        return;
    kith_free(f->alloc, f->entry);
    kith_free(f->alloc, (void *)f->bucket);
    *f = (struct kith_flows){0};
}

/* ---- keys ---- */

static struct kith_flow_key key_of(uint8_t slot, const struct kith_packet *p, bool outbound)
{
    const struct kith_ip *ours = outbound ? &p->src : &p->dst;
    const struct kith_ip *theirs = outbound ? &p->dst : &p->src;
    struct kith_flow_key k = {.slot = slot, .family = p->src.family, .proto = p->proto};

    memcpy(k.ours, ours->b, sizeof k.ours);
    memcpy(k.theirs, theirs->b, sizeof k.theirs);
    k.our_port = outbound ? p->src_port : p->dst_port;
    k.their_port = outbound ? p->dst_port : p->src_port;
    if (kith_packet_is_icmp(p))
        k.our_port = k.their_port = p->icmp_id;
    return k;
}

static bool key_equal(const struct kith_flow_key *a, const struct kith_flow_key *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* no padding: 4 + 32 + 4 bytes */
}
_Static_assert(sizeof(struct kith_flow_key) == 40, "a key is compared as bytes");

static struct kith_flow **bucket_of(const struct kith_flows *f, const struct kith_flow_key *k)
{
    return &f->bucket[kith_siphash(f->k0, f->k1, KITH_SPAN_OF(*k)) % KITH_FLOWS_MAX];
}

static struct kith_flow *find(const struct kith_flows *f, const struct kith_flow_key *k,
                              kith_time now)
{
    for (struct kith_flow *e = *bucket_of(f, k); e != NULL; e = e->next)
        if (key_equal(&e->key, k))
            return now < e->ends_at ? e : NULL;
    return NULL;
}

/* ---- entries ---- */

static void release(struct kith_flows *f, struct kith_flow *e)
{
    struct kith_flow **at = bucket_of(f, &e->key);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    kith_list_remove(&e->by_age);
    kith_list_append(&f->spare, &e->by_age);
}

/* A free entry, perhaps of a flow that ended. The silent are first in line, but timeouts differ:
 * a few of them are looked at before one is made to leave early. */
static struct kith_flow *make_room(struct kith_flows *f, kith_time now)
{
    if (kith_list_empty(&f->spare) && f->n_begun < KITH_FLOWS_MAX) {
        struct kith_flow *fresh = &f->entry[f->n_begun++];
        kith_list_append(&f->spare, &fresh->by_age);
    }
    if (kith_list_empty(&f->spare)) {
        struct kith_flow *leaves = KITH_OF(f->used.next, struct kith_flow, by_age);
        struct kith_link *at = f->used.next;
        for (int i = 0; i < 8 && at != &f->used; i++, at = at->next) {
            struct kith_flow *e = KITH_OF(at, struct kith_flow, by_age);
            if (e->ends_at <= now) {
                leaves = e;
                break;
            }
        }
        f->evicted += now < leaves->ends_at;
        release(f, leaves);
    }
    return KITH_OF(f->spare.next, struct kith_flow, by_age);
}

/* The entry of k, whether it has ended or not, or a new one. */
static struct kith_flow *get(struct kith_flows *f, const struct kith_flow_key *k, kith_time now)
{
    struct kith_flow *e = *bucket_of(f, k);

    while (e != NULL && !key_equal(&e->key, k))
        e = e->next;
    if (e == NULL) {
        e = make_room(f, now);
        struct kith_flow **bucket = bucket_of(f, k);
        e->key = *k;
        e->next = *bucket;
        *bucket = e;
        e->ends_at = 0;
    }
    if (e->ends_at <= now)
        e->acked_out = e->acked_in = e->closing = false;
    kith_list_remove(&e->by_age);
    kith_list_append(&f->used, &e->by_age);
    return e;
}

static kith_dur lasts(const struct kith_flow *e)
{
    switch (e->key.proto) {
    case KITH_PROTO_TCP:
        return e->acked_in && e->acked_out && !e->closing ? KITH_FLOW_TCP : KITH_FLOW_TCP_BRIEF;
    case KITH_PROTO_ICMP4:
    case KITH_PROTO_ICMP6: return KITH_FLOW_ECHO;
    }
    return KITH_FLOW_OTHER;
}

static void note_tcp(struct kith_flow *e, uint8_t flags, bool outbound)
{
    bool *acked = outbound ? &e->acked_out : &e->acked_in;

    if (outbound && (flags & (KITH_TCP_SYN | KITH_TCP_ACK)) == KITH_TCP_SYN)
        e->acked_in = e->acked_out = e->closing = false; /* the ports are used anew */
    if (flags & KITH_TCP_ACK)
        *acked = true;
    if (flags & (KITH_TCP_FIN | KITH_TCP_RST))
        e->closing = true;
}

/* Whether a packet that leaves may begin an entry: not when it answers somebody. */
static bool begins(const struct kith_packet *p)
{
    if (p->proto == KITH_PROTO_TCP)
        return (p->tcp_flags & KITH_TCP_RST) == 0 &&
               (p->tcp_flags & (KITH_TCP_SYN | KITH_TCP_ACK)) != (KITH_TCP_SYN | KITH_TCP_ACK);
    return !kith_packet_is_icmp(p) || kith_packet_is_echo_request(p);
}

void kith_flows_out(struct kith_flows *f, uint8_t slot, const struct kith_packet *p, kith_time now)
{
    if (p->later)
        return;
    struct kith_flow_key k = key_of(slot, p, true);
    struct kith_flow *e = begins(p) ? get(f, &k, now) : find(f, &k, now);
    if (e == NULL || (kith_packet_is_icmp(p) && !kith_packet_is_echo_request(p)))
        return;
    if (p->proto == KITH_PROTO_TCP)
        note_tcp(e, p->tcp_flags, true);
    e->ends_at = kith_after(now, lasts(e));
}

/* ---- fragments ---- */

static struct kith_flow_key fragment_key(uint8_t slot, const struct kith_packet *p)
{
    struct kith_flow_key k = key_of(slot, p, false);

    k.our_port = (uint16_t)(p->ident >> 16);
    k.their_port = (uint16_t)p->ident;
    return k;
}

static void note_fragment(struct kith_flows *f, uint8_t slot, const struct kith_packet *p,
                          kith_time now)
{
    f->fragment[f->next_fragment++ % KITH_FLOW_FRAGMENTS] = (struct kith_flow_fragment){
        .key = fragment_key(slot, p), .ends_at = kith_after(now, KITH_FLOW_FRAGMENT)};
}

static bool fragment_known(const struct kith_flows *f, uint8_t slot, const struct kith_packet *p,
                           kith_time now)
{
    struct kith_flow_key k = fragment_key(slot, p);

    for (size_t i = 0; i < KITH_FLOW_FRAGMENTS; i++)
        if (now < f->fragment[i].ends_at && key_equal(&f->fragment[i].key, &k))
            return true;
    return false;
}

/* ---- what arrives ---- */

bool kith_flows_in(struct kith_flows *f, uint8_t slot, const struct kith_packet *p, kith_time now)
{
    if (p->later)
        return fragment_known(f, slot, p, now);
    if (kith_packet_is_icmp(p) && !kith_packet_is_echo_reply(p))
        return false;
    struct kith_flow_key k = key_of(slot, p, false);
    struct kith_flow *e = find(f, &k, now);
    if (e == NULL)
        return false;

    if (p->proto == KITH_PROTO_TCP)
        note_tcp(e, p->tcp_flags, false);
    e->ends_at = kith_after(now, lasts(e));
    if (p->fragment)
        note_fragment(f, slot, p, now);
    return true;
}

bool kith_flows_quoted(const struct kith_flows *f, uint8_t slot, const struct kith_packet *quoted,
                       kith_time now)
{
    struct kith_flow_key k = key_of(slot, quoted, true);

    return !quoted->later && find(f, &k, now) != NULL;
}
