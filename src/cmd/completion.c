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

/* Calls `each` for every prefix that goes on: "", "network", "network admin", "config". */
static void for_groups(void (*each)(const char *prefix))
{
    char done[256] = "|";

    each("");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        for (const char *end = c->words; (end = strchr(end, ' ')) != NULL; end++) {
            char prefix[64], mark[68];
            (void)kith_format(prefix, sizeof prefix, "%.*s", (int)(end - c->words), c->words);
            (void)kith_format(mark, sizeof mark, "|%s|", prefix);
            if (!c->shown || strstr(done, mark) != NULL)
                continue;
            (void)kith_format(done + strlen(done), sizeof done - strlen(done), "%s|", prefix);
            each(prefix);
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

/* ---- bash, and zsh by its bashcompinit ---- */

/* The command that fills COMPREPLY for a kind; $cur is the word so far. */
static void put_bash_kind(enum kith_word_kind kind)
{
    const char *choices = kith_word_choices(kind);

    if (choices != NULL)
        printf("COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", choices);
    else if (kind == KITH_WORD_FILE)
        fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", stdout);
    else if (kind == KITH_WORD_DIR)
        fputs("COMPREPLY=($(compgen -d -- \"$cur\"))", stdout);
    else if (kind == KITH_WORD_MEMBER || kind == KITH_WORD_NETWORK)
        printf("COMPREPLY=($(compgen -W \"$(kith names %s 2>/dev/null)\" -- \"$cur\"))",
               kind == KITH_WORD_MEMBER ? "members" : "networks");
    else
        fputs("COMPREPLY=()", stdout);
}

static void put_bash_group(const char *prefix)
{
    printf("    '%s') COMPREPLY=($(compgen -W '", prefix);
    put_next_words(prefix);
    fputs("' -- \"$cur\")) ;;\n", stdout);
}

/* "command --option)" for each option that takes a value. */
static void put_bash_values(const struct kith_command *c, const char *words)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
        if (o->metavar == NULL)
            continue;
        printf("    '%s--%s')", words, o->word);
        fputc(' ', stdout);
        put_bash_kind(o->kind);
        fputs("; return ;;\n", stdout);
    }
}

static void put_bash_value_cases(void)
{
    fputs("    case \"$path $prev\" in\n", stdout);
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        char words[72];
        (void)kith_format(words, sizeof words, "%s ", c->words);
        if (c->shown && i != KITH_COMMAND_global)
            put_bash_values(c, words);
    }
    fputs("    esac\n    case $prev in\n", stdout);
    put_bash_values(kith_command_row(KITH_COMMAND_global), "");
    fputs("    esac\n", stdout);
}

static void put_bash_commands(void)
{
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        if (!c->shown)
            continue;
        printf("    '%s') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '", c->words);
        put_option_words(c);
        fputs("' -- \"$cur\")); else ", stdout);
        put_bash_kind(c->arg->metavar == NULL ? KITH_WORD_NONE : c->arg->kind);
        fputs("; fi ;;\n", stdout);
    }
}

/* Patterns of "command --option" for options whose value is the next word. */
static void put_bash_skip(const struct kith_command *c, const char *words)
{
    for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
        if (o->metavar == NULL)
            continue;
        printf("|%s' --%s'", words, o->word);
        if (o->letter != 0)
            printf("|%s' -%c'", words, o->letter);
    }
}

static void put_bash_skips(void)
{
    fputs("        ''", stdout);
    put_bash_skip(kith_command_row(KITH_COMMAND_global), "*");
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        char words[72];
        (void)kith_format(words, sizeof words, "'%s'", c->words);
        if (c->shown)
            put_bash_skip(c, words);
    }
    fputs(") ((i++)) ;;\n", stdout);
}

static void put_bash(void)
{
    fputs("_kith() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= next i\n"
          "    local commands='",
          stdout);
    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (kith_command_row((enum kith_command_id)i)->shown)
            printf("|%s", kith_command_row((enum kith_command_id)i)->words);
    fputs("|'\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case \"$path ${COMP_WORDS[i]}\" in\n",
          stdout);
    put_bash_skips();
    fputs("        *' -'*) ;;\n"
          "        *) next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
          "           case $commands in *\"|$next|\"*|*\"|$next \"*) path=$next ;; esac ;;\n"
          "        esac\n"
          "    done\n",
          stdout);
    put_bash_value_cases();
    fputs("    case $path in\n", stdout);
    for_groups(put_bash_group);
    put_bash_commands();
    fputs("    esac\n}\n", stdout);
}

/* ---- fish ---- */

/* The arguments of fish's complete that stand for a kind. */
static void put_fish_kind(enum kith_word_kind kind)
{
    const char *choices = kith_word_choices(kind);

    if (choices != NULL)
        printf(" -xa '%s'", choices);
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

static void put_fish_group(const char *prefix)
{
    printf("complete -c kith -f -n \"test (__kith_path) = '%s'\" -a '", prefix);
    put_next_words(prefix);
    fputs("'\n", stdout);
}

static void put_fish(void)
{
    fputs("function __kith_path\n"
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
    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (kith_command_row((enum kith_command_id)i)->shown)
            printf("|%s", kith_command_row((enum kith_command_id)i)->words);
    fputs("|'\ncomplete -c kith -f\n", stdout);
    for_groups(put_fish_group);
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

    if (strcmp(shell, "bash") == 0) {
        fputs("# bash completion for kith: source <(kith completion bash)\n", stdout);
        put_bash();
        fputs("complete -F _kith kith\n", stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        fputs("#compdef kith\n# zsh completion for kith: source <(kith completion zsh)\n"
              "autoload -Uz compinit bashcompinit\n"
              "(( $+functions[compdef] )) || compinit\n"
              "(( $+functions[complete] )) || bashcompinit\n",
              stdout);
        put_bash();
        fputs("complete -F _kith kith\n", stdout);
    } else if (strcmp(shell, "fish") == 0) {
        fputs("# fish completion for kith: kith completion fish | source\n", stdout);
        put_fish();
    } else {
        return kith_cmd_fail(KITH_EXIT_USAGE, "completion for bash, zsh or fish, not %s", shell);
    }
    return KITH_EXIT_OK;
}
