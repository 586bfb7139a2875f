#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

const char *const world_name[WORLD_N] = {"laptop", "desktop", "phone"};
const char *const world_addr[WORLD_N] = {"192.0.2.1:9000", "192.0.2.2:9000", "198.51.100.3:9000"};

void world_up(struct world *w, uint64_t seed)
{
    w->net = sim_net_new(seed);
    for (uint8_t i = 0; i < WORLD_N; i++) {
        node_sim_init(&w->node[i], w->net, world_name[i], world_addr[i], (uint8_t)(i + 1));
        w->all[i] = &w->node[i];
    }
}

void world_down(struct world *w)
{
    for (int i = 0; i < WORLD_N; i++)
        node_sim_fini(&w->node[i]);
    sim_net_free(w->net);
}

bool world_run(struct world *w, bool (*pred)(void *), kith_dur limit)
{
    return node_sims_run(w->all, WORLD_N, pred, w, limit);
}

void world_wait(struct world *w, kith_dur d)
{
    assert_false(world_run(w, NULL, d));
}

void world_create(struct world *w)
{
    struct kith_prefix range;
    struct kith_node_why why;

    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(w->node[0].node, "home", &range,
                                              node_sim_now(&w->node[0]), &w->home, &why),
                     KITH_OK);
}

int world_invite(struct world *w, int by, const struct kith_invite *i, char *ticket)
{
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    return kith_node_invite(w->node[by].node, i, node_sim_now(&w->node[by]), ticket,
                            KITH_TICKET_TEXT_MAX, &net, &expires, &why);
}

const struct kith_invite world_plain = {.valid = 86400, .uses = 1};

/* Node `who` joins with the ticket; the error it ends with. */
int world_join(struct world *w, int who, const char *ticket)
{
    struct node_peer_sim *p = &w->node[who];
    size_t before = p->dones;
    kith_time end = sim_net_now(w->net) + 40 * KITH_SEC;
    int err = kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &p->last_why);

    if (err < 0)
        return err;
    while (p->dones == before && sim_net_now(w->net) < end)
        world_wait(w, 10 * KITH_MSEC);
    assert_int_equal(p->dones, before + 1);
    return p->last_err;
}

void world_enrol(struct world *w, int by, int who)
{
    char ticket[KITH_TICKET_TEXT_MAX];

    assert_int_equal(world_invite(w, by, &world_plain, ticket), KITH_OK);
    assert_int_equal(world_join(w, who, ticket), KITH_OK);
}

void world_three(struct world *w, uint64_t seed)
{
    world_up(w, seed);
    world_create(w);
    world_enrol(w, 0, 1);
    world_enrol(w, 0, 2);
}

struct kith_network_info world_info(struct world *w, int who)
{
    struct kith_network_info info = {.name = ""};
    size_t at = 0;

    assert_true(
        kith_node_next_network(w->node[who].node, &at, node_sim_now(&w->node[who]).wall, &info));
    return info;
}

/* Whether a packet from x's TUN comes out of y's within `limit`. */
bool world_reaches(struct world *w, int x, int y, bool six, kith_dur limit)
{
    struct kith_network_info a = world_info(w, x), b = world_info(w, y);
    kith_time end = sim_net_now(w->net) + limit;
    uint64_t before = w->node[y].tun_packets;

    while (sim_net_now(w->net) < end) {
        node_sim_send_udp(&w->node[x], six ? &a.ip6 : &a.ip4, six ? &b.ip6 : &b.ip4, 100);
        world_wait(w, 50 * KITH_MSEC);
        if (w->node[y].tun_packets > before)
            return true;
    }
    return false;
}

void world_members(struct world *w, int who, size_t expected)
{
    assert_int_equal(world_info(w, who).members, expected);
}

struct kith_member_info world_member(struct world *w, int asked, const char *name)
{
    struct kith_member_info m = {.name = ""};
    struct kith_node_why why;

    assert_int_equal(kith_node_find_member(w->node[asked].node, name, NULL,
                                           node_sim_now(&w->node[asked]).wall, &m, &why),
                     KITH_OK);
    return m;
}

size_t world_networks(struct world *w, int who)
{
    struct kith_network_info info;
    size_t at = 0, n = 0;

    while (kith_node_next_network(w->node[who].node, &at, 0, &info))
        n++;
    return n;
}

void world_appoint(struct world *w, int by, const char *name)
{
    struct kith_member_info m;
    struct kith_node_why why;

    assert_int_equal(
        kith_node_admin_add(w->node[by].node, name, NULL, node_sim_now(&w->node[by]), &m, &why),
        KITH_OK);
}

void world_dismiss(struct world *w, int by, const char *name)
{
    struct kith_member_info m;
    struct kith_node_why why;

    assert_int_equal(
        kith_node_admin_remove(w->node[by].node, name, NULL, node_sim_now(&w->node[by]), &m, &why),
        KITH_OK);
}

size_t world_leave(struct world *w, int who)
{
    struct kith_node_why why;
    size_t told = SIZE_MAX;

    assert_int_equal(kith_node_network_leave(w->node[who].node, "home", node_sim_now(&w->node[who]),
                                             &told, &why),
                     KITH_OK);
    return told;
}
