/* What `kith up` runs in its test instead of a node: fails, dies, or becomes the fake node. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_node.h"
#include "loop/daemon.h"

int kith_daemon_run(const struct kith_conf *conf, const struct kith_daemon_options *options,
                    struct kith_ctl_error *ret_error)
{
    const char *name = conf->vpn.tun.s; /* says what to do */

    if (strcmp(name, "fail") == 0) {
        strcpy(ret_error->remedy, "set the capability");
        return kith_ctl_error_set(ret_error, KITH_E_PERM, "no tunnel interface");
    }
    if (strcmp(name, "die") == 0)
        _exit(7);
    return fake_node_run(options->socket_path, KITH_CTL_GRANT_ADMIN, options->ready, options->ctx);
}

int kith_daemon_identity(const char *state_dir, char ret_peer_id[53],
                         struct kith_ctl_error *ret_error)
{
    if (strstr(state_dir, "broken") != NULL)
        return kith_ctl_error_set(ret_error, KITH_E_CORRUPT, "identity.pem is damaged");
    memset(ret_peer_id, 'a', 52);
    ret_peer_id[52] = '\0';
    return KITH_OK;
}
