#include "cmd/command.h"

#include "base/text.h"

enum { SHOWN = true, HIDDEN = false };
enum { ONCE = false, MANY = true };
#define NEED true, false
#define MAY false, false
#define REST false, true

/* clang-format off */
#define COMMAND(n, ...) static const struct kith_arg_row args_of_##n[] = {
#define ARG(n, metavar, need, kind, about) {metavar, need, KITH_WORD_##kind, about},
#define OPT(...)
#define NOTE(...)
#define END(n) {.metavar = NULL}};
#include "cmd/commands.def"
#include "cmd/commands_undef.h"

#define COMMAND(n, ...) static const struct kith_opt_row opts_of_##n[] = {
#define ARG(...)
#define OPT(n, letter, word, metavar, times, kind, about)                                          \
    {letter, word, metavar, times, KITH_WORD_##kind, about},
#define NOTE(...)
#define END(n) {.word = NULL}};
#include "cmd/commands.def"
#include "cmd/commands_undef.h"

#define COMMAND(n, words, shown, about)                                                            \
    static const struct kith_command command_##n = {                                               \
        KITH_COMMAND_##n, words, shown, about,
#define ARG(...)
#define OPT(...)
#define NOTE(n, text) text
#define END(n) "", args_of_##n, opts_of_##n};
#include "cmd/commands.def"
#include "cmd/commands_undef.h"

static const struct kith_command *const commands[KITH_COMMANDS] = {
#define COMMAND(n, ...) &command_##n,
#define ARG(...)
#define OPT(...)
#define NOTE(...)
#define END(n)
#include "cmd/commands.def"
#include "cmd/commands_undef.h"
};
/* clang-format on */

const struct kith_command *kith_command_row(enum kith_command_id id)
{
    return commands[id];
}

const struct kith_command *kith_command_find(const char *words)
{
    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (i != KITH_COMMAND_global && strcmp(commands[i]->words, words) == 0)
            return commands[i];
    return NULL;
}

bool kith_command_is_group(const char *words)
{
    size_t n = strlen(words);

    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (strncmp(commands[i]->words, words, n) == 0 && commands[i]->words[n] == ' ')
            return true;
    return false;
}

const char *kith_word_choices(enum kith_word_kind kind)
{
    switch (kind) {
    case KITH_WORD_LEVEL: return "bug host peer info debug";
    case KITH_WORD_SHELL: return "bash zsh fish";
    case KITH_WORD_NAMES: return "members networks";
    case KITH_WORD_PAGE: return "kith kith.toml";
    case KITH_WORD_TABLE: return "methods options commands metrics";
    case KITH_WORD_NONE:
    case KITH_WORD_FILE:
    case KITH_WORD_DIR:
    case KITH_WORD_MEMBER:
    case KITH_WORD_NETWORK:
    case KITH_WORD_COMMAND: return NULL;
    }
    return NULL;
}

/* ---- parsing ---- */

struct parser {
    struct kith_args *a;
    struct kith_args_error *error;
    int argc, at;
    char *const *argv;
};

static int refuse(struct parser *p, const char *what, const char *name)
{
    const char *words = p->a->words;

    (void)kith_format(p->error->what, sizeof p->error->what, what, name);
    if (p->error->hint[0] == '\0')
        (void)kith_format(p->error->hint, sizeof p->error->hint, "see: kith %s%s--help", words,
                          words[0] == '\0' ? "" : " ");
    return KITH_E_INVAL;
}

static void hint_nearest(struct parser *p, const char *text, const char *prefix,
                         const char *const *words, size_t n)
{
    const char *nearest = kith_text_nearest(text, words, n);

    if (nearest != NULL)
        (void)kith_format(p->error->hint, sizeof p->error->hint, "did you mean: %s%s?", prefix,
                          nearest);
}

/* How long the first words of a command are, as many of them as `like` has. */
static size_t first_words(const char *words, const char *like)
{
    size_t n = strcspn(words, " ");

    for (; *like != '\0' && words[n] != '\0'; like++)
        if (*like == ' ')
            n += 1 + strcspn(words + n + 1, " ");
    return n;
}

/* Near is a whole command, or what one begins with: "conifg" is followed by "show". */
static int unknown_command(struct parser *p, const char *words)
{
    const char *names[2 * KITH_COMMANDS];
    char first[KITH_COMMANDS][32];
    size_t n = 0;

    for (size_t i = 0; i < KITH_COMMANDS; i++)
        if (commands[i]->shown) {
            const char *all = commands[i]->words;
            names[n++] = all;
            names[n++] =
                kith_format(first[i], sizeof first[i], "%.*s", (int)first_words(all, words), all);
        }
    hint_nearest(p, words, "kith ", names, n);
    return refuse(p, "unknown command: %.100s", words);
}

/* A word where a command or its continuation is expected. */
static int command_word(struct parser *p, const char *word)
{
    struct kith_args *a = p->a;
    char words[200];

    (void)kith_format(words, sizeof words, "%s%s%s", a->words, a->words[0] == '\0' ? "" : " ",
                      word);
    a->command = kith_command_find(words);
    if (a->command == NULL && !kith_command_is_group(words))
        return unknown_command(p, words);
    (void)kith_format(a->words, sizeof a->words, "%.60s", words);
    return KITH_OK;
}

static int plain_word(struct parser *p, const char *word)
{
    struct kith_args *a = p->a;
    const struct kith_arg_row *row;

    if (a->command == NULL)
        return command_word(p, word);
    row = a->command->arg;
    for (size_t i = 0; i < a->args && row->metavar != NULL && !row->rest; i++)
        row++;
    if (row->metavar == NULL || a->args == KITH_ARGS_MAX)
        return refuse(p, "one argument too many: %.100s", word);
    a->arg[a->args++] = word;
    return KITH_OK;
}

static const struct kith_opt_row *opt_in(const struct kith_opt_row *row, const char *word, size_t n,
                                         char letter)
{
    for (; row->word != NULL; row++)
        if (word == NULL ? row->letter == letter
                         : strlen(row->word) == n && strncmp(row->word, word, n) == 0)
            return row;
    return NULL;
}

/* The option of that word, or where word is NULL of that letter. */
static const struct kith_opt_row *opt_find(const struct kith_args *a, const char *word, size_t n,
                                           char letter)
{
    const struct kith_opt_row *opt = NULL;

    if (a->command != NULL)
        opt = opt_in(a->command->opt, word, n, letter);
    return opt != NULL ? opt : opt_in(opts_of_global, word, n, letter);
}

static int unknown_option(struct parser *p, const char *text)
{
    const struct kith_command *c = p->a->command;
    const char *names[KITH_ARGS_OPTS];
    char word[64];
    size_t n = 0;

    (void)kith_format(word, sizeof word, "%.*s", (int)strcspn(text, "="), text);
    for (const struct kith_opt_row *o = opts_of_global; o->word != NULL; o++)
        names[n++] = o->word;
    for (const struct kith_opt_row *o = c == NULL ? NULL : c->opt; o != NULL && o->word != NULL;
         o++)
        names[n++] = o->word;
    if (word[1] == '-')
        hint_nearest(p, word + 2, "--", names, n);
    return refuse(p, "unknown option: %.100s", word);
}

static int opt_take(struct parser *p, const struct kith_opt_row *opt, const char *value)
{
    struct kith_args *a = p->a;

    if (opt->metavar == NULL && value != NULL)
        return refuse(p, "--%s takes no value", opt->word);
    if (opt->metavar != NULL && value == NULL) {
        if (p->at == p->argc)
            return refuse(p, "--%s needs a value", opt->word);
        value = p->argv[p->at++];
    }
    for (size_t i = 0; i < a->n; i++)
        if (a->given[i].opt == opt && !opt->many && opt->metavar != NULL)
            return refuse(p, "--%s is given twice", opt->word);
    if (a->n == KITH_ARGS_OPTS)
        return refuse(p, "one option too many: --%s", opt->word);
    a->given[a->n].opt = opt;
    a->given[a->n++].value = value;
    return KITH_OK;
}

static int option(struct parser *p, const char *text)
{
    const struct kith_opt_row *opt;
    size_t n;

    if (text[1] != '-') {
        opt = opt_find(p->a, NULL, 0, text[1]);
        if (opt == NULL || (opt->metavar == NULL && text[2] != '\0'))
            return unknown_option(p, text);
        return opt_take(p, opt, text[2] == '\0' ? NULL : text + 2);
    }
    n = strcspn(text + 2, "=");
    opt = opt_find(p->a, text + 2, n, 0);
    if (opt == NULL)
        return unknown_option(p, text);
    return opt_take(p, opt, text[2 + n] == '=' ? text + 3 + n : NULL);
}

/* Whether something that is needed is missing. */
static int complete(struct parser *p)
{
    const struct kith_args *a = p->a;

    if (kith_args_has(a, "help"))
        return KITH_OK;
    if (a->command == NULL)
        return a->words[0] == '\0' ? refuse(p, "no command%s", "")
                                   : refuse(p, "kith %s needs a further word", a->words);
    for (size_t i = 0; a->command->arg[i].metavar != NULL; i++)
        if (a->command->arg[i].needed && i >= a->args)
            return refuse(p, "%s is missing", a->command->arg[i].metavar);
    return KITH_OK;
}

int kith_args_parse(int argc, char *const *argv, struct kith_args *ret,
                    struct kith_args_error *ret_error)
{
    struct parser p = {.a = ret, .error = ret_error, .argc = argc, .argv = argv};
    bool ended = false;
    int err = KITH_OK;

    *ret = (struct kith_args){.command = NULL};
    *ret_error = (struct kith_args_error){.what = ""};
    while (p.at < argc && err == KITH_OK) {
        const char *text = argv[p.at++];
        if (!ended && strcmp(text, "--") == 0)
            ended = true;
        else if (!ended && text[0] == '-' && text[1] != '\0')
            err = option(&p, text);
        else
            err = plain_word(&p, text);
    }
    return err < 0 ? err : complete(&p);
}

/* ---- what was given ---- */

const char *kith_args_next(const struct kith_args *a, const char *word, size_t *at)
{
    while (*at < a->n) {
        size_t i = (*at)++;
        if (strcmp(a->given[i].opt->word, word) == 0)
            return a->given[i].value == NULL ? "" : a->given[i].value;
    }
    return NULL;
}

bool kith_args_has(const struct kith_args *a, const char *word)
{
    size_t at = 0;
    return kith_args_next(a, word, &at) != NULL;
}

const char *kith_args_value(const struct kith_args *a, const char *word, const char *preset)
{
    const char *value = preset, *next;
    size_t at = 0;

    while ((next = kith_args_next(a, word, &at)) != NULL)
        value = next;
    return value;
}
