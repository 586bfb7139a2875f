/* What a running node still opens by name, and giving up all else (node.confine). */

#include "os/confine.h"
#include "base/text.h"
#include "loop/instance.h"

/* path up to its last slash; a name alone stands for the folder it is looked for in. */
static const char *folder_of(const char *path, char *buf, size_t cap)
{
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

    return kith_format(buf, cap, "%.*s", n, n == 0 ? "." : path);
}

static int give_up(struct kith_instance *d, struct kith_ctl_error *e)
{
    const struct kith_daemon_options *o = d->options;
    const char *file = d->conf.file[0] == '\0' ? "/etc/kith/kith.toml" : d->conf.file;
    char socket_dir[KITH_PATH_MAX], file_dir[KITH_PATH_MAX];
    struct kith_os_why why = {.text = ""};
    bool files = false;
    const struct kith_confine_path paths[] = {
        {.path = o->state_dir, .write = true},
        {.path = folder_of(o->socket_path, socket_dir, sizeof socket_dir), .write = true},
        /* editors put a new file in its place; and it may be a link into another folder */
        {.path = folder_of(file, file_dir, sizeof file_dir), .optional = true},
        {.path = file, .optional = true},
        {.path = "/proc/self", .optional = true}, /* how much memory it takes */
        /* its interface, when somebody deletes it; with its right to routes it could make others */
        {.path = "/dev/net/tun", .write = true, .device = true, .optional = true},
        {.path = "/dev/null", .write = true, .optional = true},
        {.path = "/dev/urandom", .optional = true}, /* the database's library */
    };
    int err = kith_confine(paths, KITH_COUNT(paths), &files, &why);

    if (err < 0)
        return kith_ctl_error_set(e, err, "cannot confine this node (node.confine): %s", why.text);
    if (!files)
        kith_event_offload_off(d->env.events, "confinement to its own files", why.text);
    kith_event_confined(d->env.events, files ? "system calls and files" : "system calls");
    return KITH_OK;
}

int kith_instance_confine(struct kith_instance *d, struct kith_ctl_error *e)
{
    if (!d->conf.node.confine)
        return KITH_OK;
    if (d->options->embedded)
        return kith_ctl_error_set(e, KITH_E_UNSUPPORTED,
                                  "only a node with a process of its own can be confined "
                                  "(node.confine)");
    return give_up(d, e);
}
