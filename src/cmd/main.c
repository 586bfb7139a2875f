/* The kith program: parses its arguments, runs the command, ends with its exit code. */

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"

/* The options everywhere without a command. */
int kith_cmd_global(struct kith_cmd *c)
{
    (void)c;
    kith_cmd_print_help("", stderr);
    return KITH_EXIT_USAGE;
}

static int (*const handlers[KITH_COMMANDS])(struct kith_cmd *c) = {
#define COMMAND(name, ...) [KITH_COMMAND_##name] = kith_cmd_##name,
#define ARG(...)
#define OPT(...)
#define NOTE(...)
#define END(name)
#include "cmd/commands.def"
#include "cmd/commands_undef.h"
};

int kith_cmd_fail(int code, const char *fmt, ...)
{
    va_list args;

    fputs("kith: ", stderr);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

void kith_cmd_progress(struct kith_cmd *c, const char *text)
{
    if (!c->progress || (text == NULL && !c->telling))
        return;
    fputs("\r\033[K", stderr);
    if (text != NULL)
        fprintf(stderr, "%.76s ...", text);
    (void)fflush(stderr);
    c->telling = text != NULL;
}

int kith_cmd_json(json_t *value)
{
    int err = value == NULL ? -1 : json_dumpf(value, stdout, JSON_COMPACT);

    json_decref(value);
    if (err < 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "cannot write the result");
    return KITH_EXIT_OK;
}

static bool terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

static bool no_colour(void)
{
    const char *set = getenv("NO_COLOR"); /* no-color.org: set and not empty */
    return set != NULL && set[0] != '\0';
}

static int usage(const struct kith_args_error *e)
{
    int code = kith_cmd_fail(KITH_EXIT_USAGE, "%s", e->what);

    if (e->hint[0] != '\0')
        fprintf(stderr, "      %s\n", e->hint);
    return code;
}

static int run(int argc, char *const *argv)
{
    struct kith_args args;
    struct kith_args_error error;
    struct kith_cmd c = {.args = &args};

    if (argc > 0 && strcmp(argv[0], "--version") == 0) /* what people type without asking */
        return kith_cmd_version(&c);
    if (kith_args_parse(argc, argv, &args, &error) < 0) {
        return argc == 0 ? kith_cmd_global(&c) : usage(&error);
    }
    if (kith_args_has(&args, "help")) {
        kith_cmd_print_help(args.words, stdout);
        return KITH_EXIT_OK;
    }
    c.json = kith_args_has(&args, "json");
    c.colour = terminal(STDOUT_FILENO) && !no_colour();
    c.progress = terminal(STDERR_FILENO) && !c.json;
    return handlers[args.command->id](&c);
}

int main(int argc, char **argv)
{
    int code = run(argc - 1, argv + 1);

    if (code == KITH_EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)))
        return kith_cmd_fail(KITH_EXIT_FAILED, "cannot write to standard output");
    return code;
}
