/* What the store counts of itself, on a disk that fails. */

#include "property/store_lab.h"

#include "store/network.h"

static void opened(struct store_lab *lab, struct kith_store **ret)
{
    assert_int_equal(kith_store_open_through(lab->path, STORE_DISK_VFS, &lab->env, ret, NULL),
                     KITH_OK);
}

static uint64_t writes(const struct kith_store *s)
{
    return kith_store_counters(s)->writes;
}

static void a_transaction_is_one_write_however_many_rows_it_has(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s;
    uint64_t before;

    opened(lab, &s);
    before = writes(s);
    store_lab_network(s, 1);
    assert_int_equal(writes(s), before + 1);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 2);
    store_lab_network(s, 3);
    assert_int_equal(writes(s), before + 1);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    assert_int_equal(writes(s), before + 2);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 4);
    kith_store_rollback(s);
    assert_int_equal(writes(s), before + 2);
    assert_int_equal(kith_store_counters(s)->failures, 0);
    kith_store_close(s);
}

static void a_question_is_no_write_and_what_the_caller_did_wrong_no_failure(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store_network n;
    struct kith_store *s;
    uint8_t id[32] = {9};
    uint64_t before;

    opened(lab, &s);
    before = writes(s);
    assert_int_equal(kith_store_network_get(s, id, &n), KITH_E_NOTFOUND);
    assert_int_equal(writes(s), before);
    assert_int_equal(kith_store_counters(s)->failures, 0);
    assert_int_equal(kith_store_failing(s), KITH_OK);
    kith_store_close(s);
}

static void a_full_disk_is_told_until_something_is_written_again(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s;
    uint64_t before;

    opened(lab, &s);
    store_lab_network(s, 1);
    before = writes(s);
    store_disk =
        (struct store_disk){.kind = STORE_FAULT_WRITE, .fail_at = 1, .stays = true, .full = true};
    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 2);
    assert_int_equal(kith_store_commit(s), KITH_E_NOSPACE);
    assert_int_equal(kith_store_failing(s), KITH_E_NOSPACE);
    assert_true(kith_store_counters(s)->failures > 0);
    assert_int_equal(writes(s), before);
    store_disk = (struct store_disk){.kind = STORE_FAULT_NONE};
    store_lab_network(s, 3);
    assert_int_equal(kith_store_failing(s), KITH_OK);
    assert_int_equal(writes(s), before + 1);
    kith_store_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, store_lab_setup, store_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_transaction_is_one_write_however_many_rows_it_has),
        T(a_question_is_no_write_and_what_the_caller_did_wrong_no_failure),
        T(a_full_disk_is_told_until_something_is_written_again),
    };
    store_disk_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
