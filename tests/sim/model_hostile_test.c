/* What a peer of the model may do to it: packets that are genuine and say anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"
#include "sim/model/model.h"

enum { SEEDS = 300, PACKETS = 60, FRAMES = 8, FRAME_KINDS = MODEL_CLOSE + 2 };

struct scene {
    struct sim_net *net;
    struct lab_alloc heap;
    struct conn_peer a, b; /* b is spoken to */
    struct conn_peer *both[2];
    bool tame; /* most of what is said could be meant */
};

static uint64_t below(struct scene *s, uint64_t n)
{
    return kith_random_below(sim_net_random(s->net), n);
}

static bool established(void *ctx)
{
    const struct scene *s = ctx;

    return s->a.n_established == 1 && s->b.n_established == 1;
}

static void set_scene(struct scene *s, uint64_t seed)
{
    int64_t id;

    memset(s, 0, sizeof *s);
    s->net = sim_net_new(seed);
    lab_alloc_init(&s->heap);
    conn_peer_init(&s->a, s->net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init_with(&s->b, s->net, "192.0.2.2:9000", 2, NULL, &s->heap.alloc);
    s->both[0] = &s->a;
    s->both[1] = &s->b;
    s->b.unread = below(s, 2) == 0;
    s->tame = seed % 4 != 0;
    conn_peer_dial(&s->a, &s->b);
    assert_true(conn_peers_run(s->both, 2, established, s, 10 * KITH_SEC));
    assert_int_equal(kith_conn_stream_open(s->b.established[0], &id), KITH_OK);
    assert_int_equal(
        kith_conn_stream_send(s->b.established[0], id, kith_span_text("some bytes"), false),
        KITH_OK);
    conn_peer_pump(&s->b);
}

static void clear_scene(struct scene *s)
{
    conn_peer_fini(&s->a);
    conn_peer_fini(&s->b);
    sim_net_free(s->net);
    assert_int_equal(s->heap.live, 0);
}

static void inject(struct scene *s, uint8_t *bytes, size_t len)
{
    const struct kith_rx rx = {
        .path = {.local = *sim_host_addr(s->b.host), .remote = *sim_host_addr(s->a.host)},
        .data = bytes,
        .len = len,
        .segment = len};

    kith_quic_receive(s->b.quic, &rx, sim_net_now(s->net));
}

/* Small numbers are in use; large ones are beyond every limit. */
static uint64_t some_number(struct scene *s)
{
    if (s->tame && below(s, 256) != 0)
        return 4 * below(s, 8);
    switch (below(s, 4)) {
    case 0: return below(s, 4);
    case 1: return below(s, 4000);
    case 2: return below(s, 400000);
    default: return kith_random_u64(sim_net_random(s->net)) >> below(s, 64);
    }
}

static void put_some_data(struct scene *s, struct kith_writer *w)
{
    static const uint8_t data[300];

    kith_put_bytes(w, (struct kith_span){data, (size_t)below(s, sizeof data)}, 2, sizeof data);
}

static void put_frame(struct scene *s, struct kith_writer *w)
{
    uint8_t type = (uint8_t)(1 + below(s, FRAME_KINDS));

    const bool ends = type >= MODEL_CLOSE || type == MODEL_STREAM_FIN || type == MODEL_RESET_STREAM;
    if (s->tame && ends && below(s, 64) != 0)
        type = MODEL_STREAM;

    kith_put_u8(w, type);
    switch (type) {
    case MODEL_ACK:
        kith_put_u32(w, (uint32_t)some_number(s));
        kith_put_u8(w, 1);
        kith_put_u32(w, s->tame ? 0 : (uint32_t)below(s, 2));
        kith_put_u32(w, s->tame ? 1 : (uint32_t)some_number(s));
        break;
    case MODEL_STREAM:
    case MODEL_STREAM_FIN:
        kith_put_u32(w, (uint32_t)some_number(s));
        kith_put_u64(w, some_number(s));
        put_some_data(s, w);
        break;
    case MODEL_DATAGRAM: put_some_data(s, w); break;
    case MODEL_MAX_STREAM_DATA:
    case MODEL_RESET_STREAM:
    case MODEL_STOP_SENDING:
        kith_put_u32(w, (uint32_t)some_number(s));
        kith_put_u64(w, some_number(s));
        if (type == MODEL_RESET_STREAM)
            kith_put_u64(w, some_number(s));
        break;
    case MODEL_MAX_STREAMS: kith_put_u32(w, (uint32_t)some_number(s)); break;
    case MODEL_MAX_DATA:
    case MODEL_CHALLENGE:
    case MODEL_RESPONSE: kith_put_u64(w, some_number(s)); break;
    default:
        if (!s->tame)
            kith_put_u64(w, some_number(s));
    }
}

/* A genuine packet of frames, perhaps cut short. */
static size_t make_packet(struct scene *s, const struct kith_conn *victim, uint32_t number,
                          uint8_t *room)
{
    struct kith_writer w = kith_writer_on(room, MODEL_BASE - MODEL_TAG);

    kith_put_u8(&w, MODEL_SHORT);
    kith_put_span(&w, KITH_SPAN_OF(victim->scid));
    kith_put_u32(&w, below(s, 8) == 0 ? (uint32_t)some_number(s) : number);
    for (uint64_t n = 1 + below(s, FRAMES); n > 0; n--)
        put_frame(s, &w);
    size_t len = (size_t)(w.p - w.start);
    if (below(s, s->tame ? 64 : 4) == 0)
        len = MODEL_HEAD + (size_t)below(s, len - MODEL_HEAD + 1);
    return model_seal(&victim->key, room, len);
}

static void any_frames_end_a_connection_at_worst(void **state)
{
    uint8_t room[MODEL_BASE];
    unsigned lived = 0, packets = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct scene s;
        set_scene(&s, seed);
        for (uint32_t i = 0; i < PACKETS && s.b.n_closed == 0; i++, packets++) {
            inject(&s, room, make_packet(&s, s.b.established[0], 100 + i, room));
            conn_peer_pump(&s.b);
        }
        lived += s.b.n_closed == 0;
        assert_false(conn_peers_run(s.both, 2, NULL, NULL, 200 * KITH_SEC));
        assert_int_equal(kith_quic_connections(s.b.quic), 0);
        clear_scene(&s);
    }
    print_message("  %u packets, %u of %u connections lived through theirs\n", packets, lived,
                  (unsigned)SEEDS);
}

/* Pieces of handshakes with every field at random. */
static void any_handshake_ends_in_its_time(void **state)
{
    uint8_t room[MODEL_BASE];

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct scene s;
        set_scene(&s, seed);
        for (unsigned i = 0; i < PACKETS; i++) {
            const size_t len =
                below(&s, 2) == 0 ? MODEL_BASE - MODEL_TAG : MODEL_HEAD + (size_t)below(&s, 200);
            struct model_id dcid = {{(uint8_t)below(&s, 3)}};
            kith_random_fill(sim_net_random(s.net), room, len);
            struct kith_writer w = kith_writer_on(room, len);
            kith_put_u8(&w, below(&s, 8) == 0 ? MODEL_REFUSE : MODEL_FLIGHT);
            kith_put_span(&w, KITH_SPAN_OF(dcid));
            kith_put_u32(&w, 0x4b4d444c);
            kith_put_u64(&w, below(&s, 2));
            kith_put_u8(&w, (uint8_t)below(&s, 4));
            kith_put_u8(&w, (uint8_t)below(&s, 9));
            const struct model_key key = model_first_key(&dcid);
            inject(&s, room, model_seal(&key, room, len));
            conn_peer_pump(&s.b);
        }
        assert_false(conn_peers_run(s.both, 2, NULL, NULL, 30 * KITH_SEC));
        /* whoever it was, and it may have been somebody, is heard of no more */
        assert_false(conn_peers_run(s.both, 2, NULL, NULL, 200 * KITH_SEC));
        assert_int_equal(kith_quic_connections(s.b.quic), 0);
        clear_scene(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_frames_end_a_connection_at_worst),
        cmocka_unit_test(any_handshake_ends_in_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
