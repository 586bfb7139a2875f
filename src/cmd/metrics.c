/* kith metrics. */

#include "base/text.h"
#include "cmd/cmd.h"

/* Its label's value, or NULL when it has none. */
static const char *label_of(const json_t *metric)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(metric, "labels"), name, value)
    {
        return json_string_value(value);
    }
    return NULL;
}

static void value_cell(struct kith_table *t, const json_t *metric)
{
    const json_t *v = json_object_get(metric, "value");
    const char *unit = kith_cmd_text(metric, "unit");
    char buf[32];

    if (json_is_null(v))
        kith_table_cell(t, "-");
    else if (strcmp(unit, "bytes") == 0)
        kith_table_cell(t, "%s", kith_out_bytes(kith_cmd_number(metric, "value"), buf, sizeof buf));
    else if (strcmp(unit, "seconds") == 0)
        kith_table_cell(t, "%.2f s", json_number_value(v));
    else if (strcmp(unit, "time") == 0 && json_integer_value(v) != 0)
        kith_table_cell(t, "%s", kith_wall_text(kith_cmd_number(metric, "value"), buf, sizeof buf));
    else
        kith_table_cell(t, "%lld", (long long)json_integer_value(v));
}

/* The name without what the table's head and the value say: "kith_vpn_sent_bytes_total" in the
 * group vpn is sent_bytes. */
static const char *short_name(const json_t *metric, char *buf, size_t cap)
{
    const char *name = kith_cmd_text(metric, "name"), *group = kith_cmd_text(metric, "group");
    size_t n;

    if (strncmp(name, "kith_", 5) == 0)
        name += 5;
    n = strlen(group);
    if (strncmp(name, group, n) == 0 && name[n] == '_')
        name += n + 1;
    n = strlen(name);
    if (n > 6 && strcmp(name + n - 6, "_total") == 0)
        n -= 6;
    return kith_format(buf, cap, "%.*s", (int)n, name);
}

static void row_add(struct kith_table *t, const json_t *metric)
{
    const char *label = label_of(metric);
    char name[100];

    if (label != NULL && json_number_value(json_object_get(metric, "value")) == 0)
        return;
    kith_table_cell(t, "%s%s%s", short_name(metric, name, sizeof name), label == NULL ? "" : " ",
                    label == NULL ? "" : label);
    value_cell(t, metric);
    kith_table_cell(t, "%s", kith_cmd_text(metric, "help"));
}

static size_t group_end(const json_t *list, size_t from)
{
    const char *group = kith_cmd_text(json_array_get(list, from), "group");
    size_t i = from;

    while (i < json_array_size(list) &&
           strcmp(kith_cmd_text(json_array_get(list, i), "group"), group) == 0)
        i++;
    return i;
}

/* One table a group, headed by its name in capitals. */
static int print_group(const json_t *list, size_t from, size_t to)
{
    struct kith_table t = {.columns = 0};
    char head[32];
    int err;

    (void)kith_format(head, sizeof head, "%s", kith_cmd_text(json_array_get(list, from), "group"));
    for (char *c = head; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    kith_table_column(&t, head, KITH_LEFT);
    kith_table_column(&t, "VALUE", KITH_RIGHT);
    kith_table_column(&t, "ABOUT", KITH_CUT);
    for (size_t i = from; i < to; i++)
        row_add(&t, json_array_get(list, i));
    err = kith_table_print(&t, stdout);
    kith_table_fini(&t);
    return err;
}

int kith_cmd_metrics(struct kith_cmd *c)
{
    json_t *r = NULL;
    const json_t *list;
    int code = kith_cmd_ask(c, KITH_CTL_metrics, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    list = json_object_get(r, "metrics");
    for (size_t i = 0, end; code == KITH_EXIT_OK && i < json_array_size(list); i = end) {
        end = group_end(list, i);
        if (i > 0)
            fputc('\n', stdout);
        if (print_group(list, i, end) < 0)
            code = kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    }
    json_decref(r);
    return code;
}
