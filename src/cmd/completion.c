/* Completion scripts, from the table. Each shell gets the same three answers: which commands go on
 * from the words so far, which options a command has, and what an option or argument takes. Names
 * of members and networks come from `kith names`, which is quiet when no node runs. */

#include "base/text.h"
#include "cmd/cmd.h"

/* The next words after `prefix` in the table: "create list leave ..." after "network". Each once.
 */
static void put_next_words(const char *prefix)
{
    size_t n = strlen(prefix), last_n = 0;
    const char *last = "";

    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        const char *word = c->words + (n == 0 ? 0 : n + 1);
        size_t len;
        if (!c->shown || (n > 0 && (strncmp(c->words, prefix, n) != 0 || c->words[n] != ' ')))
            continue;
        len = strcspn(word, " ");
        if (len == last_n && strncmp(word, last, len) == 0)
            continue; /* words of one group stand together in the table */
        printf("%s%.*s", last_n == 0 ? "" : " ", (int)len, word);
        last = word;
        last_n = len;
    }
}

struct shell;

/* Calls `each` for every prefix that goes on: "", "network", "network admin", "config". */
static void for_groups(const struct shell *s,
                       void (*each)(const struct shell *s, const char *prefix))
{
    char done[256] = "|";

    each(s, "");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        for (const char *end = c->words; (end = strchr(end, ' ')) != NULL; end++) {
            char prefix[64], mark[68];
            (void)kith_format(prefix, sizeof prefix, "%.*s", (int)(end - c->words), c->words);
            (void)kith_format(mark, sizeof mark, "|%s|", prefix);
            if (!c->shown || strstr(done, mark) != NULL)
                continue;
            (void)kith_format(done + strlen(done), sizeof done - strlen(done), "%s|", prefix);
            each(s, prefix);
        }
    }
}

static void put_option_words(const struct kith_command *c)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++)
        printf(" --%s", o->word);
    for (const struct kith_opt_row *o = kith_command_row(KITH_COMMAND_global)->opt; o->word != NULL;
         o++)
        printf(" --%s", o->word);
}

/* ---- bash and zsh: one function, in the words of each ---- */

/* Where the two differ. Lists of words are separated by spaces. */
struct shell {
    const char *words; /* the array of words typed so far */
    const char *index; /* which of them the cursor is in */
    int first;         /* the index of the first word after "kith" */
    const char *offer; /* what offers a list of words, without the list; then offer_end */
    const char *offer_end;
    const char *files, *dirs, *nothing;
    const char *names; /* what offers what a command prints, without the command; then names_end */
    const char *names_end;
};

static const struct shell bash = {
    .words = "COMP_WORDS",
    .index = "COMP_CWORD",
    .first = 1,
    .offer = "COMPREPLY=($(compgen -W '",
    .offer_end = "' -- \"$cur\"))",
    .files = "COMPREPLY=($(compgen -f -- \"$cur\"))",
    .dirs = "COMPREPLY=($(compgen -d -- \"$cur\"))",
    .nothing = "COMPREPLY=()",
    .names = "COMPREPLY=($(compgen -W \"$(",
    .names_end = ")\" -- \"$cur\"))",
};
static const struct shell zsh = {
    .words = "words",
    .index = "CURRENT",
    .first = 2,
    .offer = "compadd -- ",
    .offer_end = "",
    .files = "_files",
    .dirs = "_files -/",
    .nothing = ":",
    .names = "compadd -- ${(f)\"$(",
    .names_end = ")\"}",
};

/* What offers the next words after a prefix. */
static void put_offer(const struct shell *s, const char *prefix)
{
    fputs(s->offer, stdout);
    put_next_words(prefix);
    fputs(s->offer_end, stdout);
}

/* What offers the values of a kind. */
static void put_kind(const struct shell *s, enum kith_word_kind kind)
{
    const char *choices = kith_word_choices(kind);

    if (choices != NULL)
        printf("%s%s%s", s->offer, choices, s->offer_end);
    else if (kind == KITH_WORD_COMMAND)
        put_offer(s, "");
    else if (kind == KITH_WORD_FILE)
        fputs(s->files, stdout);
    else if (kind == KITH_WORD_DIR)
        fputs(s->dirs, stdout);
    else if (kind == KITH_WORD_MEMBER || kind == KITH_WORD_NETWORK)
        printf("%skith names %s 2>/dev/null%s", s->names,
               kind == KITH_WORD_MEMBER ? "members" : "networks", s->names_end);
    else
        fputs(s->nothing, stdout);
}

static void put_group(const struct shell *s, const char *prefix)
{
    printf("    '%s') ", prefix);
    put_offer(s, prefix);
    fputs(" ;;\n", stdout);
}

/* "command --option)" and "command -o)" for each option that takes a value. */
static void put_values(const struct shell *s, const struct kith_command *c, const char *words)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
        if (o->metavar == NULL)
            continue;
        printf("    '%s--%s'", words, o->word);
        if (o->letter != 0)
            printf("|'%s-%c'", words, o->letter);
        fputs(") ", stdout);
        put_kind(s, o->kind);
        fputs("; return ;;\n", stdout);
    }
}

static void put_value_cases(const struct shell *s)
{
    fputs("    case \"$sofar $prev\" in\n", stdout);
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        char words[72];
        (void)kith_format(words, sizeof words, "%s ", c->words);
        if (c->shown && i != KITH_COMMAND_global)
            put_values(s, c, words);
    }
    fputs("    esac\n    case $prev in\n", stdout);
    put_values(s, kith_command_row(KITH_COMMAND_global), "");
    fputs("    esac\n", stdout);
}

static void put_commands(const struct shell *s)
{
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        if (!c->shown)
            continue;
        printf("    '%s') if [[ $cur == -* ]]; then %s", c->words, s->offer);
        put_option_words(c);
        printf("%s; else ", s->offer_end);
        put_kind(s, c->arg->metavar == NULL ? KITH_WORD_NONE : c->arg->kind);
        fputs("; fi ;;\n", stdout);
    }
}

/* Patterns of "command --option" for options whose value is the next word. */
static void put_skip(const struct kith_command *c, const char *words)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
        if (o->metavar == NULL)
            continue;
        printf("|%s' --%s'", words, o->word);
        if (o->letter != 0)
            printf("|%s' -%c'", words, o->letter);
    }
}

static void put_skips(void)
{
    fputs("        ''", stdout);
    put_skip(kith_command_row(KITH_COMMAND_global), "*");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        char words[72];
        (void)kith_format(words, sizeof words, "'%s'", c->words);
        if (c->shown)
            put_skip(c, words);
    }
    fputs(") ((i++)) ;;\n", stdout);
}

static void put_command_list(void)
{
    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (kith_command_row((enum kith_command_id)i)->shown)
            printf("|%s", kith_command_row((enum kith_command_id)i)->words);
    fputs("|'\n", stdout);
}

/* $sofar becomes the command as far as it is typed; then its case is looked up. (Not $path: to zsh
 * that is where programs are.) */
static void put_function(const struct shell *s)
{
    printf("_kith() {\n"
           "    local cur=${%s[%s]} prev=${%s[%s-1]} sofar= next i\n"
           "    local commands='",
           s->words, s->index, s->words, s->index);
    put_command_list();
    printf("    for ((i = %d; i < %s; i++)); do\n"
           "        case \"$sofar ${%s[i]}\" in\n",
           s->first, s->index, s->words);
    put_skips();
    printf("        *' -'*) ;;\n"
           "        *) next=\"${sofar:+$sofar }${%s[i]}\"\n"
           "           case $commands in *\"|$next|\"*|*\"|$next \"*) sofar=$next ;; esac ;;\n"
           "        esac\n"
           "    done\n",
           s->words);
    put_value_cases(s);
    fputs("    case $sofar in\n", stdout);
    for_groups(s, put_group);
    put_commands(s);
    fputs("    esac\n}\n", stdout);
}

static void put_bash(void)
{
    fputs("# bash completion for kith: source <(kith completion bash)\n", stdout);
    put_function(&bash);
    fputs("complete -F _kith kith\n", stdout);
}

/* As _kith in a folder of $fpath it is read when it is first needed, and has to answer at once. */
static void put_zsh(void)
{
    fputs("#compdef kith\n# zsh completion for kith: source <(kith completion zsh)\n", stdout);
    put_function(&zsh);
    fputs("if [[ $funcstack[1] == _kith ]]; then\n"
          "    _kith \"$@\"\n"
          "else\n"
          "    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"
          "    compdef _kith kith\n"
          "fi\n",
          stdout);
}

/* ---- fish ---- */

/* The next words after a prefix, as an argument of fish's complete. */
static void put_fish_words(const char *prefix)
{
    fputs(" -xa '", stdout);
    put_next_words(prefix);
    fputs("'", stdout);
}

/* The arguments of fish's complete that stand for a kind. */
static void put_fish_kind(enum kith_word_kind kind)
{
    const char *choices = kith_word_choices(kind);

    if (choices != NULL)
        printf(" -xa '%s'", choices);
    else if (kind == KITH_WORD_COMMAND)
        put_fish_words("");
    else if (kind == KITH_WORD_FILE)
        fputs(" -rF", stdout);
    else if (kind == KITH_WORD_DIR)
        fputs(" -xa '(__fish_complete_directories)'", stdout);
    else if (kind == KITH_WORD_MEMBER || kind == KITH_WORD_NETWORK)
        printf(" -xa '(kith names %s 2>/dev/null)'",
               kind == KITH_WORD_MEMBER ? "members" : "networks");
    else
        fputs(" -x", stdout);
}

/* Text in fish's single quotes. */
static void put_fish_text(const char *text)
{
    fputc('\'', stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', stdout);
        fputc(*text, stdout);
    }
    fputc('\'', stdout);
}

static void put_fish_opts(const struct kith_command *c, const char *condition)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
        printf("complete -c kith%s -l %s", condition, o->word);
        if (o->letter != 0)
            printf(" -s %c", o->letter);
        if (o->metavar != NULL)
            put_fish_kind(o->kind);
        fputs(" -d ", stdout);
        put_fish_text(o->about);
        fputc('\n', stdout);
    }
}

static void put_fish_group(const struct shell *s, const char *prefix)
{
    (void)s;
    printf("complete -c kith -n \"test (__kith_path) = '%s'\"", prefix);
    put_fish_words(prefix);
    fputc('\n', stdout);
}

static void put_fish(void)
{
    fputs("# fish completion for kith: kith completion fish | source\n"
          "function __kith_path\n"
          "    set -l path ''\n"
          "    for word in (commandline -opc)[2..-1]\n"
          "        string match -q -- '-*' $word; and continue\n"
          "        set -l next (string trim -- \"$path $word\")\n"
          "        string match -q -- \"*|$next|*\" $__kith_commands;\n"
          "            or string match -q -- \"*|$next *\" $__kith_commands; and set path $next\n"
          "    end\n"
          "    echo \"'$path'\" | string trim -c \"'\"\n"
          "end\n"
          "set -g __kith_commands '",
          stdout);
    put_command_list();
    fputs("complete -c kith -f\n", stdout);
    for_groups(NULL, put_fish_group);
    put_fish_opts(kith_command_row(KITH_COMMAND_global), "");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        char condition[120];
        if (!c->shown)
            continue;
        (void)kith_format(condition, sizeof condition, " -n \"test (__kith_path) = '%s'\"",
                          c->words);
        put_fish_opts(c, condition);
        if (c->arg->metavar != NULL && c->arg->kind != KITH_WORD_NONE) {
            printf("complete -c kith%s", condition);
            put_fish_kind(c->arg->kind);
            fputc('\n', stdout);
        }
    }
}

int kith_cmd_completion(struct kith_cmd *c)
{
    const char *shell = c->args->arg[0];

    if (strcmp(shell, "bash") == 0)
        put_bash();
    else if (strcmp(shell, "zsh") == 0)
        put_zsh();
    else if (strcmp(shell, "fish") == 0)
        put_fish();
    else
        return kith_cmd_fail(KITH_EXIT_USAGE, "completion for bash, zsh or fish, not %s", shell);
    return KITH_EXIT_OK;
}
