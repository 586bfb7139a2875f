/* report.h: what a measurement prints: one JSON object. Under its name each figure has the median
 * of its runs; under "figures" stands what that median hides: lowest, highest, how many runs, the
 * unit, and what was counted. Page: docs/modules/bench.md */
#ifndef KITH_TESTS_BENCH_REPORT_H
#define KITH_TESTS_BENCH_REPORT_H

#include "base/base.h"

enum { REPORT_FIGURES = 48, REPORT_RUNS = 512 };

struct report_figure {
    const char *name, *unit, *about; /* borrowed for ever; plain ASCII without quotes */
    double run[REPORT_RUNS];
    size_t n;
};

struct report { /* all-zero is empty; large: make it static */
    struct report_figure figure[REPORT_FIGURES];
    size_t n;
};

/* One more run of a figure. Unit and explanation are those of the first. */
void report_add(struct report *r, const char *name, const char *unit, const char *about,
                double value);
/* The median of the runs so far; 0 without any. */
double report_median(const struct report *r, const char *name);
/* To standard output; sorts the runs. */
void report_print(struct report *r);

/* The monotonic clock, and what this process has had of the processor: user and system time of
 * all its threads, not of its children. */
kith_time bench_now(void);
kith_dur bench_cpu(void);
/* Says on standard error what went wrong and ends the program. */
_Noreturn void bench_give_up(const char *why);
/* Gives up when something that has to work did not. */
void bench_must(int err, const char *what);

#endif
