/* Memory: what a connection takes, that it gives all of it back, and that it may run out at any
 * moment. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"

struct scene {
    struct sim_net *net;
    struct lab_alloc heap[2];
    struct conn_peer a, b;
    struct conn_peer *both[2];
};

static void set_scene(struct scene *s, uint64_t seed, const struct kith_quic_config *cfg)
{
    memset(s, 0, sizeof *s);
    s->net = sim_net_new(seed);
    lab_alloc_init(&s->heap[0]);
    lab_alloc_init(&s->heap[1]);
    conn_peer_init_with(&s->a, s->net, "192.0.2.1:9000", 1, cfg, &s->heap[0].alloc);
    conn_peer_init_with(&s->b, s->net, "192.0.2.2:9000", 2, cfg, &s->heap[1].alloc);
    s->both[0] = &s->a;
    s->both[1] = &s->b;
}

static void clear_scene(struct scene *s)
{
    conn_peer_fini(&s->a);
    conn_peer_fini(&s->b);
    sim_net_free(s->net);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(s->heap[i].live, 0);
        assert_int_equal(s->heap[i].bytes, 0);
    }
}

static bool established(void *ctx)
{
    const struct scene *s = ctx;

    return s->a.n_established > 0 && s->b.n_established > 0;
}

static bool run(struct scene *s, kith_dur span)
{
    return conn_peers_run(s->both, 2, NULL, NULL, span);
}

/* ---- memory runs out ---- */

static bool dial(struct scene *s)
{
    struct kith_path path = {.local = *sim_host_addr(s->a.host),
                             .remote = *sim_host_addr(s->b.host)};
    struct kith_conn *c;

    return kith_quic_dial(s->a.quic, &path, &s->b.id, NULL, sim_net_now(s->net), &c) == KITH_OK;
}

/* A connection's life in small, whatever comes of it: a stream and datagrams each way, a close. */
static void live(struct scene *s)
{
    struct kith_span text = kith_span_text("some bytes");
    uint8_t big[20000] = {0};
    int64_t id;

    if (!dial(s) || !conn_peers_run(s->both, 2, established, s, 15 * KITH_SEC))
        return;
    for (int i = 0; i < 2 && s->both[i]->n_closed == 0; i++) {
        struct kith_conn *c = s->both[i]->established[0];
        if (kith_conn_stream_open(c, &id) == KITH_OK)
            (void)!kith_conn_stream_send(c, id, (struct kith_span){big, sizeof big}, true);
        (void)!kith_conn_datagram_send(c, &s->both[i]->batch, &text, 1, sim_net_now(s->net));
        (void)run(s, 100 * KITH_MSEC);
        if (s->a.n_closed + s->b.n_closed > 0)
            return;
    }
    kith_conn_close(s->a.established[0], 0, "", sim_net_now(s->net));
}

static void fail_each(unsigned side)
{
    uint64_t n = 1;

    for (;; n++) {
        struct scene s;
        set_scene(&s, n, NULL);
        s.heap[side].fail_at = s.heap[side].requests + n;
        live(&s);
        bool failed = s.heap[side].failed > 0;
        s.heap[side].fail_at = 0;
        (void)run(&s, 200 * KITH_SEC);
        /* both are as good as new: the old connection is gone, another works */
        assert_int_equal(kith_quic_connections(s.a.quic), 0);
        assert_int_equal(kith_quic_connections(s.b.quic), 0);
        s.a.n_established = s.b.n_established = 0;
        assert_true(dial(&s));
        assert_true(conn_peers_run(s.both, 2, established, &s, 15 * KITH_SEC));
        clear_scene(&s);
        if (!failed)
            break;
    }
    print_message("  %u allocations failed in turn\n", (unsigned)n - 1);
    assert_true(n > 20);
}

static void memory_may_run_out_at_any_allocation_of_the_dialling_side(void **state)
{
    (void)state;
    fail_each(0);
}

static void memory_may_run_out_at_any_allocation_of_the_accepting_side(void **state)
{
    (void)state;
    fail_each(1);
}

/* ---- the packet path allocates nothing ---- */

static void an_established_connection_carries_datagrams_without_allocating(void **state)
{
    struct scene s;
    uint8_t bytes[1000] = {0};
    struct kith_span span = {bytes, sizeof bytes};
    uint64_t before[2] = {0}, sent = 0;

    (void)state;
    set_scene(&s, 3, NULL);
    assert_true(dial(&s));
    assert_true(conn_peers_run(s.both, 2, established, &s, 15 * KITH_SEC));
    enum { WARM = 2000, COUNTED = 10000 };
    for (int i = 0; i < WARM + COUNTED; i++) {
        if (i == WARM)
            for (int k = 0; k < 2; k++)
                before[k] = s.heap[k].requests;
        for (int k = 0; k < 2; k++) {
            struct kith_conn *c = s.both[k]->established[0];
            sent += kith_conn_datagram_send(c, &s.both[k]->batch, &span, 1, sim_net_now(s.net)) ==
                    KITH_OK;
            kith_conn_burst_end(c, sim_net_now(s.net));
        }
        (void)run(&s, KITH_MSEC);
    }
    (void)run(&s, KITH_SEC);
    assert_true(sent > COUNTED); /* pacing holds some back */
    assert_int_equal(s.a.datagrams + s.b.datagrams, sent);
    uint64_t asked[2] = {s.heap[0].requests - before[0], s.heap[1].requests - before[1]};
    print_message("  %u and %u allocations, ngtcp2's included, for %u datagrams\n",
                  (unsigned)asked[0], (unsigned)asked[1], (unsigned)sent);
    /* ours would be one per datagram or per packet; ngtcp2 grows its pools a few times */
    assert_true(asked[0] < COUNTED / 100 && asked[1] < COUNTED / 100);
    clear_scene(&s);
}

/* OpenSSL's memory is counted by nobody but the C library. */
static void the_tls_object_is_freed_on_both_sides_once_it_has_done_its_work(void **state)
{
    enum { MANY = 20, TLS_OBJECT = 20 * 1024 /* an SSL with its buffers; measured 31 kB */ };
    struct scene s;

    (void)state;
    set_scene(&s, 6, NULL);
    for (int i = 0; i < 2; i++) { /* warm OpenSSL's own tables */
        assert_true(dial(&s));
        (void)run(&s, KITH_SEC);
    }
    size_t ours = s.heap[0].bytes + s.heap[1].bytes, all = mallinfo2().uordblks;
    if (all == 0) { /* a sanitizer's heap is not the C library's */
        clear_scene(&s);
        skip();
    }
    for (int i = 0; i < MANY; i++)
        assert_true(dial(&s));
    (void)run(&s, 2 * KITH_SEC);
    assert_int_equal(kith_quic_connections(s.b.quic), MANY + 2);
    size_t rest = mallinfo2().uordblks - all - (s.heap[0].bytes + s.heap[1].bytes - ours);
    print_message("  %u bytes of OpenSSL's per pair\n", (unsigned)(rest / MANY));
    assert_true(rest / MANY < TLS_OBJECT);
    clear_scene(&s);
}

static void an_idle_connection_takes_less_than_thirty_two_kilobytes(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s, 4, NULL);
    size_t rest[2] = {s.heap[0].bytes, s.heap[1].bytes};
    for (int i = 0; i < 10; i++)
        assert_true(dial(&s));
    (void)run(&s, 10 * KITH_SEC);
    assert_int_equal(s.b.n_established, 10);
    for (int k = 0; k < 2; k++) {
        size_t each = (s.heap[k].bytes - rest[k]) / 10;
        print_message("  %s: %u bytes without OpenSSL's\n", k == 0 ? "dialled" : "accepted",
                      (unsigned)each);
        assert_true(each < 32 * 1024);
    }
    clear_scene(&s);
}

/* ---- keys ---- */

static void keys_change_on_both_sides_under_traffic(void **state)
{
    struct scene s;
    uint8_t bytes[8000] = {0};
    int64_t id;

    (void)state;
    set_scene(&s, 5, &(struct kith_quic_config){.key_update_after = 100});
    s.b.echo = true;
    assert_true(dial(&s));
    assert_true(conn_peers_run(s.both, 2, established, &s, 15 * KITH_SEC));
    assert_int_equal(kith_conn_stream_open(s.a.established[0], &id), KITH_OK);
    uint64_t sent = 0;
    for (int i = 0; i < 3000; i++) {
        if (kith_conn_stream_room(s.a.established[0], id) >= sizeof bytes && sent < 4000000) {
            assert_int_equal(kith_conn_stream_send(s.a.established[0], id,
                                                   (struct kith_span){bytes, sizeof bytes}, false),
                             KITH_OK);
            sent += sizeof bytes;
        }
        (void)run(&s, 10 * KITH_MSEC);
    }
    print_message("  %u and %u key updates\n", (unsigned)kith_quic_counters(s.a.quic)->key_updates,
                  (unsigned)kith_quic_counters(s.b.quic)->key_updates);
    assert_int_equal(s.a.stream_bytes, sent);
    assert_true(kith_quic_counters(s.a.quic)->key_updates >= 5);
    assert_true(kith_quic_counters(s.b.quic)->key_updates >= 5);
    assert_int_equal(s.a.n_closed + s.b.n_closed, 0);
    clear_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_run_out_at_any_allocation_of_the_dialling_side),
        cmocka_unit_test(memory_may_run_out_at_any_allocation_of_the_accepting_side),
        cmocka_unit_test(an_established_connection_carries_datagrams_without_allocating),
        cmocka_unit_test(the_tls_object_is_freed_on_both_sides_once_it_has_done_its_work),
        cmocka_unit_test(an_idle_connection_takes_less_than_thirty_two_kilobytes),
        cmocka_unit_test(keys_change_on_both_sides_under_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
