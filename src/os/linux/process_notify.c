/* Telling the service manager how it goes: sd_notify(3) without libsystemd. */
#include "os/process.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/path" or "@abstract", whose first byte becomes NUL and whose length counts. */
static int notify_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_len,
                          struct kith_os_why *why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(text);
    bool abstract = text[0] == '@';

    if ((text[0] != '/' && !abstract) || n < 2)
        return kith_os_say(why, KITH_E_UNSUPPORTED, "NOTIFY_SOCKET=%s is no Unix socket", text);
    if (n >= sizeof a.sun_path)
        return kith_os_say(why, KITH_E_INVAL, "NOTIFY_SOCKET is too long: %s", text);
    memcpy(a.sun_path, text, n);
    if (abstract)
        a.sun_path[0] = '\0';
    *ret = a;
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (abstract ? 0 : 1));
    return KITH_OK;
}

int kith_sd_notify(const char *state, struct kith_os_why *why)
{
    const char *where = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a;
    socklen_t a_len = 0;

    if (where == NULL || where[0] == '\0')
        return KITH_OK;
    int err = notify_address(where, &a, &a_len, why);
    if (err < 0)
        return err;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return kith_os_fail(why, errno, "open a Unix socket");
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, a_len) < 0)
        err = kith_os_fail(why, errno, "notify %s", where);
    (void)close(fd);
    return err;
}
