/* --help, from the table. */

#include "base/text.h"
#include "cmd/cmd.h"

/* Columns where explanations begin: of commands ("network admin remove") and of options. */
enum { COMMAND_TERM = 24, OPTION_TERM = 26 };

/* "NAME", "[FILE]", "[COMMAND]..." */
static void print_arg(const struct kith_arg_row *arg, FILE *to)
{
    fprintf(to, arg->needed ? " %s" : " [%s]", arg->metavar);
    if (arg->rest)
        fputs("...", to);
}

/* A term and its explanation in two columns. */
static void print_term(const char *term, const char *about, size_t column, FILE *to)
{
    size_t n = strlen(term) + 2;

    fprintf(to, "  %s", term);
    if (n + 2 > column)
        fprintf(to, "\n%*s", (int)column, "");
    else
        fprintf(to, "%*s", (int)(column - n), "");
    kith_out_wrap(to, about, column, column, KITH_OUT_WIDTH);
}

static void print_opts(const struct kith_opt_row *opt, FILE *to)
{
    for (; opt->word != NULL; opt++) {
        char term[64], letter[8] = "    ";
        if (opt->letter != 0)
            (void)kith_format(letter, sizeof letter, "-%c, ", opt->letter);
        (void)kith_format(term, sizeof term, "%s--%s%s%s", letter, opt->word,
                          opt->metavar == NULL ? "" : " ",
                          opt->metavar == NULL ? "" : opt->metavar);
        print_term(term, opt->about, OPTION_TERM, to);
    }
}

static void print_command(const struct kith_command *c, FILE *to)
{
    fprintf(to, "usage: kith %s%s", c->words, c->opt->word == NULL ? "" : " [OPTION]...");
    for (const struct kith_arg_row *arg = c->arg; arg->metavar != NULL; arg++)
        print_arg(arg, to);
    fputs("\n\n", to);
    kith_out_wrap(to, c->about, 0, 0, KITH_OUT_WIDTH);
    if (c->note[0] != '\0') {
        fputc('\n', to);
        kith_out_wrap(to, c->note, 0, 0, KITH_OUT_WIDTH);
    }
    if (c->arg->metavar != NULL)
        fputc('\n', to);
    for (const struct kith_arg_row *arg = c->arg; arg->metavar != NULL; arg++)
        print_term(arg->metavar, arg->about, OPTION_TERM, to);
    if (c->opt->word != NULL)
        fputs("\noptions:\n", to);
    print_opts(c->opt, to);
}

static void print_list(const char *words, FILE *to)
{
    size_t n = strlen(words);

    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        bool within = n == 0 || (strncmp(c->words, words, n) == 0 && c->words[n] == ' ');
        if (c->shown && within)
            print_term(c->words, c->about, COMMAND_TERM, to);
    }
}

void kith_cmd_print_help(const char *words, FILE *to)
{
    const struct kith_command *c = kith_command_find(words);

    if (c != NULL) {
        print_command(c, to);
    } else {
        fprintf(to, "usage: kith %s%sCOMMAND [OPTION]... [ARGUMENT]...\n\n", words,
                words[0] == '\0' ? "" : " ");
        if (words[0] == '\0')
            fprintf(to, "%s\n\n", kith_command_row(KITH_COMMAND_global)->about);
        fputs("commands:\n", to);
        print_list(words, to);
    }
    fputs("\noptions everywhere:\n", to);
    print_opts(kith_command_row(KITH_COMMAND_global)->opt, to);
    if (c == NULL && words[0] == '\0')
        fputs("\nexit codes: 0 ok, 1 failed, 2 usage, 3 no node running, 4 no permission\n"
              "more: kith help COMMAND, man kith, man kith.toml\n",
              to);
}

int kith_cmd_help(struct kith_cmd *c)
{
    char words[128] = "";
    size_t n = 0;

    for (size_t i = 0; i < c->args->args; i++) {
        (void)kith_format(words + n, sizeof words - n, "%s%s", n == 0 ? "" : " ", c->args->arg[i]);
        n += strlen(words + n);
    }
    if (n > 0 && kith_command_find(words) == NULL && !kith_command_is_group(words))
        return kith_cmd_fail(KITH_EXIT_USAGE, "unknown command: %s (see: kith --help)", words);
    kith_cmd_print_help(words, stdout);
    return KITH_EXIT_OK;
}
