/* Laws of failure: whatever write, sync, truncation or allocation fails, the store is whole. */

#include "property/store_lab.h"

#include "store/network.h"
#include "store/object.h"
#include "store/setting.h"
#include "store/ticket.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t NET[32];
static const uint8_t PEER[32] = {7}, TICKET[16] = {5};
static uint8_t big[30000]; /* a transaction of many pages */

static int open_faulty(struct store_lab *lab, struct kith_store **ret)
{
    return kith_store_open_through(lab->path, STORE_DISK_VFS, &lab->env, ret, NULL);
}

/* A store with one ticket of one use, closed. */
static void make_old(struct store_lab *lab)
{
    struct kith_store *s = store_lab_open(lab);
    struct kith_store_ticket t = {.expires = 5000, .uses_left = 1};

    store_lab_network(s, 1);
    memcpy(t.id, TICKET, sizeof t.id);
    memcpy(t.network, NET, sizeof t.network);
    assert_int_equal(kith_store_ticket_add(s, &t), KITH_OK);
    kith_store_close(s);
}

/* The enrolment of a peer, ignoring what fails on the way: commit alone must tell. */
static int enrol(struct kith_store *s)
{
    struct kith_store_ticket_use use = {.cert = {big, sizeof big}, .at = 1000};
    struct kith_store_object o = {.number = 1, .bytes = {big, sizeof big}};

    memcpy(use.peer, PEER, sizeof use.peer);
    int err = kith_store_begin(s);
    if (err < 0)
        return err;
    (void)!kith_store_serial_next(s, NET, &use.serial);
    (void)!kith_store_ticket_use_record(s, TICKET, &use);
    (void)!kith_store_object_put_if_newer(s, NET, &o);
    return kith_store_commit(s);
}

enum state { OLD, NEW, MIXED };

/* Which of its two states the store is in; anything between is MIXED. */
static enum state state_of(struct kith_store *s)
{
    struct kith_store_network n;
    struct kith_store_ticket t;
    struct kith_store_ticket_use use;
    struct kith_store_object o;
    uint8_t key[16] = {0};

    assert_int_equal(kith_store_network_get(s, NET, &n), KITH_OK);
    assert_int_equal(kith_store_ticket_get(s, TICKET, &t), KITH_OK);
    bool used = kith_store_ticket_use_get(s, TICKET, PEER, &use) == KITH_OK;
    bool kept = kith_store_object_get(s, NET, key, &o) == KITH_OK && o.bytes.n == sizeof big;
    if (n.next_serial == 1 && t.uses_left == 1 && !used && !kept)
        return OLD;
    return n.next_serial == 2 && t.uses_left == 0 && used && kept ? NEW : MIXED;
}

/* Opening runs the check of the whole file. */
static enum state state_after_restart(struct store_lab *lab)
{
    struct kith_store *s = store_lab_open(lab);
    enum state found = state_of(s);

    kith_store_close(s);
    return found;
}

static void remove_database(struct store_lab *lab)
{
    char wal[320];

    snprintf(wal, sizeof wal, "%s-wal", lab->path);
    remove(lab->path);
    remove(wal);
}

/* One run with the n-th operation of a kind failing; false when there were fewer than n. */
static bool fail_nth(struct store_lab *lab, struct store_disk disk)
{
    struct kith_store *s = NULL;

    remove_database(lab);
    make_old(lab);
    lab->told = 0;
    store_disk = (struct store_disk){0};
    assert_int_equal(open_faulty(lab, &s), KITH_OK);
    store_disk = disk;
    int err = enrol(s);
    bool struck = store_disk.failed > 0;
    if (!disk.stays)
        assert_int_equal(state_of(s), err == KITH_OK ? NEW : OLD);
    if (err < 0) {
        assert_int_equal(err, disk.full ? KITH_E_NOSPACE : KITH_E_IO);
        assert_int_equal(lab->told, 1);
    } else {
        assert_int_equal(lab->told, 0);
    }
    struct store_snapshot crash = store_lab_snapshot(lab);
    kith_store_close(s); /* the disk may still be failing */
    store_disk = (struct store_disk){0};
    store_lab_restore(lab, &crash); /* closing tidied up: a power cut would not have */
    store_lab_drop(&crash);

    enum state after = state_after_restart(lab);
    if (err == KITH_OK)
        assert_int_equal(after, NEW);
    else if (disk.kind == STORE_FAULT_SYNC && disk.stays) /* nobody can know: whole, at least */
        assert_int_not_equal(after, MIXED);
    else
        assert_int_equal(after, OLD);
    if (err < 0 && after == OLD) { /* and once the disk is mended, it works */
        s = store_lab_open(lab);
        assert_int_equal(enrol(s), KITH_OK);
        kith_store_close(s);
        assert_int_equal(state_after_restart(lab), NEW);
    }
    return struck;
}

/* Fails each operation of a kind in turn; how many there were. */
static int fail_each(struct store_lab *lab, struct store_disk disk)
{
    int n = 0;

    do {
        disk.fail_at = ++n;
    } while (fail_nth(lab, disk));
    return n - 1;
}

static void any_write_that_fails_leaves_the_old_state(void **state)
{
    assert_true(fail_each(*state, (struct store_disk){.kind = STORE_FAULT_WRITE}) > 20);
}

static void a_disk_that_fills_at_any_write_leaves_the_old_state(void **state)
{
    struct store_disk disk = {.kind = STORE_FAULT_WRITE, .full = true, .stays = true};

    assert_true(fail_each(*state, disk) > 20);
}

static void a_disk_that_dies_at_any_write_leaves_the_old_state(void **state)
{
    struct store_disk disk = {.kind = STORE_FAULT_WRITE, .stays = true};

    assert_true(fail_each(*state, disk) > 20);
}

static void any_sync_that_fails_leaves_the_old_state(void **state)
{
    assert_true(fail_each(*state, (struct store_disk){.kind = STORE_FAULT_SYNC}) >= 2);
}

static void a_disk_that_stops_syncing_leaves_a_whole_state(void **state)
{
    struct store_disk disk = {.kind = STORE_FAULT_SYNC, .stays = true};

    assert_true(fail_each(*state, disk) >= 2);
}

/* The same for the making of a store: afterwards it opens, or is made anew. */
static void a_fault_while_a_store_is_made_is_mended_by_the_next_opening(void **state)
{
    struct store_lab *lab = *state;
    const enum store_fault kinds[] = {STORE_FAULT_WRITE, STORE_FAULT_SYNC, STORE_FAULT_CUT};
    int struck = 0;

    for (size_t k = 0; k < KITH_COUNT(kinds); k++) {
        for (int n = 1;; n++) {
            struct kith_store *s = NULL;
            remove_database(lab);
            store_disk = (struct store_disk){.kind = kinds[k], .fail_at = n};
            int err = open_faulty(lab, &s);
            bool more = store_disk.failed > 0;
            if (err == KITH_OK)
                kith_store_close(s);
            else
                assert_int_equal(err, KITH_E_IO);
            store_disk = (struct store_disk){0};
            s = store_lab_open(lab);
            store_lab_network(s, 1);
            kith_store_close(s);
            if (!more)
                break;
            struck++;
        }
    }
    assert_true(struck > 20);
}

/* ---- SQLite's own memory ---- */

static sqlite3_mem_methods real_memory;
static int allocations_left = -1; /* -1: no limit */

static bool denied(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

static void *scarce_malloc(int n)
{
    return denied() ? NULL : real_memory.xMalloc(n);
}

static void *scarce_realloc(void *p, int n)
{
    return denied() ? NULL : real_memory.xRealloc(p, n);
}

static void any_allocation_of_sqlites_that_fails_leaves_a_whole_state(void **state)
{
    struct store_lab *lab = *state;
    int refused = 0;

    for (int n = 0;; n++) {
        struct kith_store *s = NULL;
        remove_database(lab);
        make_old(lab);
        allocations_left = n;
        int err = kith_store_open(lab->path, &lab->env, &s, NULL);
        if (err == KITH_OK)
            err = enrol(s);
        bool done = allocations_left >= 0;
        allocations_left = -1;
        if (err < 0)
            assert_int_equal(err, KITH_E_NOMEM);
        refused += err < 0;
        kith_store_close(s);
        assert_int_equal(state_after_restart(lab), err == KITH_OK ? NEW : OLD);
        if (done)
            break;
    }
    assert_true(refused > 100);
}

int main(void)
{
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    sqlite3_mem_methods scarce = real_memory;
    scarce.xMalloc = scarce_malloc;
    scarce.xRealloc = scarce_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce), SQLITE_OK);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
    store_lab_id(NET, sizeof NET, 1);
    store_disk_register();
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(any_write_that_fails_leaves_the_old_state),
        T(a_disk_that_fills_at_any_write_leaves_the_old_state),
        T(a_disk_that_dies_at_any_write_leaves_the_old_state),
        T(any_sync_that_fails_leaves_the_old_state),
        T(a_disk_that_stops_syncing_leaves_a_whole_state),
        T(a_fault_while_a_store_is_made_is_mended_by_the_next_opening),
        T(any_allocation_of_sqlites_that_fails_leaves_a_whole_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
