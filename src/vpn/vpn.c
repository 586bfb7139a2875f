#include "vpn/vpn_impl.h"

#include <assert.h>

/* ---- the object ---- */

static bool config_valid(const struct kith_vpn_config *c)
{
    return c->mtu >= KITH_VPN_MTU_MIN && c->mtu <= KITH_PACKET_MAX &&
           (c->offload || !c->offload_udp);
}

static int init_optional(struct kith_vpn *v)
{
    int err = KITH_OK;

    if (v->config.inbound_deny)
        err = kith_flows_init(&v->flows, &v->env);
    if (err == KITH_OK && v->config.offload)
        err = kith_coalesce_init(&v->coalesce, v->env.alloc, v->in, v->config.offload_udp);
    return err;
}

int kith_vpn_set_inbound(struct kith_vpn *v, bool deny)
{
    if (deny == v->config.inbound_deny)
        return KITH_OK;
    if (deny) {
        int err = kith_flows_init(&v->flows, &v->env);
        if (err < 0)
            return err;
    } else {
        kith_flows_fini(&v->flows);
        v->flows = (struct kith_flows){0};
    }
    v->config.inbound_deny = deny;
    return KITH_OK;
}

struct member_key {
    uint32_t handle, slot;
};

int kith_vpn_new(const struct kith_vpn_config *config, const struct kith_env *env,
                 struct kith_vpn_out out, struct kith_vpn_in in, struct kith_vpn **ret)
{
    if (!config_valid(config))
        return KITH_E_INVAL;
    struct kith_vpn *v = kith_new_zero(env->alloc, sizeof *v);
    if (v == NULL)
        return KITH_E_NOMEM;

    v->config = *config;
    v->env = *env;
    v->out = out;
    v->in = in;
    for (size_t i = 0; i < KITH_VPN_SLOTS; i++)
        kith_list_init(&v->slot[i].members);
    kith_map_init(&v->members, env->alloc, env->random, sizeof(struct member_key),
                  KITH_VPN_MEMBERS_MAX);
    kith_routes_init(&v->routes, env, 2 * KITH_VPN_MEMBERS_MAX + KITH_VPN_SUBNETS_MAX);
    kith_waiting_init(&v->waiting, env->alloc);
    kith_list_init(&v->wanting);
    int err = init_optional(v);
    if (err < 0) {
        kith_vpn_free(v);
        return err;
    }
    *ret = v;
    return KITH_OK;
}

void kith_vpn_free(struct kith_vpn *v)
{
    if (v == NULL)
        return;
    for (unsigned slot = 0; slot < KITH_VPN_SLOTS; slot++)
        kith_vpn_network_clear(v, (uint8_t)slot);
    kith_waiting_fini(&v->waiting);
    kith_flows_fini(&v->flows);
    if (v->config.offload && v->coalesce.memory != NULL)
        kith_coalesce_fini(&v->coalesce);
    kith_routes_fini(&v->routes);
    kith_map_fini(&v->members);
    kith_free(v->env.alloc, v);
}

/* ---- who has which address ---- */

bool kith_vpn_is_ours(const struct kith_vpn *v, const struct kith_ip *ip)
{
    if (ip->family == KITH_FAMILY_NONE) /* which networks without one of the families have */
        return false;
    for (size_t i = 0; i < KITH_VPN_SLOTS; i++) {
        const struct kith_slot *s = &v->slot[i];
        if (s->used && (kith_ip_equal(&s->is.ip4, ip) || kith_ip_equal(&s->is.ip6, ip)))
            return true;
    }
    return false;
}

/* Whether a subnet of ours is at least as near to ip as the nearest route to a member: two nodes
 * may both advertise 0.0.0.0/0, and each stands for the Internet without standing for members. */
static bool is_in_own_subnet(const struct kith_vpn *v, const struct kith_slot *s,
                             const struct kith_ip *ip)
{
    unsigned theirs = 0;

    kith_routes_match(&v->routes, ip, &theirs);
    for (size_t i = 0; i < s->is.subnet_count; i++)
        if (s->subnets[i].bits >= theirs && kith_prefix_holds(&s->subnets[i], ip))
            return !kith_vpn_is_ours(v, ip);
    return false;
}

bool kith_vpn_stands_for(const struct kith_vpn *v, const struct kith_slot *s,
                         const struct kith_ip *ip)
{
    if (kith_ip_equal(&s->is.ip4, ip) || kith_ip_equal(&s->is.ip6, ip))
        return true;
    return s->is.subnet_count > 0 && is_in_own_subnet(v, s, ip);
}

bool kith_vpn_member_has(const struct kith_vpn *v, const struct kith_member *m,
                         const struct kith_ip *ip)
{
    if (kith_ip_equal(&m->is.ip4, ip) || kith_ip_equal(&m->is.ip6, ip))
        return true;
    return m->is.subnet_count > 0 && !kith_vpn_is_ours(v, ip) &&
           kith_routes_find(&v->routes, ip) == m;
}

enum kith_vpn_drop kith_vpn_judge_address(const struct kith_ip *ip)
{
    if (kith_ip_is_multicast(ip)) /* before martian: it has the IPv4 broadcast in 240.0.0.0/4 */
        return KITH_VPN_DROP_multicast;
    if (kith_ip_is_martian(ip))
        return KITH_VPN_DROP_martian;
    return kith_ip_is_link_local(ip) ? KITH_VPN_DROP_link_local : KITH_VPN_DROPS;
}

/* Whether ip is none, or an address of this family that a node can have. */
static bool valid_own(const struct kith_ip *ip, enum kith_family family)
{
    return ip->family == KITH_FAMILY_NONE ||
           (ip->family == family && kith_vpn_judge_address(ip) == KITH_VPN_DROPS);
}

/* ---- networks ---- */

/* Whether a member, or we in another network, have ip. */
static bool is_taken(const struct kith_vpn *v, uint8_t slot, const struct kith_ip *ip)
{
    const struct kith_member *m = kith_routes_find(&v->routes, ip);

    if (m != NULL && (kith_ip_equal(&m->is.ip4, ip) || kith_ip_equal(&m->is.ip6, ip)))
        return true;
    for (size_t i = 0; i < KITH_VPN_SLOTS; i++) {
        const struct kith_slot *s = &v->slot[i];
        bool same = kith_ip_equal(&s->is.ip4, ip) || kith_ip_equal(&s->is.ip6, ip);
        if (i != slot && s->used && same && ip->family != KITH_FAMILY_NONE)
            return true;
    }
    return false;
}

int kith_vpn_network_set(struct kith_vpn *v, uint8_t slot, const struct kith_vpn_network *net)
{
    if (slot >= KITH_VPN_SLOTS || net->subnet_count > KITH_VPN_OWN_SUBNETS)
        return KITH_E_INVAL;
    if (!valid_own(&net->ip4, KITH_FAMILY_IP4) || !valid_own(&net->ip6, KITH_FAMILY_IP6))
        return KITH_E_INVAL;
    if (is_taken(v, slot, &net->ip4) || is_taken(v, slot, &net->ip6))
        return KITH_E_TAKEN;

    struct kith_slot *s = &v->slot[slot];
    kith_copy(s->subnets, net->subnets, net->subnet_count * sizeof *net->subnets);
    s->is = *net;
    s->is.subnets = s->subnets;
    s->used = true;
    return KITH_OK;
}

void kith_vpn_network_clear(struct kith_vpn *v, uint8_t slot)
{
    if (slot >= KITH_VPN_SLOTS)
        return;
    struct kith_slot *s = &v->slot[slot];
    while (!kith_list_empty(&s->members)) {
        const struct kith_member *m = KITH_OF(s->members.next, struct kith_member, in_slot);
        kith_vpn_member_remove(v, m->is.handle, slot);
    }
    s->is = (struct kith_vpn_network){0};
    s->used = false;
}

/* ---- members ---- */

struct kith_member *kith_vpn_member_find(struct kith_vpn *v, uint32_t member, uint8_t slot)
{
    struct member_key key = {member, slot};

    if (v->latest != NULL && v->latest->is.handle == member && v->latest->is.slot == slot)
        return v->latest;
    struct kith_member *m = kith_map_find(&v->members, &key);
    if (m != NULL)
        v->latest = m;
    return m;
}

/* The i-th route to a member; false after the last. Its family is none where it has no address. */
static bool route_at(const struct kith_vpn_member *m, size_t i, struct kith_prefix *ret)
{
    if (i >= 2 + m->subnet_count)
        return false;
    *ret = i == 0   ? kith_prefix_of(&m->ip4, 32)
           : i == 1 ? kith_prefix_of(&m->ip6, 128)
                    : m->subnets[i - 2];
    return true;
}

static void remove_routes(struct kith_vpn *v, const struct kith_vpn_member *is, size_t n)
{
    struct kith_prefix to;

    for (size_t i = 0; i < n && route_at(is, i, &to); i++)
        kith_routes_remove(&v->routes, &to);
}

/* All routes or none. */
static int add_routes(struct kith_vpn *v, const struct kith_vpn_member *is, struct kith_member *m)
{
    struct kith_prefix to;

    for (size_t i = 0; route_at(is, i, &to); i++) {
        if (i < 2 && to.ip.family == KITH_FAMILY_NONE)
            continue;
        int err = kith_routes_add(&v->routes, &to, m);
        if (err < 0) {
            remove_routes(v, is, i);
            return err;
        }
    }
    return KITH_OK;
}

static int new_member(struct kith_vpn *v, const struct kith_vpn_member *is,
                      struct kith_member **ret)
{
    struct member_key key = {is->handle, is->slot};
    struct kith_member *m = kith_new_zero(v->env.alloc, sizeof *m);

    if (m == NULL)
        return KITH_E_NOMEM;
    int err = kith_map_put(&v->members, &key, m);
    if (err < 0) {
        kith_free(v->env.alloc, m);
        return err;
    }
    m->is = (struct kith_vpn_member){.handle = is->handle, .slot = is->slot};
    kith_line_init(&m->line);
    kith_list_init(&m->wants);
    kith_list_append(&v->slot[is->slot].members, &m->in_slot);
    *ret = m;
    return KITH_OK;
}

static void free_member(struct kith_vpn *v, struct kith_member *m)
{
    struct member_key key = {m->is.handle, m->is.slot};

    remove_routes(v, &m->is, SIZE_MAX);
    v->subnets -= m->is.subnet_count;
    v->counters.dropped[KITH_VPN_DROP_member_gone] += m->line.n;
    kith_waiting_drop(&v->waiting, &m->line, SIZE_MAX);
    kith_list_remove(&m->wants);
    kith_list_remove(&m->in_slot);
    kith_map_take(&v->members, &key);
    if (v->latest == m)
        v->latest = NULL;
    kith_free(v->env.alloc, (void *)m->is.subnets);
    kith_free(v->env.alloc, m);
}

/* Puts *is (whose subnets become the member's) in the place of what was known of m. */
static int exchange(struct kith_vpn *v, struct kith_member *m, const struct kith_vpn_member *is)
{
    remove_routes(v, &m->is, SIZE_MAX);
    int err = add_routes(v, is, m);
    if (err < 0) {
        int back = add_routes(v, &m->is, m);
        assert(back == KITH_OK); /* their places in the table were freed a moment ago */
        (void)back;
        return err;
    }
    v->subnets += is->subnet_count - m->is.subnet_count;
    kith_free(v->env.alloc, (void *)m->is.subnets);
    m->is = *is;
    return KITH_OK;
}

/* What can be said against m without looking at other members. */
static int judge_member(const struct kith_vpn *v, const struct kith_vpn_member *m, size_t replaces)
{
    if (m->slot >= KITH_VPN_SLOTS || !v->slot[m->slot].used)
        return KITH_E_NOTFOUND;
    if (!valid_own(&m->ip4, KITH_FAMILY_IP4) || !valid_own(&m->ip6, KITH_FAMILY_IP6))
        return KITH_E_INVAL;
    if (kith_vpn_is_ours(v, &m->ip4) || kith_vpn_is_ours(v, &m->ip6))
        return KITH_E_TAKEN;
    if (m->subnet_count > KITH_VPN_SUBNETS_MAX - (v->subnets - replaces))
        return KITH_E_FULL;
    return KITH_OK;
}

int kith_vpn_member_set(struct kith_vpn *v, const struct kith_vpn_member *given)
{
    struct kith_vpn_member is = *given;
    struct kith_member *m = kith_vpn_member_find(v, is.handle, is.slot), *fresh = NULL;
    int err = judge_member(v, &is, m == NULL ? 0 : m->is.subnet_count);

    if (err < 0)
        return err;
    struct kith_prefix *subnets = NULL;
    if (is.subnet_count > 0) {
        subnets = kith_new_array(v->env.alloc, is.subnet_count, sizeof *subnets);
        if (subnets == NULL)
            return KITH_E_NOMEM;
        memcpy(subnets, is.subnets, is.subnet_count * sizeof *subnets);
    }
    is.subnets = subnets;
    if (m == NULL) {
        err = new_member(v, &is, &fresh);
        m = fresh;
    }
    if (err == KITH_OK)
        err = exchange(v, m, &is);
    if (err < 0) {
        kith_free(v->env.alloc, subnets);
        if (fresh != NULL)
            free_member(v, fresh);
    }
    return err;
}

void kith_vpn_member_remove(struct kith_vpn *v, uint32_t member, uint8_t slot)
{
    struct kith_member *m = kith_vpn_member_find(v, member, slot);

    if (m != NULL)
        free_member(v, m);
}

/* ---- our own transports ---- */

int kith_vpn_refuse_underlay(struct kith_vpn *v, const struct kith_addr *listening, size_t n)
{
    if (n > KITH_VPN_LISTENING)
        return KITH_E_INVAL;
    kith_copy(v->listening, listening, n * sizeof *listening);
    v->listening_count = n;
    return KITH_OK;
}

bool kith_vpn_is_listening(const struct kith_vpn *v, uint16_t port)
{
    for (size_t i = 0; i < v->listening_count; i++)
        if (v->listening[i].port == port)
            return true;
    return false;
}

/* ---- what both directions need ---- */

uint16_t kith_vpn_mss(const struct kith_vpn *v, const struct kith_member *m,
                      const struct kith_packet *p)
{
    size_t ip = p->src.family == KITH_FAMILY_IP4 ? KITH_IP4_HEADER : KITH_IP6_HEADER;
    size_t most = v->config.mtu;
    size_t whole =
        v->out.largest == NULL ? 0 : v->out.largest(v->out.ctx, m->is.handle, m->is.slot);

    if (whole != 0 && whole < most)
        most = whole;
    return (uint16_t)(most - ip - KITH_TCP_HEADER);
}

bool kith_vpn_write(struct kith_vpn *v, struct kith_span packet)
{
    static const uint8_t finished[KITH_VNET_LEN];
    const struct kith_span parts[] = {{finished, sizeof finished}, packet};
    size_t skip = v->config.offload ? 0 : 1;

    v->counters.tun_writes++;
    return v->in.write(v->in.ctx, parts + skip, KITH_COUNT(parts) - skip);
}

void kith_vpn_tick(struct kith_vpn *v, kith_time now)
{
    v->counters.dropped[KITH_VPN_DROP_queue_expired] += kith_waiting_expire(&v->waiting, now);
}

kith_time kith_vpn_deadline(const struct kith_vpn *v)
{
    return kith_waiting_deadline(&v->waiting);
}

bool kith_vpn_next_effect(struct kith_vpn *v, struct kith_vpn_effect *ret)
{
    if (kith_list_empty(&v->wanting))
        return false;
    struct kith_member *m = KITH_OF(v->wanting.next, struct kith_member, wants);
    kith_list_remove(&m->wants);
    *ret = (struct kith_vpn_effect){KITH_VPN_WANT_SESSION, m->is.handle, m->is.slot};
    return true;
}

struct kith_vpn_counters kith_vpn_counters(const struct kith_vpn *v)
{
    struct kith_vpn_counters c = v->counters;

    c.received_packets += v->coalesce.written;
    c.received_bytes += v->coalesce.written_bytes;
    c.tun_writes += v->coalesce.writes;
    c.dropped[KITH_VPN_DROP_tun_refused] += v->coalesce.lost;
    c.flows_evicted = v->flows.evicted;
    return c;
}
