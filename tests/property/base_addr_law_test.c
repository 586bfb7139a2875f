/* Addresses against independent judges: the C library's inet_pton and inet_ntop for texts, and a
 * look at every single bit for prefixes. */
#include "base/addr.h"
#include "unit/base_lab.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEDS = 200, TEXTS = 1000, PAIRS = 200 };

static struct lab_dice dice;

static void begin(uint64_t seed)
{
    lab_seed(&dice, seed);
}

/* Both read the text alike: the same verdict and the same address (mapped ones as IPv4). */
static bool read_alike(const char *text)
{
    uint8_t theirs[16];
    struct kith_ip want = {0}, got = {0};

    if (inet_pton(AF_INET, text, theirs) == 1)
        want = kith_ip_from((struct kith_span){theirs, 4});
    else if (inet_pton(AF_INET6, text, theirs) == 1)
        want = kith_ip_from((struct kith_span){theirs, 16});
    bool ok = kith_ip_parse(text, &got) == KITH_OK;
    return ok == (want.family != KITH_FAMILY_NONE) && kith_ip_equal(&got, &want);
}

/* An address with many zero groups, so that "::" has something to do. */
static struct kith_ip random_ip(void)
{
    uint8_t b[16];

    kith_random_fill(&dice.random, b, sizeof b);
    if (lab_below(&dice, 3) == 0)
        return kith_ip_from((struct kith_span){b, 4});
    for (size_t i = 0; i < 16; i += 2) {
        if (lab_below(&dice, 2))
            b[i] = b[i + 1] = 0;
        if (lab_below(&dice, 4) == 0)
            b[i] = 0;
    }
    return kith_ip_from((struct kith_span){b, 16});
}

static void what_is_printed_reads_back_here_and_elsewhere(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int i = 0; i < PAIRS; i++) {
            struct kith_ip ip = random_ip(), back;
            char ours[KITH_IP_TEXT], theirs[INET6_ADDRSTRLEN];
            struct kith_span b = kith_ip_bytes(&ip);
            kith_ip_text(&ip, ours, sizeof ours);
            inet_ntop(b.n == 4 ? AF_INET : AF_INET6, b.p, theirs, sizeof theirs);
            bool same = strcmp(ours, theirs) == 0;
            bool compatible = b.n == 16 && strchr(theirs, '.') != NULL; /* "::1.2.3.4", obsolete */
            if ((!same && !compatible) || kith_ip_parse(ours, &back) < 0 ||
                !kith_ip_equal(&back, &ip) || !read_alike(theirs))
                fail_msg("seed %llu: ours %s, theirs %s", (unsigned long long)seed, ours, theirs);
        }
    }
}

/* Texts near the grammar: pieces that occur in addresses, in any order. */
static void hostile_text(char *text, size_t cap)
{
    static const char *const piece[] = {
        ":",    "::", ":",  ":",   ".",   ".",    "0",   "1",     "12",      "255",  "256",  "00",
        "ffff", "FF", "a:", "1.2", "::1", "2001", "%",   "12345", "1.2.3.4", "0.0.", ":0:0", "g",
        "0:",   "1:", "2:", "3:",  "4:",  ":5",   ":6:", "-",     " ",       "x",
    };
    size_t n = 0, pieces = 1 + lab_below(&dice, 12);

    text[0] = '\0';
    for (size_t i = 0; i < pieces; i++) {
        const char *p = piece[lab_below(&dice, KITH_COUNT(piece))];
        if (n + strlen(p) >= cap)
            break;
        strcpy(text + n, p);
        n += strlen(p);
    }
}

/* A good text with one character changed, dropped or doubled. */
static void damaged_text(char *text, size_t cap)
{
    static const char alphabet[] = ":.0123456789abcdefF%/ ";
    struct kith_ip ip = random_ip();

    kith_ip_text(&ip, text, cap);
    size_t n = strlen(text), at = lab_below(&dice, n);
    switch (lab_below(&dice, 3)) {
    case 0: text[at] = alphabet[lab_below(&dice, sizeof alphabet - 1)]; return;
    case 1: memmove(text + at, text + at + 1, n - at); return;
    case 2: memmove(text + at + 1, text + at, n - at + 1); return;
    }
}

static void every_text_is_judged_as_the_c_library_does(void **state)
{
    size_t good = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int i = 0; i < TEXTS; i++) {
            char text[128];
            if (i % 2)
                hostile_text(text, sizeof text);
            else
                damaged_text(text, sizeof text);
            if (!read_alike(text))
                fail_msg("seed %llu: judged otherwise: \"%s\"", (unsigned long long)seed, text);
            struct kith_ip ip;
            good += kith_ip_parse(text, &ip) == KITH_OK;
        }
    }
    assert_in_range(good, 1000, SEEDS * TEXTS - 1000); /* both kinds came */
}

static void an_address_with_port_and_scope_reads_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int i = 0; i < PAIRS; i++) {
            struct kith_addr a = {.ip = random_ip()}, back = {0};
            char text[KITH_ADDR_TEXT];
            kith_random_fill(&dice.random, &a.port, sizeof a.port);
            if (a.ip.family == KITH_FAMILY_IP6 && lab_below(&dice, 2)) {
                a.ip.b[0] = 0xfe;
                a.ip.b[1] = (uint8_t)(0x80 | (a.ip.b[1] & 0x3f));
                kith_random_fill(&dice.random, &a.scope, sizeof a.scope);
            }
            kith_addr_text(&a, text, sizeof text);
            if (kith_addr_parse(text, 1, &back) < 0 || !kith_addr_equal(&a, &back))
                fail_msg("seed %llu: %s", (unsigned long long)seed, text);
        }
    }
}

/* ---- prefixes ---- */

static bool bit(const struct kith_ip *ip, unsigned i)
{
    return ip->b[i / 8] >> (7 - i % 8) & 1;
}

static bool agree(const struct kith_ip *a, const struct kith_ip *b, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        if (bit(a, i) != bit(b, i))
            return false;
    return a->family == b->family;
}

/* Another address that shares a random number of leading bits with ip. */
static struct kith_ip neighbour(const struct kith_ip *ip)
{
    struct kith_ip n = *ip;
    unsigned flip = (unsigned)lab_below(&dice, 8 * kith_ip_bytes(ip).n);

    if (lab_below(&dice, 8) == 0)
        return random_ip();
    n.b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
    return n;
}

static void prefixes_agree_with_a_look_at_every_bit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        for (int i = 0; i < PAIRS; i++) {
            struct kith_ip a = random_ip(), b = neighbour(&a);
            unsigned most_a = 8 * (unsigned)kith_ip_bytes(&a).n;
            unsigned most_b = 8 * (unsigned)kith_ip_bytes(&b).n;
            unsigned na = (unsigned)lab_below(&dice, most_a + 20);
            unsigned nb = (unsigned)lab_below(&dice, most_b + 1);
            struct kith_prefix p = kith_prefix_of(&a, na), q = kith_prefix_of(&b, nb), back;
            na = na > most_a ? most_a : na;
            bool ok = p.bits == na && p.ip.family == a.family && agree(&p.ip, &a, na);
            for (unsigned k = na; k < 128; k++)
                ok = ok && !bit(&p.ip, k);
            ok = ok && kith_prefix_holds(&p, &a);
            ok = ok && kith_prefix_holds(&p, &b) == agree(&a, &b, na);
            bool overlap = agree(&a, &b, na < nb ? na : nb);
            ok = ok && kith_prefix_overlaps(&p, &q) == overlap;
            ok = ok && kith_prefix_overlaps(&q, &p) == overlap;
            ok = ok && kith_prefix_equal(&p, &q) == (na == nb && overlap);
            char text[KITH_PREFIX_TEXT];
            kith_prefix_text(&p, text, sizeof text);
            ok = ok && kith_prefix_parse(text, &back) == KITH_OK && kith_prefix_equal(&back, &p);
            if (!ok)
                fail_msg("seed %llu: %s", (unsigned long long)seed, text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_back_here_and_elsewhere),
        cmocka_unit_test(every_text_is_judged_as_the_c_library_does),
        cmocka_unit_test(an_address_with_port_and_scope_reads_back),
        cmocka_unit_test(prefixes_agree_with_a_look_at_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
