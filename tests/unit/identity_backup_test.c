/* The root's backup opens with its passphrase and in no other way. */
#include "identity/backup.h"

#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct kith_passphrase_cost cheap = {64, 1, 1};

static struct kith_backup_content content(void)
{
    return (struct kith_backup_content){.network = kith_span_text("network"),
                                        .key = kith_span_text("-----BEGIN PRIVATE KEY-----"),
                                        .state = kith_span_text("state")};
}

static size_t sealed(uint8_t *buf, size_t cap)
{
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_backup_content c = content();
    size_t n = 0;

    kith_random_seeded_init(&seeded, 3);
    random = kith_random_from_seed(&seeded);
    assert_int_equal(
        kith_backup_seal(&random, kith_span_text("open sesame"), &cheap, &c, buf, cap, &n),
        KITH_OK);
    return n;
}

static void the_passphrase_opens_what_it_sealed(void **state)
{
    uint8_t file[KITH_BACKUP_MAX], plain[KITH_BACKUP_MAX];
    struct kith_backup_content c = content(), back;
    size_t n = sealed(file, sizeof file);

    (void)state;
    assert_memory_equal(file, "kith root backup\n", 17);
    for (size_t i = 0; i + c.key.n <= n; i++)
        assert_memory_not_equal(file + i, c.key.p, c.key.n);
    assert_int_equal(kith_backup_open((struct kith_span){file, n}, kith_span_text("open sesame"),
                                      plain, sizeof plain, &back),
                     KITH_OK);
    assert_true(kith_backup_content_equal(&c, &back));
}

static void another_passphrase_or_any_changed_byte_is_refused(void **state)
{
    uint8_t file[KITH_BACKUP_MAX], plain[KITH_BACKUP_MAX];
    struct kith_backup_content back;
    size_t n = sealed(file, sizeof file);
    struct kith_span s = {file, n}, pass = kith_span_text("open sesame");

    (void)state;
    assert_int_equal(kith_backup_open(s, kith_span_text("open sesamE"), plain, sizeof plain, &back),
                     KITH_E_AUTH);
    assert_int_equal(kith_backup_open(s, (struct kith_span){0}, plain, sizeof plain, &back),
                     KITH_E_INVAL);
    for (size_t i = 0; i < n; i++) {
        if (i == 20) /* the lower bytes of the costs: valid ones, and some are slow */
            i = 30;
        file[i] ^= 1;
        assert_true(kith_backup_open(s, pass, plain, sizeof plain, &back) < 0);
        file[i] ^= 1;
    }
    for (size_t k = 0; k < n; k++)
        assert_true(
            kith_backup_open((struct kith_span){file, k}, pass, plain, sizeof plain, &back) < 0);
}

static void files_of_others_and_of_later_versions_are_told_apart(void **state)
{
    uint8_t file[KITH_BACKUP_MAX], plain[KITH_BACKUP_MAX];
    struct kith_backup_content back;
    size_t n = sealed(file, sizeof file);
    struct kith_span pass = kith_span_text("open sesame");

    (void)state;
    assert_int_equal(kith_backup_open(kith_span_text("hello"), pass, plain, sizeof plain, &back),
                     KITH_E_MALFORMED);
    file[17] = 2;
    assert_int_equal(
        kith_backup_open((struct kith_span){file, n}, pass, plain, sizeof plain, &back),
        KITH_E_VERSION);
    file[17] = 1;
    file[18] = 0xff; /* memory far above a GiB */
    assert_int_equal(
        kith_backup_open((struct kith_span){file, n}, pass, plain, sizeof plain, &back),
        KITH_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_passphrase_opens_what_it_sealed),
        cmocka_unit_test(another_passphrase_or_any_changed_byte_is_refused),
        cmocka_unit_test(files_of_others_and_of_later_versions_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
