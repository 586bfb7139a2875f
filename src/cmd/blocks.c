/* Commands about peers that are kept away: block, unblock. */

#include "cmd/cmd.h"

static void row(struct kith_table *t, const json_t *b)
{
    const char *name = json_string_value(json_object_get(b, "name"));

    kith_table_cell(t, "%s", name == NULL ? "?" : name);
    kith_table_cell(t, "%s", kith_cmd_text(b, "peer_id")); /* whole: who is no member has no name */
    kith_table_cell(t, "%.10s", kith_cmd_text(b, "since")); /* the day */
}

static int list(struct kith_cmd *c)
{
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *b;
    size_t i;
    int code = kith_cmd_ask(c, KITH_CTL_peer_blocked, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_table_column(&t, "NAME", KITH_CUT);
    kith_table_column(&t, "ID", KITH_LEFT);
    kith_table_column(&t, "SINCE", KITH_LEFT);
    json_array_foreach(json_object_get(r, "blocked"), i, b) row(&t, b);
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    kith_table_fini(&t);
    json_decref(r);
    return code;
}

/* Quiet, but where it was so before. */
static int change(struct kith_cmd *c, enum kith_ctl_method m, const char *was)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, m,
                            json_pack("{s:s, s:s*}", "name", c->args->arg[0], "network",
                                      kith_args_value(c->args, "network", NULL)),
                            &r);

    if (r != NULL && !json_is_true(json_object_get(r, "changed")))
        printf("%s %s\n", c->args->arg[0], was);
    json_decref(r);
    return code;
}

int kith_cmd_block(struct kith_cmd *c)
{
    if (c->args->arg[0] == NULL)
        return list(c);
    return change(c, KITH_CTL_peer_block, "is blocked already");
}

int kith_cmd_unblock(struct kith_cmd *c)
{
    return change(c, KITH_CTL_peer_unblock, "is not blocked");
}
