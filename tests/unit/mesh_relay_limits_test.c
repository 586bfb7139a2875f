/* Pieces, limits, time, memory that runs out, and what neighbours hand over that is nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/shelf.h"
#include "mesh_relay_lab.h"

/* ---- pieces ---- */

static const uint8_t *pattern(void)
{
    static uint8_t p[4096];

    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(i * 7 + i / 256);
    return p;
}

/* Takes the pieces of a datagram of n bytes for `to`, checks them and hands them, changed to that
 * label, to `back`; how many there were. */
static unsigned pieces_go(uint32_t to, size_t n, uint32_t label, uint32_t back)
{
    struct kith_flow_piece m;
    unsigned i = 0;
    size_t at = 0;

    do {
        struct kith_span d = leaves(to);
        assert_int_equal(d.p[0], 0x07);
        assert_int_equal(kith_flow_piece_decode(d, &m), KITH_OK);
        assert_int_equal(d.n, 14 + m.part.n);
        assert_int_equal(m.index, i);
        assert_int_equal(m.size, n);
        assert_true(at + m.part.n <= n);
        assert_memory_equal(m.part.p, pattern() + at, m.part.n);
        at += m.part.n;
        m.label = label;
        uint8_t buf[2048];
        size_t len;
        assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &len), KITH_OK);
        assert_true(hear(back, (struct kith_span){buf, len}));
    } while (++i < m.count);
    assert_int_equal(at, n);
    return i;
}

static void one_too_big_for_a_hop_goes_in_pieces_which_the_next_puts_together(void **s)
{
    struct kith_relay_in in;

    (void)s;
    join(3);
    lab.room[2] = 500;
    LEADS(2);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE)); /* here they come together again */
    send_bytes(77, pattern(), 1);
    uint32_t label = leaves_open(2).label;
    (void)leaves(2);
    send_bytes(77, pattern(), 492); /* with its 8 bytes it just fits */
    assert_int_equal(leaves(2).n, 500);
    nothing_leaves();
    (void)label;
    send_bytes(77, pattern(), 493);
    assert_int_equal(pieces_go(2, 493, HIGH | 1, 1), 2);
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    nothing_leaves();
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(
        kith_span_equal((struct kith_span){in.packet, in.n}, (struct kith_span){pattern(), 493}));
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(
        kith_span_equal((struct kith_span){in.packet, in.n}, (struct kith_span){pattern(), 1200}));
    nothing_arrives();
}

/* In the next turn the session with it takes so much. */
static void becomes_wide(uint32_t neighbour, size_t room)
{
    pass(KITH_MSEC);
    lab.room[neighbour] = room;
}

static void the_middle_puts_together_and_sends_on_whole_or_cut_anew(void **s)
{
    struct kith_flow_packet m;

    (void)s;
    join(3);
    lab.room[2] = 500;
    lab.room[3] = 300;
    LEADS(2);
    send_bytes(77, pattern(), 1200);
    drain();
    LEADS(3);
    uint32_t narrow = through(1, HIGH | 1, 1, 3);
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    assert_int_equal(pieces_go(3, 1200, HIGH | 9, 2), 5); /* 286 bytes a piece at most */
    drain();
    becomes_wide(3, WIDE);
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    assert_int_equal(kith_flow_packet_decode(leaves(3), &m), KITH_OK);
    assert_int_equal(m.label, narrow);
    assert_true(kith_span_equal(m.packet, (struct kith_span){pattern(), 1200}));
    assert_int_equal(m.hops, 63);
    nothing_leaves();
}

static void what_is_bigger_than_1200_bytes_or_8_pieces_and_does_not_fit_is_too_big(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send_bytes(77, pattern(), 10);
    drain();
    send_bytes(77, pattern(), WIDE - 8); /* big, but it fits */
    assert_int_equal(leaves(1).n, WIDE);
    send_bytes(77, pattern(), WIDE - 7);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 1);
    becomes_wide(1, 1000);
    send_bytes(77, pattern(), 1201);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 2);
    becomes_wide(1, 14 + 150); /* 8 pieces of 150 */
    send_bytes(77, pattern(), 1200);
    drain();
    assert_int_equal(counted()->too_big, 2);
    becomes_wide(1, 14 + 149);
    send_bytes(77, pattern(), 1200);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 3);
    assert_int_equal(counted()->dropped, 0);
}

static void where_there_is_no_room_at_all_it_is_dropped(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send_bytes(77, pattern(), 10);
    drain();
    becomes_wide(1, 0);
    send_bytes(77, pattern(), 1);
    becomes_wide(1, 14);
    send_bytes(77, pattern(), 100);
    nothing_leaves();
    assert_int_equal(counted()->dropped, 2);
}

static bool hear_piece(uint32_t from, uint32_t label, uint16_t id, size_t size, unsigned index,
                       size_t part)
{
    const struct kith_flow_piece m = {.hops = 9,
                                      .label = label,
                                      .id = id,
                                      .size = (uint16_t)size,
                                      .index = (uint8_t)index,
                                      .count = 3,
                                      .part = {pattern(), part}};
    uint8_t buf[2048];
    size_t n;

    assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static void pieces_under_unknown_labels_take_no_memory(void **s)
{
    (void)s;
    join(1);
    assert_true(hear_piece(1, 5, 0, 300, 0, 100)); /* room for answers is got */
    drain();
    size_t bytes = lab.heap.bytes;
    for (uint16_t i = 0; i < 100; i++)
        assert_true(hear_piece(1, 1000u + i, i, 300, i % 3, 100));
    assert_int_equal(lab.heap.bytes, bytes);
    leaves_over(1, 1000, KITH_MESH_UNKNOWN);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    bytes = lab.heap.bytes;
    assert_true(hear_piece(1, HIGH | 1, 500, 300, 0, 100)); /* a known one takes its due, once */
    size_t due = lab.heap.bytes - bytes;
    assert_in_range(due, 1, (size_t)128 * 1024);
    for (uint16_t i = 501; i < 600; i++)
        assert_true(hear_piece(1, HIGH | 1, i, 300, 0, 100));
    assert_int_equal(lab.heap.bytes - bytes, due);
    kith_relay_part(lab.r, 1, lab.now);
    assert_true(lab.heap.bytes < bytes);
}

static void pieces_that_cannot_be_are_malformed(void **s)
{
    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    assert_false(hear_piece(1, HIGH | 1, 1, 300, 3, 100));  /* the fourth of three */
    assert_false(hear_piece(1, HIGH | 1, 2, 1201, 0, 500)); /* bigger than any that is cut */
    assert_false(hear_piece(1, HIGH | 1, 3, 300, 0, 0));    /* empty */
    assert_true(hear_piece(1, HIGH | 1, 4, 300, 0, 100));
    assert_false(hear_piece(1, HIGH | 1, 4, 300, 1, 90)); /* not as long as the first */
    assert_true(hear_piece(1, HIGH | 1, 5, 300, 0, 100));
    assert_true(hear_piece(1, HIGH | 1, 5, 300, 1, 100));
    assert_false(hear_piece(1, HIGH | 1, 5, 300, 2, 99)); /* 299 in all */
    assert_int_equal(counted()->malformed, 5);
    nothing_arrives();
    nothing_leaves();
}

/* ---- limits ---- */

static void a_neighbour_begins_512_flows_at_once_and_100_a_second(void **s)
{
    (void)s;
    join(2);
    for (unsigned i = 0; i < 600; i++)
        assert_true(hear_begin(1, HIGH | i, i, HERE));
    assert_int_equal(flows(), 512);
    assert_int_equal(counted()->refused, 88);
    leaves_over(1, HIGH | 512, KITH_MESH_FULL);
    drain();
    pass(KITH_SEC);
    for (unsigned i = 600; i < 800; i++)
        assert_true(hear_begin(1, HIGH | i, i, HERE));
    assert_int_equal(flows(), 612);
    assert_true(hear_begin(2, HIGH | 1, 1000, HERE)); /* another has its own rate */
    assert_int_equal(flows(), 613);
    drain();
}

/* Begins the first, second... 512 flows by the neighbour; how many were taken. */
static size_t begin_512(uint32_t neighbour, unsigned turn)
{
    size_t before = flows();

    for (unsigned i = 512 * turn; i < 512 * (turn + 1); i++)
        assert_true(hear_begin(neighbour, HIGH | i, neighbour << 16 | i, HERE));
    drain();
    return flows() - before;
}

static void a_neighbour_has_at_most_2048_flows_begun(void **s)
{
    (void)s;
    join(2);
    for (unsigned turn = 0; turn < 5; turn++) {
        assert_int_equal(begin_512(1, turn), turn < 4 ? 512 : 0);
        pass(5120 * KITH_MSEC);
    }
    assert_true(hear_begin(1, HIGH | 5000, 1, HERE));
    leaves_over(1, HIGH | 5000, KITH_MESH_FULL);
    assert_true(hear_begin(2, HIGH | 1, 2, HERE));
    nothing_leaves();
    assert_true(hear_over(1, HIGH | 0, KITH_MESH_GONE)); /* one ends: there is room for one */
    assert_true(hear_begin(1, HIGH | 5001, 3, HERE));
    nothing_leaves();
    assert_true(hear_begin(1, HIGH | 5002, 4, HERE));
    leaves_over(1, HIGH | 5002, KITH_MESH_FULL);
    assert_int_equal(flows(), 2049);
}

static void there_are_at_most_16384_flows_in_all(void **s)
{
    (void)s;
    join(9);
    LEADS(9);
    for (unsigned turn = 0; turn < 4; turn++) {
        for (uint32_t by = 1; by <= 8; by++)
            assert_int_equal(begin_512(by, turn), 512);
        pass(5120 * KITH_MSEC);
    }
    assert_int_equal(flows(), 16384);
    assert_true(hear_begin(9, HIGH | 1, 1, HERE));
    leaves_over(9, HIGH | 1, KITH_MESH_FULL);
    send(77, "ours");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
    assert_int_equal(flows(), 16384);
    kith_relay_part(lab.r, 1, lab.now);
    assert_int_equal(flows(), 14336);
    send(77, "ours");
    (void)leaves_open(9);
    drain();
}

static void what_leaves_says_who_handed_it_over(void **s)
{
    struct kith_relay_out out;

    (void)s;
    join(3);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    assert_true(hear_packet(1, HIGH | 1, "theirs"));
    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.from, 1);
    send(77, "ours");
    while (kith_relay_next_out(lab.r, &out))
        assert_int_equal(out.from, KITH_MESH_SELF);
}

static void beyond_its_rate_it_sends_nothing_on_for_others_but_all_of_its_own(void **s)
{
    unsigned sent = 0;

    (void)s;
    join(3);
    LEADS(2);
    kith_relay_limit(lab.r, 100);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    for (int i = 0; i < 100; i++) /* 10 bytes: a tenth of a second */
        assert_true(hear_packet(1, HIGH | 1, "0123456789"));
    for (struct kith_relay_out out; kith_relay_next_out(lab.r, &out);)
        sent++;
    assert_in_range(sent, 3, 6); /* what may be ahead of all, and of its share */
    assert_int_equal(counted()->over_rate, 100 - sent);
    assert_int_equal(counted()->forwarded, sent);
    assert_true(hear_packet(1, HIGH | 2, "for us"));
    (void)arrives("for us");
    kith_relay_taken(lab.r);
    LEADS(3);
    send(77, "ours");
    (void)leaves_open(3);
    assert_int_equal(leaves(3).n, 8 + 4);
    pass(5 * KITH_SEC);
    assert_true(hear_packet(1, HIGH | 1, "0123456789"));
    (void)leaves_packet(2, label, "0123456789");
}

static void a_shelf_that_is_more_than_half_full_is_heavy(void **s)
{
    static uint8_t big[1000];
    size_t n = 0;

    (void)s;
    join(2);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    assert_false(kith_relay_is_heavy(lab.r));
    while (!kith_relay_is_heavy(lab.r) && n < 2000) {
        send_bytes(77, big, sizeof big);
        n++;
    }
    assert_in_range(n, KITH_SHELF_BYTES / 2 / 1100, KITH_SHELF_BYTES / 2 / 1000);
    drain();
    assert_false(kith_relay_is_heavy(lab.r));
    assert_int_equal(counted()->dropped, 0);
}

static void neighbours_have_numbers_below_65536(void **s)
{
    (void)s;
    const uint32_t good[] = {0, 15, 16, 4095, 65535}, bad[] = {65536, UINT32_MAX};

    for (size_t i = 0; i < 5; i++)
        assert_int_equal(kith_relay_join(lab.r, good[i], false), KITH_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kith_relay_join(lab.r, bad[i], false), KITH_E_FULL);
    assert_false(hear_packet(65536, HIGH | 1, "x"));
    assert_true(hear_packet(65535, HIGH | 1, "x"));
    kith_relay_part(lab.r, 65535, lab.now);
    assert_false(hear_packet(65535, HIGH | 1, "x"));
    kith_relay_part(lab.r, 65536, lab.now);
}

static void a_full_shelf_drops_and_counts(void **s)
{
    struct kith_relay_out out;
    unsigned n = 0;

    (void)s;
    join(1);
    LEADS(1);
    for (unsigned i = 0; i < 2000; i++)
        send_bytes(77, pattern(), 1000);
    while (kith_relay_next_out(lab.r, &out))
        n++;
    kith_relay_taken(lab.r);
    assert_int_equal(n + counted()->dropped, 2001); /* with the beginning */
    assert_in_range(n, 900, 1048);
    send(77, "fits again");
    (void)leaves(1);
    nothing_leaves();
}

/* ---- time ---- */

static void a_flow_that_nobody_uses_for_60_seconds_is_gone(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    assert_int_equal(kith_relay_deadline(lab.r), KITH_NEVER);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_relay_deadline(lab.r), lab.now + 60 * KITH_SEC);
    pass(30 * KITH_SEC);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    pass(30 * KITH_SEC - 1);
    assert_int_equal(flows(), 2);
    assert_true(hear_packet(2, label, "used")); /* either direction counts */
    drain();
    pass(1);
    assert_int_equal(flows(), 2);
    assert_int_equal(kith_relay_deadline(lab.r), lab.now + 30 * KITH_SEC); /* of the other */
    pass(30 * KITH_SEC);
    assert_int_equal(flows(), 1);
    pass(30 * KITH_SEC - 2);
    assert_int_equal(flows(), 1);
    pass(1);
    assert_int_equal(flows(), 0);
    assert_int_equal(kith_relay_deadline(lab.r), KITH_NEVER);
    nothing_leaves();
    assert_true(hear_begin(1, HIGH | 3, 3, HERE));
    assert_true(hear_packet(1, HIGH | 2, "old"));
    leaves_over(1, HIGH | 2, KITH_MESH_UNKNOWN);
}

static void sending_uses_a_flow(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    send(77, "ours");
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_packet(1, HIGH | 2, "theirs"));
    struct kith_ip from = arrives("theirs");
    drain();
    for (int i = 0; i < 3; i++) {
        pass(40 * KITH_SEC);
        assert_int_equal(flows(), 2);
        send(77, "ours");
        send_to(&from, "answer");
        drain();
    }
    pass(60 * KITH_SEC);
    assert_int_equal(flows(), 0);
}

static void when_the_last_flow_is_gone_the_shelves_are_given_back(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    send(77, "ours");
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_packet(1, HIGH | 2, "theirs"));
    pass(60 * KITH_SEC); /* nobody took them yet */
    size_t with_both = lab.heap.bytes, shelves = 2;
    (void)arrives("theirs");
    drain();
    pass(1);
    assert_in_range(with_both - lab.heap.bytes, shelves * 16 * 1024, shelves * KITH_SHELF_BYTES);
    assert_true(lab.heap.bytes < (size_t)64 * 1024);
}

/* ---- memory, malice ---- */

/* A little of everything, with whatever result. */
static void live(void)
{
    static const uint32_t known = HIGH | 1;
    const struct kith_flow_piece piece = {
        .hops = 9, .label = HIGH | 2, .size = 20, .count = 2, .part = {pattern(), 10}};
    uint8_t buf[64];
    size_t n;

    for (uint32_t i = 1; i <= 8; i++) /* enough for the maps to grow */
        (void)!kith_relay_join(lab.r, i, false);
    LEADS(2, 3, 4);
    (void)hear_begin(1, known, 1, 77);
    (void)hear_begin(1, HIGH | 2, 2, HERE);
    for (unsigned i = 0; i < 8; i++)
        (void)hear_begin(5, HIGH | i, 100 + i, 78);
    (void)hear_packet(1, known, "through");
    (void)hear_packet(1, HIGH | 2, "here");
    assert_int_equal(kith_flow_piece_encode(&piece, buf, sizeof buf, &n), KITH_OK);
    (void)hear(1, (struct kith_span){buf, n});
    send(77, "ours");
    send(78, "ours");
    kith_relay_part(lab.r, 2, lab.now);
    send(77, "ours");
    (void)hear_over(5, HIGH | 3, KITH_MESH_GONE);
    drain();
    pass(KITH_SEC);
}

static void every_allocation_may_fail_once(void **s)
{
    uint64_t asked;

    (void)s;
    live();
    asked = lab.heap.requests;
    assert_true(asked > 20);
    for (uint64_t fail = 1; fail <= asked; fail++) {
        kith_relay_free(lab.r);
        assert_int_equal(lab.heap.live, 0);
        lab.r = NULL;
        lab.heap.fail_at = lab.heap.requests + fail;
        if (kith_relay_new(&lab.env, &ops, &lab.r) != KITH_OK) {
            assert_int_equal(fail, 1);
            assert_int_equal(kith_relay_new(&lab.env, &ops, &lab.r), KITH_OK);
        }
        live();
        lab.heap.fail_at = 0;
        live(); /* and all goes on afterwards */
        send(79, "ours");
        struct kith_flow_open m = leaves_open(3); /* 2 has parted */
        (void)leaves_packet(3, m.label, "ours");
    }
    assert_int_equal(lab.heap.failed, asked);
}

static void without_memory_a_beginning_is_refused_and_its_label_is_free(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    lab.heap.fail_at = lab.heap.requests + 1;
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    leaves_over(1, HIGH | 2, KITH_MESH_FULL);
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    (void)leaves_open(2);
}

/* A datagram that is none: nothing leaves, nothing arrives, nothing is taken. */
static void is_none(uint32_t from, const uint8_t *p, size_t n)
{
    uint8_t *exact = n > 0 ? malloc(n) : NULL; /* a sanitizer sees what is read beyond */
    struct kith_relay_counters before = *counted();
    size_t had = flows(), bytes = lab.heap.bytes;

    kith_copy(exact, p, n);
    assert_false(hear(from, (struct kith_span){exact, n}));
    free(exact);
    nothing_leaves();
    nothing_arrives();
    before.malformed++;
    assert_memory_equal(&before, counted(), sizeof before);
    assert_int_equal(flows(), had);
    assert_int_equal(lab.heap.bytes, bytes);
}

static void what_is_cut_short_or_too_long_is_malformed(void **s)
{
    const struct kith_flow_open open = opening(HIGH | 9, 9, HERE);
    const struct kith_flow_packet packet = {.hops = 9, .label = HIGH | 1};
    const struct kith_flow_piece piece = {.hops = 9, .label = HIGH | 1, .size = 20, .count = 2};
    const struct kith_flow_over over = {.label = HIGH | 1, .why = KITH_MESH_GONE};
    uint8_t buf[64] = {0};
    size_t n;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    assert_int_equal(kith_flow_open_encode(&open, buf, sizeof buf, &n), KITH_OK);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    is_none(1, buf, n + 1);
    assert_int_equal(kith_flow_packet_encode(&packet, buf, sizeof buf, &n), KITH_OK);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    assert_int_equal(kith_flow_piece_encode(&piece, buf, sizeof buf, &n), KITH_OK);
    assert_int_equal(n, 14);
    for (size_t i = 0; i <= n; i++) /* a piece of nothing is none, too */
        is_none(1, buf, i);
    assert_int_equal(kith_flow_over_encode(&over, buf, sizeof buf, &n), KITH_OK);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    is_none(1, buf, n + 1);
}

static void what_breaks_a_rule_is_malformed(void **s)
{
    const struct kith_flow_open open = opening(HIGH | 9, 9, HERE);
    uint8_t buf[64];
    size_t n;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    assert_int_equal(kith_flow_open_encode(&open, buf, sizeof buf, &n), KITH_OK);
    for (unsigned kind = 0; kind < 256; kind++) /* of no flow kind */
        if (kind < 0x05 || kind > 0x08) {
            buf[0] = (uint8_t)kind;
            is_none(1, buf, n);
        }
    buf[0] = 0x05;
    buf[1] = 0; /* hops */
    is_none(1, buf, n);
    buf[1] = 65;
    is_none(1, buf, n);
    buf[1] = 64;
    is_none(2, buf, n); /* of no neighbour */
    buf[2] &= 0x7f;     /* a label that is ours to choose */
    is_none(1, buf, n);
    buf[2] |= 0x80;
    assert_true(hear(1, (struct kith_span){buf, n}));
    assert_int_equal(counted()->accepted, 2);
}

static void flags_that_nobody_knows_are_ignored(void **s)
{
    const uint8_t packet[] = {0x06, 0xff, 0xff, 9, 0x80, 0, 0, 1, 'x'};

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    assert_true(hear(1, KITH_SPAN_OF(packet)));
    (void)arrives("x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_too_big_for_a_hop_goes_in_pieces_which_the_next_puts_together),
        T(the_middle_puts_together_and_sends_on_whole_or_cut_anew),
        T(what_is_bigger_than_1200_bytes_or_8_pieces_and_does_not_fit_is_too_big),
        T(where_there_is_no_room_at_all_it_is_dropped),
        T(pieces_under_unknown_labels_take_no_memory),
        T(pieces_that_cannot_be_are_malformed),
        T(a_neighbour_begins_512_flows_at_once_and_100_a_second),
        T(a_neighbour_has_at_most_2048_flows_begun),
        T(there_are_at_most_16384_flows_in_all),
        T(what_leaves_says_who_handed_it_over),
        T(beyond_its_rate_it_sends_nothing_on_for_others_but_all_of_its_own),
        T(a_shelf_that_is_more_than_half_full_is_heavy),
        T(neighbours_have_numbers_below_65536),
        T(a_full_shelf_drops_and_counts),
        T(a_flow_that_nobody_uses_for_60_seconds_is_gone),
        T(sending_uses_a_flow),
        T(when_the_last_flow_is_gone_the_shelves_are_given_back),
        T(every_allocation_may_fail_once),
        T(without_memory_a_beginning_is_refused_and_its_label_is_free),
        T(what_is_cut_short_or_too_long_is_malformed),
        T(what_breaks_a_rule_is_malformed),
        T(flags_that_nobody_knows_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
