/* kith config show, kith config check. */

#include <stdlib.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "ctl/conf_json.h"

/* A value as it is written in a configuration file, lists without their brackets. */
static void value_cell(struct kith_table *t, const json_t *v)
{
    char buf[KITH_CONF_VALUE_TEXT] = "";
    const json_t *item;
    size_t i, n = 0;

    if (json_is_boolean(v)) {
        kith_table_cell(t, "%s", json_is_true(v) ? "true" : "false");
    } else if (json_is_integer(v)) {
        kith_table_cell(t, "%lld", (long long)json_integer_value(v));
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, item)
        {
            (void)kith_format(buf + n, sizeof buf - n, "%s%s", n == 0 ? "" : ",",
                              json_string_value(item));
            n += strlen(buf + n);
        }
        kith_table_cell(t, "%s", buf);
    } else {
        kith_table_cell(t, "%s", json_string_value(v));
    }
}

static int print_options(const json_t *r)
{
    struct kith_table t = {.columns = 0};
    const json_t *o;
    size_t i;
    int err;

    kith_table_column(&t, "OPTION", KITH_LEFT);
    kith_table_column(&t, "VALUE", KITH_LEFT);
    kith_table_column(&t, "FROM", KITH_LEFT);
    json_array_foreach(json_object_get(r, "options"), i, o)
    {
        kith_table_cell(&t, "%s", kith_cmd_text(o, "name"));
        value_cell(&t, json_object_get(o, "value"));
        kith_table_cell(&t, "%s", kith_cmd_text(o, "origin"));
    }
    err = kith_table_print(&t, stdout);
    kith_table_fini(&t);
    return err < 0 ? kith_cmd_fail(KITH_EXIT_FAILED, "out of memory") : KITH_EXIT_OK;
}

int kith_cmd_config_show(struct kith_cmd *c)
{
    static struct kith_conf conf;
    json_t *r = NULL;
    int code;

    if (kith_cmd_running(c)) {
        code = kith_cmd_ask(c, KITH_CTL_config_show, NULL, &r);
    } else {
        code = kith_cmd_conf(c->args, &conf);
        r = code == KITH_EXIT_OK ? kith_ctl_conf_json(&conf) : NULL;
        if (code == KITH_EXIT_OK)
            fputs("no node is running; this is what one started now would use\n", stderr);
        if (r != NULL && c->json)
            return kith_cmd_json(r);
    }
    if (code == KITH_EXIT_OK && r != NULL)
        code = print_options(r);
    json_decref(r);
    return code;
}

static json_t *problem_json(const struct kith_conf_problem *p)
{
    return json_pack("{s:s, s:i, s:i, s:s}", "where", p->where, "line", (int)p->line, "column",
                     (int)p->column, "problem", p->what);
}

static int print_problems(struct kith_cmd *c, const struct kith_conf_problems *problems,
                          const char *file)
{
    char text[KITH_CONF_PATH + 300];
    json_t *list = json_array();

    for (size_t i = 0; i < problems->n && i < KITH_CONF_PROBLEMS; i++) {
        if (c->json)
            (void)json_array_append_new(list, problem_json(&problems->at[i]));
        else
            puts(kith_conf_problem_text(&problems->at[i], text, sizeof text));
    }
    if (!c->json && problems->n > KITH_CONF_PROBLEMS)
        printf("and %zu more\n", problems->n - KITH_CONF_PROBLEMS);
    if (c->json)
        (void)kith_cmd_json(json_pack("{s:s?, s:o}", "file", file, "problems", list));
    else
        json_decref(list);
    return problems->n > 0 ? KITH_EXIT_FAILED : KITH_EXIT_OK;
}

int kith_cmd_config_check(struct kith_cmd *c)
{
    static struct kith_conf conf;
    static struct kith_conf_problems problems;
    char why[KITH_CONF_PATH + 64] = "out of memory";
    const char *named = c->args->args > 0 ? c->args->arg[0] : NULL, *file = named;
    int code, err = kith_cmd_conf_load(c->args, named, &conf, &problems, why, sizeof why);

    if (err < 0 && problems.n == 0)
        return kith_cmd_fail(err == KITH_E_PERM ? KITH_EXIT_PERMISSION : KITH_EXIT_FAILED, "%s",
                             why);
    if (err == KITH_OK && file == NULL && conf.file[0] != '\0')
        file = conf.file;
    code = print_problems(c, &problems, file);
    if (code == KITH_EXIT_OK && !c->json)
        printf("%s: no mistakes\n", file == NULL ? "no configuration file" : file);
    return code;
}
