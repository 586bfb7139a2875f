/* Whoever offers or shows anything but ML-KEM-768 and ML-DSA-65 is refused, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "sim/quic_foe.h"

struct scene {
    struct sim_net *net;
    struct conn_peer us;
    struct foe foe;
    struct lab_alloc heap;
    size_t blocks; /* alive before anybody called */
};

static void set_scene(struct scene *s, uint64_t seed)
{
    lab_alloc_init(&s->heap);
    s->net = sim_net_new(seed);
    conn_peer_init_with(&s->us, s->net, "192.0.2.1:9000", 1, NULL, &s->heap.alloc);
    s->blocks = s->heap.live;
}

static void clear_scene(struct scene *s)
{
    conn_peer_fini(&s->us);
    foe_fini(&s->foe);
    sim_net_free(s->net);
    assert_int_equal(s->heap.live, 0);
}

static unsigned refusals(const struct conn_peer *p)
{
    return p->seen[KITH_EV_refused_group] + p->seen[KITH_EV_refused_sigalg] +
           p->seen[KITH_EV_refused_no_key] + p->seen[KITH_EV_refused_alpn] +
           p->seen[KITH_EV_refused_peer] + p->seen[KITH_EV_refused_handshake];
}

/* Nobody got in, one event says why, and nothing is left of it. */
static void assert_refused(struct scene *s, enum kith_event_kind why)
{
    if (s->us.seen[why] != 1 || refusals(&s->us) != 1)
        print_error("expected one %s; group %u sigalg %u no_key %u alpn %u peer %u handshake %u\n",
                    kith_event_info(why)->name, s->us.seen[KITH_EV_refused_group],
                    s->us.seen[KITH_EV_refused_sigalg], s->us.seen[KITH_EV_refused_no_key],
                    s->us.seen[KITH_EV_refused_alpn], s->us.seen[KITH_EV_refused_peer],
                    s->us.seen[KITH_EV_refused_handshake]);
    assert_int_equal(s->us.seen[why], 1);
    assert_int_equal(refusals(&s->us), 1);
    assert_int_equal(s->us.n_established, 0);
    assert_int_equal(s->us.stream_bytes, 0);
    assert_int_equal(s->us.datagrams, 0);
    assert_int_equal(kith_quic_connections(s->us.quic), 0);
    assert_false(s->foe.confirmed);
}

static void client_is_refused(const struct foe_habits *habits, enum kith_event_kind why)
{
    struct scene s;
    struct foe_habits h = *habits;

    h.eager = true;
    set_scene(&s, 1);
    foe_dial(&s.foe, s.net, "192.0.2.66:666", sim_host_addr(s.us.host), &h);
    foe_run(&s.foe, &s.us, 60 * KITH_SEC);
    assert_refused(&s, why);
    assert_true(s.foe.over);
    clear_scene(&s);
}

static void a_client_with_the_right_habits_is_let_in(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s, 1);
    foe_dial(&s.foe, s.net, "192.0.2.66:666", sim_host_addr(s.us.host),
             &(struct foe_habits){.key = "ML-DSA-65", .alpn = "kith/1", .eager = true});
    foe_run(&s.foe, &s.us, 5 * KITH_SEC);
    assert_int_equal(s.us.n_established, 1);
    assert_int_equal(refusals(&s.us), 0);
    assert_true(s.foe.confirmed);
    assert_int_equal(s.us.stream_bytes, 15);
    assert_int_equal(s.us.datagrams, 1);
    clear_scene(&s);
}

static void a_classical_client_is_refused_for_its_group(void **state)
{
    (void)state;
    client_is_refused(
        &(struct foe_habits){.groups = "X25519", .key = "ML-DSA-65", .alpn = "kith/1"},
        KITH_EV_refused_group);
}

static void a_hybrid_client_is_refused_for_its_group(void **state)
{
    (void)state;
    client_is_refused(
        &(struct foe_habits){.groups = "X25519MLKEM768", .key = "ML-DSA-65", .alpn = "kith/1"},
        KITH_EV_refused_group);
}

static void a_client_that_offers_a_second_group_is_refused(void **state)
{
    static const char *const groups[] = {
        "MLKEM768:X25519",    "X25519:MLKEM768", "MLKEM768:X25519MLKEM768",
        "MLKEM768:MLKEM1024", "MLKEM1024",       "MLKEM512"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(groups); i++)
        client_is_refused(
            &(struct foe_habits){.groups = groups[i], .key = "ML-DSA-65", .alpn = "kith/1"},
            KITH_EV_refused_group);
}

static void a_client_with_other_signature_schemes_is_refused(void **state)
{
    static const char *const schemes[] = {"ed25519", "mldsa44", "mldsa87", "mldsa65:ed25519",
                                          "mldsa44:mldsa65"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(schemes); i++)
        client_is_refused(
            &(struct foe_habits){.sigalgs = schemes[i], .key = "ML-DSA-65", .alpn = "kith/1"},
            KITH_EV_refused_sigalg);
}

static void a_client_that_shows_no_key_is_refused(void **state)
{
    (void)state;
    client_is_refused(&(struct foe_habits){.alpn = "kith/1"}, KITH_EV_refused_no_key);
}

static void a_client_that_has_only_another_key_shows_none_and_is_refused(void **state)
{
    (void)state;
    client_is_refused(&(struct foe_habits){.key = "ED25519", .alpn = "kith/1"},
                      KITH_EV_refused_no_key);
}

/* signature_algorithms of a CertificateRequest (RFC 8446 4.2.3) with the one scheme 0x0905 */
static const uint8_t asks_mldsa65[] = {0, 13, 0, 4, 0, 2, 0x09, 0x05};
static const uint8_t asks_mldsa44[] = {0, 13, 0, 4, 0, 2, 0x09, 0x04};
static const uint8_t asks_ed25519[] = {0, 13, 0, 4, 0, 2, 0x08, 0x07};

static void a_client_that_shows_another_key_unasked_is_refused(void **state)
{
    struct foe_habits h = {.alpn = "kith/1", .find = asks_mldsa65, .find_len = 8};

    (void)state;
    h.key = "ED25519";
    h.replace = asks_ed25519;
    client_is_refused(&h, KITH_EV_refused_sigalg);
    h.key = "ML-DSA-44";
    h.replace = asks_mldsa44;
    client_is_refused(&h, KITH_EV_refused_sigalg);
}

static void a_client_of_another_protocol_is_refused(void **state)
{
    static const char *const names[] = {"h3", "kith/2", "kith/", "kith/11", NULL};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(names); i++)
        client_is_refused(&(struct foe_habits){.key = "ML-DSA-65", .alpn = names[i]},
                          KITH_EV_refused_alpn);
}

/* ---- the other way: our dialling side against a server of each kind ---- */

static void server_is_refused(const struct foe_habits *habits, enum kith_event_kind why,
                              enum kith_refusal refusal)
{
    struct scene s;
    struct kith_conn *c;
    struct foe_habits h = *habits;
    struct kith_peer_id id;

    h.eager = true;
    set_scene(&s, 2);
    foe_listen(&s.foe, s.net, "192.0.2.66:666", &h);
    foe_id(&s.foe, &id);
    id.b[0] ^= why == KITH_EV_refused_peer;
    struct kith_path path = {.local = *sim_host_addr(s.us.host),
                             .remote = *sim_host_addr(s.foe.host)};
    assert_int_equal(kith_quic_dial(s.us.quic, &path, &id, NULL, sim_net_now(s.net), &c), KITH_OK);
    foe_run(&s.foe, &s.us, 60 * KITH_SEC);
    assert_int_equal(s.us.n_closed, 1);
    assert_int_equal(s.us.last_end.kind, KITH_END_REFUSED);
    assert_int_equal(s.us.last_end.refusal, refusal);
    assert_refused(&s, why);
    clear_scene(&s);
}

static void a_server_without_our_group_is_given_up(void **state)
{
    (void)state;
    server_is_refused(
        &(struct foe_habits){.groups = "X25519", .key = "ML-DSA-65", .alpn = "kith/1"},
        KITH_EV_refused_handshake, KITH_REFUSAL_BY_PEER);
    server_is_refused(
        &(struct foe_habits){.groups = "X25519MLKEM768", .key = "ML-DSA-65", .alpn = "kith/1"},
        KITH_EV_refused_handshake, KITH_REFUSAL_BY_PEER);
}

/* RFC 8446 4.1.3: a ServerHello is a HelloRetryRequest when its random is SHA-256 of those words.
 */
#define HELLO_RETRY                                                                                \
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,      \
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,  \
        0x33, 0x9c
#define VERSION_13 0x00, 0x2b, 0x00, 0x02, 0x03, 0x04

static void a_server_that_asks_for_another_group_is_refused(void **state)
{
    static const uint8_t retry_x25519[] = {2,    0,    0,    52,   3,    3,   HELLO_RETRY,
                                           0,    0x13, 0x02, 0,    0,    12,  VERSION_13,
                                           0x00, 0x33, 0x00, 0x02, 0x00, 0x1d};

    (void)state;
    server_is_refused(&(struct foe_habits){.key = "ML-DSA-65",
                                           .alpn = "kith/1",
                                           .answer = retry_x25519,
                                           .answer_len = sizeof retry_x25519},
                      KITH_EV_refused_group, KITH_REFUSAL_GROUP);
}

static void a_server_that_answers_with_a_share_of_another_group_is_refused(void **state)
{
    static const uint8_t share_x25519[] = {
        2,    0,    0, 86, 3, 3,    1,    2, 3, 4,  5,          6,    7,    8,    1,    2,    3,
        4,    5,    6, 7,  8, 1,    2,    3, 4, 5,  6,          7,    8,    1,    2,    3,    4,
        5,    6,    7, 8,  0, 0x13, 0x02, 0, 0, 46, VERSION_13, 0x00, 0x33, 0x00, 0x24, 0x00, 0x1d,
        0x00, 0x20, 9, 2,  3, 4,    5,    6, 7, 8,  1,          2,    3,    4,    5,    6,    7,
        8,    1,    2, 3,  4, 5,    6,    7, 8, 1,  2,          3,    4,    5,    6,    7,    8};

    (void)state;
    server_is_refused(&(struct foe_habits){.key = "ML-DSA-65",
                                           .alpn = "kith/1",
                                           .answer = share_x25519,
                                           .answer_len = sizeof share_x25519},
                      KITH_EV_refused_group, KITH_REFUSAL_GROUP);
}

static void a_server_that_shows_another_key_is_refused(void **state)
{
    struct foe_habits h = {.alpn = "kith/1", .find = asks_mldsa65, .find_len = 8};

    (void)state;
    h.key = "ED25519";
    h.sigalgs = "ed25519";
    h.replace = asks_ed25519;
    server_is_refused(&h, KITH_EV_refused_sigalg, KITH_REFUSAL_SIGALG);
    h.key = "ML-DSA-44";
    h.sigalgs = "mldsa44";
    h.replace = asks_mldsa44;
    server_is_refused(&h, KITH_EV_refused_sigalg, KITH_REFUSAL_SIGALG);
}

static void a_server_without_our_signatures_is_given_up(void **state)
{
    (void)state;
    server_is_refused(
        &(struct foe_habits){.sigalgs = "ed25519", .key = "ED25519", .alpn = "kith/1"},
        KITH_EV_refused_handshake, KITH_REFUSAL_BY_PEER);
}

static void a_server_of_another_protocol_is_refused(void **state)
{
    (void)state;
    /* one that says nothing, and one that says what nobody offered */
    server_is_refused(&(struct foe_habits){.key = "ML-DSA-65"}, KITH_EV_refused_alpn,
                      KITH_REFUSAL_ALPN);
    server_is_refused(&(struct foe_habits){.key = "ML-DSA-65", .alpn = "h3"},
                      KITH_EV_refused_handshake, KITH_REFUSAL_PROTOCOL);
}

static void a_server_with_another_key_of_the_right_kind_is_refused(void **state)
{
    (void)state;
    server_is_refused(&(struct foe_habits){.key = "ML-DSA-65", .alpn = "kith/1"},
                      KITH_EV_refused_peer, KITH_REFUSAL_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_with_the_right_habits_is_let_in),
        cmocka_unit_test(a_classical_client_is_refused_for_its_group),
        cmocka_unit_test(a_hybrid_client_is_refused_for_its_group),
        cmocka_unit_test(a_client_that_offers_a_second_group_is_refused),
        cmocka_unit_test(a_client_with_other_signature_schemes_is_refused),
        cmocka_unit_test(a_client_that_shows_no_key_is_refused),
        cmocka_unit_test(a_client_that_has_only_another_key_shows_none_and_is_refused),
        cmocka_unit_test(a_client_that_shows_another_key_unasked_is_refused),
        cmocka_unit_test(a_client_of_another_protocol_is_refused),
        cmocka_unit_test(a_server_without_our_group_is_given_up),
        cmocka_unit_test(a_server_that_asks_for_another_group_is_refused),
        cmocka_unit_test(a_server_that_answers_with_a_share_of_another_group_is_refused),
        cmocka_unit_test(a_server_that_shows_another_key_is_refused),
        cmocka_unit_test(a_server_without_our_signatures_is_given_up),
        cmocka_unit_test(a_server_of_another_protocol_is_refused),
        cmocka_unit_test(a_server_with_another_key_of_the_right_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
