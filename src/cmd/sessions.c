/* kith peers. */

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
