#include "loop/control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/owner.h"
#include "os/process.h"
#include "os/unix_socket.h"

enum {
    READ_BYTES = 16 * 1024, /* of one wake-up and client: a quarter of the longest request */
    PEER_GROUPS = 256,      /* of a client's process; who has more counts by its first ones */
    ACCEPTS = 8,            /* of one wake-up */
    GROUP_ENTRY = 4096,     /* bytes of a group's entry: some hundred members */
    GROUP_MOST = 1 << 20,   /* an entry of tens of thousands, as directories hand out */
};
#define RETRY KITH_SEC /* until clients are taken again when descriptors ran out */

/* ---- who may ---- */

static gid_t group_named(const char *name)
{
    struct group entry, *found = NULL;
    gid_t gid = (gid_t)-1;
    int err = ERANGE;

    /* not getgrnam, whose answer belongs to the whole process */
    for (size_t cap = GROUP_ENTRY; name[0] != '\0' && err == ERANGE && cap <= GROUP_MOST;
         cap *= 4) {
        char *text = malloc(cap);
        err = text == NULL ? ENOMEM : getgrnam_r(name, &entry, text, cap, &found);
        if (err == 0 && found != NULL)
            gid = found->gr_gid;
        free(text);
    }
    return gid;
}

/* The groups of the client's process as the kernel knows them, not as a database says now. */
static bool peer_in_group(int fd, gid_t group, const struct kith_peer_credentials *who)
{
    gid_t groups[PEER_GROUPS];
    socklen_t n = sizeof groups;

    if (group == (gid_t)-1)
        return false;
    if (who->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
        return false;
    for (size_t i = 0; i < n / sizeof groups[0]; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* What the client of the socket at fd may, and its user. */
static enum kith_ctl_grant grant_for(const struct kith_control *c, int fd, uint32_t *ret_uid)
{
    struct kith_peer_credentials who;

    if (kith_peer_credentials(fd, &who) < 0) {
        *ret_uid = UINT32_MAX;
        return KITH_CTL_GRANT_NONE;
    }
    *ret_uid = who.uid;
    return kith_ctl_grant_for(who.uid, c->own_uid, peer_in_group(fd, c->group, &who));
}

/* ---- clients ---- */

static void on_closed(uv_handle_t *handle)
{
    struct kith_control_client *k = handle->data;
    k->closing = false;
}

static void client_close(struct kith_control_client *k)
{
    kith_ctl_close(k->ctl);
    k->ctl = NULL;
    k->closing = true;
    uv_close((uv_handle_t *)&k->handle, on_closed);
    (void)close(k->fd);
}

static void on_client(uv_poll_t *handle, int status, int events);

/* Waits for what it may do next: say more, or take more. */
static void client_poll(struct kith_control_client *k)
{
    int events = (k->ended ? 0 : UV_READABLE) | (kith_ctl_output(k->ctl).n > 0 ? UV_WRITABLE : 0);

    if (events == k->events)
        return;
    k->events = events;
    (void)uv_poll_start(&k->handle, events, on_client);
}

/* False when the client is gone. */
static bool client_send(struct kith_control_client *k)
{
    struct kith_span out;

    while ((out = kith_ctl_output(k->ctl)).n > 0) {
        ssize_t n = send(k->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        kith_ctl_sent(k->ctl, (size_t)n);
    }
    return true;
}

static void client_read(struct kith_control_client *k)
{
    struct kith_now now = kith_pump_now(k->owner->pump);
    uint8_t buf[READ_BYTES];
    ssize_t n = recv(k->fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n > 0)
        kith_ctl_feed(k->ctl, (struct kith_span){buf, (size_t)n}, now.mono);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        k->ended = true;
    explicit_bzero(buf, n > 0 ? (size_t)n : 0); /* tickets and passphrases come this way */
}

static void on_client(uv_poll_t *handle, int status, int events)
{
    struct kith_control_client *k = handle->data;

    if (status < 0)
        client_close(k);
    else if ((events & UV_READABLE) != 0)
        client_read(k);
}

static struct kith_control_client *client_free(struct kith_control *c)
{
    for (size_t i = 0; i < KITH_COUNT(c->client); i++)
        if (c->client[i].ctl == NULL && !c->client[i].closing)
            return &c->client[i];
    return NULL;
}

/* Takes fd. */
static void client_new(struct kith_control *c, int fd, enum kith_ctl_grant grant, uint32_t uid)
{
    struct kith_control_client *k = client_free(c);
    struct kith_ctl_client *ctl;

    if (k == NULL || kith_ctl_open(c->ctl, grant, uid, &ctl) < 0) {
        (void)close(fd);
        return;
    }
    if (uv_poll_init(c->loop, &k->handle, fd) < 0) {
        kith_ctl_close(ctl);
        (void)close(fd);
        return;
    }
    k->handle.data = k;
    k->owner = c;
    k->ctl = ctl;
    k->fd = fd;
    k->events = 0;
    k->ended = false;
    client_poll(k);
}

static void on_listener(uv_poll_t *handle, int status, int events)
{
    struct kith_control *c = handle->data;

    (void)events;
    for (int i = 0; i < ACCEPTS && status == 0; i++) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        uint32_t uid;
        if (fd >= 0) {
            enum kith_ctl_grant grant = grant_for(c, fd, &uid);
            client_new(c, fd, grant, uid);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            /* it would stay readable: look away for a while instead of spinning */
            (void)uv_poll_stop(&c->listener);
            c->retry_at = kith_after(kith_pump_now(c->pump).mono, RETRY);
            return;
        } else {
            return;
        }
    }
}

static void on_owner(uv_poll_t *handle, int status, int events)
{
    struct kith_control *c = handle->data;
    (void)events;
    for (int i = 0; i < ACCEPTS && status == 0; i++) {
        int fd, err = kith_owner_take(c->owner_fd, &fd);
        if (err == KITH_E_AGAIN)
            return;
        if (err < 0)
            status = err;
        else if (fd >= 0)
            client_new(c, fd, KITH_CTL_GRANT_ADMIN, c->own_uid);
    }
    if (status == 0)
        return;
    c->orphaned = true;
    (void)uv_poll_stop(&c->owner);
}

void kith_control_retry(struct kith_control *c)
{
    if (c->retry_at > kith_pump_now(c->pump).mono)
        return;
    c->retry_at = KITH_NEVER;
    (void)uv_poll_start(&c->listener, UV_READABLE, on_listener);
}

kith_time kith_control_deadline(const struct kith_control *c)
{
    return c->retry_at;
}

void kith_control_turn(struct kith_control *c)
{
    for (size_t i = 0; i < KITH_COUNT(c->client); i++) {
        struct kith_control_client *k = &c->client[i];
        if (k->ctl == NULL)
            continue;
        if (!client_send(k) || kith_ctl_over(k->ctl) ||
            (k->ended && kith_ctl_output(k->ctl).n == 0))
            client_close(k);
        else
            client_poll(k);
    }
}

/* ---- the socket ---- */

/* Lets the group in where this process may; the peer's credentials decide in any case. */
static void open_to_group(const struct kith_control *c)
{
    if (c->group != (gid_t)-1 && chown(c->path, (uid_t)-1, c->group) == 0)
        (void)!chmod(c->path, 0660);
}

int kith_control_open(struct kith_control *c, const char *path, const char *group,
                      struct kith_os_why *why)
{
    int err = kith_unix_listen(path, 0600, &c->fd, why);

    if (err < 0)
        return err;
    c->path = path;
    c->group = group_named(group);
    c->open = true;
    open_to_group(c);
    return KITH_OK;
}

int kith_control_start(struct kith_control *c, uv_loop_t *loop, struct kith_pump *pump,
                       struct kith_ctl *ctl)
{
    c->loop = loop;
    c->pump = pump;
    c->ctl = ctl;
    c->own_uid = geteuid();
    c->retry_at = KITH_NEVER;
    if (!c->open)
        return KITH_OK;
    if (uv_poll_init(loop, &c->listener, c->fd) < 0)
        return KITH_E_IO;
    c->listening = true;
    c->listener.data = c;
    return uv_poll_start(&c->listener, UV_READABLE, on_listener) < 0 ? KITH_E_IO : KITH_OK;
}

int kith_control_own(struct kith_control *c, int fd)
{
    if (uv_poll_init(c->loop, &c->owner, fd) < 0)
        return KITH_E_IO;
    c->owned = true;
    c->owner_fd = fd;
    c->owner.data = c;
    return uv_poll_start(&c->owner, UV_READABLE, on_owner) < 0 ? KITH_E_IO : KITH_OK;
}

void kith_control_close(struct kith_control *c)
{
    for (size_t i = 0; i < KITH_COUNT(c->client); i++) {
        if (c->client[i].ctl == NULL)
            continue;
        (void)client_send(&c->client[i]);
        client_close(&c->client[i]);
    }
    if (c->owned)
        uv_close((uv_handle_t *)&c->owner, NULL);
    if (c->listening)
        uv_close((uv_handle_t *)&c->listener, NULL);
    if (c->open) {
        (void)unlink(c->path);
        (void)close(c->fd);
    }
    c->open = c->listening = c->owned = false;
}
