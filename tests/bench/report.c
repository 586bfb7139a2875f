#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct report_figure *find(const struct report *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->figure[i].name, name) == 0)
            return (struct report_figure *)&r->figure[i];
    return NULL;
}

void report_add(struct report *r, const char *name, const char *unit, const char *about,
                double value)
{
    struct report_figure *f = find(r, name);

    if (f == NULL && r->n < REPORT_FIGURES) {
        f = &r->figure[r->n++];
        f->name = name;
        f->unit = unit;
        f->about = about;
    }
    if (f == NULL || f->n == REPORT_RUNS)
        bench_give_up("more figures or runs than there is room for");
    f->run[f->n++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of sorted runs. */
static double median(const double *run, size_t n)
{
    return n % 2 == 1 ? run[n / 2] : (run[n / 2 - 1] + run[n / 2]) / 2;
}

double report_median(const struct report *r, const char *name)
{
    const struct report_figure *f = find(r, name);
    double sorted[REPORT_RUNS];

    if (f == NULL || f->n == 0)
        return 0;
    memcpy(sorted, f->run, f->n * sizeof *sorted);
    qsort(sorted, f->n, sizeof *sorted, compare);
    return median(sorted, f->n);
}

void report_print(struct report *r)
{
    printf("{");
    for (size_t i = 0; i < r->n; i++) {
        struct report_figure *f = &r->figure[i];
        qsort(f->run, f->n, sizeof *f->run, compare);
        printf("\"%s\": %.6g,\n ", f->name, median(f->run, f->n));
    }
    printf("\"figures\": {");
    for (size_t i = 0; i < r->n; i++) {
        const struct report_figure *f = &r->figure[i];
        printf("%s\n  \"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g, \"runs\": %zu, "
               "\"unit\": \"%s\", \"about\": \"%s\"}",
               i > 0 ? "," : "", f->name, median(f->run, f->n), f->run[0], f->run[f->n - 1], f->n,
               f->unit, f->about);
    }
    printf("}}\n");
}

static kith_time read_clock(clockid_t which)
{
    struct timespec t = {0};

    (void)clock_gettime(which, &t);
    return (kith_time)t.tv_sec * KITH_SEC + (kith_time)t.tv_nsec;
}

kith_time bench_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

kith_dur bench_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_give_up(const char *why)
{
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

void bench_must(int err, const char *what)
{
    if (err >= 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, kith_err_text(err));
    exit(1);
}
