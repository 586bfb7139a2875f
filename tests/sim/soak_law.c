/* soak_law.c: what the machines of a soak may hold, and what came of it. See soak.h. */
#include "sim/soak.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/internal.h"
#include "store/query.h"

static const struct {
    const char *name, *unit, *text;
    enum { FLAT, LEDGER, SHOWN } law;
} series[SOAK_SERIES_N] = {
#define X(name, unit, law, text) {#name, unit, text, law},
    SOAK_SERIES(X)
#undef X
};

/* ---- tables ---- */

enum {
    SCHEMA_PAGES = 32,
    REPLACED_PAGES = 64, /* by one transaction: some certificates */
};

struct ledger {
    uint64_t identities, revoked, left, appointed, given;
};

static struct ledger ledger_of(const struct soak *s, size_t i)
{
    struct ledger l = {.identities = s->identities};

    for (size_t k = 0; k < s->identities; k++) {
        l.revoked += s->identity[k].revoked ? 1 : 0;
        l.left += s->identity[k].left ? 1 : 0;
        l.appointed += s->identity[k].appointed ? 1 : 0;
    }
    for (size_t k = 0; k < s->machine[i].tickets; k++)
        l.given += s->machine[i].ticket[k].given ? 1 : 0;
    return l;
}

/* The most that machine i may have in each table of a LEDGER. */
static void allow(const struct soak *s, size_t i, uint64_t most[SOAK_SERIES_N])
{
    struct ledger l = ledger_of(s, i);
    most[SOAK_S_sessions] = most[SOAK_S_connections] = s->n - 1;
    most[SOAK_S_sessions_kept] = most[SOAK_S_members] = most[SOAK_S_reachable] = s->n - 1;
    /* places of those gone are used again, but some go unheard while their machines come again; and
     * one that is new may hear that somebody was a member before it hears the end of that */
    most[SOAK_S_peers] = s->n + soak_how_often(s, SOAK_revoke) + s->machine[i].history;
    most[SOAK_S_known] = l.identities + 1; /* the root key signs as a peer of its own */
    most[SOAK_S_certificates] = l.identities;
    most[SOAK_S_revocations] = l.revoked + l.left;
    most[SOAK_S_offices] = l.appointed;
    most[SOAK_S_lists] = l.appointed; /* of the root's machine: the root's */
    most[SOAK_S_endpoints] = s->n;
    most[SOAK_S_objects] = 1 + l.identities + l.revoked + l.left + 2 * l.appointed + s->n;
    most[SOAK_S_pending] = 0;
    most[SOAK_S_rows_network] = 1;
    most[SOAK_S_rows_object] = most[SOAK_S_objects];
    most[SOAK_S_rows_ticket] = s->machine[i].tickets;
    most[SOAK_S_rows_ticket_use] = l.given;
    most[SOAK_S_rows_issued] =
        s->machine[i].admin || s->identity[s->machine[i].identity].appointed ? l.identities : 0;
    most[SOAK_S_rows_address] = SOAK_PLACES * (s->n - 1 + s->machine[i].missed);
    most[SOAK_S_rows_setting] = 2; /* reset_key, retry_key */
    most[SOAK_S_statements] = KITH_SQL_COUNT;
}

/* At rest as many as that, no fewer; of the others there are reasons to have none yet. */
static bool is_exact(size_t what)
{
    return what == SOAK_S_sessions || what == SOAK_S_connections || what == SOAK_S_members ||
           what == SOAK_S_reachable || what == SOAK_S_sessions_kept || what == SOAK_S_known ||
           what == SOAK_S_certificates || what == SOAK_S_revocations || what == SOAK_S_offices ||
           what == SOAK_S_endpoints || what == SOAK_S_rows_network || what == SOAK_S_rows_ticket;
}

/* While things are under way: news that have come to some only, and what they were before. */
static void allow_for_haste(const struct soak *s, uint64_t most[SOAK_SERIES_N])
{
    uint64_t under_way = 0;

    for (size_t i = 0; i < s->n; i++)
        under_way += soak_is_well(s, i) ? 0 : 1;
    most[SOAK_S_sessions] += under_way;
    most[SOAK_S_connections] += KITH_SESSION_CONNS_MAX * s->n;
    most[SOAK_S_sessions_kept] += under_way;
    most[SOAK_S_members] += under_way;
    most[SOAK_S_reachable] += under_way;
    most[SOAK_S_endpoints] += under_way;
    most[SOAK_S_objects] += under_way;
    most[SOAK_S_rows_object] += under_way;
    most[SOAK_S_rows_address] += SOAK_PLACES * under_way;
    most[SOAK_S_pending] = 64;
    most[SOAK_S_rows_setting] += 1; /* whom to ask until it has greeted */
}

/* A page holds 508 bytes of a long row, of which a part lies with its key. The file does not get
 * smaller: beside what was in use at some time, there may be what one transaction replaces. */
static void allow_pages(struct soak *s, size_t i, const struct soak_sample *has,
                        uint64_t most[SOAK_SERIES_N])
{
    struct soak_machine *m = &s->machine[i];
    uint64_t rows = 0;

    for (size_t k = SOAK_S_rows_network; k <= SOAK_S_rows_setting; k++)
        rows += has->v[k];
    if (has->v[SOAK_S_pages_used] > m->pages_most)
        m->pages_most = has->v[SOAK_S_pages_used];
    most[SOAK_S_pages_used] = SCHEMA_PAGES + 2 * rows + has->v[SOAK_S_row_bytes] / 508;
    most[SOAK_S_pages] = m->pages_most + REPLACED_PAGES;
}

static void judge_machine(struct soak *s, size_t i, bool at_rest)
{
    struct soak_sample has = {.v = {0}};
    uint64_t most[SOAK_SERIES_N] = {0};

    soak_count_one(s, i, &has);
    allow(s, i, most);
    allow_pages(s, i, &has, most);
    if (!at_rest)
        allow_for_haste(s, most);
    for (size_t k = 0; k < SOAK_SERIES_N; k++) {
        if (series[k].law != LEDGER)
            continue;
        if (has.v[k] > most[k] || (at_rest && is_exact(k) && has.v[k] < most[k]))
            soak_fault(s, "machine %zu has %" PRIu64 " of %s, accounted for are %" PRIu64, i + 1,
                       has.v[k], series[k].name, most[k]);
    }
}

void soak_look(struct soak *s, size_t i)
{
    judge_machine(s, i, false);
}

void soak_judge_tables(struct soak *s, bool at_rest)
{
    for (size_t i = 0; i < s->n; i++)
        judge_machine(s, i, at_rest);
    if (!at_rest || getenv("KITH_SOAK_TRACE") == NULL)
        return;
    fprintf(stderr, "round %u: identities %zu\n", s->round, s->identities);
    for (size_t i = 0; i < SOAK_SERIES_N; i++)
        (void)fprintf(stderr, "  %-16s %12" PRIu64 " %12" PRIu64 "\n", series[i].name,
                      s->rest[s->round].v[i], s->most[s->round].v[i]);
}

/* ---- what must not grow ---- */

/* Rounds that are compared; the one before them is to get warm. */
enum { FIRST = 1, MIDDLE = 5, LAST = 8 };

static uint64_t least(const struct soak_sample *of, size_t what, unsigned from, unsigned to)
{
    uint64_t v = of[from].v[what];

    for (unsigned i = from; i < to; i++)
        v = of[i].v[what] < v ? of[i].v[what] : v;
    return v;
}

static uint64_t most_of(const struct soak_sample *of, size_t what, unsigned from, unsigned to)
{
    uint64_t v = 0;

    for (unsigned i = from; i < to; i++)
        v = of[i].v[what] > v ? of[i].v[what] : v;
    return v;
}

/* What is the same and yet differs. Connections of different ages keep room for their busiest
 * moment; a node keeps the heap of its deadlines and the like, which double, as big as they ever
 * were. */
static uint64_t allowed_growth(const struct soak *s, size_t what)
{
    uint64_t sessions = (uint64_t)s->n * (s->n - 1);

    switch (what) {
    case SOAK_S_aged_blocks: return 4 * sessions;
    case SOAK_S_aged_bytes: return 16 * 1024 * sessions;
    case SOAK_S_rest_bytes: return 1024 * (uint64_t)s->n;
    default: return 0;
    }
}

void soak_judge_growth(struct soak *s)
{
    for (size_t k = 0; k < SOAK_SERIES_N; k++) {
        uint64_t before = most_of(s->rest, k, FIRST, MIDDLE);
        uint64_t after = least(s->rest, k, LAST, SOAK_ROUNDS);
        if (series[k].law == FLAT && after > before + allowed_growth(s, k))
            soak_fault(s, "%s grew: %" PRIu64 " at most at first, %" PRIu64 " at least at last",
                       series[k].name, before, after);
    }
}

/* ---- the report ---- */

static void report_window(FILE *to, const char *name, const struct soak *s, size_t what,
                          unsigned from, unsigned end)
{
    fprintf(to, "\"%s\": {\"least\": %" PRIu64 ", \"most\": %" PRIu64 ", \"hourly\": %" PRIu64 "}",
            name, least(s->rest, what, from, end), most_of(s->rest, what, from, end),
            most_of(s->most, what, from, end));
}

static void report_series(FILE *to, const struct soak *s, size_t k)
{
    static const char *const laws[] = {[FLAT] = "flat", [LEDGER] = "ledger", [SHOWN] = "shown"};

    fprintf(to, "    \"%s\": {\"what\": \"%s\", \"unit\": \"%s\", \"law\": \"%s\",\n      ",
            series[k].name, series[k].text, series[k].unit, laws[series[k].law]);
    report_window(to, "first", s, k, FIRST, MIDDLE);
    fputs(",\n      ", to);
    report_window(to, "middle", s, k, MIDDLE, LAST);
    fputs(",\n      ", to);
    report_window(to, "last", s, k, LAST, SOAK_ROUNDS);
    fputs("}", to);
}

void soak_report(const struct soak *s, FILE *to, double wall, double cpu)
{
    fprintf(to,
            "{\n  \"seed\": %" PRIu64 ", \"nodes\": %zu, \"days\": %u, \"rounds\": %d,\n"
            "  \"slept_days\": %.1f, \"hourly_samples\": %" PRIu64 ", \"faults\": %zu,\n"
            "  \"identities\": %zu, \"wall_seconds\": %.0f, \"cpu_seconds\": %.0f,\n"
            "  \"happened\": {",
            s->seed, s->n, s->days, SOAK_ROUNDS, (double)s->slept / (double)KITH_DAY, s->samples,
            s->faults, s->identities, wall, cpu);
    for (size_t i = 0; i < SOAK_KINDS_N; i++)
        fprintf(to, "%s\n    \"%s\": %" PRIu64, i > 0 ? "," : "", soak_kind_text((enum soak_kind)i),
                s->happened[i]);
    fputs("},\n  \"series\": {\n", to);
    for (size_t k = 0; k < SOAK_SERIES_N; k++) {
        report_series(to, s, k);
        fputs(k + 1 < SOAK_SERIES_N ? ",\n" : "}\n}\n", to);
    }
}
