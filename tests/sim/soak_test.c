/* Thirty nodes for thirty days, or fewer for less, and nothing grows: see soak.h.
 *
 * The ordinary run is short; KITH_SOAK_NODES, KITH_SOAK_DAYS and KITH_SOAK_SEED make it another.
 * KITH_SOAK_JSON names a file for what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/soak.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { NODES = 4, DAYS = 2 };
#else
enum { NODES = 5, DAYS = 3 };
#endif

static uint64_t asked_for(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_report(const struct soak *s, double wall, double cpu)
{
    const char *name = getenv("KITH_SOAK_JSON");
    FILE *f = name != NULL ? fopen(name, "we") : NULL;

    print_message("seed %llu, %zu nodes, %u days: %zu identities, %.0f s of processor time\n",
                  (unsigned long long)s->seed, s->n, s->days, s->identities, cpu);
    if (name == NULL)
        return;
    assert_non_null(f);
    soak_report(s, f, wall, cpu);
    assert_int_equal(fclose(f), 0);
}

static void a_network_in_which_much_happens_does_not_grow_and_ends_whole(void **state)
{
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    size_t nodes = asked_for("KITH_SOAK_NODES", NODES);
    uint64_t days = asked_for("KITH_SOAK_DAYS", DAYS);

    (void)state;
    assert_in_range(nodes, 4, SOAK_MACHINES_MAX);
    assert_in_range(days, 2, 1000);
    struct soak *s = soak_new(asked_for("KITH_SOAK_SEED", 1), nodes, (unsigned)days);
    soak_run(s);
    write_report(s, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    size_t faults = s->faults;
    for (size_t i = 0; i < faults && i < SOAK_FAULTS_MAX; i++)
        print_message("%s\n", s->fault[i]);
    soak_free(s);
    assert_int_equal(faults, 0);
}

/* Blocks that the C library keeps at hand for a thread would count as in use. */
static void begin_without_caches(char **argv)
{
    if (getenv("GLIBC_TUNABLES") != NULL)
        return;
    if (setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1) == 0)
        (void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_in_which_much_happens_does_not_grow_and_ends_whole),
    };

    (void)argc;
    begin_without_caches(argv);
    soak_count_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
