#include "sim/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/issuer.h"
#include "store/object.h"
#include "store/query.h"

static const char *const names[HOME_MAX] = {"laptop", "desktop", "phone",  "server",
                                            "tablet", "printer", "camera", "radio"};

void home_wait(struct home *h, kith_dur d)
{
    foes_run(h->all, h->n, h->foes, h->foes[0] != NULL, d);
}

static void join(struct home *h, size_t who)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    struct node_peer_sim *p = &h->node[who];
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    assert_int_equal(kith_node_invite(h->node[0].node, &plain, node_sim_now(&h->node[0]), ticket,
                                      sizeof ticket, &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why), KITH_OK);
    home_wait(h, 2 * KITH_SEC);
    assert_int_equal(p->dones, 1);
    assert_int_equal(p->last_err, KITH_OK);
}

/* From now on all its memory is the lab's. */
static void move_into_lab(struct home *h, struct node_peer_sim *p)
{
    lab_alloc_init(&h->lab);
    kith_node_free(p->node);
    p->node = NULL;
    kith_store_close(p->store);
    p->env.alloc = &h->lab.alloc;
    assert_int_equal(kith_store_open(":memory:", &p->env, &p->store, NULL), KITH_OK);
    node_sim_restart(p);
}

void home_up(struct home *h, uint64_t seed, size_t n)
{
    struct kith_prefix range;
    struct kith_node_why why;
    char addr[40];

    memset(h, 0, sizeof *h);
    h->net = sim_net_new(seed);
    h->n = n;
    for (size_t i = 0; i < n; i++) {
        kith_format(addr, sizeof addr, "192.0.2.%zu:9000", i + 1);
        node_sim_init(&h->node[i], h->net, names[i], addr, (uint8_t)(i + 1));
        h->all[i] = &h->node[i];
    }
    move_into_lab(h, &h->node[0]);
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(h->node[0].node, "home", &range,
                                              node_sim_now(&h->node[0]), &h->info, &why),
                     KITH_OK);
    for (size_t i = 1; i < n; i++)
        join(h, i);
}

void home_down(struct home *h)
{
    if (h->foes[0] != NULL)
        foe_fini(&h->foe);
    for (size_t i = 0; i < h->n; i++)
        node_sim_fini(&h->node[i]);
    sim_net_free(h->net);
}

struct kith_network_info home_info(const struct home *h, size_t who)
{
    const struct node_peer_sim *p = &h->node[who];
    struct kith_network_info info = {.name = ""};
    size_t at = 0;

    assert_true(kith_node_next_network(p->node, &at, node_sim_now(p).wall, &info));
    return info;
}

bool home_reaches(struct home *h, size_t x, size_t y, kith_dur limit)
{
    struct kith_network_info a = home_info(h, x), b = home_info(h, y);
    kith_time end = sim_net_now(h->net) + limit;
    uint64_t before = h->node[y].tun_packets;

    while (sim_net_now(h->net) < end) {
        node_sim_send_udp(&h->node[x], &a.ip4, &b.ip4, 100);
        home_wait(h, 20 * KITH_MSEC);
        if (h->node[y].tun_packets > before)
            return true;
    }
    return false;
}

/* ---- the foe ---- */

size_t home_foe_membership(struct home *h, uint8_t *buf, size_t cap)
{
    const struct kith_peer_id root = kith_network_root(&h->info.id);
    struct kith_membership m = {.network = h->info.id, .slot = 0};
    struct kith_store_object cert = {.kind = 0};
    struct kith_object_key key;
    size_t len;

    assert_int_equal(
        kith_object_key_of(&h->info.id, KITH_OBJECT_member_body, &root, &h->foe.identity.id, &key),
        KITH_OK);
    assert_int_equal(kith_store_object_get(h->node[0].store, h->info.id.b, key.b, &cert), KITH_OK);
    m.cert = cert.bytes;
    assert_int_equal(kith_membership_encode(&m, buf, cap, &len), KITH_OK);
    return len;
}

static bool foe_is_online(const struct home *h, size_t at)
{
    const struct node_peer_sim *p = &h->node[at];
    struct kith_member_info m;
    size_t i = 0;

    while (kith_node_next_member(p->node, &h->info.id, &i, node_sim_now(p).wall, &m))
        if (kith_peer_id_equal(&m.peer, &h->foe.identity.id))
            return m.online;
    return false;
}

void home_foe_greets(struct home *h, size_t to)
{
    uint8_t message[HOME_OBJECT_MAX];
    size_t len = home_foe_membership(h, message, sizeof message);

    foe_dial(&h->foe, &h->node[to]);
    home_wait(h, KITH_SEC);
    home_foe_says(h, to, message, len);
    home_wait(h, 200 * KITH_MSEC);
    assert_true(foe_is_online(h, to));
}

void home_turn_bad(struct home *h, size_t who)
{
    home_wait(h, 3 * KITH_SEC);
    kith_node_free(h->node[who].node);
    h->node[who].node = NULL;
    foe_init_as_node(&h->foe, h->net, "203.0.113.9:9000", (uint8_t)(who + 1));
    h->foes[0] = &h->foe;
    home_foe_greets(h, 0);
}

void home_foe_says(struct home *h, size_t to, const uint8_t *message, size_t n)
{
    int err;

    while ((err = foe_say(&h->foe, &h->node[to], message, n)) == KITH_E_AGAIN)
        home_wait(h, 5 * KITH_MSEC);
    assert_int_equal(err, KITH_OK);
}

void home_foe_pushes(struct home *h, size_t to, const uint8_t *object, size_t n)
{
    uint8_t message[HOME_OBJECT_MAX + 16];
    struct kith_push push = {.object = {object, n}};
    size_t len;

    assert_int_equal(kith_push_encode(&push, message, sizeof message, &len), KITH_OK);
    home_foe_says(h, to, message, len);
}

size_t home_foe_endpoints(const struct home *h, const struct kith_addr *addr, size_t n,
                          uint64_t number, uint8_t *buf)
{
    kith_wall now = node_sim_now(&h->node[0]).wall;
    size_t len;

    assert_int_equal(kith_issue_endpoints(&h->foe.identity, &h->info.id, addr, n, number,
                                          now + 86400, now, buf, HOME_OBJECT_MAX, &len),
                     KITH_OK);
    return len;
}

uint64_t home_endpoints_held(const struct home *h, size_t by, const struct kith_peer_id *about,
                             struct kith_addr *ret, size_t *ret_n)
{
    struct kith_store_object row;
    struct kith_object_key key;
    struct kith_addr_item item;
    struct kith_object o;

    *ret_n = 0;
    assert_int_equal(
        kith_object_key_of(&h->info.id, KITH_OBJECT_endpoints_body, about, about, &key), KITH_OK);
    if (kith_store_object_get(h->node[by].store, h->info.id.b, key.b, &row) < 0)
        return 0;
    assert_int_equal(kith_object_open(row.bytes, &o), KITH_OK);
    struct kith_reader r = kith_reader_on(o.endpoints.addrs.bytes);
    while (*ret_n < 16 && kith_addr_item_next(&r, &item))
        ret[(*ret_n)++] = item.addr;
    return o.env.number;
}

uint64_t home_rows_written(const struct home *h, size_t by)
{
    return (uint64_t)sqlite3_total_changes64(h->node[by].store->db);
}
