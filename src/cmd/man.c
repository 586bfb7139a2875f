/* Manual pages as roff (man(7)), from the tables. */

#include "base/text.h"
#include "cmd/cmd.h"
#include "kith/version.h"

/* Text with what roff would interpret escaped: backslashes, hyphens that are meant as such, and
 * periods and quotes at the beginning of a line. */
static void put(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            fputc(*text, stdout);
    }
}

static void put_line(const char *text)
{
    put(text);
    fputc('\n', stdout);
}

static void put_opts(const struct kith_opt_row *opt)
{
    for (; opt->word != NULL; opt++) {
        fputs(".TP\n", stdout);
        if (opt->letter != 0)
            printf("\\fB\\-%c\\fR, ", opt->letter);
        fputs("\\fB\\-\\-", stdout);
        put(opt->word);
        fputs("\\fR", stdout);
        if (opt->metavar != NULL)
            printf(" \\fI%s\\fR", opt->metavar);
        fputc('\n', stdout);
        put_line(opt->about);
    }
}

static void put_command(const struct kith_command *c)
{
    fputs(".SS \"kith ", stdout);
    put(c->words);
    for (const struct kith_arg_row *arg = c->arg; arg->metavar != NULL; arg++)
        printf(arg->needed ? " %s" : " [%s]", arg->metavar);
    fputs("\"\n", stdout);
    put_line(c->about);
    if (c->note[0] != '\0') {
        fputs(".PP\n", stdout);
        put_line(c->note);
    }
    for (const struct kith_arg_row *arg = c->arg; arg->metavar != NULL; arg++) {
        printf(".TP\n\\fI%s\\fR\n", arg->metavar);
        put_line(arg->about);
    }
    put_opts(c->opt);
}

static void put_head(const char *page, int section, const char *about)
{
    printf(".TH %s %d \"\" \"kith %s\"\n.SH NAME\n%s \\- ", page, section, kith_version(), page);
    put_line(about);
}

static void put_pairs(const char *const (*pair)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fputs(".TP\n.B ", stdout);
        put_line(pair[i][0]);
        put_line(pair[i][1]);
    }
}

static void put_kith(void)
{
    static const char *const codes[][2] = {
        {"0", "It worked."},
        {"1", "It failed; the message says why."},
        {"2", "The command, an option or a value is wrong."},
        {"3", "No node is running."},
        {"4", "This user may not do that."},
    };
    static const char *const variables[][2] = {
        {"KITH_STATE", "The state directory, as --state."},
        {"KITH_CONFIG", "The configuration file, as --config."},
        {"KITH_SECTION_KEY", "An option, as KITH_VPN_MTU=1400; see kith.toml(5)."},
        {"NO_COLOR", "When set, no colours."},
    };
    static const char *const files[][2] = {
        {"/var/lib/kith", "State directory of root's node."},
        {"$XDG_STATE_HOME/kith, ~/.local/state/kith", "State directory of a user's node."},
        {"/etc/kith/kith.toml, ~/.config/kith/kith.toml", "Configuration: the first that exists."},
        {"/run/kith/control.sock", "Control socket of the node that systemd runs; tried after "
                                   "control.sock in the state directory."},
    };
    const struct kith_command *global = kith_command_row(KITH_COMMAND_global);

    put_head("kith", 1, global->about);
    fputs(".SH SYNOPSIS\n.B kith\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n", stdout);
    fputs(".SH COMMANDS\n", stdout);
    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (kith_command_row((enum kith_command_id)i)->shown)
            put_command(kith_command_row((enum kith_command_id)i));
    fputs(".SH OPTIONS\nThese stand before or after any command.\n", stdout);
    put_opts(global->opt);
    fputs(".SH EXIT STATUS\n", stdout);
    put_pairs(codes, KITH_COUNT(codes));
    fputs(".SH ENVIRONMENT\n", stdout);
    put_pairs(variables, KITH_COUNT(variables));
    fputs(".SH FILES\n", stdout);
    put_pairs(files, KITH_COUNT(files));
    fputs(".SH SEE ALSO\n.BR kith.toml (5)\n", stdout);
}

static void put_option(enum kith_option o)
{
    const struct kith_option_row *row = kith_option_row(o);
    char env[KITH_CONF_ENV_NAME], bounds[80];

    fputs(".TP\n.B ", stdout);
    put_line(row->key);
    put_line(row->about);
    fputs("Type: ", stdout);
    put(kith_option_type_text(row->type));
    fputs(kith_option_bounds_text(o, bounds, sizeof bounds)[0] == '\0' ? "" : ", ", stdout);
    put(bounds);
    fputs(". Default: ", stdout);
    put(row->preset[0] == '\0' ? "none" : row->preset);
    printf(". Variable: %s. ", kith_option_env(o, env, sizeof env));
    put_line(row->reload ? "A change counts with SIGHUP." : "A change counts with the next start.");
}

static void put_kith_toml(void)
{
    const char *section = "";

    put_head("kith.toml", 5, "configuration of a kith node");
    fputs(".SH DESCRIPTION\n", stdout);
    put_line(
        "The file is TOML 1.0: a table for each section below, in it its options. It is read from "
        "--config, KITH_CONFIG, /etc/kith/kith.toml or ~/.config/kith/kith.toml, the first of "
        "these there is. A variable of the environment counts more than the file, a flag of kith "
        "up more than both. \"kith config check\" finds mistakes, \"kith config show\" says what "
        "is in effect and why.");
    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        const struct kith_option_row *row = kith_option_row((enum kith_option)i);
        if (strcmp(section, row->section) != 0) {
            printf(".SH \"[%s]\"\n", row->section);
            section = row->section;

            fputs("About ", stdout);
            put(kith_section_about(section));
            fputs(".\n", stdout);
        }
        put_option((enum kith_option)i);
    }
    fputs(".SH SEE ALSO\n.BR kith (1)\n", stdout);
}

int kith_cmd_man(struct kith_cmd *c)
{
    const char *page = c->args->args > 0 ? c->args->arg[0] : "kith";

    if (strcmp(page, "kith") == 0)
        put_kith();
    else if (strcmp(page, "kith.toml") == 0)
        put_kith_toml();
    else
        return kith_cmd_fail(KITH_EXIT_USAGE, "there is a page kith and a page kith.toml, no %s",
                             page);
    return KITH_EXIT_OK;
}
