#include "ctl/place.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "os/files.h"

#define ROOT_STATE "/var/lib/kith"
#define SYSTEMD_SOCKET "/run/kith/control.sock" /* RuntimeDirectory= of kith.service */
#define SOCKET_NAME "/control.sock"

int kith_place_join(char *buf, size_t cap, const char *a, const char *b)
{
    if (strlen(a) + strlen(b) >= cap)
        return KITH_E_LIMIT;
    (void)kith_format(buf, cap, "%s%s", a, b);
    return KITH_OK;
}

const char *kith_place_variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static const char *asked_for(const char *named)
{
    return named != NULL ? named : kith_place_variable("KITH_STATE");
}

int kith_place_absolute(const char *path, char *buf, size_t cap)
{
    char here[KITH_PATH_MAX];

    if (path[0] == '/')
        return kith_place_join(buf, cap, path, "");
    if (getcwd(here, sizeof here) == NULL)
        return KITH_E_NOTFOUND;
    if (strlen(here) + 1 + strlen(path) >= cap)
        return KITH_E_LIMIT;
    (void)kith_format(buf, cap, "%s/%s", here, path);
    return KITH_OK;
}

int kith_place_state(const char *named, char *buf, size_t cap)
{
    const char *asked = asked_for(named);

    return asked != NULL ? kith_place_absolute(asked, buf, cap) : kith_paths_state(buf, cap);
}

/* First the state directory's. Then the system's own node, unless another directory was named:
 * who names one must not control a node that is not its. */
int kith_place_socket(const char *named, size_t i, char *buf, size_t cap)
{
    char state[KITH_PATH_MAX];
    bool found = kith_place_state(named, state, sizeof state) == KITH_OK;

    if (i == 0 && found)
        return kith_place_join(buf, cap, state, SOCKET_NAME);
    if (i == (found ? 1 : 0) && (asked_for(named) == NULL || strcmp(state, ROOT_STATE) == 0))
        return kith_place_join(buf, cap, SYSTEMD_SOCKET, "");
    return KITH_E_NOTFOUND;
}

int kith_place_listen(const char *state_dir, char *buf, size_t cap)
{
    const char *runtime =
        kith_place_variable("RUNTIME_DIRECTORY"); /* set by systemd, for this service only */

    if (runtime != NULL && strcmp(state_dir, ROOT_STATE) == 0)
        return kith_place_join(buf, cap, runtime, SOCKET_NAME);
    return kith_place_join(buf, cap, state_dir, SOCKET_NAME);
}
