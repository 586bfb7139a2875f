/* Reading what is on this machine: where the state is, files, the configuration. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "ctl/place.h"
#include "os/why.h"

extern char **environ;

int kith_cmd_state_dir(const struct kith_args *a, char *buf, size_t cap)
{
    return kith_place_state(kith_args_value(a, "state", NULL), buf, cap);
}

bool kith_cmd_state_runs(const char *state_dir, const char *socket_path)
{
    char place[KITH_CONF_PATH];

    if (kith_cmd_answers(socket_path))
        return true;
    for (size_t i = 0; kith_place_socket(state_dir, i, place, sizeof place) == KITH_OK; i++)
        if (kith_cmd_answers(place))
            return true;
    return false;
}

/* Not kith_file_read, which takes regular files only: people pipe things in, <(pass show kith). */
int kith_cmd_read_file(const char *path, char *buf, size_t cap, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    size_t n;
    int err = KITH_OK;

    if (f == NULL)
        return kith_os_err(errno);
    n = fread(buf, 1, cap, f);
    if (ferror(f))
        err = KITH_E_IO;
    else if (n == cap && fgetc(f) != EOF)
        err = KITH_E_LIMIT;
    (void)fclose(f);
    if (err == KITH_OK)
        *ret_len = n;
    return err;
}

/* ---- configuration ---- */

/* The file to read: named, or the first that is there; KITH_E_NOTFOUND when none is. */
static int config_file(const struct kith_args *a, char *buf, size_t cap)
{
    const char *named = kith_args_value(a, "config", kith_place_variable("KITH_CONFIG"));
    const char *home = kith_place_variable("HOME");

    if (named != NULL)
        return kith_place_absolute(named, buf, cap);
    if (access("/etc/kith/kith.toml", F_OK) == 0)
        return kith_place_join(buf, cap, "/etc/kith/kith.toml", "");
    if (home == NULL || kith_place_join(buf, cap, home, "/.config/kith/kith.toml") < 0 ||
        access(buf, F_OK) < 0)
        return KITH_E_NOTFOUND;
    return KITH_OK;
}

/* The flags of `kith up` that stand for options; `listen` gets the repeated one as a list. */
static size_t flags_of(const struct kith_args *a, struct kith_conf_flag *flag, char *listen,
                       size_t cap)
{
    const char *value;
    size_t n = 0, at = 0, len = 0;

    if (a->command == NULL || a->command->id != KITH_COMMAND_up)
        return 0;
    while ((value = kith_args_next(a, "listen", &at)) != NULL && len < cap) {
        (void)kith_format(listen + len, cap - len, "%s%s", len == 0 ? "" : ",", value);
        len += strlen(listen + len);
    }
    if (len > 0)
        flag[n++] = (struct kith_conf_flag){KITH_OPTION_net_listen, "--listen", listen};
    if ((value = kith_args_value(a, "tun", NULL)) != NULL)
        flag[n++] = (struct kith_conf_flag){KITH_OPTION_vpn_tun, "--tun", value};
    if (kith_args_has(a, "no-tun"))
        flag[n++] = (struct kith_conf_flag){KITH_OPTION_vpn_enabled, "--no-tun", "false"};
    if ((value = kith_args_value(a, "log-level", NULL)) != NULL)
        flag[n++] = (struct kith_conf_flag){KITH_OPTION_node_log_level, "--log-level", value};
    return n;
}

int kith_cmd_conf_load(const struct kith_args *a, const char *file, struct kith_conf *ret,
                       struct kith_conf_problems *ret_problems, char *why, size_t cap)
{
    char path[KITH_CONF_PATH], listen[KITH_CONF_VALUE_TEXT] = "", host[256] = "";
    struct kith_conf_flag flag[4];
    struct kith_conf_input in = {
        .env = (const char *const *)environ, .flag = flag, .host_name = host};
    char *text = malloc(KITH_CONF_FILE_MAX);
    int err = file == NULL ? config_file(a, path, sizeof path)
                           : kith_place_absolute(file, path, sizeof path);

    ret_problems->n = 0;
    in.flags = flags_of(a, flag, listen, sizeof listen);
    (void)gethostname(host, sizeof host - 1);
    if (text == NULL) {
        (void)kith_format(why, cap, "out of memory");
        return KITH_E_NOMEM;
    }
    if (err == KITH_OK) {
        in.file = path;
        in.text.p = (const uint8_t *)text;
        err = kith_cmd_read_file(path, text, KITH_CONF_FILE_MAX, &in.text.n);
        if (err < 0)
            (void)kith_format(why, cap, "cannot read %s: %s", path, kith_err_text(err));
    } else if (err == KITH_E_NOTFOUND) {
        err = KITH_OK; /* none is fine */
    }
    if (err == KITH_OK)
        err = kith_conf_load(ret, &in, ret_problems);
    free(text);
    return err;
}

int kith_cmd_conf(const struct kith_args *a, struct kith_conf *ret)
{
    static struct kith_conf_problems problems;
    char text[KITH_CONF_PATH + 300], why[KITH_CONF_PATH + 64] = "out of memory";
    int err = kith_cmd_conf_load(a, NULL, ret, &problems, why, sizeof why);

    for (size_t i = 0; i < problems.n && i < KITH_CONF_PROBLEMS; i++)
        (void)kith_cmd_fail(0, "%s", kith_conf_problem_text(&problems.at[i], text, sizeof text));
    if (problems.n > KITH_CONF_PROBLEMS)
        (void)kith_cmd_fail(0, "and %zu more", problems.n - KITH_CONF_PROBLEMS);
    if (problems.n > 0)
        return KITH_EXIT_USAGE;
    return err < 0 ? kith_cmd_fail(err == KITH_E_PERM ? KITH_EXIT_PERMISSION : KITH_EXIT_FAILED,
                                   "%s", why)
                   : KITH_EXIT_OK;
}
