/* Commands about sessions: peers, ping. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "cmd/cmd.h"

static void peer_row(struct kith_table *t, const json_t *p)
{
    const char *name = json_string_value(json_object_get(p, "name"));
    const json_t *rtt = json_object_get(p, "rtt_ms");
    char buf[32];

    kith_table_cell(t, "%s", name == NULL ? "?" : name);
    kith_table_cell(t, "%.8s", kith_cmd_text(p, "peer_id"));
    kith_table_cell(t, "%s", kith_cmd_text(p, "route"));
    kith_table_cell(
        t, "%s", json_is_number(rtt) ? kith_out_ms(json_number_value(rtt), buf, sizeof buf) : "-");
    kith_table_cell(t, "%.1f%%", 100 * json_number_value(json_object_get(p, "loss")));
    kith_table_cell(t, "%s", kith_out_bytes(kith_cmd_number(p, "sent_bytes"), buf, sizeof buf));
    kith_table_cell(t, "%s", kith_out_bytes(kith_cmd_number(p, "received_bytes"), buf, sizeof buf));
    kith_table_cell(t, "%s", kith_out_span(kith_cmd_number(p, "since_s"), buf, sizeof buf));
}

int kith_cmd_peers(struct kith_cmd *c)
{
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *p;
    size_t i;
    int code = kith_cmd_ask(c, KITH_CTL_peers, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_table_column(&t, "NAME", KITH_CUT);
    kith_table_column(&t, "ID", KITH_LEFT);
    kith_table_column(&t, "ROUTE", KITH_CUT);
    kith_table_column(&t, "RTT", KITH_RIGHT);
    kith_table_column(&t, "LOSS", KITH_RIGHT);
    kith_table_column(&t, "SENT", KITH_RIGHT);
    kith_table_column(&t, "RECV", KITH_RIGHT);
    kith_table_column(&t, "FOR", KITH_RIGHT);
    json_array_foreach(json_object_get(r, "peers"), i, p) peer_row(&t, p);
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    kith_table_fini(&t);
    json_decref(r);
    return code;
}

/* ---- ping ---- */

struct pinging {
    struct kith_cmd *c;
    json_t *replies;   /* with --json: every item */
    bool until_direct; /* the first direct reply is the last */
    bool direct;       /* it came */
    uint64_t sent, received;
    double min, max, sum; /* ms */
};

static bool ping_told(struct pinging *p, const json_t *item)
{
    double ms = json_number_value(json_object_get(item, "rtt_ms"));
    bool lost = json_is_true(json_object_get(item, "lost"));
    char buf[32];

    p->sent++;
    if (!lost) {
        p->min = p->received == 0 || ms < p->min ? ms : p->min;
        p->max = ms > p->max ? ms : p->max;
        p->sum += ms;
        p->received++;
    }
    if (p->c->json)
        return json_array_append(p->replies, (json_t *)item) == 0;
    if (lost)
        printf("no reply from %s (%s)\n", p->c->args->arg[0], kith_cmd_text(item, "address"));
    else
        printf("reply from %s (%s): %s time=%s\n", p->c->args->arg[0],
               kith_cmd_text(item, "address"), kith_cmd_text(item, "route"),
               kith_out_ms(ms, buf, sizeof buf));
    (void)fflush(stdout);
    return true;
}

/* Until it is enough. */
static bool ping_item(void *ctx, const json_t *item)
{
    struct pinging *p = ctx;

    p->direct |= strncmp(kith_cmd_text(item, "route"), "direct ", 7) == 0;
    return ping_told(p, item) && !(p->until_direct && p->direct);
}

static json_t *ms_or_null(const struct pinging *p, double ms)
{
    return p->received == 0 ? json_null() : json_real(ms);
}

static double loss_of(const struct pinging *p)
{
    return p->sent == 0 ? 0 : (double)(p->sent - p->received) / (double)p->sent;
}

/* What came until Ctrl-C or until it was enough, in the shape of the method's result; without an
 * address when nothing did. */
static json_t *own_summary(const struct pinging *p)
{
    json_t *address = json_object_get(json_array_get(p->replies, 0), "address");

    return json_pack("{s:s, s:O*, s:I, s:I, s:f, s:o, s:o, s:o}", "name", p->c->args->arg[0],
                     "address", address, "sent", (json_int_t)p->sent, "received",
                     (json_int_t)p->received, "loss", loss_of(p), "min_ms", ms_or_null(p, p->min),
                     "avg_ms", ms_or_null(p, p->sum / (double)p->received), "max_ms",
                     ms_or_null(p, p->max));
}

static int ping_end(const struct pinging *p, json_t *summary)
{
    char min[32], avg[32], max[32];
    bool well = p->until_direct ? p->direct : p->received > 0;
    int code = well ? KITH_EXIT_OK : KITH_EXIT_FAILED;

    if (p->c->json) {
        int printed =
            kith_cmd_json(json_pack("{s:O, s:o}", "replies", p->replies, "summary",
                                    summary == NULL ? own_summary(p) : json_incref(summary)));
        return code == KITH_EXIT_OK ? printed : code;
    }
    printf("%llu sent, %llu received, %.0f%% lost", (unsigned long long)p->sent,
           (unsigned long long)p->received, 100 * loss_of(p));
    if (p->received > 0)
        printf("; min/avg/max %s / %s / %s", kith_out_ms(p->min, min, sizeof min),
               kith_out_ms(p->sum / (double)p->received, avg, sizeof avg),
               kith_out_ms(p->max, max, sizeof max));
    fputc('\n', stdout);
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

/* Adds -c and -i; an exit code. */
static int ping_params(struct kith_cmd *c, json_t *params)
{
    const char *count = kith_args_value(c->args, "count", NULL);
    const char *interval = kith_args_value(c->args, "interval", NULL);
    uint64_t n;
    char *end;
    int code = KITH_EXIT_OK;

    if (count != NULL) {
        if (kith_u64_parse(count, &n) < 0 || n > INT32_MAX)
            return kith_cmd_fail(KITH_EXIT_USAGE, "-c must be a whole number, not \"%s\"", count);
        (void)json_object_set_new(params, "count", json_integer((json_int_t)n));
        code = kith_cmd_within(KITH_CTL_ping, "count", n, "-c", 0);
    } else if (kith_args_has(c->args, "until-direct")) {
        (void)json_object_set_new(params, "count", json_integer(most_of(KITH_CTL_ping, "count")));
    }
    if (interval != NULL && code == KITH_EXIT_OK) {
        double s = strtod(interval, &end);
        if (end == interval || *end != '\0' || !(s > 0 && s <= 3600))
            return kith_cmd_fail(KITH_EXIT_USAGE, "-i must be seconds, as in 1 or 0.2, not \"%s\"",
                                 interval);
        n = (uint64_t)lround(s * 1000);
        (void)json_object_set_new(params, "interval_ms", json_integer((json_int_t)n));
        code = kith_cmd_within(KITH_CTL_ping, "interval_ms", n, "-i", KITH_MSEC);
    }
    return code;
}

int kith_cmd_ping(struct kith_cmd *c)
{
    struct pinging p = {
        .c = c, .replies = json_array(), .until_direct = kith_args_has(c->args, "until-direct")};
    json_t *r = NULL, *params = json_pack("{s:s, s:s*}", "name", c->args->arg[0], "network",
                                          kith_args_value(c->args, "network", NULL));
    int code = ping_params(c, params);

    if (code == KITH_EXIT_OK)
        code = kith_cmd_call(c, KITH_CTL_ping, params, ping_item, &p, &r);
    else
        json_decref(params);
    if (code == KITH_EXIT_OK)
        code = ping_end(&p, r);
    json_decref(r);
    json_decref(p.replies);
    return code;
}
