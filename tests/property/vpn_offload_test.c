/* Laws of splitting and coalescing, over many seeds:
 *   1. coalescing undoes splitting: a super-packet cut up, carried and joined again is the same;
 *   2. whatever packets arrive in whatever order, each flow's packets come out of the joined stream
 *      in the order and with the bytes in which they came, when the stream is cut again;
 *   3. every packet that splitting makes has right checksums;
 *   4. the first law holds as well when the checksums are left to the receiver and arrive as
 *      anything, for some packets or all. */
#include "unit/vpn_packets.h"
#include "vpn/coalesce.h"
#include "vpn/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { SEEDS = 2000, FLOWS = 12, STEPS = 400 };

static struct kith_random_seeded source;
static struct kith_random rnd;
static uint8_t data[65536];
static struct kith_split splitter;

static size_t below(size_t n)
{
    return (size_t)kith_random_below(&rnd, n);
}

static void seed_with(uint64_t seed)
{
    kith_random_seeded_init(&source, seed);
    rnd = kith_random_from_seed(&source);
    kith_random_fill(&rnd, data, sizeof data);
}

/* ---- law 1 ---- */

static uint8_t joined[KITH_VNET_LEN + 65536];
static size_t joined_n, joined_writes;

static bool keep(void *ctx, const struct kith_span *parts, size_t n)
{
    (void)ctx;
    joined_n = 0;
    joined_writes++;
    for (size_t i = 0; i < n; i++) {
        memcpy(joined + joined_n, parts[i].p, parts[i].n);
        joined_n += parts[i].n;
    }
    return true;
}

static struct a_packet random_super(size_t *ret_piece)
{
    static uint8_t options[40];
    bool v4 = below(2), tcp = below(2);
    struct a_packet p = {.src = v4 ? "100.64.0.1" : "fd00::1",
                         .dst = v4 ? "100.64.0.2" : "fd00::2",
                         .proto = tcp ? TCP : UDP};

    kith_random_fill(&rnd, &p.sport, 2);
    kith_random_fill(&rnd, &p.dport, 2);
    kith_random_fill(&rnd, &p.seq, 4);
    kith_random_fill(&rnd, &p.ack, 4);
    kith_random_fill(&rnd, &p.window, 2);
    kith_random_fill(&rnd, &p.ident, 2);
    kith_random_fill(&rnd, &p.tos, 1);
    p.may_fragment = v4 && below(2);
    p.flags = (uint8_t)(ACK | (below(2) ? PSH : 0));
    if (tcp) {
        kith_random_fill(&rnd, options, sizeof options);
        p.options = (struct kith_span){options, 4 * below(11)};
    }
    *ret_piece = 1 + below(1400);
    size_t most = tcp ? 65000 : 64 * *ret_piece;
    if (most > 65000)
        most = 65000;
    size_t payload = *ret_piece + 1 + below(most - *ret_piece); /* at least two pieces */
    p.payload = (struct kith_span){data, payload};
    return p;
}

static void split_into(struct kith_coalesce *c, const struct kith_span super,
                       const struct kith_vnet *v, bool partial)
{
    static uint8_t one[65536];
    struct kith_parts parts[KITH_SPLIT_BATCH];
    struct kith_packet info, piece;
    size_t n;

    assert_int_equal(kith_packet_parse(super, &info), KITH_OK);
    assert_int_equal(kith_split_init(&splitter, super.p, &info, v, partial), KITH_OK);
    while ((n = kith_split_next(&splitter, parts)) > 0)
        for (size_t i = 0; i < n; i++) {
            struct kith_span s = {one, parts[i].head.n + parts[i].body.n};
            memcpy(one, parts[i].head.p, parts[i].head.n);
            memcpy(one + parts[i].head.n, parts[i].body.p, parts[i].body.n);
            assert_int_equal(parts[i].marks.partial, partial);
            assert_true(partial || checksums_are_right(s)); /* law 3 */
            assert_int_equal(kith_packet_parse(s, &piece), KITH_OK);
            if (partial && below(4) == 0) /* somebody made it meanwhile */
                kith_packet_checksum_set(one, &piece);
            else if (partial) /* law 4 */
                kith_random_fill(&rnd, one + piece.l4 + kith_packet_checksum_at(&piece), 2);
            piece.partial = partial;
            kith_coalesce_add(c, s, &piece);
        }
}

static void undoes_splitting(bool partial)
{
    static uint8_t super[KITH_VNET_LEN + 65536 + 100];
    struct kith_coalesce c;

    assert_int_equal(kith_coalesce_init(&c, &kith_heap, (struct kith_vpn_in){keep, NULL}, true),
                     KITH_OK);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t piece;
        seed_with(seed);
        struct a_packet p = random_super(&piece);
        uint8_t *packet = super + KITH_VNET_LEN;
        size_t n = make_packet(&p, packet), ip = packet[0] >> 4 == 4 ? 20 : 40;
        size_t head = ip + (p.proto == TCP ? 20 + p.options.n : 8);
        struct kith_vnet v = {.flags = KITH_VNET_NEEDS_CSUM,
                              .gso_type = p.proto == UDP ? 5
                                          : ip == 20     ? 1
                                                         : 4,
                              .hdr_len = (uint16_t)head,
                              .gso_size = (uint16_t)piece,
                              .csum_start = (uint16_t)ip,
                              .csum_offset = p.proto == UDP ? 6 : 16};
        kith_store_u16(packet + ip + v.csum_offset, naive_pseudo_sum(packet, n - ip));
        kith_vnet_write(&v, super);
        joined_writes = 0;
        split_into(&c, (struct kith_span){packet, n}, &v, partial);
        kith_coalesce_flush(&c);
        if (joined_writes != 1 || joined_n != KITH_VNET_LEN + n ||
            memcmp(joined, super, joined_n) != 0)
            fail_msg("seed %llu: %zu writes, the last of %zu bytes for %zu",
                     (unsigned long long)seed, joined_writes, joined_n, KITH_VNET_LEN + n);
    }
    kith_coalesce_fini(&c);
}

static void coalescing_undoes_splitting(void **state)
{
    (void)state;
    undoes_splitting(false);
}

static void coalescing_undoes_splitting_without_checksums(void **state)
{
    (void)state;
    undoes_splitting(true);
}

/* ---- law 2 ---- */

static struct {
    uint8_t bytes[STEPS][1500];
    size_t len[STEPS];
    size_t n, seen;
} flow[FLOWS];

/* The flow a packet belongs to: its source port's. */
static size_t flow_of(const uint8_t *packet)
{
    size_t ip = packet[0] >> 4 == 4 ? 20 : 40;

    return kith_load_u16(packet + ip) % FLOWS;
}

/* The only freedom: where DF is set, the identification means nothing. */
static void forget_ident(uint8_t *packet)
{
    if (packet[0] >> 4 == 4 && (packet[6] & 0x40) != 0) {
        packet[4] = packet[5] = 0;
        kith_ip4_checksum_set(packet, 20);
    }
}

static void meet(uint8_t *packet, size_t n)
{
    size_t f = flow_of(packet), i = flow[f].seen++;

    forget_ident(packet);
    assert_true(i < flow[f].n);
    assert_int_equal(n, flow[f].len[i]);
    assert_memory_equal(packet, flow[f].bytes[i], n);
}

static bool cut_again(void *ctx, const struct kith_span *parts, size_t count)
{
    static uint8_t all[KITH_VNET_LEN + 65536], one[65536];
    struct kith_parts cut[KITH_SPLIT_BATCH];
    struct kith_packet info;
    struct kith_vnet v;
    size_t len = 0, n;

    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        memcpy(all + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    assert_int_equal(kith_vnet_read((struct kith_span){all, len}, &v), KITH_OK);
    struct kith_span packet = {all + KITH_VNET_LEN, len - KITH_VNET_LEN};
    if (v.gso_type == KITH_GSO_NONE) {
        meet(all + KITH_VNET_LEN, packet.n);
        return true;
    }
    assert_int_equal(kith_packet_parse(packet, &info), KITH_OK);
    assert_int_equal(kith_split_init(&splitter, packet.p, &info, &v, false), KITH_OK);
    while ((n = kith_split_next(&splitter, cut)) > 0)
        for (size_t i = 0; i < n; i++) {
            memcpy(one, cut[i].head.p, cut[i].head.n);
            memcpy(one + cut[i].head.n, cut[i].body.p, cut[i].body.n);
            meet(one, cut[i].head.n + cut[i].body.n);
        }
    return true;
}

/* The next packet of flow f: mostly the one that GRO hopes for, sometimes a spoiler. */
static struct a_packet next_packet(size_t f, uint32_t seq[FLOWS], uint16_t ident[FLOWS])
{
    bool v4 = f % 2 == 0;
    struct a_packet p = {.src = v4 ? "100.64.0.1" : "fd00::1",
                         .dst = v4 ? "100.64.0.2" : "fd00::2",
                         .proto = f % 3 == 0 ? UDP : TCP,
                         .sport = (uint16_t)(FLOWS * 100 + f),
                         .dport = 80,
                         .seq = seq[f],
                         .flags = ACK,
                         .window = 9,
                         .ident = ident[f]++,
                         .may_fragment = f % 4 == 0};
    size_t n = 1000;

    switch (below(24)) {
    case 0: n = below(1400); break;
    case 1: p.flags |= PSH; break;
    case 2: p.flags |= FIN; break;
    case 3: p.seq += 17; break;
    case 4: p.tos = 2; break;
    case 5: p.window = 10; break;
    case 6: p.ident = ident[f] += 5; break;
    default: break;
    }
    p.payload = (struct kith_span){data + below(60000), n};
    seq[f] = p.seq + (uint32_t)n;
    return p;
}

static void every_flow_comes_out_as_it_came(void **state)
{
    struct kith_coalesce c;
    size_t merged = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS / 10; seed++) {
        uint32_t seq[FLOWS] = {0};
        uint16_t ident[FLOWS] = {0};
        memset(flow, 0, sizeof flow);
        seed_with(seed);
        print_message("seed %llu\n", (unsigned long long)seed);
        assert_int_equal(
            kith_coalesce_init(&c, &kith_heap, (struct kith_vpn_in){cut_again, NULL}, true),
            KITH_OK);
        for (size_t i = 0, f = 0; i < STEPS; i++) {
            uint8_t made[1600];
            struct kith_packet info;
            f = below(3) == 0 ? below(FLOWS) : f; /* runs, as from a network */
            struct a_packet p = next_packet(f, seq, ident);
            struct kith_span s = {made, make_packet(&p, made)};
            size_t at = flow[f].n++;
            flow[f].len[at] = s.n;
            memcpy(flow[f].bytes[at], made, s.n);
            forget_ident(flow[f].bytes[at]);
            assert_int_equal(kith_packet_parse(s, &info), KITH_OK);
            kith_coalesce_add(&c, s, &info);
            if (below(20) == 0)
                kith_coalesce_flush(&c);
        }
        kith_coalesce_flush(&c);
        for (size_t f = 0; f < FLOWS; f++)
            assert_int_equal(flow[f].seen, flow[f].n);
        assert_int_equal(c.written, STEPS);
        merged += STEPS - c.writes;
        kith_coalesce_fini(&c);
    }
    assert_true(merged > SEEDS / 10 * STEPS / 4); /* the law must not hold for want of merging */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coalescing_undoes_splitting),
        cmocka_unit_test(coalescing_undoes_splitting_without_checksums),
        cmocka_unit_test(every_flow_comes_out_as_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
