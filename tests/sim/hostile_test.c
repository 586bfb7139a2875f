/* A stranger, and a member gone bad, against whole nodes: they learn nothing, nothing grows without
 * bound, and the other members' packets keep flowing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/object.h"
#include "sim/home.h"
#include "store/network.h"
#include "store/object.h"
#include "wire/datagram.h"
#include "wire/enrol.h"
#include "wire/frame.h"
#include "wire/object.h"

enum { N = 3, CROWD = 80 };

static void others_are_well(struct home *w)
{
    assert_true(home_reaches(w, 0, 1, KITH_SEC));
    assert_true(home_reaches(w, 1, 0, KITH_SEC));
}

static void stranger_in(struct home *w)
{
    foe_init(&w->foe, w->net, "203.0.113.9:9000", 42);
    w->foes[0] = &w->foe;
    foe_dial(&w->foe, &w->node[0]);
    home_wait(w, 200 * KITH_MSEC);
    assert_true(foe_is_up(&w->foe, &w->node[0]));
}

/* ---- strangers ---- */

static void a_guest_that_never_says_hello_leaves_nothing(void **state)
{
    struct home w;
    static struct foe crowd[20];
    struct foe *many[20];
    char addr[40];

    (void)state;
    home_up(&w, 1, N);
    home_wait(&w, 5 * KITH_SEC);
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
    assert_true(w.lab.bytes < bytes + 24 * 1024);
    others_are_well(&w);
    for (int i = 0; i < 20; i++)
        foe_fini(many[i]);
    home_down(&w);
}

static void a_guests_fragments_take_no_memory(void **state)
{
    struct home w;
    uint8_t piece[200] = {KITH_WIRE_ip_fragment, 0, 0, 0, 0, 8};

    (void)state;
    home_up(&w, 2, N);
    stranger_in(&w);
    size_t before = w.lab.bytes;
    for (uint8_t i = 0; i < 64; i++) {
        piece[3] = i;
        (void)foe_datagram(&w.foe, &w.node[0], piece, sizeof piece);
        home_wait(&w, KITH_MSEC);
    }
    home_wait(&w, 100 * KITH_MSEC);
    assert_true(w.lab.bytes < before + 16 * 1024);
    assert_true(kith_node_session_counters(w.node[0].node)->bad_datagrams >= 32);
    home_down(&w);
}

static void a_guests_flood_of_datagrams_is_not_looked_at_and_a_members_still_is(void **state)
{
    struct home w;
    uint8_t ping[1000] = {KITH_WIRE_ping};

    (void)state;
    home_up(&w, 3, N);
    stranger_in(&w);
    uint64_t before = kith_node_session_counters(w.node[0].node)->bad_datagrams;
    for (int i = 0; i < 100; i++) {
        (void)foe_datagram(&w.foe, &w.node[0], ping, sizeof ping);
        home_wait(&w, 5 * KITH_MSEC);
    }
    assert_true(kith_node_session_counters(w.node[0].node)->bad_datagrams > before + 60);
    assert_int_equal(w.foe.downs, 0); /* its streams are still heard */
    others_are_well(&w);
    home_down(&w);
}

static void a_guest_learns_nothing_whatever_it_says(void **state)
{
    struct home w;
    uint8_t message[1200] = {0};

    (void)state;
    home_up(&w, 4, N);
    stranger_in(&w);
    for (unsigned type = 2; type < 256; type++) {
        if (!foe_is_up(&w.foe, &w.node[0]))
            home_wait(&w, 3 * KITH_SEC); /* sent away, it comes again */
        message[0] = (uint8_t)type;
        memcpy(message + 1, w.info.id.b, sizeof w.info.id.b); /* it knows the network's number */
        (void)foe_say(&w.foe, &w.node[0], message, 40);
        home_wait(&w, 50 * KITH_MSEC);
    }
    for (unsigned type = 0; type < 256; type++)
        if (type != KITH_WIRE_alive_ack)
            assert_int_equal(w.foe.controls[type], 0);
    assert_int_equal(w.foe.packets, 0);
    others_are_well(&w);
    home_down(&w);
}

static void an_unknown_message_ends_the_connection_and_a_later_versions_does_not(void **state)
{
    struct home w;

    (void)state;
    home_up(&w, 5, N);
    stranger_in(&w);
    assert_int_equal(foe_say(&w.foe, &w.node[0], (const uint8_t[]){0x80, 1, 2}, 3), KITH_OK);
    home_wait(&w, 100 * KITH_MSEC);
    assert_int_equal(w.foe.downs, 0);
    assert_int_equal(foe_say(&w.foe, &w.node[0], (const uint8_t[]){0x7f, 1, 2}, 3), KITH_OK);
    home_wait(&w, 100 * KITH_MSEC);
    assert_int_equal(w.foe.downs, 1);
    assert_int_equal(w.foe.last_end.code, KITH_CLOSE_PROTOCOL);
    home_down(&w);
}

static int forget_if_endpoints(void *ctx, const struct kith_store_object *o)
{
    struct kith_store_object *found = ctx;

    if (o->kind == KITH_OBJECT_endpoints_body)
        memcpy(found->key, o->key, sizeof found->key), found->kind = o->kind;
    return KITH_OK;
}

/* The first node forgets where everybody is. */
static void forget_endpoints(struct home *w)
{
    struct kith_store_object found;

    do {
        found.kind = 0;
        assert_int_equal(
            kith_store_object_list(w->node[0].store, w->info.id.b, forget_if_endpoints, &found),
            KITH_OK);
        if (found.kind != 0)
            assert_int_equal(kith_store_object_remove(w->node[0].store, w->info.id.b, found.key),
                             KITH_OK);
    } while (found.kind != 0);
}

static void a_full_house_of_strangers_keeps_no_member_out(void **state)
{
    struct home w;
    static struct foe crowd[CROWD];
    struct foe *many[CROWD];
    char addr[40];

    (void)state;
    home_up(&w, 6, N);
    /* the desktop is away, and where it will come from nobody knows any more */
    home_wait(&w, 5 * KITH_SEC);
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
        /* not all at once: strangers' handshakes have a quarter of the thread */
        foes_run(w.all, N, many, (size_t)i + 1, 20 * KITH_MSEC);
    }
    foes_run(w.all, N, many, CROWD, 2 * KITH_SEC);
    size_t up = 0;
    for (int i = 0; i < CROWD; i++)
        up += foe_is_up(many[i], &w.node[0]);
    assert_true(up <= KITH_SESSION_GUESTS_MAX);
    assert_true(kith_node_session_counters(w.node[0].node)->guests_refused > 0);
    node_sim_restart(&w.node[1]);
    kith_time end = sim_net_now(w.net) + 3 * KITH_SEC;
    uint64_t before = w.node[0].tun_packets;
    while (sim_net_now(w.net) < end && w.node[0].tun_packets == before) {
        struct kith_network_info a = home_info(&w, 1), b = home_info(&w, 0);
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

static void a_member_that_announces_a_million_things_it_has_not_costs_little(void **state)
{
    static uint8_t items[2000 * 24], message[60000];
    struct kith_digest d = {.entries = {{items, sizeof items}, 2000}};
    struct home w;
    size_t len;

    (void)state;
    home_up(&w, 20, N);
    home_turn_bad(&w, 2);
    d.network = w.info.id;
    size_t before = w.lab.bytes;
    for (int i = 0; i < 500; i++) {
        kith_random_fill(sim_net_random(w.net), items, sizeof items);
        assert_int_equal(kith_digest_encode(&d, message, sizeof message, &len), KITH_OK);
        while (foe_say(&w.foe, &w.node[0], message, len) == KITH_E_AGAIN)
            home_wait(&w, 20 * KITH_MSEC);
    }
    home_wait(&w, KITH_SEC);
    assert_true(w.lab.bytes < before + 1024 * 1024);
    others_are_well(&w);
    home_down(&w);
}

static void a_member_that_floods_every_message_keeps_no_packet_back(void **state)
{
    struct home w;
    uint8_t message[600] = {0};
    size_t sent = 0;

    (void)state;
    home_up(&w, 21, N);
    home_turn_bad(&w, 2);
    size_t before = w.lab.bytes;
    static const uint8_t types[] = {KITH_WIRE_alive, 0x80, 0xff};
    for (int i = 0; i < 100000; i++) {
        message[0] = types[(size_t)i % KITH_COUNT(types)];
        size_t n = message[0] == KITH_WIRE_alive ? 9 : 300;
        int err = foe_say(&w.foe, &w.node[0], message, n);
        if (err == KITH_E_AGAIN)
            home_wait(&w, 10 * KITH_MSEC);
        else if (err < 0)
            break;
        sent += err == KITH_OK;
    }
    assert_true(sent > 90000);
    others_are_well(&w);
    assert_true(w.lab.bytes < before + 3 * 1024 * 1024);
    home_down(&w);
}

static void packets_under_a_wrong_slot_or_a_foreign_source_reach_no_one(void **state)
{
    struct home w;
    uint8_t packet[60] = {KITH_WIRE_ip_packet, 0, 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17};

    (void)state;
    home_up(&w, 22, N);
    struct kith_network_info a = home_info(&w, 0), b = home_info(&w, 1);
    home_turn_bad(&w, 2);
    uint64_t before = w.node[0].tun_packets;
    for (unsigned slot = 0; slot < 256; slot++) {
        packet[1] = (uint8_t)slot;
        memcpy(packet + 2 + 12, b.ip4.b, 4); /* from the desktop, it says */
        memcpy(packet + 2 + 16, a.ip4.b, 4);
        (void)foe_datagram(&w.foe, &w.node[0], packet, 30);
        home_wait(&w, KITH_MSEC);
    }
    home_wait(&w, 100 * KITH_MSEC);
    assert_int_equal(w.node[0].tun_packets, before);
    others_are_well(&w);
    home_down(&w);
}

static void streams_of_no_known_kind_are_reset(void **state)
{
    struct home w;
    struct kith_conn *c = NULL;
    int64_t id;

    (void)state;
    home_up(&w, 23, N);
    home_turn_bad(&w, 2);
    size_t opened = 0;
    for (int i = 0; i < 200; i++) {
        opened += kith_session_open_stream(foe_session(&w.foe, &w.node[0]),
                                           (enum kith_stream_kind)77, &c, &id) == KITH_OK;
        home_wait(&w, 20 * KITH_MSEC);
    }
    assert_true(w.foe.answer_reset);
    assert_true(opened >= 63);
    others_are_well(&w);
    home_down(&w);
}

static void a_member_that_never_reads_is_bounded(void **state)
{
    struct home w;
    uint8_t pull[2 + 32 + 2 + 16 * 48] = {KITH_WIRE_pull};

    (void)state;
    home_up(&w, 24, N);
    home_turn_bad(&w, 2);
    w.foe.deaf = true;
    size_t before = w.lab.bytes;
    struct kith_object_key key;
    assert_int_equal(
        kith_object_key_of(&w.info.id, KITH_OBJECT_member_body, NULL, &w.foe.identity.id, &key),
        KITH_OK);
    memcpy(pull + 1, w.info.id.b, 32);
    pull[34] = 48;
    for (int i = 0; i < 48; i++)
        memcpy(pull + 35 + 16 * i, key.b, 16);
    for (int i = 0; i < 300; i++) {
        (void)foe_say(&w.foe, &w.node[0], pull, 35 + 48 * 16);
        home_wait(&w, 5 * KITH_MSEC);
    }
    assert_true(w.lab.bytes < before + 1024 * 1024);
    others_are_well(&w);
    home_down(&w);
}

static void a_member_that_starts_anew_all_the_time_disturbs_nobody(void **state)
{
    struct home w;

    (void)state;
    home_up(&w, 25, N);
    home_turn_bad(&w, 2);
    size_t before = w.lab.bytes;
    for (int i = 0; i < 50; i++) {
        foe_restart(&w.foe);
        foe_dial(&w.foe, &w.node[0]);
        home_wait(&w, 100 * KITH_MSEC);
    }
    assert_true(w.lab.bytes < before + 3 * 1024 * 1024);
    others_are_well(&w);
    home_wait(&w, 30 * KITH_SEC);
    assert_true(w.lab.bytes < before + 256 * 1024);
    home_down(&w);
}

/* ---- rest ---- */

/* Ticks of a node within so much virtual time. */
static size_t ticks_within(struct home *w, int who, kith_dur d)
{
    kith_time end = sim_net_now(w->net) + d;
    size_t ticks = 0;

    while (sim_net_now(w->net) < end) {
        kith_time at = kith_node_deadline(w->node[who].node), now = sim_net_now(w->net);
        ticks += at <= now;
        kith_time next = at > now + KITH_MSEC ? at : now + KITH_MSEC;
        home_wait(w, (next < end ? next : end) - now);
    }
    return ticks;
}

static void a_node_at_rest_or_in_trouble_does_not_spin(void **state)
{
    struct home w;

    (void)state;
    home_up(&w, 30, N);
    home_wait(&w, 60 * KITH_SEC);
    assert_true(ticks_within(&w, 0, 60 * KITH_SEC) < 60 * 5);
    sim_host_power(w.node[1].host, false);
    assert_true(ticks_within(&w, 0, 60 * KITH_SEC) < 60 * 40);
    sim_host_power(w.node[2].host, false);
    assert_true(ticks_within(&w, 0, 120 * KITH_SEC) < 120 * 60);
    for (int i = 0; i < N; i++)
        w.node[i].wall_offset += 40 * 86400; /* everybody's certificate is over */
    assert_true(ticks_within(&w, 0, 120 * KITH_SEC) < 120 * 60);
    home_down(&w);
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
