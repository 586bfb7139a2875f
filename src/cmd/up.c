/* kith up: becomes a node, in the foreground or detached from everything.
 *
 * In the background the parent waits on a pipe. What the child writes there is the outcome: a first
 * byte that is the exit code, then a message. Until then its errors have somebody to go to. */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "ctl/place.h"
#include "loop/daemon.h"

struct starting {
    struct kith_cmd *c;
    int report;       /* the pipe's end; -1 in the foreground and once it was used */
    const char *file; /* the configuration file that was read, absolute; NULL: none */
    const char *state, *socket_path;
};

/* What the person should know of the node that now runs: who may connect, and what is missing. */
static int up_notes(struct kith_cmd *c)
{
    json_t *r = NULL;
    int code = kith_cmd_ask(c, KITH_CTL_status, NULL, &r);

    if (code != KITH_EXIT_OK || r == NULL)
        return code;
    kith_cmd_print_inbound(r);
    if (!json_is_null(json_object_get(r, "tun_trouble")))
        fprintf(stderr, "kith: no tunnel interface: %s\n", kith_cmd_text(r, "tun_trouble"));
    json_decref(r);
    return KITH_EXIT_OK;
}

static int up_result(struct kith_cmd *c, bool already, const char *state)
{
    if (c->json)
        return kith_cmd_json(json_pack("{s:b, s:s}", "already", already, "state_dir", state));
    if (already)
        fprintf(stderr, "a node is running already for %s\n", state);
    return up_notes(c);
}

/* Tells the waiting parent how it went, and lets go of it. */
static void report(struct starting *s, int code, const char *message)
{
    char out[600];

    if (s->report < 0)
        return;
    out[0] = (char)code;
    (void)kith_format(out + 1, sizeof out - 1, "%s", message);
    (void)!write(s->report, out, 1 + strlen(out + 1));
    (void)close(s->report);
    s->report = -1;
}

static void ready(void *ctx)
{
    report(ctx, KITH_EXIT_OK, "");
}

static int reload(void *ctx, struct kith_conf *ret, struct kith_ctl_error *ret_error)
{
    static struct kith_conf_problems problems;
    const struct starting *s = ctx;
    char text[KITH_CONF_PATH + 300], why[KITH_CONF_PATH + 64] = "out of memory";
    int err = kith_cmd_conf_load(s->c->args, s->file, ret, &problems, why, sizeof why);

    if (err == KITH_OK)
        return KITH_OK;
    if (problems.n > 0 && s->file != NULL && strcmp(problems.at[0].where, s->file) == 0)
        return kith_ctl_error_set(ret_error, err, "line %u: %.240s", problems.at[0].line,
                                  problems.at[0].what); /* the event names the file */
    return kith_ctl_error_set(
        ret_error, err, "%.250s",
        problems.n == 0 ? why : kith_conf_problem_text(&problems.at[0], text, sizeof text));
}

/* systemd.exec(5): JOURNAL_STREAM names the stream by device and inode. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[48];
    struct stat st;

    if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)kith_format(here, sizeof here, "%llu:%llu", (unsigned long long)st.st_dev,
                      (unsigned long long)st.st_ino);
    return strcmp(stream, here) == 0;
}

/* Runs the node in this process; returns the exit code, with the message for errors. */
static int run(struct starting *s, const struct kith_conf *conf, bool foreground, char *message,
               size_t cap)
{
    struct kith_ctl_error error = {.err = 0};
    const struct kith_daemon_options options = {
        .state_dir = s->state,
        .socket_path = s->socket_path,
        .foreground = foreground,
        .journal = foreground && stderr_is_journal(),
        .json = s->c->json,
        .ready = ready,
        .reload = reload,
        .ctx = s,
    };
    int err;

    message[0] = '\0';
    err = kith_daemon_run(conf, &options, &error);
    if (err == KITH_OK)
        return KITH_EXIT_OK;
    (void)kith_format(message, cap, "%s%s%s", error.message[0] ? error.message : kith_err_text(err),
                      error.remedy[0] ? "\n      " : "", error.remedy);
    return kith_ctl_exit_code(err);
}

/* The child of the child of `kith up`: has no terminal, holds no directory, speaks to nobody. */
static void detach(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)!chdir("/");
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
}

static _Noreturn void child(struct starting *s, const struct kith_conf *conf)
{
    char message[560];
    pid_t again;
    int code;

    (void)setsid();
    again = fork(); /* not the session's leader any more: it can get no terminal */
    if (again != 0)
        _exit(again < 0 ? KITH_EXIT_FAILED : KITH_EXIT_OK);
    detach();
    code = run(s, conf, false, message, sizeof message);
    report(s, code, message);
    _exit(code);
}

/* What the pipe says until its end; nothing means that the child died without a word. */
static int outcome(int fd, char *message, size_t cap)
{
    unsigned char code = KITH_EXIT_FAILED;
    size_t n = 0;
    ssize_t got = read(fd, &code, 1);

    if (got != 1) {
        (void)kith_format(message, cap, "the node ended before it was ready");
        return KITH_EXIT_FAILED;
    }
    while (n + 1 < cap && (got = read(fd, message + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    message[n] = '\0';
    return code;
}

static int up_background(struct starting *s, const struct kith_conf *conf)
{
    char message[560];
    int end[2], code;
    pid_t pid;

    if (pipe2(end, O_CLOEXEC) < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "cannot make a pipe");
    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "cannot start a process");
    if (pid == 0) {
        (void)close(end[0]);
        s->report = end[1];
        child(s, conf);
    }
    (void)close(end[1]);
    kith_cmd_progress(s->c, "starting the node");
    (void)waitpid(pid, NULL, 0);
    code = outcome(end[0], message, sizeof message);
    (void)close(end[0]);
    kith_cmd_progress(s->c, NULL);
    if (code != KITH_EXIT_OK)
        return kith_cmd_fail(code, "%s", message);
    return up_result(s->c, false, s->state);
}

static int up_foreground(struct starting *s, const struct kith_conf *conf)
{
    char message[560];
    int code = run(s, conf, true, message, sizeof message);

    return code == KITH_EXIT_OK ? code : kith_cmd_fail(code, "%s", message);
}

int kith_cmd_up(struct kith_cmd *c)
{
    static struct kith_conf conf;
    char state[KITH_CONF_PATH], socket_path[KITH_CONF_PATH];
    struct starting s = {.c = c, .report = -1, .state = state, .socket_path = socket_path};
    int code = kith_cmd_conf(c->args, &conf);

    if (code != KITH_EXIT_OK)
        return code;
    if (kith_cmd_state_dir(c->args, state, sizeof state) < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "no state directory: set HOME or give --state");
    if (kith_place_listen(state, socket_path, sizeof socket_path) < 0)
        return kith_cmd_fail(KITH_EXIT_FAILED, "the state directory's path is too long");
    s.file = conf.file[0] == '\0' ? NULL : conf.file;
    if (kith_cmd_state_runs(state, socket_path))
        return up_result(c, true, state);
    return kith_args_has(c->args, "foreground") ? up_foreground(&s, &conf)
                                                : up_background(&s, &conf);
}
