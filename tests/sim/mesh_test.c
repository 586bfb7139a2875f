/* Whole nodes that cannot all hear each other: who is reached through whom, under virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/home.h"

static struct home h;

static void cut(size_t a, size_t b)
{
    const struct sim_link none = {.delay = 5 * KITH_MSEC, .cut = true};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &none);
}

static void mend(size_t a, size_t b)
{
    const struct sim_link whole = {.delay = 5 * KITH_MSEC};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &whole);
}

static void who_hears_only_a_common_friend_is_reached_through_it(void **state)
{
    (void)state;
    home_up(&h, 1, 3);
    home_wait(&h, 5 * KITH_SEC);
    assert_true(home_reaches(&h, 1, 2, KITH_SEC));
    cut(1, 2);
    assert_true(home_reaches(&h, 1, 2, 10 * KITH_SEC));
    assert_true(home_reaches(&h, 2, 1, 10 * KITH_SEC));
    mend(1, 2);
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_hears_only_a_common_friend_is_reached_through_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
