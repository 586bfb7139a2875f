/* What the path table costs at a hundred thousand destinations: hearing of a new one, hearing of
 * it again, asking for the best way, and sweeping the table; and the memory of an entry. */
#include <stdio.h>
#include <stdlib.h>

#include "lab_alloc.h"
#include "mesh/paths.h"
#include "report.h"

enum { DESTINATIONS = 100000, NEIGHBOURS = 8, ROUNDS = 5, BYTES_MAX = 200 };
#define WALL ((kith_wall)1800000000)

static struct report report;
static struct kith_random_seeded seeded;
static struct kith_random rnd;

/* Hashes: nothing in their order helps a cache. */
static struct kith_destination *make_destinations(void)
{
    struct kith_destination *d = calloc(DESTINATIONS, sizeof *d);

    if (d == NULL)
        bench_give_up("destinations");
    kith_random_fill(&rnd, d, DESTINATIONS * sizeof *d);
    return d;
}

static void tell_all(struct kith_mesh_paths *p, const struct kith_destination *d, uint32_t by,
                     struct kith_now now)
{
    enum kith_mesh_told told;

    for (size_t i = 0; i < DESTINATIONS; i++) {
        const struct kith_mesh_offer o = {.neighbour = (uint32_t)(i + by) % NEIGHBOURS,
                                          .hops = (uint8_t)(1 + by),
                                          .expires = WALL + 86400};
        bench_must(kith_mesh_paths_tell(p, &d[i], &o, now, &told), "telling");
    }
}

static void look_up_all(struct kith_mesh_paths *p, const struct kith_destination *d,
                        struct kith_now now)
{
    struct kith_mesh_way w;

    for (size_t i = 0; i < DESTINATIONS; i++)
        if (!kith_mesh_paths_best(p, &d[i * 7919 % DESTINATIONS], KITH_MESH_NOBODY, now.mono, &w))
            bench_give_up("a destination is lost");
}

static kith_dur since(kith_time *from)
{
    kith_time now = bench_now();
    kith_dur d = now - *from;

    *from = now;
    return d;
}

static void note(const char *name, const char *about, kith_dur d)
{
    report_add(&report, name, "ns", about, (double)d / (int)DESTINATIONS);
}

static void measure(const struct kith_destination *d)
{
    struct kith_now now = {.mono = 1000 * KITH_SEC, .wall = WALL};
    struct kith_mesh_paths *p;
    struct lab_alloc heap;

    lab_alloc_init(&heap);
    const struct kith_env env = {.alloc = &heap.alloc, .random = &rnd};
    bench_must(kith_mesh_paths_new(&env, DESTINATIONS, &p), "a table");
    kith_time t = bench_now();
    tell_all(p, d, 0, now);
    note("paths_insert_ns", "a destination heard of for the first time", since(&t));
    tell_all(p, d, 1, now);
    note("paths_tell_ns", "another way to one that is known", since(&t));
    look_up_all(p, d, now);
    note("paths_look_up_ns", "the best way to a destination", since(&t));
    (void)kith_mesh_paths_tick(p, now);
    note("paths_sweep_ns", "looking whether an entry has expired: it has not", since(&t));
    report_add(&report, "paths_entry_bytes", "bytes",
               "of an entry, its share of the table included",
               (double)heap.bytes / (int)DESTINATIONS);
    now.mono += KITH_MESH_FRESH;
    t = bench_now();
    if (kith_mesh_paths_tick(p, now) != DESTINATIONS)
        bench_give_up("something did not expire");
    note("paths_expire_ns", "dropping an entry that has expired", since(&t));
    kith_mesh_paths_free(p);
    if (heap.live != 0)
        bench_give_up("memory is lost");
}

int main(void)
{
    kith_random_seeded_init(&seeded, 1);
    rnd = kith_random_from_seed(&seeded);
    struct kith_destination *d = make_destinations();
    for (int i = 0; i < ROUNDS; i++)
        measure(d);
    free(d);
    if (report_median(&report, "paths_entry_bytes") > (int)BYTES_MAX)
        bench_give_up("an entry has grown beyond 200 bytes");
    report_print(&report);
    return 0;
}
