/* What a handshake looks like from outside: what the ClientHello says, and how much both say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "sim/conn_peer.h"
#include "sim/initial_wire.h"
#include "sim/quic_foe.h"

enum {
    FIRST_FLIGHT_MAX = 7200, /* three times two Initials of 1200 bytes (RFC 9000 8.1) */
    SPARE_MIN = 60, /* so that one more acknowledgement of the hello (53 bytes) does not stall it */
    HEAD_AND_TAG = 49,   /* long header with two 8-byte ids, number, CRYPTO header, tag */
    ACK_ALONE = 53,      /* an Initial that only acknowledges; one per Initial of the hello */
    DATAGRAM_MAX = 1200, /* never more before the handshake is done (design: no bigger MTU) */
};

/* Everything both sides put on the wire. */
struct watch {
    struct sim_net *net;
    struct conn_peer *dialler, *accepter;
    struct wire_hello hello;
    uint64_t out[2], datagrams[2]; /* bytes and datagrams from the dialler, the accepter */
    uint64_t flight;               /* bytes of the accepter's first flight */
    size_t biggest_long;           /* the biggest datagram with a handshake packet in it */
    size_t later_long;             /* handshake packets of the accepter's after its first flight */
    bool dialler_again;            /* the dialler has answered the first flight */
    kith_time flight_at;           /* when the accepter's first datagram left */
    unsigned lose;                 /* this many-th datagram of the accepter's is lost; 0: none */
    uint64_t shaking[2];           /* bytes of datagrams with handshake packets */
    unsigned lone[2];              /* handshake datagrams too small to say anything */
    uint64_t hello_bytes;
};

static bool watch(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct watch *w = ctx;
    unsigned side = kith_addr_equal(from, sim_host_addr(w->accepter->host));
    bool over = w->dialler->n_established > 0;

    (void)to;
    if (getenv("SIM_TRACE") != NULL)
        print_message("%.3f side %u: %u bytes (%u long), first byte %02x\n",
                      (double)sim_net_now(w->net) / 1e9, side, (unsigned)len,
                      (unsigned)wire_long_bytes(data, len), data[0]);
    if (side == 0 && w->out[1] == 0) {
        wire_hello_see(&w->hello, data, len);
        w->hello_bytes += len;
    }
    if (side == 0 && w->out[1] > 0)
        w->dialler_again = true;
    size_t long_bytes = wire_long_bytes(data, len);
    if (side == 1 && !w->dialler_again)
        w->flight += len;
    else if (side == 1 && long_bytes > w->later_long)
        w->later_long = long_bytes;
    if (long_bytes > 0 && len > w->biggest_long)
        w->biggest_long = len;
    if (side == 1 && w->flight_at == 0)
        w->flight_at = sim_net_now(w->net);
    if (!over) {
        w->out[side] += len;
        w->datagrams[side]++;
        w->shaking[side] += long_bytes > 0 ? len : 0;
        w->lone[side] += long_bytes > 0 && len < 100;
    }
    return side == 0 || w->lose == 0 || w->datagrams[1] != w->lose;
}

struct scene {
    struct watch w;
    struct conn_peer a, b;
    struct conn_peer *both[2];
};

static bool established(void *ctx)
{
    const struct scene *s = ctx;

    return s->a.n_established == 1 && s->b.n_established == 1;
}

/* Dials, on a network that is there. */
static void begin(struct scene *s, const struct kith_quic_config *cfg)
{
    conn_peer_init(&s->a, s->w.net, "192.0.2.1:9000", 1, cfg);
    conn_peer_init(&s->b, s->w.net, "192.0.2.2:9000", 2, cfg);
    s->both[0] = s->w.dialler = &s->a;
    s->both[1] = s->w.accepter = &s->b;
    sim_net_set_filter(s->w.net, watch, &s->w);
    conn_peer_dial(&s->a, &s->b);
}

static void shake_hands(struct scene *s, uint64_t seed, kith_dur delay,
                        const struct kith_quic_config *cfg)
{
    memset(s, 0, sizeof *s);
    s->w.net = sim_net_new(seed);
    sim_net_default_link(s->w.net, &(struct sim_link){.delay = delay});
    begin(s, cfg);
    assert_true(conn_peers_run(s->both, 2, established, s, 10 * KITH_SEC));
}

static void leave(struct scene *s)
{
    conn_peer_fini(&s->a);
    conn_peer_fini(&s->b);
    sim_net_free(s->w.net);
}

/* ---- the ClientHello (RFC 8446 4.1.2) ---- */

struct hello {
    struct kith_span extension[64];
    uint16_t type[64];
    size_t n;
    struct kith_span session_id, suites, compressions;
};

static void parse_hello(const struct wire_hello *w, struct hello *h)
{
    size_t len = wire_hello_len(w);
    struct kith_reader r = kith_reader_on((struct kith_span){w->bytes, len});

    memset(h, 0, sizeof *h);
    assert_true(len > 0);
    assert_int_equal(kith_get_u8(&r), 1); /* client_hello */
    struct kith_reader body = kith_reader_on(kith_get_bytes(&r, 3, 65535));
    assert_int_equal(kith_get_u16(&body), 0x0303);
    for (int i = 0; i < 32; i++)
        (void)kith_get_u8(&body);
    h->session_id = kith_get_bytes(&body, 1, 32);
    h->suites = kith_get_bytes(&body, 2, 65535);
    h->compressions = kith_get_bytes(&body, 1, 255);
    struct kith_reader exts = kith_reader_on(kith_get_bytes(&body, 2, 65535));
    while (kith_reader_left(&exts) > 0 && h->n < KITH_COUNT(h->type)) {
        h->type[h->n] = kith_get_u16(&exts);
        h->extension[h->n++] = kith_get_bytes(&exts, 2, 65535);
    }
    assert_int_equal(kith_reader_done(&exts), KITH_OK);
    assert_int_equal(kith_reader_done(&body), KITH_OK);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
}

static const struct kith_span *find(const struct hello *h, uint16_t type)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->type[i] == type)
            return &h->extension[i];
    return NULL;
}

static void assert_extension(const struct hello *h, uint16_t type, const void *want, size_t n)
{
    const struct kith_span *e = find(h, type);

    assert_non_null(e);
    assert_int_equal(e->n, n);
    assert_memory_equal(e->p, want, n);
}

static void the_client_hello_offers_ml_kem_768_and_ml_dsa_65_and_nothing_else(void **state)
{
    static const uint8_t groups[] = {0, 2, 0x02, 0x01};  /* IANA 0x0201 MLKEM768 */
    static const uint8_t schemes[] = {0, 2, 0x09, 0x05}; /* IANA 0x0905 mldsa65 */
    static const uint8_t versions[] = {2, 0x03, 0x04};   /* TLS 1.3 */
    static const uint8_t raw_keys[] = {1, 2};            /* RFC 7250: RawPublicKey */
    static const uint8_t alpn[] = {0, 7, 6, 'k', 'i', 't', 'h', '/', '1'};
    /* server_name, max_fragment_length, status_request, encrypted ClientHello, early_data,
     * pre_shared_key, cookie */
    static const uint16_t absent[] = {0, 1, 5, 42, 41, 44, 0xfe0d};
    struct scene s;
    struct hello h;

    (void)state;
    shake_hands(&s, 1, 10 * KITH_MSEC, NULL);
    assert_int_equal(s.w.hello.failures, 0);
    assert_true(s.w.hello.packets >= 2);
    parse_hello(&s.w.hello, &h);

    assert_extension(&h, 10, groups, sizeof groups);
    assert_extension(&h, 13, schemes, sizeof schemes);
    if (find(&h, 50) != NULL) /* signature_algorithms_cert */
        assert_extension(&h, 50, schemes, sizeof schemes);
    assert_extension(&h, 43, versions, sizeof versions);
    assert_extension(&h, 19, raw_keys, sizeof raw_keys); /* client_certificate_type */
    assert_extension(&h, 20, raw_keys, sizeof raw_keys); /* server_certificate_type */
    assert_extension(&h, 16, alpn, sizeof alpn);

    const struct kith_span *share = find(&h, 51);
    assert_non_null(share);
    struct kith_reader r = kith_reader_on(*share);
    struct kith_reader shares = kith_reader_on(kith_get_bytes(&r, 2, 65535));
    assert_int_equal(kith_get_u16(&shares), 0x0201);
    assert_int_equal(kith_get_bytes(&shares, 2, 65535).n, 1184); /* FIPS 203 table 3 */
    assert_int_equal(kith_reader_done(&shares), KITH_OK);

    for (size_t i = 0; i < KITH_COUNT(absent); i++)
        assert_null(find(&h, absent[i]));
    assert_int_equal(h.session_id.n, 0); /* RFC 9001 8.4 */
    /* TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256: no 128-bit key */
    assert_int_equal(h.suites.n, 4);
    for (size_t i = 0; i < 4; i += 2) {
        assert_int_equal(h.suites.p[i], 0x13);
        assert_true(h.suites.p[i + 1] == 0x02 || h.suites.p[i + 1] == 0x03);
    }
    leave(&s);
}

/* ---- how much ---- */

static void the_servers_first_flight_fits_before_its_client_is_validated(void **state)
{
    struct scene s;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        shake_hands(&s, seed, 50 * KITH_MSEC, NULL);
        if (seed == 1)
            print_message("  dialler: hello %u bytes, in all %u in %u datagrams\n"
                          "  accepter: first flight %u bytes, in all %u in %u datagrams\n",
                          (unsigned)s.w.hello_bytes, (unsigned)s.w.out[0],
                          (unsigned)s.w.datagrams[0], (unsigned)s.w.flight, (unsigned)s.w.out[1],
                          (unsigned)s.w.datagrams[1]);
        assert_int_equal(s.w.hello_bytes, 2 * DATAGRAM_MAX);
        assert_true(s.w.flight <= FIRST_FLIGHT_MAX);
        /* the whole of it went: what follows only acknowledges the dialler's Finished */
        assert_true(s.w.later_long < 100);
        leave(&s);
    }
}

/* ngtcp2 pads the last packet of the flight, so how near the limit it is cannot be seen from
 * outside: count the TLS bytes where they arrive. */
static void the_servers_first_flight_leaves_some_bytes_to_spare(void **state)
{
    struct sim_net *net = sim_net_new(1);
    struct conn_peer us;
    struct foe foe;

    (void)state;
    conn_peer_init(&us, net, "192.0.2.1:9000", 1, NULL);
    foe_dial(&foe, net, "192.0.2.66:666", sim_host_addr(us.host),
             &(struct foe_habits){.key = "ML-DSA-65", .alpn = "kith/1"});
    foe_run(&foe, &us, KITH_SEC);
    assert_true(foe.confirmed);
    uint64_t hello = foe.crypto_in[NGTCP2_ENCRYPTION_LEVEL_INITIAL];
    uint64_t rest = foe.crypto_in[NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE];
    assert_true(hello <= DATAGRAM_MAX - HEAD_AND_TAG);
    uint64_t packets = (rest + DATAGRAM_MAX - HEAD_AND_TAG - 1) / (DATAGRAM_MAX - HEAD_AND_TAG);
    uint64_t needs = 2 * ACK_ALONE + DATAGRAM_MAX + rest + packets * HEAD_AND_TAG;
    print_message("  ServerHello %u bytes, the rest %u: the flight needs %u of %u\n",
                  (unsigned)hello, (unsigned)rest, (unsigned)needs, FIRST_FLIGHT_MAX);
    assert_true(needs + SPARE_MIN <= FIRST_FLIGHT_MAX);
    conn_peer_fini(&us);
    foe_fini(&foe);
    sim_net_free(net);
}

/* Of what a handshake needs, only what says something goes: lone acknowledgements would make it
 * 9.7 kB, a padded Initial among them. */
static void the_dialling_side_says_what_it_must_and_little_else(void **state)
{
    struct scene s;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        shake_hands(&s, seed, 50 * KITH_MSEC, NULL);
        assert_true(s.w.shaking[0] < 9000);
        assert_true(s.w.shaking[1] < 9000);
        assert_int_equal(s.w.lone[0] + s.w.lone[1], 0);
        leave(&s);
    }
}

static bool the_dialler_spoke_again(void *ctx)
{
    const struct scene *s = ctx;

    return s->w.dialler_again;
}

/* One way is 50 ms, and the flight leaves at once. */
static void a_flight_that_lacks_something_is_acknowledged_five_milliseconds_later(void **state)
{
    struct scene s = {.w.lose = 5};

    (void)state;
    s.w.net = sim_net_new(5);
    sim_net_default_link(s.w.net, &(struct sim_link){.delay = 50 * KITH_MSEC});
    begin(&s, NULL);
    assert_true(conn_peers_run(s.both, 2, the_dialler_spoke_again, &s, 10 * KITH_SEC));
    assert_int_equal(sim_net_now(s.w.net) - s.w.flight_at, (50 + 5) * KITH_MSEC);
    assert_false(established(&s));
    assert_true(conn_peers_run(s.both, 2, established, &s, 10 * KITH_SEC));
    leave(&s);
}

static bool a_has_the_whole_flight(void *ctx)
{
    const struct scene *s = ctx;

    /* the dialler's Finished is out once it has sent more than acknowledgements: its key and
     * signature are 5.3 kB */
    return s->w.out[0] > 2 * DATAGRAM_MAX + 5000;
}

static void the_dialling_side_has_finished_after_one_round_trip(void **state)
{
    struct scene s;

    (void)state;
    memset(&s, 0, sizeof s);
    s.w.net = sim_net_new(3);
    sim_net_default_link(s.w.net, &(struct sim_link){.delay = 50 * KITH_MSEC});
    kith_time start = sim_net_now(s.w.net);
    begin(&s, NULL);
    assert_true(conn_peers_run(s.both, 2, a_has_the_whole_flight, &s, 10 * KITH_SEC));
    /* 100 ms, and less than half a round trip more for pacing the answer */
    assert_true(sim_net_now(s.w.net) - start < 150 * KITH_MSEC);
    leave(&s);
}

static void no_handshake_datagram_is_above_1200_bytes(void **state)
{
    struct scene s;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        shake_hands(&s, seed, 10 * KITH_MSEC,
                    &(struct kith_quic_config){.always_retry = seed % 2 == 0});
        /* a bigger one is a probe of the path by a side that has finished, and may be lost */
        assert_int_equal(s.w.biggest_long, DATAGRAM_MAX);
        leave(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_hello_offers_ml_kem_768_and_ml_dsa_65_and_nothing_else),
        cmocka_unit_test(the_servers_first_flight_fits_before_its_client_is_validated),
        cmocka_unit_test(the_servers_first_flight_leaves_some_bytes_to_spare),
        cmocka_unit_test(the_dialling_side_says_what_it_must_and_little_else),
        cmocka_unit_test(a_flight_that_lacks_something_is_acknowledged_five_milliseconds_later),
        cmocka_unit_test(the_dialling_side_has_finished_after_one_round_trip),
        cmocka_unit_test(no_handshake_datagram_is_above_1200_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
