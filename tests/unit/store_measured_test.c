/* What ways were like: kept over a restart, by network, and forgotten at once. */

#include "property/store_lab.h"

#include "store/measured.h"

static struct kith_store_measured row(uint8_t network, uint8_t to, uint8_t peer, uint32_t rtt)
{
    return (struct kith_store_measured){.network = {network},
                                        .destination = {to},
                                        .peer = {peer},
                                        .rtt = rtt,
                                        .loss = 65535,
                                        .at = 1800000000u - (unsigned)network * to};
}

static int add(struct kith_store *s, uint8_t network, uint8_t to, uint8_t peer, uint32_t rtt)
{
    const struct kith_store_measured m = row(network, to, peer, rtt);

    return kith_store_measured_add(s, &m);
}

struct seen {
    size_t n;
    struct kith_store_measured at[4];
};

static int see(void *ctx, const struct kith_store_measured *m)
{
    struct seen *seen = ctx;

    assert_true(seen->n < KITH_COUNT(seen->at));
    seen->at[seen->n++] = *m;
    return 0;
}

static struct seen all(struct kith_store *s, uint8_t network)
{
    const uint8_t id[32] = {network};
    struct seen seen = {.n = 0};

    assert_int_equal(kith_store_measured_list(s, id, see, &seen), KITH_OK);
    return seen;
}

static void it_is_known_after_a_restart_by_network(void **state)
{
    struct kith_store *s = store_lab_open(*state);
    const struct kith_store_measured second = row(1, 6, 8, UINT32_MAX);

    assert_int_equal(add(s, 1, 6, 8, UINT32_MAX), KITH_OK);
    assert_int_equal(add(s, 1, 5, 9, 0), KITH_OK);
    assert_int_equal(add(s, 2, 5, 9, 70), KITH_OK);
    kith_store_close(s);
    s = store_lab_open(*state);
    struct seen seen = all(s, 1);
    assert_int_equal(seen.n, 2); /* the oldest first */
    assert_memory_equal(seen.at[0].network, second.network, sizeof second.network);
    assert_memory_equal(seen.at[0].destination, second.destination, sizeof second.destination);
    assert_memory_equal(seen.at[0].peer, second.peer, sizeof second.peer);
    assert_int_equal(seen.at[0].rtt, UINT32_MAX);
    assert_int_equal(seen.at[0].loss, 65535);
    assert_int_equal(seen.at[0].at, 1800000000 - 6);
    assert_int_equal(seen.at[1].destination[0], 5);
    assert_int_equal(seen.at[1].rtt, 0);
    assert_int_equal(all(s, 2).n, 1);
    kith_store_close(s);
}

static void each_is_kept_once_until_all_are_forgotten(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    assert_int_equal(add(s, 1, 5, 9, 70), KITH_OK);
    assert_int_equal(add(s, 1, 5, 9, 71), KITH_OK);
    assert_int_equal(all(s, 1).n, 1);
    assert_int_equal(all(s, 1).at[0].rtt, 71);
    assert_int_equal(add(s, 2, 5, 9, 70), KITH_OK);
    assert_int_equal(kith_store_measured_clear(s), KITH_OK);
    assert_int_equal(all(s, 1).n + all(s, 2).n, 0);
    assert_int_equal(kith_store_measured_clear(s), KITH_OK);
    kith_store_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(it_is_known_after_a_restart_by_network),
        T(each_is_kept_once_until_all_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
