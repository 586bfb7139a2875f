#include "loop/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "transport/udp/sockaddr.h"

enum {
    HOST_MAX = KITH_ADDR_TEXT, /* longer ones are no address */
    BODY_MAX = 1 << 20,        /* bytes of a page */
};

bool kith_http_host_plain(const char *host)
{
    static const char local[] = "localhost";
    struct kith_addr addr;

    if (host == NULL)
        return true;
    if (strncasecmp(host, local, sizeof local - 1) == 0) {
        const char *rest = host + sizeof local - 1;
        return *rest == '\0' ||
               (*rest == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1));
    }
    return strlen(host) < HOST_MAX && kith_addr_parse(host, 0, &addr) == KITH_OK;
}

/* ---- answers ---- */

/* Queues an answer of n bytes, copied; the connection ends with it. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              struct kith_span body)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued;

    if (r == NULL)
        return MHD_NO;
    if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_NO ||
        MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_NO ||
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_NO ||
        (status == MHD_HTTP_METHOD_NOT_ALLOWED &&
         MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_NO)) {
        MHD_destroy_response(r);
        return MHD_NO;
    }
    queued = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why)
{
    return answer(c, status, "text/plain; charset=utf-8", kith_span_text(why));
}

static enum MHD_Result answer_page(struct kith_http *h, struct MHD_Connection *c,
                                   const struct kith_http_page *page)
{
    struct kith_buf body;
    enum MHD_Result done;
    unsigned status = MHD_HTTP_OK;
    int err;

    kith_buf_init(&body, h->alloc, BODY_MAX);
    err = page->make(h->ctx, &body, &status);
    done = err < 0 ? refuse(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n")
                   : answer(c, status, page->type, kith_buf_span(&body));
    kith_buf_fini(&body);
    return done;
}

static const struct kith_http_page *page_find(const struct kith_http *h, const char *path)
{
    for (const struct kith_http_page *page = h->page; page->path != NULL; page++)
        if (strcmp(page->path, path) == 0)
            return page;
    return NULL;
}

/* Called first with the headers alone, and answered then: a body is never waited for. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **request)
{
    struct kith_http *h = ctx;
    const struct kith_http_page *page;

    (void)version, (void)upload, (void)upload_n, (void)request;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (kith_ip_is_loopback(&h->bound.ip) && !kith_http_host_plain(MHD_lookup_connection_value(
                                                 c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
        return refuse(c, MHD_HTTP_FORBIDDEN, "ask for it by its address, or as localhost\n");
    page = page_find(h, path);
    return page == NULL ? refuse(c, MHD_HTTP_NOT_FOUND, "there is no such page\n")
                        : answer_page(h, c, page);
}

/* ---- connections ---- */

static void client_begin(struct kith_http *h, struct MHD_Connection *c, void **place)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

    for (size_t i = 0; i < KITH_HTTP_CONNECTIONS && info != NULL; i++) {
        if (h->client[i].fd >= 0)
            continue;
        h->client[i] = (struct kith_http_client){
            .fd = info->connect_fd,
            .until = kith_after(kith_pump_now(h->pump).mono, KITH_HTTP_LIFE)};
        *place = &h->client[i];
        return;
    }
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **place,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        client_begin(ctx, c, place);
    else if (*place != NULL)
        ((struct kith_http_client *)*place)->fd = -1;
}

/* Whoever is too slow finds its connection shut; the library then lets go of it. */
static void end_old(struct kith_http *h, kith_time now)
{
    for (size_t i = 0; i < KITH_HTTP_CONNECTIONS; i++) {
        struct kith_http_client *client = &h->client[i];
        if (client->fd < 0 || client->until > now)
            continue;
        (void)shutdown(client->fd, SHUT_RDWR);
        client->until = KITH_NEVER;
    }
}

/* ---- the loop ---- */

/* Lets the library do what there is, and asks when it wants to be called again. Less than a
 * millisecond ahead is not worth a turn of its own, and a library that says "now" for ever must not
 * keep the loop from sleeping. */
static void run(struct kith_http *h)
{
    kith_time now = kith_pump_now(h->pump).mono;
    MHD_UNSIGNED_LONG_LONG ms;

    (void)MHD_run(h->daemon);
    h->run_at = MHD_get_timeout(h->daemon, &ms) == MHD_YES
                    ? kith_after(now, (ms == 0 ? 1 : ms) * KITH_MSEC)
                    : KITH_NEVER;
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    run(handle->data);
}

static void on_visitor(uv_poll_t *handle, int status, int events);

static void accept_begin(struct kith_http *h)
{
    h->accept_at = KITH_NEVER;
    (void)uv_poll_start(&h->listener, UV_READABLE, on_visitor);
}

/* Out of descriptors it would stay readable: look away for a while instead of spinning. */
static void accept_later(struct kith_http *h)
{
    (void)uv_poll_stop(&h->listener);
    h->accept_at = kith_after(kith_pump_now(h->pump).mono, KITH_SEC);
}

/* The library has a listener of its own, but one that stops at the limit of connections and needs
 * to be reminded to begin again: visitors then wait for nothing. Here who is too many is hung up on
 * at once; the library closes fd whether it takes the connection or not. */
static void on_visitor(uv_poll_t *handle, int status, int events)
{
    struct kith_http *h = handle->data;

    (void)status, (void)events;
    for (int i = 0; i < KITH_HTTP_CONNECTIONS; i++) {
        union kith_sockaddr sa;
        socklen_t n = sizeof sa;
        int fd = accept4(h->fd, &sa.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)MHD_add_connection(h->daemon, fd, &sa.any, n);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            accept_later(h);
        if (errno != ECONNABORTED && errno != EINTR)
            break;
    }
    run(h);
}

void kith_http_turn(struct kith_http *h)
{
    kith_time now;

    if (!h->open || kith_http_deadline(h) > (now = kith_pump_now(h->pump).mono))
        return;
    if (h->accept_at <= now)
        accept_begin(h);
    end_old(h, now);
    run(h);
}

kith_time kith_http_deadline(const struct kith_http *h)
{
    kith_time at;

    if (!h->open)
        return KITH_NEVER;
    at = kith_sooner(h->run_at, h->accept_at);
    for (size_t i = 0; i < KITH_HTTP_CONNECTIONS; i++)
        if (h->client[i].fd >= 0)
            at = kith_sooner(at, h->client[i].until);
    return at;
}

/* ---- opening and closing ---- */

static int listen_at(const struct kith_addr *at, int *ret_fd, struct kith_os_why *why)
{
    union kith_sockaddr sa;
    socklen_t n = kith_sockaddr_of(at, &sa);
    int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    char text[KITH_ADDR_TEXT];

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (at->ip.family != KITH_FAMILY_IP6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, &sa.any, n) == 0 && listen(fd, KITH_HTTP_CONNECTIONS) == 0) {
        *ret_fd = fd;
        return KITH_OK;
    }
    int err = kith_os_fail(why, errno, "listen on %s", kith_addr_text(at, text, sizeof text));
    if (fd >= 0)
        (void)close(fd);
    return err;
}

static struct MHD_Daemon *start(struct kith_http *h)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, h,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)KITH_HTTP_CONNECTIONS,
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)KITH_HTTP_PER_ADDRESS,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)KITH_HTTP_SILENCE_S,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)KITH_HTTP_MEMORY,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, h, MHD_OPTION_END);
}

/* A handle that was initialised is the loop's until it is closed. */
static int poll_begin(struct kith_http *h, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    if (info == NULL || uv_poll_init(loop, &h->poll, info->epoll_fd) < 0)
        return KITH_E_IO;
    if (uv_poll_init(loop, &h->listener, h->fd) < 0) {
        uv_close((uv_handle_t *)&h->poll, NULL);
        return KITH_E_IO;
    }
    h->poll.data = h->listener.data = h;
    (void)uv_poll_start(&h->poll, UV_READABLE, on_ready);
    accept_begin(h);
    return KITH_OK;
}

static void let_go(struct kith_http *h)
{
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    (void)close(h->fd);
    h->daemon = NULL;
}

int kith_http_open(struct kith_http *h, uv_loop_t *loop, struct kith_pump *pump,
                   const struct kith_alloc *alloc, const struct kith_addr *at,
                   const struct kith_http_page *pages, void *ctx, struct kith_os_why *why)
{
    int fd = -1, err = listen_at(at, &fd, why);

    if (err < 0)
        return err;
    *h = (struct kith_http){.pump = pump,
                            .alloc = alloc,
                            .page = pages,
                            .ctx = ctx,
                            .bound = *at,
                            .fd = fd,
                            .run_at = KITH_NEVER};
    for (size_t i = 0; i < KITH_HTTP_CONNECTIONS; i++)
        h->client[i].fd = -1;
    h->daemon = start(h);
    err = h->daemon == NULL ? KITH_E_NOMEM : poll_begin(h, loop);
    if (err < 0) {
        let_go(h);
        return kith_os_say(why, err, "start the HTTP server: %s", kith_err_text(err));
    }
    h->open = true;
    return KITH_OK;
}

void kith_http_close(struct kith_http *h)
{
    if (!h->open)
        return;
    h->open = false;
    uv_close((uv_handle_t *)&h->poll, NULL); /* before their descriptors go */
    uv_close((uv_handle_t *)&h->listener, NULL);
    let_go(h);
}
