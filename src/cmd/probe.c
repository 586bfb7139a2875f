/* Commands that measure round trips: ping and probe. */

#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/cmd.h"

struct pinging {
    struct kith_cmd *c;
    enum kith_ctl_method method;
    json_t *replies;   /* with --json: every item; else the first */
    bool until_direct; /* the first direct reply is the last */
    bool direct;       /* it came */
    uint64_t sent, received;
    double min, max, sum; /* ms */
};

/* ---- a line for each ---- */

static void print_ping(const struct pinging *p, const json_t *item, bool lost, double ms)
{
    const char *name = p->c->args->arg[0], *address = kith_cmd_text(item, "address");
    char buf[32];

    if (lost)
        printf("no reply from %s (%s)\n", name, address);
    else
        printf("reply from %s (%s): %s time=%s\n", name, address, kith_cmd_text(item, "route"),
               kith_out_ms(ms, buf, sizeof buf));
}

/* Text and what goes on from it with ", " or "; ": in a line of its own where both are too wide for
 * one. */
static void print_line(const char *text, const char *more)
{
    bool fits = *more == '\0' || strlen(text) + strlen(more) <= KITH_OUT_WIDTH;
    char line[400];

    (void)kith_format(line, sizeof line, "%s%.*s", text, fits ? (int)strlen(more) : 1, more);
    kith_out_wrap(stdout, line, 0, 2, KITH_OUT_WIDTH);
    if (!fits)
        printf("  %s\n", more + 2);
}

static void print_probe(const json_t *item, bool lost, double ms)
{
    unsigned long long seq = kith_cmd_number(item, "seq"), hops = kith_cmd_number(item, "hops");
    char line[256], far[32] = "", took[96] = "", buf[32];

    if (hops > 0)
        (void)kith_format(far, sizeof far, ", %llu hop%s", hops, hops == 1 ? "" : "s");
    if (!lost)
        (void)kith_format(took, sizeof took, "%s, %s", far, kith_out_ms(ms, buf, sizeof buf));
    (void)kith_format(line, sizeof line, "%llu: %s", seq,
                      lost ? "lost" : kith_cmd_text(item, "route"));
    print_line(line, took);
}

/* Whom a probe asks, before the first line. */
static void print_target(const json_t *item)
{
    char line[256];

    (void)kith_format(line, sizeof line, "probing %s (%s), destination %s",
                      kith_cmd_text(item, "name"), kith_cmd_text(item, "service"),
                      kith_cmd_text(item, "destination"));
    print_line(line, "");
}

static void print_item(const struct pinging *p, const json_t *item, bool lost, double ms)
{
    if (p->method == KITH_CTL_ping) {
        print_ping(p, item, lost, ms);
    } else {
        if (p->sent == 1)
            print_target(item);
        print_probe(item, lost, ms);
    }
    (void)fflush(stdout);
}

/* ---- counting ---- */

static bool count_item(struct pinging *p, const json_t *item)
{
    double ms = json_number_value(json_object_get(item, "rtt_ms"));
    bool lost = json_is_true(json_object_get(item, "lost"));

    p->sent++;
    if (!lost) {
        p->min = p->received == 0 || ms < p->min ? ms : p->min;
        p->max = ms > p->max ? ms : p->max;
        p->sum += ms;
        p->received++;
    }
    if (!p->c->json)
        print_item(p, item, lost, ms);
    return (!p->c->json && p->sent > 1) || json_array_append(p->replies, (json_t *)item) == 0;
}

/* Until it is enough. */
static bool on_item(void *ctx, const json_t *item)
{
    struct pinging *p = ctx;

    p->direct |= strncmp(kith_cmd_text(item, "route"), "direct ", 7) == 0;
    return count_item(p, item) && !(p->until_direct && p->direct);
}

static json_t *ms_or_null(const struct pinging *p, double ms)
{
    return p->received == 0 ? json_null() : json_real(ms);
}

static double loss_of(const struct pinging *p)
{
    return p->sent == 0 ? 0 : (double)(p->sent - p->received) / (double)p->sent;
}

/* ---- the end ---- */

/* What came until Ctrl-C or until it was enough, in the shape of the method's result; without what
 * items tell of the other end when none came. */
static json_t *own_summary(const struct pinging *p)
{
    const json_t *first = json_array_get(p->replies, 0);
    const char *name = p->method == KITH_CTL_ping ? p->c->args->arg[0] : NULL;

    return json_pack(
        "{s:O*, s:O*, s:s*, s:O*, s:O*, s:I, s:I, s:f, s:o, s:o, s:o}", "destination",
        json_object_get(first, "destination"), "service", json_object_get(first, "service"), "name",
        name != NULL ? name : json_string_value(json_object_get(first, "name")), "peer_id",
        json_object_get(first, "peer_id"), "address", json_object_get(first, "address"), "sent",
        (json_int_t)p->sent, "received", (json_int_t)p->received, "loss", loss_of(p), "min_ms",
        ms_or_null(p, p->min), "avg_ms", ms_or_null(p, p->sum / (double)p->received), "max_ms",
        ms_or_null(p, p->max));
}

/* "3 answered by 7q2fzv3a" is what a probe says where a ping says "3 received". */
static void print_sums(const struct pinging *p)
{
    const char *peer = kith_cmd_text(json_array_get(p->replies, 0), "peer_id");
    bool by = p->method != KITH_CTL_ping && p->received > 0;
    char line[256], times[128] = "", min[32], avg[32], max[32];

    if (p->received > 0)
        (void)kith_format(times, sizeof times, "; min/avg/max %s / %s / %s",
                          kith_out_ms(p->min, min, sizeof min),
                          kith_out_ms(p->sum / (double)p->received, avg, sizeof avg),
                          kith_out_ms(p->max, max, sizeof max));
    (void)kith_format(line, sizeof line, "%llu sent, %llu %s%s%.8s, %.0f%% lost",
                      (unsigned long long)p->sent, (unsigned long long)p->received,
                      p->method == KITH_CTL_ping ? "received" : "answered", by ? " by " : "",
                      by ? peer : "", 100 * loss_of(p));
    print_line(line, times);
}

static int end(const struct pinging *p, json_t *summary)
{
    bool well = p->until_direct ? p->direct : p->received > 0;
    int code = well ? KITH_EXIT_OK : KITH_EXIT_FAILED, printed = KITH_EXIT_OK;

    if (p->c->json)
        printed = kith_cmd_json(json_pack("{s:O, s:o}", "replies", p->replies, "summary",
                                          summary == NULL ? own_summary(p) : json_incref(summary)));
    else
        print_sums(p);
    return code == KITH_EXIT_OK ? printed : code;
}

/* ---- the beginning ---- */

/* Adds -c and -i; an exit code. */
static int add_params(const struct pinging *p, json_t *params)
{
    const char *count = kith_args_value(p->c->args, "count", NULL);
    const char *interval = kith_args_value(p->c->args, "interval", NULL);
    uint64_t n;
    char *rest;
    int code = KITH_EXIT_OK;

    if (count != NULL) {
        if (kith_u64_parse(count, &n) < 0 || n > INT32_MAX)
            return kith_cmd_fail(KITH_EXIT_USAGE, "-c must be a whole number, not \"%s\"", count);
        (void)json_object_set_new(params, "count", json_integer((json_int_t)n));
        code = kith_cmd_within(p->method, "count", n, "-c", 0);
    }
    if (interval != NULL && code == KITH_EXIT_OK) {
        double s = strtod(interval, &rest);
        if (rest == interval || *rest != '\0' || !(s > 0 && s <= 3600))
            return kith_cmd_fail(KITH_EXIT_USAGE, "-i must be seconds, as in 1 or 0.2, not \"%s\"",
                                 interval);
        n = (uint64_t)lround(s * 1000);
        (void)json_object_set_new(params, "interval_ms", json_integer((json_int_t)n));
        code = kith_cmd_within(p->method, "interval_ms", n, "-i", KITH_MSEC);
    }
    return code;
}

/* Takes params, which name the other end. */
static int run(struct pinging *p, json_t *params)
{
    json_t *r = NULL;
    int code = add_params(p, params);

    p->replies = json_array();
    if (code == KITH_EXIT_OK)
        code = kith_cmd_call(p->c, p->method, params, on_item, p, &r);
    else
        json_decref(params);
    if (code == KITH_EXIT_OK)
        code = end(p, r);
    json_decref(r);
    json_decref(p->replies);
    return code;
}

/* The most of a whole number that the method takes. */
static json_int_t most_of(enum kith_ctl_method m, const char *param)
{
    const struct kith_ctl_param *p = kith_ctl_method_row(m)->param;

    while (strcmp(p->name, param) != 0)
        p++;
    return (json_int_t)p->most;
}

int kith_cmd_ping(struct kith_cmd *c)
{
    struct pinging p = {
        .c = c, .method = KITH_CTL_ping, .until_direct = kith_args_has(c->args, "until-direct")};
    json_t *params = json_pack("{s:s, s:s*}", "name", c->args->arg[0], "network",
                               kith_args_value(c->args, "network", NULL));

    if (p.until_direct && kith_args_value(c->args, "count", NULL) == NULL)
        (void)json_object_set_new(params, "count", json_integer(most_of(p.method, "count")));
    return run(&p, params);
}

int kith_cmd_probe(struct kith_cmd *c)
{
    struct pinging p = {.c = c, .method = KITH_CTL_probe};

    return run(&p, json_pack("{s:s, s:s*}", "destination", c->args->arg[0], "network",
                             kith_args_value(c->args, "network", NULL)));
}
