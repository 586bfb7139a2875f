/* kith paths. */

#include "base/text.h"
#include "cmd/cmd.h"

/* Whether the rows are of more than one network; then names need theirs. */
static bool of_several(const json_t *paths)
{
    const char *first = kith_cmd_text(json_array_get(paths, 0), "network");
    const char *last = kith_cmd_text(json_array_get(paths, json_array_size(paths) - 1), "network");

    return strcmp(first, last) != 0; /* they come by network */
}

static void name_cell(struct kith_table *t, const json_t *p, bool several)
{
    const char *name = json_string_value(json_object_get(p, "member"));

    kith_table_cell(t, "%s%s%s", name == NULL ? "?" : name, several ? "." : "",
                    several ? kith_cmd_text(p, "network") : "");
}

static void via_cell(struct kith_table *t, const json_t *p)
{
    const char *via = json_string_value(json_object_get(p, "via"));

    if (kith_cmd_number(p, "hops") == 1)
        kith_table_cell(t, "direct");
    else if (via != NULL)
        kith_table_cell(t, "%s", via);
    else
        kith_table_cell(t, "%.8s", kith_cmd_text(p, "via_peer_id"));
}

/* Five characters at most, so that the row fits. */
static void loss_cell(struct kith_table *t, const json_t *p)
{
    double percent = 100 * json_number_value(json_object_get(p, "loss"));

    kith_table_cell(t, "%.*f%%", percent < 10 ? 1 : 0, percent);
}

static void row(struct kith_table *t, const json_t *p, bool several)
{
    const json_t *rtt = json_object_get(p, "rtt_ms"), *rate = json_object_get(p, "rate_bits");
    char buf[32];

    name_cell(t, p, several);
    via_cell(t, p);
    kith_table_cell(t, "%llu", (unsigned long long)kith_cmd_number(p, "hops"));
    kith_table_cell(
        t, "%s", json_is_number(rtt) ? kith_out_ms(json_number_value(rtt), buf, sizeof buf) : "-");
    loss_cell(t, p);
    kith_table_cell(t, "%s",
                    json_is_integer(rate)
                        ? kith_out_bytes(kith_cmd_number(p, "rate_bits"), buf, sizeof buf)
                        : "-");
    kith_table_cell(t, "%s", kith_out_span(kith_cmd_number(p, "age_s"), buf, sizeof buf));
    kith_table_cell(t, "%.10s", kith_cmd_text(p, "expires")); /* the day */
    kith_table_cell(t, "%.8s", kith_cmd_text(p, "destination"));
}

/* A table of nothing says nothing. */
static void tell_none(const char *to)
{
    (void)fflush(stdout);
    fprintf(stderr, "no way to %s is known; kith peers lists the sessions there are\n",
            to == NULL ? "anybody" : to);
}

int kith_cmd_paths(struct kith_cmd *c)
{
    const char *to = c->args->args > 0 ? c->args->arg[0] : NULL;
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *p;
    const json_t *paths;
    bool several;
    size_t i;
    int code = kith_cmd_ask(c, KITH_CTL_paths,
                            json_pack("{s:s*, s:s*}", "destination", to, "network",
                                      kith_args_value(c->args, "network", NULL)),
                            &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    paths = json_object_get(r, "paths");
    several = of_several(paths);
    kith_table_column(&t, "NAME", KITH_CUT);
    kith_table_column(&t, "VIA", KITH_CUT);
    kith_table_column(&t, "HOPS", KITH_RIGHT);
    kith_table_column(&t, "RTT", KITH_RIGHT);
    kith_table_column(&t, "LOSS", KITH_RIGHT);
    kith_table_column(&t, "RATE", KITH_RIGHT);
    kith_table_column(&t, "AGE", KITH_RIGHT);
    kith_table_column(&t, "EXPIRES", KITH_LEFT);
    kith_table_column(&t, "DESTINATION", KITH_LEFT);
    json_array_foreach((json_t *)paths, i, p) row(&t, p, several);
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    else if (json_array_size(paths) == 0)
        tell_none(to);
    kith_table_fini(&t);
    json_decref(r);
    return code;
}
