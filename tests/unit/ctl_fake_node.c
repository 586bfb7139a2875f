#include "ctl_fake_node.h"

#include <stdio.h>

struct fake_node fake;

static int answer(struct kith_node_why *why)
{
    if (fake.err < 0)
        *why = fake.why;
    return fake.err;
}

static void note(const char *name, const char *network)
{
    (void)kith_format(fake.name, sizeof fake.name, "%s", name == NULL ? "-" : name);
    (void)kith_format(fake.network_name, sizeof fake.network_name, "%s",
                      network == NULL ? "-" : network);
}

const struct kith_peer_id *kith_node_id(const struct kith_node *n)
{
    (void)n;
    return &fake.id;
}

void kith_node_totals(const struct kith_node *n, kith_wall now, struct kith_node_totals *ret)
{
    (void)n, (void)now;
    *ret = fake.totals;
}

bool kith_node_next_network(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_network_info *ret)
{
    (void)n, (void)now;
    if (*at >= fake.n_networks)
        return false;
    *ret = fake.network[(*at)++];
    return true;
}

int kith_node_find_network(const struct kith_node *n, const char *name, kith_wall now,
                           struct kith_network_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    for (size_t i = 0; i < fake.n_networks; i++) {
        if (strcmp(fake.network[i].name, name) == 0) {
            *ret = fake.network[i];
            return KITH_OK;
        }
    }
    (void)kith_format(why->text, sizeof why->text, "no network %s", name);
    (void)kith_format(why->remedy, sizeof why->remedy, "kith network list");
    return KITH_E_NOTFOUND;
}

bool kith_node_next_member(const struct kith_node *n, const struct kith_network_id *network,
                           size_t *at, kith_wall now, struct kith_member_info *ret)
{
    (void)n, (void)now;
    while (*at < fake.n_members) {
        const struct kith_member_info *m = &fake.member[(*at)++];
        if (memcmp(&m->network, network, sizeof *network) != 0)
            continue;
        *ret = *m;
        return true;
    }
    return false;
}

int kith_node_find_member(const struct kith_node *n, const char *text, const char *network,
                          kith_wall now, struct kith_member_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    note(text, network);
    for (size_t i = 0; i < fake.n_members; i++) {
        if (strcmp(fake.member[i].name, text) == 0) {
            *ret = fake.member[i];
            return KITH_OK;
        }
    }
    (void)kith_format(why->text, sizeof why->text, "no member %s", text);
    why->remedy[0] = '\0';
    return KITH_E_NOTFOUND;
}

/* A destination of the services there are means the service and the member whose it is. */
int kith_node_resolve(const struct kith_node *n, const char *text, const char *network,
                      kith_wall now, struct kith_resolved *ret, struct kith_node_why *why)
{
    char destination[KITH_DESTINATION_TEXT];
    int err = kith_node_find_member(n, text, network, now, &ret->member, why);

    if (err == KITH_OK) {
        (void)kith_format(ret->service, sizeof ret->service, KITH_SERVICE_SELF);
        return kith_destination(&ret->member.peer, kith_span_text(KITH_SERVICE_SELF),
                                &ret->destination);
    }
    for (size_t i = 0; i < fake.n_services; i++) {
        const struct kith_service_info *s = &fake.service[i];
        if (strcmp(kith_destination_text(&s->destination, destination, sizeof destination), text))
            continue;
        ret->destination = s->destination;
        (void)kith_format(ret->service, sizeof ret->service, "%s", s->name);
        return kith_node_find_member(n, s->member, network, now, &ret->member, why);
    }
    return err;
}

/* Whether `network` is the one of that name. */
static bool is_network(const struct kith_network_id *network, const char *name)
{
    for (size_t i = 0; i < fake.n_networks; i++)
        if (strcmp(fake.network[i].name, name) == 0)
            return kith_network_id_equal(&fake.network[i].id, network);
    return false;
}

bool kith_node_next_service(const struct kith_node *n, const struct kith_network_id *network,
                            struct kith_service_walk *at, kith_wall now,
                            struct kith_service_info *ret)
{
    (void)n, (void)now;
    while (at->service < fake.n_services) {
        *ret = fake.service[at->service++];
        if (is_network(network, ret->network))
            return true;
    }
    return false;
}

bool kith_node_next_way(const struct kith_node *n, const struct kith_network_id *network,
                        struct kith_way_walk *at, struct kith_now now, struct kith_way_info *ret)
{
    (void)n, (void)now;
    while (at->at < fake.n_ways) {
        *ret = fake.way[at->at++];
        if (is_network(network, ret->network))
            return true;
    }
    return false;
}

bool kith_node_next_peer(const struct kith_node *n, struct kith_session **at, kith_wall now,
                         struct kith_peer_info *ret)
{
    size_t i = (size_t)(uintptr_t)*at;

    (void)n, (void)now;
    if (i >= fake.n_peers)
        return false;
    *ret = fake.peer[i];
    *at = (struct kith_session *)(uintptr_t)(i + 1);
    return true;
}

/* The first of 100.64, 100.65, … that is not in use. */
int kith_node_pick_range(const struct kith_node *n,
                         bool (*in_use)(void *ctx, const struct kith_prefix *p), void *ctx,
                         struct kith_prefix *ret)
{
    (void)n;
    for (unsigned i = 64; i < 128; i++) {
        struct kith_ip ip = kith_ip4(100, (uint8_t)i, 0, 0);
        struct kith_prefix p = kith_prefix_of(&ip, 16);
        if (!in_use(ctx, &p)) {
            *ret = p;
            return KITH_OK;
        }
    }
    return KITH_E_FULL;
}

int kith_node_network_create(struct kith_node *n, const char *name, const struct kith_prefix *range,
                             struct kith_now now, struct kith_network_info *ret,
                             struct kith_node_why *why)
{
    (void)n, (void)now;
    note(name, NULL);
    fake.range = *range;
    *ret = fake.network[0];
    ret->range4 = *range;
    return answer(why);
}

int kith_node_network_leave(struct kith_node *n, const char *name, struct kith_now now,
                            size_t *ret_told, struct kith_node_why *why)
{
    (void)n, (void)now;
    note(name, NULL);
    *ret_told = 1;
    return answer(why);
}

int kith_node_invite(struct kith_node *n, const struct kith_invite *invite, struct kith_now now,
                     char *buf, size_t cap, struct kith_network_info *ret_network,
                     kith_wall *ret_expires, struct kith_node_why *why)
{
    (void)n;
    note(invite->name, invite->network);
    fake.groups[0] = '\0';
    for (size_t i = 0; i < invite->n_groups; i++) {
        size_t used = strlen(fake.groups);
        (void)kith_format(fake.groups + used, sizeof fake.groups - used, "%s ", invite->groups[i]);
    }
    fake.valid = invite->valid;
    fake.uses = invite->uses;
    (void)kith_format(buf, cap, "kith1secretsecretsecret");
    *ret_network = fake.network[0];
    *ret_expires = now.wall + invite->valid;
    return answer(why);
}

int kith_node_join(struct kith_node *n, const char *ticket, const char *name, uint64_t call,
                   struct kith_now now, struct kith_node_why *why)
{
    (void)n, (void)now;
    note(ticket, name);
    fake.call = call;
    return answer(why);
}

static int member_request(const char *member, const char *network, struct kith_member_info *ret,
                          struct kith_node_why *why)
{
    note(member, network);
    *ret = fake.member[1];
    return answer(why);
}

int kith_node_revoke(struct kith_node *n, const char *member, const char *network,
                     struct kith_now now, struct kith_member_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    return member_request(member, network, ret, why);
}

int kith_node_admin_add(struct kith_node *n, const char *member, const char *network,
                        struct kith_now now, struct kith_member_info *ret,
                        struct kith_node_why *why)
{
    (void)n, (void)now;
    return member_request(member, network, ret, why);
}

int kith_node_admin_remove(struct kith_node *n, const char *member, const char *network,
                           struct kith_now now, struct kith_member_info *ret,
                           struct kith_node_why *why)
{
    (void)n, (void)now;
    return member_request(member, network, ret, why);
}

int kith_node_backup(struct kith_node *n, const char *network, struct kith_span passphrase,
                     struct kith_now now, uint8_t *buf, size_t cap, size_t *ret_len,
                     struct kith_network_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now, (void)cap;
    note((const char *)passphrase.p, network);
    memcpy(buf, "foob", 4); /* Zm9vYg== (RFC 4648, section 10) */
    *ret_len = 4;
    *ret = fake.network[0];
    return answer(why);
}

int kith_node_restore(struct kith_node *n, struct kith_span file, struct kith_span passphrase,
                      struct kith_now now, struct kith_network_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    note((const char *)passphrase.p, NULL);
    fake.n_bytes = file.n < sizeof fake.bytes ? file.n : sizeof fake.bytes;
    memcpy(fake.bytes, file.p, fake.n_bytes);
    *ret = fake.network[0];
    return answer(why);
}

int kith_node_ping(struct kith_node *n, const struct kith_peer_id *peer, uint32_t count,
                   kith_dur interval, uint64_t call, struct kith_now now, struct kith_node_why *why)
{
    (void)n, (void)now;
    fake.peer_asked = *peer;
    fake.count = count;
    fake.interval = interval;
    fake.call = call;
    return answer(why);
}

void kith_node_cancel(struct kith_node *n, uint64_t call)
{
    (void)n;
    fake.cancelled = call;
}

int kith_node_service_add(struct kith_node *n, const char *name, const char *about,
                          const char *network, struct kith_now now, struct kith_service_info *ret,
                          struct kith_node_why *why)
{
    (void)n, (void)now;
    note(name, network);
    (void)kith_format(fake.about, sizeof fake.about, "%s", about);
    *ret = fake.service[0];
    return answer(why);
}

int kith_node_service_remove(struct kith_node *n, const char *name, const char *network,
                             struct kith_now now, struct kith_service_info *ret,
                             struct kith_node_why *why)
{
    (void)n, (void)now;
    note(name, network);
    *ret = fake.service[0];
    return answer(why);
}

bool kith_node_next_blocked(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_block_info *ret)
{
    (void)n, (void)now;
    if (*at >= fake.n_blocked)
        return false;
    *ret = fake.blocked[(*at)++];
    return true;
}

int kith_node_block(struct kith_node *n, const char *peer, const char *network, struct kith_now now,
                    struct kith_block_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    note(peer, network);
    *ret = fake.blocked[0];
    return answer(why);
}

int kith_node_unblock(struct kith_node *n, const char *peer, const char *network,
                      struct kith_now now, struct kith_block_info *ret, struct kith_node_why *why)
{
    (void)n, (void)now;
    note(peer, network);
    *ret = fake.blocked[1];
    return answer(why);
}
