/* command.h: the commands as data, and the arguments of one call parsed by it.
 *
 * The table is commands.def. The parser knows "--word value", "--word=value", "-c value" and
 * "-cvalue", and "--" to end options. Options that stand everywhere may come before the command,
 * others after it. It decides nothing but the form; values are judged by whoever uses them. Test:
 * tests/unit/cmd_args_test.c. */
#ifndef KITH_CMD_COMMAND_H
#define KITH_CMD_COMMAND_H

#include "base/base.h"

enum kith_word_kind { /* what completion offers */
                      KITH_WORD_NONE,
                      KITH_WORD_FILE,
                      KITH_WORD_DIR,
                      KITH_WORD_MEMBER,
                      KITH_WORD_NETWORK,
                      KITH_WORD_LEVEL,
                      KITH_WORD_COMMAND,
                      KITH_WORD_SHELL,
                      KITH_WORD_NAMES,
                      KITH_WORD_PAGE,
                      KITH_WORD_TABLE,
};

struct kith_arg_row {
    const char *metavar;
    bool needed, rest; /* rest: any number of them */
    enum kith_word_kind kind;
    const char *about;
};

struct kith_opt_row {
    char letter;                /* 0: none */
    const char *word, *metavar; /* metavar is NULL for a switch */
    bool many;
    enum kith_word_kind kind;
    const char *about;
};

enum kith_command_id {
#define COMMAND(name, ...) KITH_COMMAND_##name,
#define ARG(...)
#define OPT(...)
#define NOTE(...)
#define END(name)
#include "cmd/commands.def"
#include "cmd/commands_undef.h"
    KITH_COMMANDS
};

/* Lists end with a NULL metavar or word. */
struct kith_command {
    enum kith_command_id id;
    const char *words; /* "network create"; empty for the global options */
    bool shown;
    const char *about, *note; /* note may be empty */
    const struct kith_arg_row *arg;
    const struct kith_opt_row *opt;
};

const struct kith_command *kith_command_row(enum kith_command_id id);
/* The command of exactly these words, or NULL. */
const struct kith_command *kith_command_find(const char *words);
/* Whether longer commands begin with these words: "network", "network admin", "config". */
bool kith_command_is_group(const char *words);
/* The words a completion offers for a kind that is a closed set, separated by spaces; else NULL. */
const char *kith_word_choices(enum kith_word_kind kind);

enum { KITH_ARGS_MAX = 8, KITH_ARGS_OPTS = 64 };

/* Arguments of one call; everything points into argv. */
struct kith_args {
    const struct kith_command *command; /* NULL: none was named */
    char words[64];                     /* words of a command so far: "network" alone is a group */
    const char *arg[KITH_ARGS_MAX];
    size_t args;
    struct {
        const struct kith_opt_row *opt;
        const char *value; /* NULL for a switch */
    } given[KITH_ARGS_OPTS];
    size_t n;
};

struct kith_args_error {
    char what[200], hint[200]; /* hint may be empty */
};

/* argv without the program's name. KITH_E_INVAL; ret holds what was understood even then, so that
 * --help and --json are known. With --help nothing is missed. */
int kith_args_parse(int argc, char *const *argv, struct kith_args *ret,
                    struct kith_args_error *ret_error) KITH_MUST_CHECK;
/* Whether the switch was given. `word` is one of the command's or of the global options. */
bool kith_args_has(const struct kith_args *a, const char *word);
/* The value of the option, the last one given; preset when it was not. */
const char *kith_args_value(const struct kith_args *a, const char *word, const char *preset);
/* The values of an option that may be given many times, *at from 0; NULL at the end. */
const char *kith_args_next(const struct kith_args *a, const char *word, size_t *at);

#endif
