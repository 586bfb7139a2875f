/* cmd.h: what every command is given, and the commands themselves.
 *
 * A command reads its arguments, asks the node over the control socket and prints; nothing else. It
 * returns the program's exit code. Messages for people go to standard error, results to standard
 * output; with --json the result is the method's result object. */
#ifndef KITH_CMD_CMD_H
#define KITH_CMD_CMD_H

#include <jansson.h>

#include "cmd/command.h"
#include "cmd/out.h"
#include "conf/conf.h"
#include "ctl/ctl.h"

enum kith_exit { /* stable: docs/spec/control.md */
                 KITH_EXIT_OK = 0,
                 KITH_EXIT_FAILED = 1,
                 KITH_EXIT_USAGE = 2,
                 KITH_EXIT_NO_NODE = 3,
                 KITH_EXIT_PERMISSION = 4,
};

struct kith_cmd {
    const struct kith_args *args;
    bool json;
    bool colour;   /* standard output is a terminal and NO_COLOR is not set */
    bool progress; /* standard error is a terminal that can redraw a line */
    bool telling;  /* such a line stands there now */
};

#define COMMAND(name, ...) int kith_cmd_##name(struct kith_cmd *c);
#define ARG(...)
#define OPT(...)
#define NOTE(...)
#define END(name)
#include "cmd/commands.def"
#include "cmd/commands_undef.h"

/* ---- messages ---- */

/* "kith: <text>" on standard error; returns code. */
int kith_cmd_fail(int code, const char *fmt, ...) KITH_PRINTF(2, 3);
/* Tells what is being done, on a terminal only, in a line that the next one replaces; NULL clears.
 */
void kith_cmd_progress(struct kith_cmd *c, const char *text);
/* Prints a JSON value and a newline to standard output; returns the exit code. Takes the value. */
int kith_cmd_json(json_t *value);

/* ---- asking the node ---- */

/* An item told before the answer (borrowed). Return false to cancel the call. */
typedef bool kith_cmd_item(void *ctx, const json_t *item);

/* Calls a method and waits for its answer. `params` is taken. KITH_EXIT_OK with *ret_result, which
 * the caller drops; else what went wrong has been printed. `item` may be NULL. A call that `item`
 * or the person (Ctrl-C) cancelled ends with KITH_EXIT_OK and a NULL result. */
int kith_cmd_call(struct kith_cmd *c, enum kith_ctl_method m, json_t *params, kith_cmd_item *item,
                  void *ctx, json_t **ret_result) KITH_MUST_CHECK;
/* Calls and, with --json, prints the result: *ret_result is then NULL. */
int kith_cmd_ask(struct kith_cmd *c, enum kith_ctl_method m, json_t *params,
                 json_t **ret_result) KITH_MUST_CHECK;
/* Whether somebody listens on this very socket. */
bool kith_cmd_answers(const char *socket_path);
/* Whether a call would find a node, if only one that refuses us; prints nothing. */
bool kith_cmd_running(struct kith_cmd *c);
/* Calls `down` and waits until the process has ended. */
int kith_cmd_call_down(struct kith_cmd *c, json_t **ret_result) KITH_MUST_CHECK;

/* The member of a result, for printing: its text, or "-" when it is null or missing. */
const char *kith_cmd_text(const json_t *object, const char *name);
/* Its number, 0 when it is none. */
uint64_t kith_cmd_number(const json_t *object, const char *name);
/* The line about who may connect, of the result of `status`. */
void kith_cmd_print_inbound(const json_t *status);

/* Whether a number on the command line is within the bounds of the method's param: else a sentence
 * that names the option, with the bounds as durations of `unit` where unit is not 0. Exit code. */
int kith_cmd_within(enum kith_ctl_method m, const char *param, uint64_t v, const char *option,
                    kith_dur unit) KITH_MUST_CHECK;

/* ---- the machine: directories, files, the configuration ---- */

/* The state directory by --state, KITH_STATE, user: absolute. KITH_E_NOTFOUND without a home,
 * KITH_E_LIMIT when it is too long. */
int kith_cmd_state_dir(const struct kith_args *a, char *buf, size_t cap) KITH_MUST_CHECK;
/* Whether a node of this state directory runs: started by hand or, for the system's, by systemd. */
bool kith_cmd_state_runs(const char *state_dir, const char *socket_path);

/* Options by file, environment and flags; mistakes are printed. Returns an exit code. */
int kith_cmd_conf(const struct kith_args *a, struct kith_conf *ret) KITH_MUST_CHECK;
/* The same with a file named explicitly (NULL: as kith_cmd_conf) and mistakes handed back.
 * KITH_E_INVAL with problems; another error with `why`. */
int kith_cmd_conf_load(const struct kith_args *a, const char *file, struct kith_conf *ret,
                       struct kith_conf_problems *ret_problems, char *why,
                       size_t cap) KITH_MUST_CHECK;

/* A whole file of at most cap bytes. KITH_E_NOTFOUND, KITH_E_PERM, KITH_E_LIMIT, KITH_E_IO. */
int kith_cmd_read_file(const char *path, char *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;
/* Reads a passphrase from --passphrase-file, the terminal (twice with `again`) or standard input.
 * Wipe buf. Returns an exit code; what went wrong has been printed. */
int kith_cmd_passphrase(struct kith_cmd *c, bool again, char *buf, size_t cap) KITH_MUST_CHECK;

/* ---- documentation ---- */

/* Help about a command, a group of them, or with "" the whole program. */
void kith_cmd_print_help(const char *words, FILE *to);
/* Draws text as a QR code in half blocks. KITH_E_TOOBIG when it does not fit one. */
int kith_cmd_draw_qr(const char *text, FILE *to) KITH_MUST_CHECK;

#endif
