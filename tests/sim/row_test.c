/* A row of whole nodes, of which each hears its neighbours only. What goes between its ends is one
 * QUIC connection, and every node in between sees its outside only. KITH_HOPS says how far apart
 * they are; all pairs in between meet as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "sim/town.h"

#ifndef HOPS
#define HOPS 32
#endif
enum { CARGO = 1000000 };

static struct town t;
static size_t last; /* the far end, as many hops away */

static void talk(const char *what, kith_dur limit)
{
    kith_dur took;
    bool all = town_talk(&t, limit, &took);

    print_message("  %s after %.1f s\n", what, (double)took / 1e9);
    if (!all)
        town_complain(&t);
    assert_true(all);
}

static bool goes_all_the_way(size_t from, size_t to)
{
    char way[32];

    kith_format(way, sizeof way, "mesh %zu hops", last);
    return strcmp(town_route(&t, from, to), way) == 0;
}

/* Both ends reach each other, by as many hops as there are: known when they have measured it. */
static void the_ends_meet(void)
{
    kith_dur took;

    town_want_none(&t);
    town_want(&t, 0, last);
    talk("the ends have talked", 120 * KITH_SEC);
    for (int i = 0; i < 60 && !(goes_all_the_way(0, last) && goes_all_the_way(last, 0)); i++) {
        (void)town_talk(&t, KITH_SEC, &took);
        town_wait(&t, KITH_SEC);
    }
    assert_true(goes_all_the_way(0, last));
    assert_true(goes_all_the_way(last, 0));
}

static void a_megabyte_goes_whole_from_end_to_end(void **state)
{
    const char *hops = getenv("KITH_HOPS");

    last = hops != NULL ? strtoul(hops, NULL, 10) : HOPS;
    assert_in_range(last, 2, TOWN_MAX - 1);
    (void)state;
    town_up_row(&t, 1, last + 1);
    the_ends_meet();
    struct bulk b = {.town = &t, .from = 0, .to = last, .size = CARGO};
    kith_time from = sim_net_now(t.net);
    bool whole = bulk_carry(&b, 180 * KITH_SEC);
    print_message("  %u of %u bytes after %.1f s, begun %u times\n", (unsigned)b.came,
                  (unsigned)b.size, (double)(sim_net_now(t.net) - from) / 1e9, b.starts);
    assert_true(whole);
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_megabyte_goes_whole_from_end_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
