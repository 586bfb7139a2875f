/* Hundreds of whole nodes about a square: all of them begin at once, some vanish, and a wall
 * through the middle comes and goes.
 *
 * Built twice: with QUIC, for a hundred; and with the model engine, where each signature is checked
 * once for all nodes, for more. KITH_NODES=N: another number of them; KITH_SEED=S: another square;
 * KITH_THREADS=N: so many, which changes nothing but the time it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "sim/city.h"
#ifndef REAL_ENGINE
#include "sim/model/model.h"
#endif

#ifndef NODES
#define NODES 100
#endif

enum { MILLION = 1000000, PAIRS_A_NODE = 10 };

static struct city city;

static unsigned from_env(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static unsigned long now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long)t.tv_sec;
}

static void tell_engine(void)
{
#ifdef REAL_ENGINE
    print_message("  with QUIC; each node checks its signatures\n");
#else
    uint64_t asked, computed;

    model_verify_counts(&asked, &computed);
    print_message("  with the model engine; %lu of %lu signatures checked\n",
                  (unsigned long)computed, (unsigned long)asked);
#endif
}

static void report(const char *what, kith_dur took, unsigned long began)
{
    struct rusage use;
    uint64_t bytes;

    getrusage(RUSAGE_SELF, &use);
    uint64_t datagrams = sim_net_delivered(city.net, &bytes);
    print_message("%s: %zu of %zu pairs after %.1f s (%lu s of ours, %ld MB; %lu turns, %lu "
                  "datagrams)\n",
                  what, city.n_heard, city.n_pairs, (double)took / (double)KITH_SEC,
                  now_s() - began, use.ru_maxrss / 1024, (unsigned long)city.crowd.turns,
                  (unsigned long)datagrams);
    tell_engine();
    assert_int_equal(city_wrong(&city), 0);
}

static void all_begin_at_once(void **state)
{
    unsigned long began = now_s();
    uint32_t largest = 0;
    kith_dur took;

    (void)state;
    city_up(&city, from_env("KITH_SEED", 1), from_env("KITH_NODES", NODES), workers_wanted());
    size_t n = city_components(&city, &largest);
    print_message("%zu links; %zu in the largest component; stores after %lu s\n", city.n_links, n,
                  now_s() - began);
    city_choose(&city, PAIRS_A_NODE * city.n, largest);
    city_begin(&city);
    print_message("started after %lu s\n", now_s() - began);
    bool all = city_talk(&city, 999000, 60 * KITH_SEC, &took);
    report("a cold start", took, began);
    assert_true(all);
}

/* All pairs that can still reach each other, or fewer. */
static void all_again(const char *what, kith_dur limit)
{
    unsigned long began = now_s();
    uint32_t largest = 0;
    kith_dur took;

    (void)city_components(&city, &largest);
    city_again(&city);
    bool all = city_talk(&city, MILLION, limit, &took);
    report(what, took, began);
    assert_true(all);
}

static void of_ten_one_vanishes(void **state)
{
    (void)state;
    for (size_t gone = 0; gone < city.n / 10;) {
        size_t who = (size_t)kith_random_below(sim_net_random(city.net), city.n);
        if (city.node[who].gone)
            continue;
        city_kill(&city, who);
        gone++;
    }
    all_again("of ten one vanished", 30 * KITH_SEC);
}

/* Through the middle. */
static void wall(bool stands)
{
    for (size_t i = 0; i < city.n_links; i++) {
        const struct city_node *a = &city.node[city.link[i].a], *b = &city.node[city.link[i].b];
        if ((a->x < 0.5) != (b->x < 0.5))
            city_cut(&city, &city.link[i], stands);
    }
}

static void two_halves_that_hear_each_other_again_talk(void **state)
{
    (void)state;
    wall(true);
    city_wait(&city, 60 * KITH_SEC);
    wall(false);
    all_again("after 60 s in two halves", 15 * KITH_SEC);
}

static int end(void **state)
{
    (void)state;
    city_down(&city);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_begin_at_once),
        cmocka_unit_test(of_ten_one_vanishes),
        cmocka_unit_test(two_halves_that_hear_each_other_again_talk),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
