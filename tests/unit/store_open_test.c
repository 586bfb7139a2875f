/* Opening: what is made, what is refused, and that what is refused stays as it was. */

#include "base_lab.h"
#include "property/store_lab.h"

#include "store/blocked.h"
#include "store/lease.h"
#include "store/network.h"
#include "store/query.h"
#include "store/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The schema of version v, 1 to LATEST, as text. */
static const char *const schema[] = {
#define MIGRATION(version, ...) __VA_ARGS__ "PRAGMA user_version = " #version ";",
#include "store/migrations.def"
#undef MIGRATION
};
enum { LATEST = sizeof schema / sizeof *schema };

/* Opens lab->path, expects err, and that not one byte of the file changed. */
static void expect_refused_untouched(struct store_lab *lab, int err, const char *says)
{
    size_t before_len, after_len;
    uint8_t *before = store_lab_read(lab->path, &before_len), *after;
    struct kith_store *s = NULL;
    struct kith_store_why why = {{0}};

    assert_int_equal(kith_store_open(lab->path, &lab->env, &s, &why), err);
    assert_null(s);
    assert_non_null(strstr(why.text, says));
    assert_int_equal(lab->told, 1);
    assert_string_equal(lab->what, "open");
    lab->told = 0;
    after = store_lab_read(lab->path, &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, before_len);
    free(before);
    free(after);
}

/* A closed store with enough in it to have pages worth damaging. */
static void make_filled(struct store_lab *lab)
{
    struct kith_store *s = store_lab_open(lab);
    uint8_t cert[6000];

    for (unsigned i = 1; i <= 8; i++) {
        struct kith_store_network n = {.name = "n", .slot = i, .self_cert = {cert, sizeof cert}};
        store_lab_id(cert, sizeof cert, 0x40 + i);
        store_lab_id(n.id, sizeof n.id, i);
        assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    }
    kith_store_close(s);
}

static void a_new_store_is_private_and_of_version_4(void **state)
{
    struct store_lab *lab = *state;
    struct stat st;
    size_t len;

    kith_store_close(store_lab_open(lab));
    assert_int_equal(stat(lab->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* SQLite file format 1.3: user_version at 60, application_id at 68, big-endian; WAL is 2 at
     * 18 and 19. */
    uint8_t *file = store_lab_read(lab->path, &len);
    assert_memory_equal(file, "SQLite format 3", 16);
    assert_memory_equal(file + 18, "\2\2", 2);
    assert_memory_equal(file + 60, "\0\0\0\4", 4);
    assert_memory_equal(file + 68, "Kith", 4);
    free(file);
}

static void every_file_of_an_open_store_is_private(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab);
    char wal[320], shm[320];
    struct stat st;

    store_lab_network(s, 1);
    snprintf(wal, sizeof wal, "%s-wal", lab->path);
    snprintf(shm, sizeof shm, "%s-shm", lab->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(stat(shm, &st), 0); /* the lock is kept: no shared memory */
    kith_store_close(s);
    assert_int_not_equal(stat(wal, &st), 0);
}

static void a_mode_too_wide_is_narrowed(void **state)
{
    struct store_lab *lab = *state;
    struct stat st;

    make_filled(lab);
    assert_int_equal(chmod(lab->path, 0644), 0);
    kith_store_close(store_lab_open(lab));
    assert_int_equal(stat(lab->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_was_kept_is_there_after_reopening(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab);
    uint64_t n = 0;

    assert_int_equal(kith_store_number_put(s, "boot_count", 41), KITH_OK);
    kith_store_close(s);
    s = store_lab_open(lab);
    assert_int_equal(kith_store_number_get(s, "boot_count", &n), KITH_OK);
    assert_int_equal(n, 41);
    kith_store_close(s);
}

static void a_database_made_by_the_migrations_text_opens(void **state)
{
    struct store_lab *lab = *state;
    uint64_t n = 0;

    for (int v = 0; v < LATEST; v++)
        store_lab_sql(lab->path, schema[v]);
    store_lab_sql(lab->path, "INSERT INTO setting VALUES ('boot_count', x'0000000000000007')");
    struct kith_store *s = store_lab_open(lab);
    assert_int_equal(kith_store_number_get(s, "boot_count", &n), KITH_OK);
    assert_int_equal(n, 7);
    kith_store_close(s);
}

#define NET "x'0101010101010101010101010101010101010101010101010101010101010101'"
#define ANN "x'a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1'"

static void a_lease_of_version_1_counts_as_claimed(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store_lease l;
    uint8_t net[32], ann[32];

    store_lab_id(net, sizeof net, 1);
    store_lab_id(ann, sizeof ann, 0xa1);
    store_lab_sql(lab->path, schema[0]);
    store_lab_sql(lab->path, "INSERT INTO network (id, name, slot, self_cert, next_serial, created)"
                             " VALUES (" NET ", 'n', 1, x'', 6, 1);"
                             "INSERT INTO issued (network, serial, peer, ip4, name, not_after)"
                             " VALUES (" NET ", 5,"
                             " " ANN ", 10, 'ann', 2000);");
    struct kith_store *s = store_lab_open(lab);
    assert_int_equal(kith_store_lease_by_peer(s, net, ann, &l), KITH_OK);
    assert_true(l.claimed);
    assert_int_equal(l.serial, 5);
    kith_store_close(s);
}

static int nobody(void *ctx, const struct kith_store_blocked *b)
{
    (void)ctx, (void)b;
    return 1;
}

static void a_store_of_version_2_blocks_nobody_and_can(void **state)
{
    struct kith_store_blocked b = {.since = 5};
    struct store_lab *lab = *state;

    for (int v = 0; v < 2; v++)
        store_lab_sql(lab->path, schema[v]);
    struct kith_store *s = store_lab_open(lab);
    assert_int_equal(kith_store_blocked_list(s, nobody, NULL), KITH_OK);
    assert_int_equal(kith_store_blocked_add(s, &b), KITH_OK);
    kith_store_close(s);
    s = store_lab_open(lab);
    assert_int_equal(kith_store_blocked_list(s, nobody, NULL), 1);
    kith_store_close(s);
}

static void a_store_killed_before_its_first_migration_is_made_anew(void **state)
{
    struct store_lab *lab = *state;

    store_lab_write(lab->path, "", 0);
    struct kith_store *s = store_lab_open(lab);
    store_lab_network(s, 1);
    kith_store_close(s);
}

static void a_newer_schema_is_refused_and_kept(void **state)
{
    struct store_lab *lab = *state;

    make_filled(lab);
    store_lab_sql(lab->path, "PRAGMA user_version = 5");
    expect_refused_untouched(lab, KITH_E_VERSION, "newer kith");
}

/* Closing SQLite would move the log into the file; a file that is refused must not change. */
static void a_refused_file_keeps_its_log_as_well(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = NULL;
    sqlite3 *db;

    make_filled(lab);
    assert_int_equal(sqlite3_open(lab->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 5", NULL, NULL, NULL), SQLITE_OK);
    struct store_snapshot before = store_lab_snapshot(lab), after;
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_lab_restore(lab, &before);
    assert_true(before.log_len > 0);
    assert_int_equal(kith_store_open(lab->path, &lab->env, &s, NULL), KITH_E_VERSION);
    after = store_lab_snapshot(lab);
    assert_true(store_lab_same(&before, &after));
    store_lab_drop(&before);
    store_lab_drop(&after);
}

static void another_programs_database_is_refused_and_kept(void **state)
{
    struct store_lab *lab = *state;

    store_lab_sql(lab->path, "PRAGMA application_id = 252006673; CREATE TABLE blob (x)");
    expect_refused_untouched(lab, KITH_E_TAKEN, "another program");
}

static void a_database_without_an_application_id_is_another_programs(void **state)
{
    struct store_lab *lab = *state;

    store_lab_sql(lab->path, "CREATE TABLE network (x)");
    expect_refused_untouched(lab, KITH_E_TAKEN, "another program");
}

static void a_file_that_is_no_database_is_refused_and_kept(void **state)
{
    struct store_lab *lab = *state;
    char text[8192];

    memset(text, 'x', sizeof text);
    store_lab_write(lab->path, text, sizeof text);
    expect_refused_untouched(lab, KITH_E_CORRUPT, "damaged");
}

/* Every page in turn is overwritten. */
static void damage_anywhere_is_refused_and_kept(void **state)
{
    struct store_lab *lab = *state;
    size_t len;
    unsigned refused = 0;

    make_filled(lab);
    uint8_t *whole = store_lab_read(lab->path, &len), *bad = malloc(len);
    assert_non_null(bad);
    for (size_t page = 1; page < len / 4096; page++) {
        memcpy(bad, whole, len);
        memset(bad + page * 4096, 0xa5, 16); /* the header of a page, or a link to the next */
        store_lab_write(lab->path, bad, len);
        expect_refused_untouched(lab, KITH_E_CORRUPT, "put a copy");
        refused++;
    }
    assert_true(refused > 20);
    store_lab_write(lab->path, whole, len); /* the way to restore that the message names */
    struct kith_store *s = store_lab_open(lab);
    struct kith_store_network n;
    uint8_t id[32];
    store_lab_id(id, sizeof id, 8);
    assert_int_equal(kith_store_network_get(s, id, &n), KITH_OK);
    assert_int_equal(n.self_cert.n, 6000);
    kith_store_close(s);
    free(whole);
    free(bad);
}

static void a_cut_file_is_refused_and_kept(void **state)
{
    struct store_lab *lab = *state;
    size_t len;

    make_filled(lab);
    uint8_t *whole = store_lab_read(lab->path, &len);
    store_lab_write(lab->path, whole, len / 2);
    expect_refused_untouched(lab, KITH_E_CORRUPT, "damaged");
    free(whole);
}

static void a_row_that_breaks_a_rule_of_the_schema_is_damage(void **state)
{
    struct store_lab *lab = *state;

    make_filled(lab);
    store_lab_sql(lab->path, "PRAGMA ignore_check_constraints = ON;"
                             "UPDATE network SET id = x'00' WHERE slot = 3");
    expect_refused_untouched(lab, KITH_E_CORRUPT, "damaged");
}

static void a_second_opener_is_refused_and_the_first_goes_on(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab), *second = NULL;
    struct kith_store_why why = {{0}};

    assert_int_equal(kith_store_open(lab->path, &lab->env, &second, &why), KITH_E_INUSE);
    assert_non_null(strstr(why.text, "another kith"));
    store_lab_network(s, 1);
    kith_store_close(s);
    kith_store_close(store_lab_open(lab));
}

/* The locks belong to a process: the honest form of the test has two. */
static void a_second_process_is_refused_while_the_first_lives(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab);
    int status = -1;

    pid_t child = fork();
    if (child == 0) {
        struct kith_store *second = NULL;
        struct kith_env env = {.alloc = &kith_heap};
        _exit(kith_store_open(lab->path, &env, &second, NULL) == KITH_E_INUSE ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_lab_network(s, 1);
    kith_store_close(s);
}

static void paths_that_sqlite_would_interpret_are_refused(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = NULL;
    struct kith_store_why why;

    assert_int_equal(kith_store_open("", &lab->env, &s, &why), KITH_E_INVAL);
    assert_int_equal(kith_store_open("file:x?mode=memory", &lab->env, &s, &why), KITH_E_INVAL);
    assert_null(s);
}

static void a_missing_folder_is_said_and_nothing_is_made(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = NULL;
    struct kith_store_why why = {{0}};
    char path[320];

    snprintf(path, sizeof path, "%s/none/kith.db", lab->dir);
    assert_int_equal(kith_store_open(path, &lab->env, &s, &why), KITH_E_IO);
    assert_true(why.text[0] != '\0');
    assert_null(s);
}

/* ---- transactions ---- */

static bool has_network(struct kith_store *s, unsigned v)
{
    struct kith_store_network n;
    uint8_t id[32];

    store_lab_id(id, sizeof id, v);
    int err = kith_store_network_get(s, id, &n);
    assert_true(err == KITH_OK || err == KITH_E_NOTFOUND);
    return err == KITH_OK;
}

static void commit_keeps_and_rollback_forgets(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 1);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 2);
    kith_store_rollback(s);
    assert_true(has_network(s, 1));
    assert_false(has_network(s, 2));
    kith_store_close(s);
}

static void transactions_do_not_nest(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    assert_int_equal(kith_store_commit(s), KITH_E_STATE);
    kith_store_rollback(s); /* harmless */
    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_begin(s), KITH_E_STATE);
    assert_int_equal(kith_store_checkpoint(s), KITH_E_STATE);
    store_lab_network(s, 1);
    assert_int_equal(kith_store_commit(s), KITH_OK); /* the first is still good */
    assert_true(has_network(s, 1));
    kith_store_close(s);
}

static void closing_forgets_what_was_not_committed(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab);

    assert_int_equal(kith_store_begin(s), KITH_OK);
    store_lab_network(s, 1);
    kith_store_close(s);
    s = store_lab_open(lab);
    assert_false(has_network(s, 1));
    kith_store_close(s);
}

static void a_removed_secret_is_off_the_disk_after_a_checkpoint(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_open(lab);
    static const char secret[] = "-----a root key that nobody may find-----";
    struct kith_store_network n = {.name = "n", .root_key = KITH_SPAN_OF(secret)};
    char wal[320];
    size_t len;

    snprintf(wal, sizeof wal, "%s-wal", lab->path);
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    uint8_t *log = store_lab_read(wal, &len);
    assert_non_null(memmem(log, len, secret, sizeof secret)); /* the search works */
    free(log);
    assert_int_equal(kith_store_network_remove(s, n.id), KITH_OK);
    assert_int_equal(kith_store_checkpoint(s), KITH_OK);
    log = store_lab_read(wal, &len);
    assert_int_equal(len, 0);
    free(log);
    uint8_t *file = store_lab_read(lab->path, &len);
    assert_null(memmem(file, len, secret, sizeof secret));
    free(file);
    kith_store_close(s);
}

/* ---- memory ---- */

static void no_memory_is_an_error_and_leaves_the_store_good(void **state)
{
    struct store_lab *lab = *state;
    struct lab_heap heap;
    const struct kith_alloc scarce = lab_alloc(&heap);
    struct kith_env env = lab->env;
    struct kith_store *s = NULL;
    struct kith_span value = {0};

    env.alloc = &scarce;
    heap.fuse = 0;
    assert_int_equal(kith_store_open(":memory:", &env, &s, NULL), KITH_E_NOMEM);
    heap.fuse = 1;
    assert_int_equal(kith_store_open(":memory:", &env, &s, NULL), KITH_OK);
    heap.fuse = SIZE_MAX;
    assert_int_equal(kith_store_setting_put(s, "k", kith_span_text("value")), KITH_OK);
    heap.fuse = 0;
    assert_int_equal(kith_store_setting_get(s, "k", &value), KITH_E_NOMEM);
    heap.fuse = SIZE_MAX;
    assert_int_equal(kith_store_setting_get(s, "k", &value), KITH_OK);
    assert_true(kith_span_equal(value, kith_span_text("value")));
    kith_store_close(s);
    assert_int_equal(heap.live, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_store_is_private_and_of_version_4),
        T(every_file_of_an_open_store_is_private),
        T(a_mode_too_wide_is_narrowed),
        T(what_was_kept_is_there_after_reopening),
        T(a_database_made_by_the_migrations_text_opens),
        T(a_lease_of_version_1_counts_as_claimed),
        T(a_store_of_version_2_blocks_nobody_and_can),
        T(a_store_killed_before_its_first_migration_is_made_anew),
        T(a_newer_schema_is_refused_and_kept),
        T(a_refused_file_keeps_its_log_as_well),
        T(another_programs_database_is_refused_and_kept),
        T(a_database_without_an_application_id_is_another_programs),
        T(a_file_that_is_no_database_is_refused_and_kept),
        T(damage_anywhere_is_refused_and_kept),
        T(a_cut_file_is_refused_and_kept),
        T(a_row_that_breaks_a_rule_of_the_schema_is_damage),
        T(a_second_opener_is_refused_and_the_first_goes_on),
        T(a_second_process_is_refused_while_the_first_lives),
        T(paths_that_sqlite_would_interpret_are_refused),
        T(a_missing_folder_is_said_and_nothing_is_made),
        T(commit_keeps_and_rollback_forgets),
        T(transactions_do_not_nest),
        T(closing_forgets_what_was_not_committed),
        T(a_removed_secret_is_off_the_disk_after_a_checkpoint),
        T(no_memory_is_an_error_and_leaves_the_store_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
