/* Hostile headers against the policy "deny": chains of IPv6 extension headers, IPv4 options and
 * fragments of every shape. What is let in is judged by a reader of its own, written from the RFCs
 * as the kernel behind the tunnel reads: a packet goes in only when that finds the one flow that
 * this node began, or a later piece of a datagram whose beginning was such a packet. */
#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vpn/ip.h"

enum {
    HOP = 0,
    ROUTING = 43,
    FRAGMENT = 44,
    ESP = 50,
    AH = 51,
    NONE = 59,
    DEST = 60,
    MOBILITY = 135
};

static const kith_time T0 = PLAY_T0;
static unsigned seed;

static unsigned dice(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

/* ---- how the kernel reads ---- */

enum reading { UNREADABLE, OTHER, FLOW, LATER };

static unsigned word(const uint8_t *b)
{
    return (unsigned)b[0] << 8 | b[1];
}

/* Whether the transport header at `at` is that of the flow: UDP from their port to ours. */
static enum reading at_transport(const uint8_t *b, size_t n, size_t at, unsigned proto)
{
    if (proto != UDP)
        return OTHER;
    if (at + 8 > n)
        return UNREADABLE;
    return word(b + at) == to_bob().dport && word(b + at + 2) == to_bob().sport ? FLOW : OTHER;
}

/* RFC 8200 4: every header says its own length and what comes next. */
static enum reading read_ip6(const uint8_t *b, size_t n)
{
    unsigned next = b[6];
    size_t at = 40;

    for (;;) {
        size_t len;
        if (next == HOP || next == ROUTING || next == DEST)
            len = at + 2 <= n ? 8 + 8 * (size_t)b[at + 1] : SIZE_MAX;
        else if (next == AH)
            len = at + 2 <= n ? 8 + 4 * (size_t)b[at + 1] : SIZE_MAX;
        else if (next == FRAGMENT)
            len = 8;
        else
            return at_transport(b, n, at, next);
        if (len > n - at)
            return UNREADABLE;
        if (next == FRAGMENT && word(b + at + 2) >> 3 != 0)
            return LATER;
        next = b[at];
        at += len;
    }
}

static enum reading read_ip4(const uint8_t *b, size_t n)
{
    size_t head = 4 * (size_t)(b[0] & 15);

    if (head < 20 || head > n)
        return UNREADABLE;
    if ((word(b + 6) & 0x1fff) != 0)
        return LATER;
    return at_transport(b, n, head, b[9]);
}

static enum reading reads(const uint8_t *b, size_t n)
{
    if (n < 20)
        return UNREADABLE;
    return b[0] >> 4 == 6 ? n < 40 ? UNREADABLE : read_ip6(b, n) : read_ip4(b, n);
}

/* ---- one packet of Bob's ---- */

static bool beginning_seen; /* of a datagram in fragments that belongs to the flow */

/* Gives it to the core, and compares. Whether it was let in. */
static bool offered(const uint8_t *b, size_t n)
{
    size_t before = written_n;
    enum reading what = reads(b, n);

    (void)kith_vpn_from_peer(v, BOB, 1, (struct kith_span){b, n}, (struct kith_marks){0}, T0);
    bool in = written_n > before;
    written_n = 0;
    if (in && what != FLOW && !(what == LATER && beginning_seen)) {
        print_error("let in, read as %d:", what);
        for (size_t i = 0; i < n && i < 96; i++)
            print_error(" %02x", b[i]);
        print_error("\n");
        fail();
    }
    beginning_seen |= in && what == FLOW;
    return in;
}

static void begin_flow(bool ip6)
{
    struct a_packet p = to_bob();

    if (ip6) {
        p.src = "fd00::1";
        p.dst = "fd00::2";
    }
    tun(&p);
    beginning_seen = false;
    sent_n = 0;
}

/* ---- chains ---- */

struct chain {
    uint8_t b[4096];
    size_t n, last; /* bytes; where the last `next header` field is */
};

static void start_chain(struct chain *c)
{
    struct kith_ip from = ip_of("fd00::2"), to = ip_of("fd00::1");

    memset(c->b, 0, 40);
    c->b[0] = 0x60;
    c->b[7] = 64;
    memcpy(c->b + 8, from.b, 16);
    memcpy(c->b + 24, to.b, 16);
    c->n = 40;
    c->last = 6;
}

/* One more header; `units` is its length field. */
static void add_header(struct chain *c, uint8_t kind, uint8_t units)
{
    size_t len = kind == FRAGMENT ? 8 : kind == AH ? 8 + 4u * units : 8 + 8u * units;

    if (c->n + len + 64 > sizeof c->b)
        return;
    memset(c->b + c->n, 0, len);
    c->b[c->last] = kind;
    c->b[c->n + 1] = units;
    if (kind == DEST || kind == HOP) { /* PadN as far as it goes (RFC 8200 4.2) */
        c->b[c->n + 2] = 1;
        c->b[c->n + 3] = (uint8_t)(len - 4 < 255 ? len - 4 : 255);
    }
    c->last = c->n;
    c->n += len;
}

static size_t end_chain(struct chain *c, uint8_t proto, unsigned sport, unsigned dport)
{
    c->b[c->last] = proto;
    memset(c->b + c->n, 0, 12);
    kith_store_u16(c->b + c->n, (uint16_t)sport);
    kith_store_u16(c->b + c->n + 2, (uint16_t)dport);
    kith_store_u16(c->b + c->n + 4, 12);
    c->n += 12;
    kith_store_u16(c->b + 4, (uint16_t)(c->n - 40));
    return c->n;
}

static size_t of_the_flow(struct chain *c)
{
    return end_chain(c, UDP, to_bob().dport, to_bob().sport);
}

static void every_kind_of_extension_header_is_read_as_the_kernel_reads_it(void **state)
{
    static const uint8_t walked[] = {HOP, ROUTING, FRAGMENT, AH, DEST};
    static const uint8_t ends[] = {ESP, NONE, MOBILITY, 139, 140, 253, 254, 4, 41, 47};
    struct chain c;

    (void)state;
    begin_flow(true);
    for (size_t i = 0; i < KITH_COUNT(walked); i++) {
        start_chain(&c);
        add_header(&c, walked[i], 0);
        assert_true(offered(c.b, of_the_flow(&c)));
        start_chain(&c);
        add_header(&c, walked[i], 0);
        assert_false(offered(c.b, end_chain(&c, UDP, to_bob().dport, 22)));
    }
    for (size_t i = 0; i < KITH_COUNT(ends); i++) { /* whatever they seem to hide */
        start_chain(&c);
        add_header(&c, ends[i], 0);
        assert_false(offered(c.b, of_the_flow(&c)));
    }
}

static void every_length_of_every_header_is_read_as_the_kernel_reads_it(void **state)
{
    static const uint8_t kinds[] = {HOP, ROUTING, AH, DEST};
    struct chain c;
    size_t let_in = 0;

    (void)state;
    begin_flow(true);
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        for (unsigned units = 0; units < 256; units++) {
            start_chain(&c);
            add_header(&c, kinds[i], (uint8_t)units);
            size_t n = of_the_flow(&c);
            let_in += offered(c.b, n);
            /* the same bytes with every other length said of the header */
            for (unsigned said = 0; said < 256; said++) {
                c.b[41] = (uint8_t)said;
                (void)offered(c.b, n);
            }
        }
    }
    assert_int_equal(let_in, 4 * 256);
}

/* Ports that are not the flow's, and those of the flow wherever a reader might find them instead.
 */
static void a_chain_of_lies_lets_nothing_else_in(void **state)
{
    static const uint8_t kinds[] = {HOP,  ROUTING,  FRAGMENT, AH,  DEST, ESP,
                                    NONE, MOBILITY, UDP,      TCP, ICMP6};
    const char *given = getenv("SEED");
    size_t let_in = 0;
    struct chain c;

    (void)state;
    seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : 20261121u;
    print_message("SEED=%u\n", seed);
    begin_flow(true);
    for (int i = 0; i < 200000; i++) {
        start_chain(&c);
        for (unsigned k = dice(6); k > 0; k--)
            add_header(&c, kinds[dice(5)], (uint8_t)(dice(8) == 0 ? dice(256) : dice(3)));
        size_t n = dice(2) == 0 ? of_the_flow(&c) : end_chain(&c, UDP, to_bob().dport, 22);
        for (unsigned k = dice(4); k > 0; k--) { /* lies: of lengths, kinds, offsets, places */
            size_t at = 40 + dice((unsigned)(n - 40));
            c.b[dice(3) == 0 ? 6 : at] =
                dice(2) == 0 ? kinds[dice(KITH_COUNT(kinds))] : (uint8_t)dice(256);
        }
        if (dice(10) == 0)
            n -= dice(20);
        kith_store_u16(c.b + 4, (uint16_t)(n - 40 + (dice(20) == 0 ? dice(5) : 0)));
        beginning_seen =
            false; /* whatever was let in: a later piece needs a beginning of its own */
        bool later = reads(c.b, n) == LATER;
        if (!later)
            let_in += offered(c.b, n);
    }
    print_message("%zu let in\n", let_in);
    assert_true(let_in > 10000);
}

static void a_jumbogram_is_refused(void **state)
{
    struct chain c;

    (void)state;
    begin_flow(true);
    start_chain(&c);
    add_header(&c, HOP, 0);
    size_t n = of_the_flow(&c);
    memcpy(c.b + 42, (const uint8_t[]){0xc2, 4, 0, 1, 0, 0}, 6); /* RFC 2675 2 */
    kith_store_u16(c.b + 4, 0);
    assert_false(offered(c.b, n));
}

/* ---- fragments ---- */

/* A fragment of an IPv6 datagram of Bob's: `what` from `offset` on. */
static size_t fragment6(struct chain *c, unsigned ident, unsigned offset, bool more, uint8_t proto,
                        const uint8_t *what, size_t n)
{
    start_chain(c);
    add_header(c, FRAGMENT, 0);
    c->b[c->last] = proto;
    kith_store_u16(c->b + 42, (uint16_t)(offset | more));
    kith_store_u32(c->b + 44, ident);
    memcpy(c->b + c->n, what, n);
    c->n += n;
    kith_store_u16(c->b + 4, (uint16_t)(c->n - 40));
    return c->n;
}

static size_t fragment4(uint8_t *b, unsigned ident, unsigned offset, bool more, uint8_t proto,
                        const uint8_t *what, size_t n)
{
    struct kith_ip from = ip_of("100.64.0.2"), to = ip_of("100.64.0.1");

    memset(b, 0, 20);
    b[0] = 0x45;
    kith_store_u16(b + 2, (uint16_t)(20 + n));
    kith_store_u16(b + 4, (uint16_t)ident);
    kith_store_u16(b + 6, (uint16_t)((more ? 0x2000 : 0) | offset / 8));
    b[8] = 64;
    b[9] = proto;
    memcpy(b + 12, from.b, 4);
    memcpy(b + 16, to.b, 4);
    kith_ip4_checksum_set(b, 20);
    memcpy(b + 20, what, n);
    return 20 + n;
}

/* A UDP header and 16 bytes behind it. */
static void udp_header(uint8_t out[24], unsigned sport, unsigned dport)
{
    memset(out, 0, 24);
    kith_store_u16(out, (uint16_t)sport);
    kith_store_u16(out + 2, (uint16_t)dport);
    kith_store_u16(out + 4, 48);
}

static bool six;

static bool piece(unsigned ident, unsigned offset, bool more, const uint8_t *what, size_t n)
{
    static struct chain c;
    size_t len = six ? fragment6(&c, ident, offset, more, UDP, what, n)
                     : fragment4(c.b, ident, offset, more, UDP, what, n);

    return offered(c.b, len);
}

static void fragments_go_in_behind_their_beginning_only(void)
{
    uint8_t good[24], bad[24];

    udp_header(good, to_bob().dport, to_bob().sport);
    udp_header(bad, to_bob().dport, 22);
    begin_flow(six);
    assert_false(piece(1, 24, false, good, 24)); /* no beginning yet */
    assert_false(piece(1, 0, true, bad, 24));
    assert_false(piece(1, 24, false, good, 24)); /* the beginning was refused */
    assert_true(piece(2, 0, true, good, 24));
    assert_true(piece(2, 24, false, good, 24));
    assert_false(piece(3, 24, false, good, 24)); /* of another datagram */
    assert_false(piece(2, 0, true, bad, 24));    /* another beginning of the same */
    assert_false(piece(2, 0, true, bad, 8));
    for (size_t n = 1; n < 8; n++)
        assert_false(piece(4, 0, true, good, n)); /* ports, but not the whole header */
    /* the byte at which a later piece begins is never within the ports: offsets count in eights */
    assert_true(piece(2, 8, true, bad, 24));
}

static void ipv4_fragments_go_in_behind_their_beginning_only(void **state)
{
    (void)state;
    six = false;
    fragments_go_in_behind_their_beginning_only();
}

static void ipv6_fragments_go_in_behind_their_beginning_only(void **state)
{
    (void)state;
    six = true;
    fragments_go_in_behind_their_beginning_only();
}

/* The upper header may not hide in a later fragment, behind headers of its own (RFC 7112). */
static void a_beginning_without_its_whole_header_chain_is_refused(void **state)
{
    uint8_t dest[8] = {UDP, 0, 1, 4}, deep[8] = {UDP, 1, 1, 4}, udp[24];
    struct chain c;

    (void)state;
    begin_flow(true);
    udp_header(udp, to_bob().dport, to_bob().sport);
    assert_false(offered(c.b, fragment6(&c, 5, 0, true, DEST, dest, 8))); /* UDP comes later */
    assert_false(offered(c.b, fragment6(&c, 6, 0, true, DEST, deep, 8))); /* half of the options */
    assert_false(offered(c.b, fragment6(&c, 7, 0, true, UDP, udp, 0)));
    assert_false(offered(c.b, fragment6(&c, 5, 8, false, DEST, udp, 24)));
    assert_false(offered(c.b, fragment6(&c, 5, 8, false, UDP, udp, 24)));
}

/* ---- IPv4 options ---- */

static void ipv4_options_of_every_shape_let_nothing_else_in(void **state)
{
    uint8_t b[128], udp[24];
    size_t let_in = 0, routed = 0;

    (void)state;
    seed = 20261122u;
    begin_flow(false);
    for (int i = 0; i < 100000; i++) {
        size_t words = 5 + dice(11), head = 4 * words;
        udp_header(udp, to_bob().dport, dice(2) == 0 ? to_bob().sport : 22);
        size_t n = fragment4(b, 0, 0, false, UDP, udp, 24);
        memmove(b + head, b + 20, 24);
        for (size_t k = 20; k < head; k++)
            b[k] = (uint8_t)(dice(2) == 0 ? dice(256)
                                          : (unsigned[]){0, 1, 7, 68, 131, 137, 148}[dice(7)]);
        b[0] = (uint8_t)(0x40 | words);
        n += head - 20;
        kith_store_u16(b + 2, (uint16_t)n);
        kith_store_u16(b + head + 4, 24);
        kith_ip4_checksum_set(b, head);
        if (dice(10) == 0)
            b[0] = (uint8_t)(0x40 | dice(16)); /* a header length that lies */
        beginning_seen = false;
        uint64_t before = dropped(KITH_VPN_DROP_source_routed);
        let_in += offered(b, n);
        routed += dropped(KITH_VPN_DROP_source_routed) > before;
    }
    assert_true(let_in > 1000);
    assert_true(routed > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DENY(every_kind_of_extension_header_is_read_as_the_kernel_reads_it),
        DENY(every_length_of_every_header_is_read_as_the_kernel_reads_it),
        DENY(a_chain_of_lies_lets_nothing_else_in),
        DENY(a_jumbogram_is_refused),
        DENY(ipv4_fragments_go_in_behind_their_beginning_only),
        DENY(ipv6_fragments_go_in_behind_their_beginning_only),
        DENY(a_beginning_without_its_whole_header_chain_is_refused),
        DENY(ipv4_options_of_every_shape_let_nothing_else_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
