/* A stranger, and a member gone bad, against whole nodes: they learn nothing, nothing grows without
 * bound, and the other members' packets keep flowing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/object.h"
#include "lab_alloc.h"
#include "sim/foe.h"
#include "store/network.h"
#include "store/object.h"
#include "wire/datagram.h"
#include "wire/enrol.h"
#include "wire/frame.h"
#include "wire/object.h"

enum { N = 3, CROWD = 80 };

struct world {
    struct sim_net *net;
    struct node_peer_sim node[N];
    struct node_peer_sim *all[N];
    struct kith_network_info home;
    struct lab_alloc lab; /* of node 0, the victim */
    struct foe foe;
    struct foe *foes[1];
};

static const char *const names[N] = {"laptop", "desktop", "phone"};
static const char *const addrs[N] = {"192.0.2.1:9000", "192.0.2.2:9000", "198.51.100.3:9000"};

static void wait_for(struct world *w, kith_dur d)
{
    foes_run(w->all, N, w->foes, w->foes[0] != NULL, d);
}

static void join(struct world *w, int who)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;
    struct node_peer_sim *p = &w->node[who];

    assert_int_equal(kith_node_invite(w->node[0].node, &plain, node_sim_now(&w->node[0]), ticket,
                                      sizeof ticket, &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why), KITH_OK);
    wait_for(w, 2 * KITH_SEC);
    assert_int_equal(p->last_err, KITH_OK);
}

/* Three members; the first, which holds the root key, allocates through the lab. */
static void world_up(struct world *w, uint64_t seed)
{
    struct kith_prefix range;
    struct kith_node_why why;

    memset(w, 0, sizeof *w);
    w->net = sim_net_new(seed);
    for (uint8_t i = 0; i < N; i++) {
        node_sim_init(&w->node[i], w->net, names[i], addrs[i], (uint8_t)(i + 1));
        w->all[i] = &w->node[i];
    }
    lab_alloc_init(&w->lab);
    kith_node_free(w->node[0].node);
    w->node[0].node = NULL;
    kith_store_close(w->node[0].store);
    w->node[0].env.alloc = &w->lab.alloc;
    assert_int_equal(kith_store_open(":memory:", &w->node[0].env, &w->node[0].store, NULL),
                     KITH_OK);
    node_sim_restart(&w->node[0]);
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(w->node[0].node, "home", &range,
                                              node_sim_now(&w->node[0]), &w->home, &why),
                     KITH_OK);
    join(w, 1);
    join(w, 2);
}

static void world_down(struct world *w)
{
    if (w->foes[0] != NULL)
        foe_fini(&w->foe);
    for (int i = 0; i < N; i++)
        node_sim_fini(&w->node[i]);
    sim_net_free(w->net);
}

static struct kith_network_info info_of(struct world *w, int who)
{
    struct kith_network_info info = {.name = ""};
    size_t at = 0;

    assert_true(
        kith_node_next_network(w->node[who].node, &at, node_sim_now(&w->node[who]).wall, &info));
    return info;
}

static bool reaches(struct world *w, int x, int y, kith_dur limit)
{
    struct kith_network_info a = info_of(w, x), b = info_of(w, y);
    kith_time end = sim_net_now(w->net) + limit;
    uint64_t before = w->node[y].tun_packets;

    while (sim_net_now(w->net) < end) {
        node_sim_send_udp(&w->node[x], &a.ip4, &b.ip4, 100);
        wait_for(w, 20 * KITH_MSEC);
        if (w->node[y].tun_packets > before)
            return true;
    }
    return false;
}

static void others_are_well(struct world *w)
{
    assert_true(reaches(w, 0, 1, KITH_SEC));
    assert_true(reaches(w, 1, 0, KITH_SEC));
}

static void stranger_in(struct world *w)
{
    foe_init(&w->foe, w->net, "203.0.113.9:9000", 42);
    w->foes[0] = &w->foe;
    foe_dial(&w->foe, &w->node[0]);
    wait_for(w, 200 * KITH_MSEC);
    assert_true(foe_is_up(&w->foe, &w->node[0]));
}

/* ---- strangers ---- */

static void a_guest_that_never_says_hello_leaves_nothing(void **state)
{
    struct world w;
    static struct foe crowd[20];
    struct foe *many[20];
    char addr[40];

    (void)state;
    world_up(&w, 1);
    wait_for(&w, 5 * KITH_SEC);
    size_t bytes = w.lab.bytes;
    for (int i = 0; i < 20; i++) {
        kith_format(addr, sizeof addr, "203.0.%d.1:9000", i);
        foe_init(&crowd[i], w.net, addr, (uint8_t)(100 + i));
        crowd[i].deaf = true; /* not even of its own connection's being there */
        many[i] = &crowd[i];
        foe_dial(many[i], &w.node[0]);
    }
    foes_run(w.all, N, many, 20, 3 * KITH_SEC);
    assert_true(w.lab.bytes > bytes + 200 * 1024);
    for (int i = 0; i < 20; i++)
        sim_host_power(crowd[i].host, false);
    foes_run(w.all, N, many, 20, 60 * KITH_SEC);
    size_t sessions = 0;
    struct kith_peer_info info;
    for (struct kith_session *at = NULL; kith_node_next_peer(w.node[0].node, &at, 0, &info);)
        sessions++;
    assert_int_equal(sessions, 2);
    assert_true(w.lab.bytes < bytes + 20 * 1024);
    others_are_well(&w);
    for (int i = 0; i < 20; i++)
        foe_fini(many[i]);
    world_down(&w);
}

static void a_guests_fragments_take_no_memory(void **state)
{
    struct world w;
    uint8_t piece[200] = {KITH_WIRE_ip_fragment, 0, 0, 0, 0, 8};

    (void)state;
    world_up(&w, 2);
    stranger_in(&w);
    size_t before = w.lab.bytes;
    for (uint8_t i = 0; i < 64; i++) {
        piece[3] = i;
        (void)foe_datagram(&w.foe, &w.node[0], piece, sizeof piece);
        wait_for(&w, KITH_MSEC);
    }
    wait_for(&w, 100 * KITH_MSEC);
    assert_true(w.lab.bytes < before + 16 * 1024);
    assert_true(kith_node_session_counters(w.node[0].node)->bad_datagrams >= 32);
    world_down(&w);
}

static void a_guests_flood_of_datagrams_is_not_looked_at_and_a_members_still_is(void **state)
{
    struct world w;
    uint8_t ping[1000] = {KITH_WIRE_ping};

    (void)state;
    world_up(&w, 3);
    stranger_in(&w);
    uint64_t before = kith_node_session_counters(w.node[0].node)->bad_datagrams;
    for (int i = 0; i < 100; i++) {
        (void)foe_datagram(&w.foe, &w.node[0], ping, sizeof ping);
        wait_for(&w, 5 * KITH_MSEC);
    }
    assert_true(kith_node_session_counters(w.node[0].node)->bad_datagrams > before + 60);
    assert_int_equal(w.foe.downs, 0); /* its streams are still heard */
    others_are_well(&w);
    world_down(&w);
}

static void a_guest_learns_nothing_whatever_it_says(void **state)
{
    struct world w;
    uint8_t message[1200] = {0};

    (void)state;
    world_up(&w, 4);
    stranger_in(&w);
    for (unsigned type = 2; type < 256; type++) {
        if (!foe_is_up(&w.foe, &w.node[0]))
            wait_for(&w, 3 * KITH_SEC); /* sent away, it comes again */
        message[0] = (uint8_t)type;
        memcpy(message + 1, w.home.id.b, sizeof w.home.id.b); /* it knows the network's number */
        (void)foe_say(&w.foe, &w.node[0], message, 40);
        wait_for(&w, 50 * KITH_MSEC);
    }
    for (unsigned type = 0; type < 256; type++)
        if (type != KITH_WIRE_alive_ack)
            assert_int_equal(w.foe.controls[type], 0);
    assert_int_equal(w.foe.packets, 0);
    others_are_well(&w);
    world_down(&w);
}

static void an_unknown_message_ends_the_connection_and_a_later_versions_does_not(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 5);
    stranger_in(&w);
    assert_int_equal(foe_say(&w.foe, &w.node[0], (const uint8_t[]){0x80, 1, 2}, 3), KITH_OK);
    wait_for(&w, 100 * KITH_MSEC);
    assert_int_equal(w.foe.downs, 0);
    assert_int_equal(foe_say(&w.foe, &w.node[0], (const uint8_t[]){0x7f, 1, 2}, 3), KITH_OK);
    wait_for(&w, 100 * KITH_MSEC);
    assert_int_equal(w.foe.downs, 1);
    assert_int_equal(w.foe.last_end.code, KITH_CLOSE_PROTOCOL);
    world_down(&w);
}

static int forget_if_endpoints(void *ctx, const struct kith_store_object *o)
{
    struct kith_store_object *found = ctx;

    if (o->kind == KITH_OBJECT_endpoints_body)
        memcpy(found->key, o->key, sizeof found->key), found->kind = o->kind;
    return KITH_OK;
}

/* The first node forgets where everybody is. */
static void forget_endpoints(struct world *w)
{
    struct kith_store_object found;

    do {
        found.kind = 0;
        assert_int_equal(
            kith_store_object_list(w->node[0].store, w->home.id.b, forget_if_endpoints, &found),
            KITH_OK);
        if (found.kind != 0)
            assert_int_equal(kith_store_object_remove(w->node[0].store, w->home.id.b, found.key),
                             KITH_OK);
    } while (found.kind != 0);
}

static void a_full_house_of_strangers_keeps_no_member_out(void **state)
{
    struct world w;
    static struct foe crowd[CROWD];
    struct foe *many[CROWD];
    char addr[40];

    (void)state;
    world_up(&w, 6);
    /* the desktop is away, and where it will come from nobody knows any more */
    wait_for(&w, 5 * KITH_SEC);
    kith_node_free(w.node[1].node);
    w.node[1].node = NULL;
    forget_endpoints(&w);
    sim_host_power(w.node[2].host, false);
    node_sim_restart(&w.node[0]);
    for (int i = 0; i < CROWD; i++) {
        kith_format(addr, sizeof addr, "203.0.%d.1:9000", i);
        foe_init(&crowd[i], w.net, addr, (uint8_t)(100 + i));
        many[i] = &crowd[i];
        foe_dial(many[i], &w.node[0]);
    }
    foes_run(w.all, N, many, CROWD, 3 * KITH_SEC);
    size_t up = 0;
    for (int i = 0; i < CROWD; i++)
        up += foe_is_up(many[i], &w.node[0]);
    assert_true(up <= KITH_SESSION_GUESTS_MAX);
    assert_true(kith_node_session_counters(w.node[0].node)->guests_refused > 0);
    node_sim_restart(&w.node[1]);
    kith_time end = sim_net_now(w.net) + 3 * KITH_SEC;
    uint64_t before = w.node[0].tun_packets;
    while (sim_net_now(w.net) < end && w.node[0].tun_packets == before) {
        struct kith_network_info a = info_of(&w, 1), b = info_of(&w, 0);
        node_sim_send_udp(&w.node[1], &a.ip4, &b.ip4, 100);
        foes_run(w.all, N, many, CROWD, 50 * KITH_MSEC);
    }
    assert_true(w.node[0].tun_packets > before);
    for (int i = 0; i < CROWD; i++)
        foe_fini(&crowd[i]);
    for (int i = 0; i < N; i++)
        node_sim_fini(&w.node[i]);
    sim_net_free(w.net);
}

/* ---- a member gone bad ---- */

/* The phone's key falls into the wrong hands; its membership is shown. */
static void phone_turns_bad(struct world *w)
{
    static uint8_t message[16000];
    struct kith_membership m = {.network = w->home.id, .slot = 0};
    struct kith_member_info member;
    struct kith_node_why why;
    struct kith_store_object cert = {.kind = 0};
    size_t len;

    wait_for(w, 3 * KITH_SEC);
    kith_node_free(w->node[2].node);
    w->node[2].node = NULL;
    foe_init_as_node(&w->foe, w->net, "203.0.113.9:9000", 3);
    w->foes[0] = &w->foe;
    foe_dial(&w->foe, &w->node[0]);
    wait_for(w, KITH_SEC);
    assert_true(foe_is_up(&w->foe, &w->node[0]));
    struct kith_object_key key;
    const struct kith_peer_id root = kith_network_root(&w->home.id);
    assert_int_equal(
        kith_object_key_of(&w->home.id, KITH_OBJECT_member_body, &root, &w->foe.identity.id, &key),
        KITH_OK);
    assert_int_equal(kith_store_object_get(w->node[2].store, w->home.id.b, key.b, &cert), KITH_OK);
    m.cert = cert.bytes;
    assert_int_equal(kith_membership_encode(&m, message, sizeof message, &len), KITH_OK);
    assert_int_equal(foe_say(&w->foe, &w->node[0], message, len), KITH_OK);
    wait_for(w, 200 * KITH_MSEC);
    assert_int_equal(kith_node_find_member(w->node[0].node, "phone", NULL,
                                           node_sim_now(&w->node[0]).wall, &member, &why),
                     KITH_OK);
    assert_true(member.online);
}

static void a_member_that_announces_a_million_things_it_has_not_costs_little(void **state)
{
    static uint8_t items[2000 * 24], message[60000];
    struct kith_digest d = {.entries = {{items, sizeof items}, 2000}};
    struct world w;
    size_t len;

    (void)state;
    world_up(&w, 20);
    phone_turns_bad(&w);
    d.network = w.home.id;
    size_t before = w.lab.bytes;
    for (int i = 0; i < 500; i++) {
        kith_random_fill(sim_net_random(w.net), items, sizeof items);
        assert_int_equal(kith_digest_encode(&d, message, sizeof message, &len), KITH_OK);
        while (foe_say(&w.foe, &w.node[0], message, len) == KITH_E_AGAIN)
            wait_for(&w, 20 * KITH_MSEC);
    }
    wait_for(&w, KITH_SEC);
    assert_true(w.lab.bytes < before + 1024 * 1024);
    others_are_well(&w);
    world_down(&w);
}

static void a_member_that_floods_every_message_keeps_no_packet_back(void **state)
{
    struct world w;
    uint8_t message[600] = {0};
    size_t sent = 0;

    (void)state;
    world_up(&w, 21);
    phone_turns_bad(&w);
    size_t before = w.lab.bytes;
    static const uint8_t types[] = {KITH_WIRE_alive, 0x80, 0xff};
    for (int i = 0; i < 100000; i++) {
        message[0] = types[(size_t)i % KITH_COUNT(types)];
        size_t n = message[0] == KITH_WIRE_alive ? 9 : 300;
        int err = foe_say(&w.foe, &w.node[0], message, n);
        if (err == KITH_E_AGAIN)
            wait_for(&w, 10 * KITH_MSEC);
        else if (err < 0)
            break;
        sent += err == KITH_OK;
    }
    assert_true(sent > 90000);
    others_are_well(&w);
    assert_true(w.lab.bytes < before + 3 * 1024 * 1024);
    world_down(&w);
}

static void packets_under_a_wrong_slot_or_a_foreign_source_reach_no_one(void **state)
{
    struct world w;
    uint8_t packet[60] = {KITH_WIRE_ip_packet, 0, 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17};

    (void)state;
    world_up(&w, 22);
    struct kith_network_info a = info_of(&w, 0), b = info_of(&w, 1);
    phone_turns_bad(&w);
    uint64_t before = w.node[0].tun_packets;
    for (unsigned slot = 0; slot < 256; slot++) {
        packet[1] = (uint8_t)slot;
        memcpy(packet + 2 + 12, b.ip4.b, 4); /* from the desktop, it says */
        memcpy(packet + 2 + 16, a.ip4.b, 4);
        (void)foe_datagram(&w.foe, &w.node[0], packet, 30);
        wait_for(&w, KITH_MSEC);
    }
    wait_for(&w, 100 * KITH_MSEC);
    assert_int_equal(w.node[0].tun_packets, before);
    others_are_well(&w);
    world_down(&w);
}

static void streams_of_no_known_kind_are_reset(void **state)
{
    struct world w;
    struct kith_conn *c = NULL;
    int64_t id;

    (void)state;
    world_up(&w, 23);
    phone_turns_bad(&w);
    size_t opened = 0;
    for (int i = 0; i < 200; i++) {
        opened += kith_session_open_stream(foe_session(&w.foe, &w.node[0]),
                                           (enum kith_stream_kind)77, &c, &id) == KITH_OK;
        wait_for(&w, 20 * KITH_MSEC);
    }
    assert_true(w.foe.answer_reset);
    assert_true(opened >= 63);
    others_are_well(&w);
    world_down(&w);
}

static void a_member_that_never_reads_is_bounded(void **state)
{
    struct world w;
    uint8_t pull[2 + 32 + 2 + 16 * 48] = {KITH_WIRE_pull};

    (void)state;
    world_up(&w, 24);
    phone_turns_bad(&w);
    w.foe.deaf = true;
    size_t before = w.lab.bytes;
    struct kith_object_key key;
    assert_int_equal(
        kith_object_key_of(&w.home.id, KITH_OBJECT_member_body, NULL, &w.foe.identity.id, &key),
        KITH_OK);
    memcpy(pull + 1, w.home.id.b, 32);
    pull[34] = 48;
    for (int i = 0; i < 48; i++)
        memcpy(pull + 35 + 16 * i, key.b, 16);
    for (int i = 0; i < 300; i++) {
        (void)foe_say(&w.foe, &w.node[0], pull, 35 + 48 * 16);
        wait_for(&w, 5 * KITH_MSEC);
    }
    assert_true(w.lab.bytes < before + 1024 * 1024);
    others_are_well(&w);
    world_down(&w);
}

static void a_member_that_starts_anew_all_the_time_disturbs_nobody(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 25);
    phone_turns_bad(&w);
    size_t before = w.lab.bytes;
    for (int i = 0; i < 50; i++) {
        foe_restart(&w.foe);
        foe_dial(&w.foe, &w.node[0]);
        wait_for(&w, 100 * KITH_MSEC);
    }
    assert_true(w.lab.bytes < before + 3 * 1024 * 1024);
    others_are_well(&w);
    wait_for(&w, 30 * KITH_SEC);
    assert_true(w.lab.bytes < before + 256 * 1024);
    world_down(&w);
}

/* ---- rest ---- */

/* Ticks of a node within so much virtual time. */
static size_t ticks_within(struct world *w, int who, kith_dur d)
{
    kith_time end = sim_net_now(w->net) + d;
    size_t ticks = 0;

    while (sim_net_now(w->net) < end) {
        kith_time at = kith_node_deadline(w->node[who].node), now = sim_net_now(w->net);
        ticks += at <= now;
        kith_time next = at > now + KITH_MSEC ? at : now + KITH_MSEC;
        wait_for(w, (next < end ? next : end) - now);
    }
    return ticks;
}

static void a_node_at_rest_or_in_trouble_does_not_spin(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 30);
    wait_for(&w, 60 * KITH_SEC);
    assert_true(ticks_within(&w, 0, 60 * KITH_SEC) < 60 * 5);
    sim_host_power(w.node[1].host, false);
    assert_true(ticks_within(&w, 0, 60 * KITH_SEC) < 60 * 40);
    sim_host_power(w.node[2].host, false);
    assert_true(ticks_within(&w, 0, 120 * KITH_SEC) < 120 * 60);
    for (int i = 0; i < N; i++)
        w.node[i].wall_offset += 40 * 86400; /* everybody's certificate is over */
    assert_true(ticks_within(&w, 0, 120 * KITH_SEC) < 120 * 60);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_never_says_hello_leaves_nothing),
        cmocka_unit_test(a_guests_fragments_take_no_memory),
        cmocka_unit_test(a_guests_flood_of_datagrams_is_not_looked_at_and_a_members_still_is),
        cmocka_unit_test(a_guest_learns_nothing_whatever_it_says),
        cmocka_unit_test(an_unknown_message_ends_the_connection_and_a_later_versions_does_not),
        cmocka_unit_test(a_full_house_of_strangers_keeps_no_member_out),
        cmocka_unit_test(a_member_that_announces_a_million_things_it_has_not_costs_little),
        cmocka_unit_test(a_member_that_floods_every_message_keeps_no_packet_back),
        cmocka_unit_test(packets_under_a_wrong_slot_or_a_foreign_source_reach_no_one),
        cmocka_unit_test(streams_of_no_known_kind_are_reset),
        cmocka_unit_test(a_member_that_never_reads_is_bounded),
        cmocka_unit_test(a_member_that_starts_anew_all_the_time_disturbs_nobody),
        cmocka_unit_test(a_node_at_rest_or_in_trouble_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
