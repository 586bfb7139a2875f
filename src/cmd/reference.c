/* Parts of the documentation as Markdown, from the tables: what docs/ quotes, and a test compares.
 */

#include "base/text.h"
#include "cmd/cmd.h"
#include "ctl/metrics.h"

static void put_params(const struct kith_ctl_param *p)
{
    if (p->name == NULL)
        return;
    puts("| param | type | bounds | |\n|---|---|---|---|");
    for (; p->name != NULL; p++) {
        char bounds[64] = "";
        if (p->most > 0)
            (void)kith_format(bounds, sizeof bounds, "%llu to %llu%s", (unsigned long long)p->least,
                              (unsigned long long)p->most,
                              p->type == KITH_CTL_TYPE_UINT     ? ""
                              : p->type == KITH_CTL_TYPE_LABELS ? " of them"
                                                                : " bytes");
        printf("| `%s`%s | %s | %s | %s |\n", p->name, p->needed ? "" : " (optional)",
               kith_ctl_type_text(p->type), bounds, p->about);
    }
    fputc('\n', stdout);
}

static void put_fields(const char *head, const struct kith_ctl_field *f)
{
    if (f->path == NULL)
        return;
    printf("| %s | type | |\n|---|---|---|\n", head);
    for (; f->path != NULL; f++) {
        printf("| `%s` | ", f->path);
        for (const char *t = f->type; *t != '\0'; t++)
            fputs(*t == '|' ? " or " : (char[]){*t, '\0'}, stdout);
        printf(" | %s |\n", f->about);
    }
    fputc('\n', stdout);
}

static void put_method(const struct kith_ctl_method_row *m)
{
    printf("### %s\n\n%s Grant: %s. ", m->name, m->about,
           m->grant == KITH_CTL_GRANT_READ ? "read" : "admin");
    if (m->seconds > 0)
        printf("Time limit: %u s.\n\n", m->seconds);
    else
        printf("No time limit.\n\n");
    put_params(m->param);
    put_fields("item member", m->item);
    put_fields("result member", m->field);
    for (const struct kith_ctl_fail *f = m->fail; f->error != NULL; f++)
        printf("* `%s`: %s\n", f->error, f->about);
    if (m->fail->error != NULL)
        fputc('\n', stdout);
}

static void put_option(enum kith_option o)
{
    const struct kith_option_row *row = kith_option_row(o);
    char env[KITH_CONF_ENV_NAME], bounds[80];

    (void)kith_option_bounds_text(o, bounds, sizeof bounds);
    printf("| `%s` | %s%s%s | `%s` | %s | %s `%s`. |\n", row->key, kith_option_type_text(row->type),
           bounds[0] == '\0' ? "" : ", ", bounds, row->preset[0] == '\0' ? "\"\"" : row->preset,
           row->reload ? "SIGHUP" : "restart", row->about, kith_option_env(o, env, sizeof env));
}

static void put_options(void)
{
    const char *section = "";

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        const struct kith_option_row *row = kith_option_row((enum kith_option)i);
        if (strcmp(section, row->section) != 0) {
            printf("%s## [%s]: %s\n\n| key | value | default | counts with | "
                   "|\n|---|---|---|---|---|\n",
                   section[0] == '\0' ? "" : "\n", row->section, kith_section_about(row->section));
            section = row->section;
        }
        put_option((enum kith_option)i);
    }
}

/* "NAME|DEST" in a table of Markdown, whose cells end at a bare "|". */
static void put_cell(const char *text)
{
    for (; *text != '\0'; text++)
        printf(*text == '|' ? "\\%c" : "%c", *text);
}

static void put_commands(void)
{
    puts("| command | does |\n|---|---|");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        if (!c->shown)
            continue;
        printf("| `kith %s", c->words);
        for (const struct kith_arg_row *arg = c->arg; arg->metavar != NULL; arg++) {
            fputs(arg->needed ? " " : " [", stdout);
            put_cell(arg->metavar);
            fputs(arg->needed ? "" : "]", stdout);
        }
        for (const struct kith_opt_row *opt = c->opt; opt->word != NULL; opt++)
            printf(" [--%s%s%s]%s", opt->word, opt->metavar == NULL ? "" : " ",
                   opt->metavar == NULL ? "" : opt->metavar, opt->many ? "..." : "");
        printf("` | %s |\n", c->about);
    }
}

static void put_words(const struct kith_metric_row *row)
{
    for (size_t i = 0; i < row->values; i++)
        printf("%s %s", i == 0 ? "" : ",", row->word(i));
}

/* Events are too many to name, and have a table of their own. */
static void put_labels(const struct kith_metric_row *row)
{
    printf(" `%s`:", row->label);
    if (row->values == 1)
        fputs(" a text", stdout);
    else if (row->word == kith_metric_event)
        fputs(" a row of src/base/events.def", stdout);
    else
        put_words(row);
}

static void put_metrics(void)
{
    const char *group = "";
    const struct kith_metric_row *row;

    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++) {
        if (strcmp(group, row->group) != 0)
            printf("%s### %s: %s\n\n| name | type | |\n|---|---|---|\n", i == 0 ? "" : "\n",
                   row->group, kith_metric_group_about(row->group));
        group = row->group;
        printf("| `%s` | %s | %s.", row->name,
               row->kind == KITH_METRIC_COUNTER ? "counter" : "gauge", row->help);
        if (row->label != NULL)
            put_labels(row);
        fputs(" |\n", stdout);
    }
}

int kith_cmd_reference(struct kith_cmd *c)
{
    const char *table = c->args->arg[0];

    if (strcmp(table, "methods") == 0)
        for (size_t i = 0; i < KITH_CTL_METHODS; i++)
            put_method(kith_ctl_method_row((enum kith_ctl_method)i));
    else if (strcmp(table, "options") == 0)
        put_options();
    else if (strcmp(table, "commands") == 0)
        put_commands();
    else if (strcmp(table, "metrics") == 0)
        put_metrics();
    else
        return kith_cmd_fail(KITH_EXIT_USAGE,
                             "there is a table of methods, options, commands and metrics");
    return KITH_EXIT_OK;
}
