/* Commands about services: services, service add, service remove. */

#include "cmd/cmd.h"

static void row(struct kith_table *t, const json_t *s)
{
    bool self = json_is_true(json_object_get(s, "self"));
    bool connected = json_is_true(json_object_get(s, "connected"));

    kith_table_cell(t, "%s", kith_cmd_text(s, "network"));
    kith_table_cell(t, "%s", kith_cmd_text(s, "member"));
    kith_table_cell(t, "%s", kith_cmd_text(s, "name"));
    kith_table_cell(t, "%s", kith_cmd_text(s, "destination"));
    kith_table_cell(t, "%s", self ? "this node" : connected ? "connected" : "-");
    kith_table_cell(t, "%s", kith_cmd_text(s, "about"));
}

int kith_cmd_services(struct kith_cmd *c)
{
    struct kith_table t = {.columns = 0};
    json_t *r = NULL, *s;
    size_t i;
    int code =
        kith_cmd_ask(c, KITH_CTL_services,
                     json_pack("{s:s*}", "network", kith_args_value(c->args, "network", NULL)), &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_table_column(&t, "NETWORK", KITH_CUT);
    kith_table_column(&t, "MEMBER", KITH_CUT);
    kith_table_column(&t, "SERVICE", KITH_CUT);
    kith_table_column(&t, "DESTINATION", KITH_LEFT);
    kith_table_column(&t, "STATE", KITH_LEFT);
    kith_table_column(&t, "ABOUT", KITH_CUT);
    json_array_foreach(json_object_get(r, "services"), i, s) row(&t, s);
    if (kith_table_print(&t, stdout) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    kith_table_fini(&t);
    json_decref(r);
    return code;
}

/* `about` may be NULL. */
static json_t *service(const struct kith_cmd *c, const char *about)
{
    return json_pack("{s:s, s:s*, s:s*}", "name", c->args->arg[0], "about", about, "network",
                     kith_args_value(c->args, "network", NULL));
}

int kith_cmd_service_add(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, KITH_CTL_service_add, service(c, c->args->arg[1]), &r);

    if (code == KITH_EXIT_OK && r != NULL)
        printf("%s\n", kith_cmd_text(r, "destination"));
    json_decref(r);
    return code;
}

int kith_cmd_service_remove(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, KITH_CTL_service_remove, service(c, NULL), &r);

    json_decref(r);
    return code;
}
