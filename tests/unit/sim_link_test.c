/* The link model against laws: what share is lost and in what runs, how long bytes take, in which
 * order they come out, what has room.
 *
 * Where chance is in it, the mean of many trials may be five standard deviations off, which one
 * seed in two million is; the seeds are fixed and printed. */
#include "sim/link.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;
#define SIGMAS 5.0

static struct kith_random_seeded seeded;
static struct kith_random r;

static void seed(uint64_t s)
{
    print_message("seed %u\n", (unsigned)s);
    kith_random_seeded_init(&seeded, s);
    r = kith_random_from_seed(&seeded);
}

static int fresh(void **state)
{
    (void)state;
    kith_random_seeded_init(&seeded, 1);
    r = kith_random_from_seed(&seeded);
    return 0;
}

/* When it comes out, once; KITH_NEVER when it doesn't. */
static kith_time through(struct sim_pipe *p, const struct sim_link *l, size_t len, kith_time now)
{
    kith_time at[2] = {KITH_NEVER, KITH_NEVER};

    if (sim_pipe_enter(p, l, len, &r) != SIM_PASSES ||
        sim_pipe_pass(p, l, len, &r, now, at) != SIM_PASSES)
        return KITH_NEVER;
    return at[0];
}

/* ---- loss ---- */

static const int TRIALS = 400000;

struct losses {
    double share, run; /* of all; how many in a row, on average */
    double runs;
};

static struct losses lose(const struct sim_link *l)
{
    struct sim_pipe p = {.losing = false};
    unsigned lost = 0, runs = 0;
    bool before = false;

    for (int i = 0; i < TRIALS; i++) {
        bool now = sim_pipe_enter(&p, l, 100, &r) == SIM_LOST;
        lost += now;
        runs += now && !before;
        before = now;
    }
    return (struct losses){
        .share = (double)lost / TRIALS, .run = (double)lost / runs, .runs = runs};
}

static void is_near(const char *what, double measured, double expected, double deviation)
{
    print_message("  %s: %.5f, expected %.5f, standard deviation %.5f\n", what, measured, expected,
                  deviation);
    assert_true(fabs(measured - expected) <= SIGMAS * deviation);
}

/* Independent: the share is binomial, a run goes on with the probability of the loss. */
static void losses_by_themselves_have_their_share_and_no_memory(void **state)
{
    static const unsigned ppm[] = {1000, 15000, 80000, 250000, 900000};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(ppm); i++) {
        double p = ppm[i] / 1e6;
        seed(10 + i);
        struct losses got = lose(&(struct sim_link){.loss_ppm = ppm[i]});
        is_near("share", got.share, p, sqrt(p * (1 - p) / TRIALS));
        is_near("run", got.run, 1 / (1 - p), sqrt(p / got.runs) / (1 - p));
    }
}

/* A chain of two states that is left with probability 1/b and entered with p / (b (1 - p)): its
 * share is p, what follows the other correlates by 1 less both, its runs are geometric. */
static void losses_in_bursts_have_their_share_and_their_mean_length(void **state)
{
    static const struct {
        unsigned ppm, burst;
    } row[] = {{1000, 2},   {10000, 5},  {50000, 3},  {120000, 20},
               {250000, 8}, {250000, 1}, {800000, 30}};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(row); i++) {
        double p = row[i].ppm / 1e6, b = row[i].burst, memory = 1 - 1 / b - p / (b * (1 - p));
        seed(20 + i);
        struct losses got = lose(&(struct sim_link){.loss_ppm = row[i].ppm, .burst = row[i].burst});
        is_near("share", got.share, p, sqrt(p * (1 - p) / TRIALS * (1 + memory) / (1 - memory)));
        is_near("run", got.run, b, sqrt(b * (b - 1) / got.runs));
    }
}

static void none_and_all_are_lost_exactly(void **state)
{
    struct sim_pipe p = {.losing = false};
    unsigned burst[] = {0, 7};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(burst); i++) {
        for (int k = 0; k < 1000; k++) {
            struct sim_link none = {.burst = burst[i]};
            struct sim_link all = {.loss_ppm = 1000000, .burst = burst[i]};
            assert_int_equal(sim_pipe_enter(&p, &none, 100, &r), SIM_PASSES);
            assert_int_equal(sim_pipe_enter(&p, &all, 100, &r), SIM_LOST);
        }
    }
}

/* ---- what takes nothing ---- */

static void a_link_that_is_cut_takes_nothing(void **state)
{
    struct sim_pipe p = {.losing = false};

    (void)state;
    assert_int_equal(sim_pipe_enter(&p, &(struct sim_link){.cut = true}, 1, &r), SIM_CUT);
    assert_int_equal(sim_pipe_enter(&p, &(struct sim_link){.cut = false}, 1, &r), SIM_PASSES);
}

static void what_is_larger_than_the_mtu_does_not_get_in(void **state)
{
    struct sim_pipe p = {.losing = false};
    struct sim_link narrow = {.mtu = 1200}, plain = {.mtu = 0};

    (void)state;
    assert_int_equal(sim_pipe_enter(&p, &narrow, 1200, &r), SIM_PASSES);
    assert_int_equal(sim_pipe_enter(&p, &narrow, 1201, &r), SIM_TOO_LARGE);
    /* Ethernet's 1500 less the headers of IPv4 and UDP */
    assert_int_equal(sim_pipe_enter(&p, &plain, 1500 - 20 - 8, &r), SIM_PASSES);
    assert_int_equal(sim_pipe_enter(&p, &plain, 1500 - 20 - 8 + 1, &r), SIM_TOO_LARGE);
}

/* ---- rate and queue ---- */

static void bytes_take_eight_bits_each_of_the_rate(void **state)
{
    static const uint64_t rate[] = {256000, 800000, 8000000, 100000000};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rate); i++) {
        struct sim_link l = {.rate = rate[i], .delay = 7 * KITH_MSEC, .queue = 1 << 20};
        struct sim_pipe p = {.losing = false};
        uint64_t bytes = 0;
        kith_time last = 0;

        for (size_t k = 0; k < 400; k++) { /* all at once: the rate alone tells them apart */
            size_t len = 1 + kith_random_below(&r, 1472);
            last = through(&p, &l, len, T0);
            bytes += len;
        }
        double expected = (double)bytes * 8 / (double)rate[i] * 1e9;
        double took = (double)(last - l.delay - T0);
        assert_true(took <= expected && took > expected - 400); /* each rounds down, below 1 ns */
    }
}

static void a_rate_that_is_not_used_is_not_saved_up(void **state)
{
    struct sim_link l = {.rate = 1000000};
    struct sim_pipe p = {.losing = false};

    (void)state;
    assert_true(through(&p, &l, 125, T0) == T0 + KITH_MSEC);
    assert_true(through(&p, &l, 125, T0 + 10 * KITH_MSEC) == T0 + 11 * KITH_MSEC);
    assert_true(through(&p, &l, 125, T0 + 10 * KITH_MSEC) == T0 + 12 * KITH_MSEC);
}

static void without_a_rate_only_the_delay_counts(void **state)
{
    struct sim_link l = {.delay = 3 * KITH_MSEC};
    struct sim_pipe p = {.losing = false};

    (void)state;
    for (kith_time t = T0; t < T0 + 100; t++)
        assert_true(through(&p, &l, 1472, t) == t + 3 * KITH_MSEC);
}

/* Before one that gets in there wait at most `queue` bytes, before one that doesn't, more. */
static void the_queue_takes_what_it_has_room_for(void **state)
{
    static const size_t queue[] = {1000, 20000, 0};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(queue); i++) {
        struct sim_link l = {.rate = 8000000, .queue = queue[i]};
        struct sim_pipe p = {.losing = false};
        size_t room = queue[i] != 0 ? queue[i] : 256 * 1024, waiting = 0, refused = 0;

        for (int k = 0; k < 1000; k++) { /* 8 Mbit/s: a byte each microsecond, exactly */
            if (through(&p, &l, 500, T0) == KITH_NEVER) {
                assert_true(waiting > room);
                refused++;
            } else {
                assert_true(waiting <= room);
                waiting += 500;
            }
        }
        assert_true(refused > 0);
        /* a byte's time before there is room again, and then */
        kith_time free_at = T0 + (waiting - room) * KITH_USEC;
        assert_true(through(&p, &l, 500, free_at - KITH_USEC) == KITH_NEVER);
        assert_true(through(&p, &l, 500, free_at) == T0 + (waiting + 500) * KITH_USEC);
    }
}

static void what_finds_no_room_is_told_so(void **state)
{
    struct sim_link l = {.rate = 8000, .queue = 100};
    struct sim_pipe p = {.losing = false};
    kith_time at[2] = {1, 2};

    (void)state;
    assert_int_equal(sim_pipe_pass(&p, &l, 200, &r, T0, at), SIM_PASSES);
    at[0] = 1;
    assert_int_equal(sim_pipe_pass(&p, &l, 200, &r, T0, at), SIM_NO_ROOM);
    assert_int_equal(at[0], 1);
}

/* ---- jitter, order, twice ---- */

static void jitter_keeps_the_order_and_its_bounds(void **state)
{
    struct sim_link l = {.delay = 20 * KITH_MSEC, .jitter = 30 * KITH_MSEC};
    struct sim_pipe p = {.losing = false};
    kith_time last = 0;
    kith_dur least = KITH_NEVER, most = 0;

    (void)state;
    seed(40);
    for (kith_time t = T0; t < T0 + 10 * KITH_SEC; t += KITH_MSEC) {
        kith_time at = through(&p, &l, 100, t);
        assert_true(at > last);
        assert_true(at >= t + l.delay);
        /* behind one that was late it is at most as late, and a nanosecond for each of them */
        assert_true(at <= t + l.delay + l.jitter + 10000);
        least = at - t < least ? at - t : least;
        most = at - t > most ? at - t : most;
        last = at;
    }
    assert_true(least < l.delay + 10 * KITH_MSEC);
    assert_true(most > l.delay + 25 * KITH_MSEC);
}

static void what_is_held_back_holds_back_nobody(void **state)
{
    struct sim_link l = {
        .delay = 10 * KITH_MSEC, .reorder_ppm = 200000, .reorder_by = 25 * KITH_MSEC};
    struct sim_pipe p = {.losing = false};
    unsigned late = 0;

    (void)state;
    seed(41);
    for (int i = 0; i < TRIALS; i++) {
        kith_time t = T0 + (kith_time)i * KITH_MSEC, at = through(&p, &l, 100, t);
        assert_true(at == t + l.delay || at == t + l.delay + l.reorder_by);
        late += at != t + l.delay;
    }
    is_near("held back", (double)late / TRIALS, 0.2, sqrt(0.2 * 0.8 / TRIALS));
}

static void some_come_twice_the_second_a_millisecond_later(void **state)
{
    struct sim_link l = {.delay = 10 * KITH_MSEC, .dup_ppm = 100000};
    struct sim_pipe p = {.losing = false};
    unsigned twice = 0;

    (void)state;
    seed(42);
    for (int i = 0; i < TRIALS; i++) {
        kith_time t = T0 + (kith_time)i * KITH_MSEC, at[2];
        assert_int_equal(sim_pipe_pass(&p, &l, 100, &r, t, at), SIM_PASSES);
        assert_true(at[0] == t + l.delay);
        assert_true(at[1] == KITH_NEVER || at[1] == at[0] + KITH_MSEC);
        twice += at[1] != KITH_NEVER;
    }
    is_near("twice", (double)twice / TRIALS, 0.1, sqrt(0.1 * 0.9 / TRIALS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_by_themselves_have_their_share_and_no_memory),
        cmocka_unit_test(losses_in_bursts_have_their_share_and_their_mean_length),
        cmocka_unit_test_setup(none_and_all_are_lost_exactly, fresh),
        cmocka_unit_test_setup(a_link_that_is_cut_takes_nothing, fresh),
        cmocka_unit_test_setup(what_is_larger_than_the_mtu_does_not_get_in, fresh),
        cmocka_unit_test_setup(bytes_take_eight_bits_each_of_the_rate, fresh),
        cmocka_unit_test_setup(a_rate_that_is_not_used_is_not_saved_up, fresh),
        cmocka_unit_test_setup(without_a_rate_only_the_delay_counts, fresh),
        cmocka_unit_test_setup(the_queue_takes_what_it_has_room_for, fresh),
        cmocka_unit_test_setup(what_finds_no_room_is_told_so, fresh),
        cmocka_unit_test(jitter_keeps_the_order_and_its_bounds),
        cmocka_unit_test(what_is_held_back_holds_back_nobody),
        cmocka_unit_test(some_come_twice_the_second_a_millisecond_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
