/* A crowd of whole nodes in threads: the same happens in any number of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/city.h"

enum { NODES = 60, PAIRS = 600, THINGS = 1000 };

struct story { /* what happened in a city */
    uint64_t turns, datagrams, bytes, wrong;
    size_t n_heard;
    kith_dur took;
    struct city_pair pair[PAIRS];
};

/* A cold start, a node that ends, and a while of rest. */
static struct story *tell(uint64_t seed, unsigned threads)
{
    struct story *s = calloc(1, sizeof *s);
    struct city c;
    uint32_t largest = 0;

    assert_non_null(s);
    city_up(&c, seed, NODES, threads);
    (void)city_components(&c, &largest);
    city_choose(&c, PAIRS, largest);
    city_begin(&c);
    assert_true(city_talk(&c, 990000, 60 * KITH_SEC, &s->took));
    memcpy(s->pair, c.pair, sizeof s->pair);
    s->n_heard = c.n_heard;
    city_kill(&c, NODES / 2);
    city_wait(&c, 5 * KITH_SEC);
    s->turns = c.crowd.turns;
    s->datagrams = sim_net_delivered(c.net, &s->bytes);
    s->wrong = city_wrong(&c);
    city_down(&c);
    return s;
}

static void assert_same(const struct story *a, const struct story *b)
{
    assert_int_equal(a->turns, b->turns);
    assert_int_equal(a->datagrams, b->datagrams);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->n_heard, b->n_heard);
    assert_int_equal(a->took, b->took);
    for (size_t i = 0; i < PAIRS; i++) {
        assert_int_equal(a->pair[i].from, b->pair[i].from);
        assert_int_equal(a->pair[i].to, b->pair[i].to);
        assert_int_equal(a->pair[i].heard_at, b->pair[i].heard_at);
    }
}

static void a_city_is_the_same_in_any_number_of_threads(void **state)
{
    struct story *one = tell(3, 1), *three = tell(3, 3), *other = tell(4, 1);

    (void)state;
    print_message("%lu turns, %lu datagrams\n", (unsigned long)one->turns,
                  (unsigned long)one->datagrams);
    assert_int_equal(one->wrong, 0);
    assert_same(one, three);
    assert_int_not_equal(one->bytes, other->bytes); /* it does depend on the seed */
    free(one);
    free(three);
    free(other);
}

static void count(void *ctx, size_t i)
{
    atomic_fetch_add(&((atomic_uint *)ctx)[i], 1);
}

static void workers_do_each_thing_once(void **state)
{
    static atomic_uint done[THINGS];
    struct workers *w = workers_new(4);

    (void)state;
    for (unsigned round = 0; round < THINGS; round++)
        workers_run(w, round, count, done);
    for (unsigned i = 0; i < THINGS; i++)
        assert_int_equal(atomic_load(&done[i]), THINGS - 1 - i);
    workers_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_do_each_thing_once),
        cmocka_unit_test(a_city_is_the_same_in_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
