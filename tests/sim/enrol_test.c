/* Enrolment under attack: what a joiner may hear, who proved what, and an issuer short of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "sim/foe.h"
#include "store/network.h"
#include "wire/enrol.h"
#include "wire/frame.h"

enum { RESET = -1, SILENT = -2 };

struct world {
    struct sim_net *net;
    struct node_peer_sim issuer, other;
    const struct node_peer_sim *asked; /* whom the foe enrols at */
    struct node_peer_sim *all[2];
    struct kith_network_info home;
    struct foe foe;
    struct foe *foes[1];
};

static void wait_for(struct world *w, kith_dur d)
{
    foes_run(w->all, 2, w->foes, w->foes[0] != NULL, d);
}

static void world_up_on(struct world *w, uint64_t seed, const struct kith_alloc *alloc)
{
    struct kith_prefix range;
    struct kith_node_why why;

    memset(w, 0, sizeof *w);
    w->net = sim_net_new(seed);
    node_sim_init(&w->issuer, w->net, "laptop", "192.0.2.1:9000", 1);
    node_sim_init(&w->other, w->net, "desktop", "192.0.2.2:9000", 2);
    w->asked = &w->issuer;
    if (alloc != NULL) {
        kith_node_free(w->issuer.node);
        w->issuer.node = NULL;
        kith_store_close(w->issuer.store);
        w->issuer.env.alloc = alloc;
        assert_int_equal(kith_store_open(":memory:", &w->issuer.env, &w->issuer.store, NULL),
                         KITH_OK);
        node_sim_restart(&w->issuer);
    }
    w->all[0] = &w->issuer;
    w->all[1] = &w->other;
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(w->issuer.node, "home", &range,
                                              node_sim_now(&w->issuer), &w->home, &why),
                     KITH_OK);
    foe_init(&w->foe, w->net, "203.0.113.9:9000", 42);
    w->foes[0] = &w->foe;
}

static void world_up(struct world *w, uint64_t seed)
{
    world_up_on(w, seed, NULL);
}

static void world_down(struct world *w)
{
    foe_fini(&w->foe);
    node_sim_fini(&w->issuer);
    node_sim_fini(&w->other);
    sim_net_free(w->net);
}

static void invite(struct world *w, uint32_t uses, kith_wall valid, uint8_t *buf,
                   struct kith_ticket *ret, char *text)
{
    struct kith_invite i = {.valid = valid, .uses = uses};
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;
    const char *reason;

    assert_int_equal(kith_node_invite(w->issuer.node, &i, node_sim_now(&w->issuer), text,
                                      KITH_TICKET_TEXT_MAX, &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(kith_ticket_parse(text, buf, KITH_TICKET_MAX, ret, &reason), KITH_OK);
}

struct how {
    bool wrong_secret, unknown_ticket, foreign_exporter, others_key, trailing, half, no_fin;
    struct kith_network_id *network; /* claimed instead of the ticket's */
    const struct kith_enrol_exporter *exporter;
};

static size_t make_request(struct world *w, const struct kith_ticket *t, const struct how *how,
                           uint8_t *buf, size_t cap)
{
    struct kith_enrol_exporter exporter;
    struct kith_ticket_secret secret = t->secret;
    struct kith_conn *c = foe_conn(&w->foe, w->asked);
    const struct kith_public_key *key =
        how->others_key ? &w->other.identity.pub : &w->foe.identity.pub;
    struct kith_enrol_request r = {.version = 1,
                                   .network = how->network != NULL ? *how->network : t->network,
                                   .name = kith_span_text("joiner"),
                                   .spki = {key->spki, sizeof key->spki}};
    size_t len, frame;

    assert_int_equal(kith_ticket_id(&secret, &r.ticket), KITH_OK);
    r.ticket.b[0] ^= how->unknown_ticket;
    secret.b[0] ^= how->wrong_secret;
    memcpy(exporter.b, kith_conn_exporter(c), sizeof exporter.b);
    exporter.b[0] ^= how->foreign_exporter;
    struct kith_enrol_claim claim = {.exporter = how->exporter != NULL ? how->exporter : &exporter,
                                     .network = &r.network,
                                     .issuer = &w->issuer.identity.id,
                                     .joiner = how->others_key ? &w->other.identity.id
                                                               : &w->foe.identity.id,
                                     .name = r.name};
    assert_int_equal(kith_ticket_prove(&secret, &claim, &r.proof), KITH_OK);
    assert_int_equal(
        kith_enrol_request_encode(&r, buf + KITH_FRAME_HEAD, cap - KITH_FRAME_HEAD, &len), KITH_OK);
    assert_int_equal(kith_frame_close(buf, len, &frame), KITH_OK);
    return frame;
}

/* What comes back: a status, RESET or SILENT. */
static int ask(struct world *w, const struct kith_ticket *t, const struct how *how)
{
    uint8_t buf[4096] = {0};
    struct kith_enrol_answer a;
    struct kith_span message;
    struct kith_conn *c;
    int64_t id;
    size_t used;

    for (int i = 0; i < 100 && !foe_is_up(&w->foe, w->asked); i++) {
        foe_dial(&w->foe, w->asked);
        wait_for(w, 100 * KITH_MSEC);
    }
    assert_true(foe_is_up(&w->foe, w->asked));
    size_t n = make_request(w, t, how, buf, sizeof buf);
    w->foe.answer_len = 0;
    w->foe.answer_reset = false;
    assert_int_equal(
        kith_session_open_stream(foe_session(&w->foe, w->asked), KITH_STREAM_ENROL, &c, &id),
        KITH_OK);
    assert_int_equal(kith_conn_stream_send(c, id,
                                           (struct kith_span){buf, how->half       ? n / 2
                                                                   : how->trailing ? n + 1
                                                                                   : n},
                                           !how->no_fin),
                     KITH_OK);
    wait_for(w, KITH_SEC);
    if (w->foe.answer_reset)
        return RESET;
    if (w->foe.answer_len == 0 ||
        kith_frame_take((struct kith_span){w->foe.answer, w->foe.answer_len}, &message, &used) < 0)
        return SILENT;
    assert_int_equal(kith_enrol_answer_decode(message, &a), KITH_OK);
    if (a.status != KITH_ENROL_OK) { /* nothing is told besides */
        assert_int_equal(a.network.n, 0);
        assert_int_equal(a.cert.n, 0);
        assert_int_equal(a.admin.n, 0);
    }
    return a.status;
}

static void who_has_not_proved_the_secret_hears_refused_and_nothing_else(void **state)
{
    uint8_t b1[KITH_TICKET_MAX], b2[KITH_TICKET_MAX], b3[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket good, used, old;
    struct kith_network_id foreign = {{7}};
    struct world w;

    (void)state;
    world_up(&w, 1);
    invite(&w, 1, 60, b1, &old, text);
    invite(&w, 1, 86400, b2, &used, text);
    wait_for(&w, 61 * KITH_SEC);
    assert_int_equal(
        kith_node_join(w.other.node, text, NULL, 1, node_sim_now(&w.other), &w.other.last_why),
        KITH_OK);
    wait_for(&w, 2 * KITH_SEC);
    assert_int_equal(w.other.last_err, KITH_OK);
    invite(&w, 1, 86400, b3, &good, text);
    const struct how wrong[] = {{.wrong_secret = true},
                                {.foreign_exporter = true},
                                {.others_key = true},
                                {.unknown_ticket = true},
                                {.network = &foreign}};
    const struct kith_ticket *tickets[] = {&good, &used, &old};
    /* at most four failures in a window: a fifth is another story */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(ask(&w, tickets[k], &wrong[i]), KITH_ENROL_REFUSED);
            wait_for(&w, 301 * KITH_SEC);
        }
    /* who proved it hears more */
    assert_int_equal(ask(&w, &used, &(struct how){0}), KITH_ENROL_USED);
    assert_int_equal(ask(&w, &old, &(struct how){0}), KITH_ENROL_EXPIRED);
    assert_int_equal(ask(&w, &good, &(struct how){0}), KITH_ENROL_OK);
    world_down(&w);
}

static void five_failures_shut_the_source_out_and_not_others(void **state)
{
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 2);
    invite(&w, 1, 86400, b, &t, text);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(&w, &t, &(struct how){.wrong_secret = true}), KITH_ENROL_REFUSED);
    /* even with the secret: it is not looked at */
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_BUSY);
    assert_int_equal(w.issuer.seen[KITH_EV_enrol_limited], 1);
    assert_int_equal(
        kith_node_join(w.other.node, text, NULL, 1, node_sim_now(&w.other), &w.other.last_why),
        KITH_OK);
    wait_for(&w, 2 * KITH_SEC);
    assert_int_equal(w.other.last_err, KITH_OK);
    wait_for(&w, 900 * KITH_SEC);
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_USED);
    world_down(&w);
}

/* Everything but ENDPOINTS that the issuer signs takes a serial. */
static uint64_t signatures(const struct world *w)
{
    struct kith_store_network row;

    assert_int_equal(kith_store_network_get(w->issuer.store, w->home.id.b, &row), KITH_OK);
    return row.next_serial;
}

static void who_asks_again_and_again_costs_no_signature(void **state)
{
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 8);
    invite(&w, 2, 86400, b, &t, text);
    wait_for(&w, 5 * KITH_SEC);
    uint64_t before = signatures(&w);
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
    wait_for(&w, 5 * KITH_SEC);
    assert_int_equal(signatures(&w), before + 2); /* a certificate and a list */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
        wait_for(&w, 3 * KITH_SEC);
    }
    assert_int_equal(signatures(&w), before + 2);
    world_down(&w);
}

static void a_proof_is_worth_nothing_on_another_connection(void **state)
{
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_enrol_exporter before;
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 3);
    invite(&w, 1, 86400, b, &t, text);
    foe_dial(&w.foe, &w.issuer);
    wait_for(&w, KITH_SEC);
    memcpy(before.b, kith_conn_exporter(foe_conn(&w.foe, &w.issuer)), sizeof before.b);
    foe_restart(&w.foe);
    assert_int_equal(ask(&w, &t, &(struct how){.exporter = &before}), KITH_ENROL_REFUSED);
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
    world_down(&w);
}

static void the_same_peer_gets_the_same_certificate_however_often_it_asks(void **state)
{
    uint8_t b[KITH_TICKET_MAX], first[32768];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 4);
    invite(&w, 1, 86400, b, &t, text);
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
    size_t len = w.foe.answer_len;
    memcpy(first, w.foe.answer, len);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
        assert_int_equal(w.foe.answer_len, len);
        assert_memory_equal(w.foe.answer, first, len);
    }
    assert_int_equal(w.issuer.seen[KITH_EV_member_added], 1);
    world_down(&w);
}

static void what_is_not_one_whole_request_is_reset_and_uses_no_ticket(void **state)
{
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 5);
    invite(&w, 1, 86400, b, &t, text);
    assert_int_equal(ask(&w, &t, &(struct how){.trailing = true}), RESET);
    assert_int_equal(ask(&w, &t, &(struct how){.half = true}), RESET);
    assert_int_equal(ask(&w, &t, &(struct how){.half = true, .no_fin = true}), SILENT);
    wait_for(&w, 15 * KITH_SEC);
    assert_int_equal(w.issuer.seen[KITH_EV_enrolled], 0);
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_OK);
    world_down(&w);
}

static void somebody_who_is_no_admin_admits_nobody(void **state)
{
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    (void)state;
    world_up(&w, 6);
    invite(&w, 2, 86400, b, &t, text);
    assert_int_equal(
        kith_node_join(w.other.node, text, NULL, 1, node_sim_now(&w.other), &w.other.last_why),
        KITH_OK);
    wait_for(&w, 2 * KITH_SEC);
    w.asked = &w.other;
    assert_int_equal(ask(&w, &t, &(struct how){0}), KITH_ENROL_REFUSED);
    world_down(&w);
}

/* One enrolment at an issuer whose n-th allocation fails; false when there was no n-th. */
static bool enrol_short_of_memory(uint64_t nth)
{
    struct lab_alloc lab;
    uint8_t b[KITH_TICKET_MAX];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t;
    struct world w;

    lab_alloc_init(&lab);
    world_up_on(&w, 7, &lab.alloc);
    invite(&w, 1, 86400, b, &t, text);
    lab.fail_at = lab.requests + nth;
    assert_int_equal(
        kith_node_join(w.other.node, text, NULL, 1, node_sim_now(&w.other), &w.other.last_why),
        KITH_OK);
    wait_for(&w, 32 * KITH_SEC);
    bool failed = lab.failed > 0;
    lab.fail_at = 0;
    if (w.other.last_err != KITH_OK || w.other.dones == 0) { /* it may simply ask again */
        assert_true(failed);
        size_t dones = w.other.dones;
        assert_int_equal(
            kith_node_join(w.other.node, text, NULL, 2, node_sim_now(&w.other), &w.other.last_why),
            KITH_OK);
        wait_for(&w, 32 * KITH_SEC);
        assert_int_equal(w.other.dones, dones + 1);
        if (w.other.last_err != KITH_OK)
            fprintf(stderr, "allocation %llu: %s\n", (unsigned long long)nth,
                    w.other.last_why.text);
        assert_int_equal(w.other.last_err, KITH_OK);
    }
    struct kith_network_info a = {.name = ""}, c = {.name = ""};
    size_t at = 0, also = 0;
    assert_true(kith_node_next_network(w.issuer.node, &at, node_sim_now(&w.issuer).wall, &a));
    assert_true(kith_node_next_network(w.other.node, &also, node_sim_now(&w.other).wall, &c));
    for (int i = 0; i < 100 && w.issuer.tun_packets == 0; i++) {
        node_sim_send_udp(&w.other, &c.ip4, &a.ip4, 100);
        wait_for(&w, KITH_SEC);
    }
    if (w.issuer.tun_packets == 0)
        fprintf(stderr, "allocation %llu: no packet\n", (unsigned long long)nth);
    assert_true(w.issuer.tun_packets > 0);
    world_down(&w);
    assert_int_equal(lab.live, 0);
    return failed;
}

static void an_issuer_short_of_memory_loses_nothing(void **state)
{
    const char *step_text = getenv("ENROL_STEP"); /* 1: every allocation */
    uint64_t step = step_text != NULL ? strtoull(step_text, NULL, 10) : 11;

    (void)state;
    for (uint64_t nth = 1; enrol_short_of_memory(nth) && nth < 20000; nth += step)
        continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_not_proved_the_secret_hears_refused_and_nothing_else),
        cmocka_unit_test(five_failures_shut_the_source_out_and_not_others),
        cmocka_unit_test(a_proof_is_worth_nothing_on_another_connection),
        cmocka_unit_test(who_asks_again_and_again_costs_no_signature),
        cmocka_unit_test(the_same_peer_gets_the_same_certificate_however_often_it_asks),
        cmocka_unit_test(what_is_not_one_whole_request_is_reset_and_uses_no_ticket),
        cmocka_unit_test(somebody_who_is_no_admin_admits_nobody),
        cmocka_unit_test(an_issuer_short_of_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
