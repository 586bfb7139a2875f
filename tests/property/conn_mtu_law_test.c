/* Laws of the search for holes, over many seeds, on a line that loses datagrams whatever their
 * size, and swallows those above a limit:
 *   1. without a limit, and with up to 25 % lost, no size is ever given up, whether data is
 *      acknowledged or probes alone;
 *   2. with a limit, and with up to 25 % lost, what is sent fits in the time that doubt, 20 pairs
 * of probes and three round trips take, and 0.8 s, and always from then on;
 *   3. what the limit lets through is never larger than what QUIC found, and when the limit is
 *      gone all of that is used again;
 *   4. it asks for a bounded number of probes, and its deadline never stands still. */
#include "conn/mtu.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

enum { FOUND = 1472, FLYING = 4096 };

struct line {
    struct kith_mtu m;
    kith_time now;
    kith_dur rtt;
    size_t limit;
    unsigned percent;  /* lost of what is sent */
    unsigned acked_of; /* of 100 that arrive, acknowledgements heard for data */
    struct {
        kith_time at;
        struct kith_mtu_mark mark;
    } flying[FLYING];
    size_t first, last;
    uint64_t probes, large, fitted_at;
};

static struct lab_dice dice;

static uint64_t below(uint64_t n)
{
    return kith_random_below(&dice.random, n);
}

static void leave(struct line *l, struct kith_mtu_mark mark)
{
    if (mark.size > l->limit || below(100) < l->percent)
        return;
    if (!mark.probe && below(100) >= l->acked_of)
        return;
    l->flying[l->last % FLYING].at = l->now + l->rtt;
    l->flying[l->last++ % FLYING].mark = mark;
    assert_true(l->last - l->first < FLYING);
}

static void probes(struct line *l)
{
    struct kith_mtu_mark mark;

    for (int i = 0; kith_mtu_probe(&l->m, FOUND, l->rtt, l->now, &mark); i++) {
        assert_true(i < 3 && mark.size <= FOUND && mark.size >= KITH_MTU_BASE);
        kith_mtu_probed(&l->m, mark, l->now);
        leave(l, mark);
        l->probes++;
    }
    assert_true(kith_mtu_deadline(&l->m) > l->now);
}

/* A datagram of data, at most as large as is allowed, each 4 ms. */
static void data(struct line *l)
{
    const size_t most = kith_mtu_size(&l->m, FOUND);
    size_t size = below(3) == 0 ? 60 + below(1100) : most - below(3) * 10;

    assert_true(most <= FOUND && most >= KITH_MTU_BASE);
    if (size > l->limit && l->m.cap == 0)
        l->large++;
    kith_mtu_sent(&l->m, size, l->now);
    leave(l, kith_mtu_mark(&l->m, size));
}

static void live(struct line *l, kith_dur d)
{
    const kith_time end = l->now + d;

    for (; l->now < end; l->now += 4 * KITH_MSEC) {
        for (; l->first < l->last && l->flying[l->first % FLYING].at <= l->now; l->first++)
            kith_mtu_acked(&l->m, l->flying[l->first % FLYING].mark, l->now);
        if (kith_mtu_deadline(&l->m) <= l->now)
            probes(l);
        data(l);
        if (kith_mtu_size(&l->m, FOUND) <= l->limit && l->fitted_at == 0)
            l->fitted_at = l->now;
    }
}

static struct line *line(uint64_t seed)
{
    static struct line l;

    lab_seed(&dice, seed);
    l = (struct line){.now = 1000 * KITH_SEC,
                      .rtt = (1 + below(200)) * KITH_MSEC,
                      .limit = FOUND,
                      .percent = (unsigned)below(26),
                      .acked_of = below(2) == 0 ? 0 : 100};
    return &l;
}

static void random_loss_never_lowers_it(void **state)
{
    uint64_t probes_asked = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct line *l = line(seed);
        live(l, 60 * KITH_SEC);
        if (l->m.holes != 0)
            fail_msg("seed %llu: %u %% lost", (unsigned long long)seed, l->percent);
        assert_true(l->probes <= 60 * 2 * 30); /* a pair each 70 ms at most */
        probes_asked += l->probes;
    }
    assert_true(probes_asked > 1000); /* there were tests to be failed */
}

static void a_hole_always_does_in_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct line *l = line(seed);
        live(l, 5 * KITH_SEC);
        l->limit = KITH_MTU_BASE + below(240);
        l->fitted_at = 0;
        l->large = 0;
        const kith_time from = l->now;
        live(l, 6 * KITH_SEC);
        kith_dur in_time =
            KITH_MTU_DOUBT + 2 * l->rtt + l->rtt +
            20 * (l->rtt / 4 > KITH_MTU_TEST_EVERY ? l->rtt / 4 : KITH_MTU_TEST_EVERY);
        if (l->fitted_at == 0 || l->fitted_at - from > in_time + 800 * KITH_MSEC || l->m.holes == 0)
            fail_msg("seed %llu: %u %% lost, rtt %llu ms, limit %zu: %llu ms",
                     (unsigned long long)seed, l->percent, (unsigned long long)(l->rtt / KITH_MSEC),
                     l->limit, (unsigned long long)((l->fitted_at - from) / KITH_MSEC));
        assert_true(l->large <= 6000 / 4);
        assert_true(kith_mtu_size(&l->m, FOUND) <= l->limit);
        l->limit = FOUND;
        live(l, 75 * KITH_SEC);
        if (l->percent <= 5) /* a search may be unlucky, and is repeated */
            assert_int_equal(kith_mtu_size(&l->m, FOUND), FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_loss_never_lowers_it),
        cmocka_unit_test(a_hole_always_does_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
