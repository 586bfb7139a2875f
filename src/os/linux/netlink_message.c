#include "os/linux/netlink_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    /* The kernel fills at most 32 kB per datagram of a dump (netlink_dump). */
    RECEIVE_MAX = 32768,
    /* A table that changes during so many dumps in a row is left to the next occasion. */
    DUMPS_MAX = 8,
};

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static void append(struct kith_nl_request *q, struct kith_span s)
{
    size_t n = padded(s.n);

    if (q->bad || n > sizeof q->bytes - q->n) {
        q->bad = true;
        return;
    }
    kith_copy(q->bytes + q->n, s.p, s.n);
    q->n += n;
}

struct kith_nl_request kith_nl_request(uint16_t type, uint16_t flags, struct kith_span body)
{
    struct kith_nl_request q = {0};
    struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};

    append(&q, KITH_SPAN_OF(h));
    append(&q, body);
    return q;
}

void kith_nl_put(struct kith_nl_request *q, uint16_t type, struct kith_span value)
{
    struct rtattr a = {.rta_len = (uint16_t)(sizeof a + value.n), .rta_type = type};

    append(q, KITH_SPAN_OF(a));
    append(q, value);
}

void kith_nl_put_u8(struct kith_nl_request *q, uint16_t type, uint8_t value)
{
    kith_nl_put(q, type, KITH_SPAN_OF(value));
}

void kith_nl_put_u32(struct kith_nl_request *q, uint16_t type, uint32_t value)
{
    kith_nl_put(q, type, KITH_SPAN_OF(value));
}

size_t kith_nl_nest(struct kith_nl_request *q, uint16_t type)
{
    size_t start = q->n;

    kith_nl_put(q, type, (struct kith_span){0});
    return start;
}

void kith_nl_nest_end(struct kith_nl_request *q, size_t nest)
{
    uint16_t n = (uint16_t)(q->n - nest);

    if (!q->bad)
        memcpy(q->bytes + nest + offsetof(struct rtattr, rta_len), &n, sizeof n);
}

bool kith_nl_take(struct kith_span *body, void *to, size_t n)
{
    if (body->n < n)
        return false;
    memcpy(to, body->p, n);
    size_t skip = padded(n) < body->n ? padded(n) : body->n;
    *body = (struct kith_span){body->p + skip, body->n - skip};
    return true;
}

bool kith_nl_attr(struct kith_span *attrs, uint16_t *ret_type, struct kith_span *ret_value)
{
    struct rtattr a;

    if (attrs->n < sizeof a)
        return false;
    memcpy(&a, attrs->p, sizeof a);
    if (a.rta_len < sizeof a || a.rta_len > attrs->n)
        return false;
    *ret_type = (uint16_t)(a.rta_type & 0x3fff); /* NLA_TYPE_MASK, without its sign */
    *ret_value = (struct kith_span){attrs->p + sizeof a, a.rta_len - sizeof a};
    size_t skip = padded(a.rta_len) < attrs->n ? padded(a.rta_len) : attrs->n;
    *attrs = (struct kith_span){attrs->p + skip, attrs->n - skip};
    return true;
}

uint32_t kith_nl_u32(struct kith_span value)
{
    uint32_t v = 0;

    if (value.n == sizeof v)
        memcpy(&v, value.p, sizeof v);
    return v;
}

/* ---- the socket ---- */

int kith_netlink_open(struct kith_netlink *ret, struct kith_os_why *why)
{
    struct sockaddr_nl self = {.nl_family = AF_NETLINK};
    socklen_t n = sizeof self;
    struct timeval patience = {.tv_sec = KITH_NETLINK_TIMEOUT};
    int on = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return kith_os_fail(why, errno, "open a netlink socket");
    if (bind(fd, (struct sockaddr *)&self, sizeof self) < 0 ||
        getsockname(fd, (struct sockaddr *)&self, &n) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
        int err = kith_os_fail(why, errno, "set up a netlink socket");
        (void)close(fd);
        return err;
    }
    /* only for better texts; Linux 4.12 */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    *ret = (struct kith_netlink){.fd = fd, .port = self.nl_pid};
    return KITH_OK;
}

void kith_netlink_close(struct kith_netlink *nl)
{
    if (nl->fd >= 0)
        (void)close(nl->fd);
    nl->fd = -1;
}

static int send_request(struct kith_netlink *nl, struct kith_nl_request *q, uint16_t flags,
                        const char *what, struct kith_os_why *why)
{
    struct nlmsghdr h;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (q->bad)
        return kith_os_say(why, KITH_E_INVAL, "%s: the request is too long", what);
    memcpy(&h, q->bytes, sizeof h);
    h.nlmsg_len = (uint32_t)q->n;
    h.nlmsg_flags |= flags;
    h.nlmsg_seq = ++nl->seq;
    h.nlmsg_pid = nl->port;
    memcpy(q->bytes, &h, sizeof h);
    if (sendto(nl->fd, q->bytes, q->n, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return kith_os_fail(why, errno, "%s: send to the kernel", what);
    return KITH_OK;
}

/* One datagram from the kernel; others may send to this socket too, and are not heard. */
static int receive(struct kith_netlink *nl, uint8_t *buf, size_t cap, struct kith_span *ret,
                   const char *what, struct kith_os_why *why)
{
    struct sockaddr_nl from = {0};
    socklen_t from_n = sizeof from;

    for (;;) {
        ssize_t n = recvfrom(nl->fd, buf, cap, 0, (struct sockaddr *)&from, &from_n);
        if (n >= 0 && from.nl_pid == 0) {
            *ret = (struct kith_span){buf, (size_t)n};
            return KITH_OK;
        }
        if (n >= 0 || errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return kith_os_say(why, KITH_E_TIMEOUT, "%s: no answer from the kernel", what);
        return kith_os_fail(why, errno, "%s: hear the kernel", what);
    }
}

/* The kernel's sentence about what it refused, where it sent one (NLMSGERR_ATTR_MSG). */
static void add_explanation(struct kith_os_why *why, struct kith_span body, uint16_t flags)
{
    struct nlmsgerr e;
    struct kith_span value;
    uint16_t type;
    size_t echo = 0;

    if (why == NULL || !(flags & NLM_F_ACK_TLVS) || !kith_nl_take(&body, &e, sizeof e))
        return;
    /* behind the error stands our request, without its body where it was capped */
    if (!(flags & NLM_F_CAPPED))
        echo = e.msg.nlmsg_len < sizeof e.msg ? body.n : padded(e.msg.nlmsg_len) - sizeof e.msg;
    if (echo > body.n)
        return;
    body = (struct kith_span){body.p + echo, body.n - echo};
    while (kith_nl_attr(&body, &type, &value))
        if (type == NLMSGERR_ATTR_MSG && value.n > 1) {
            size_t n = strlen(why->text);
            (void)snprintf(why->text + n, sizeof why->text - n, " (%.*s)", (int)(value.n - 1),
                           (const char *)value.p);
        }
}

struct answer { /* how far the answer to one request has come */
    uint32_t seq, port;
    kith_nl_visit *visit;
    void *ctx;
    const char *what;
    struct kith_os_why *why;
    bool done;
    bool interrupted; /* the table changed while it was dumped */
};

/* The number at the front of NLMSG_ERROR and NLMSG_DONE: 0 or a negative errno. */
static int verdict(struct answer *a, const struct nlmsghdr *h, struct kith_span body)
{
    struct kith_span at = body;
    int32_t number = 0;

    a->done = true;
    if (!kith_nl_take(&at, &number, sizeof number) || number >= 0)
        return KITH_OK;
    int err = kith_os_fail(a->why, -number, "%s", a->what);
    if (h->nlmsg_type == NLMSG_ERROR)
        add_explanation(a->why, body, h->nlmsg_flags);
    return err;
}

static int hear_message(struct answer *a, const struct nlmsghdr *h, struct kith_span body)
{
    if (h->nlmsg_seq != a->seq || h->nlmsg_pid != a->port)
        return KITH_OK;
    if (h->nlmsg_flags & NLM_F_DUMP_INTR)
        a->interrupted = true;
    if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
        return verdict(a, h, body);
    return a->visit == NULL ? KITH_OK : a->visit(a->ctx, h->nlmsg_type, body);
}

/* Every message of one datagram. What the visitor objects to does not stop the reading: the rest of
 * the answer must leave the socket before the next question. */
static int hear_datagram(struct answer *a, struct kith_span in)
{
    struct nlmsghdr h;
    int first = KITH_OK;

    while (in.n >= sizeof h && !a->done) {
        memcpy(&h, in.p, sizeof h);
        a->done = h.nlmsg_len < sizeof h || h.nlmsg_len > in.n;
        if (a->done)
            return kith_os_say(a->why, KITH_E_IO, "%s: the kernel's answer is cut", a->what);
        int err = hear_message(a, &h, (struct kith_span){in.p + sizeof h, h.nlmsg_len - sizeof h});
        if (first == KITH_OK)
            first = err;
        size_t skip = padded(h.nlmsg_len) < in.n ? padded(h.nlmsg_len) : in.n;
        in = (struct kith_span){in.p + skip, in.n - skip};
    }
    return first;
}

static int hear_answer(struct kith_netlink *nl, struct answer *a)
{
    uint8_t buf[RECEIVE_MAX];
    struct kith_span in = {0};
    int first = KITH_OK;

    while (!a->done) {
        int err = receive(nl, buf, sizeof buf, &in, a->what, a->why);
        if (err < 0)
            return err;
        err = hear_datagram(a, in);
        if (first == KITH_OK)
            first = err;
    }
    return first;
}

int kith_nl_ask(struct kith_netlink *nl, struct kith_nl_request *q, kith_nl_visit *visit, void *ctx,
                const char *what, struct kith_os_why *why)
{
    int err = send_request(nl, q, NLM_F_ACK, what, why);
    struct answer a = {
        .seq = nl->seq, .port = nl->port, .visit = visit, .ctx = ctx, .what = what, .why = why};

    return err < 0 ? err : hear_answer(nl, &a);
}

int kith_nl_dump(struct kith_netlink *nl, uint16_t type, void (*restart)(void *ctx),
                 kith_nl_visit *visit, void *ctx, struct kith_os_why *why)
{
    /* the family is the first byte of every body; a longer body than needed is welcome */
    struct rtmsg any = {.rtm_family = AF_UNSPEC};
    const char *what = type == RTM_GETADDR ? "list addresses" : "list routes";

    for (int i = 0; i < DUMPS_MAX; i++) {
        struct kith_nl_request q = kith_nl_request(type, 0, KITH_SPAN_OF(any));
        restart(ctx);
        int err = send_request(nl, &q, NLM_F_DUMP, what, why);
        struct answer a = {
            .seq = nl->seq, .port = nl->port, .visit = visit, .ctx = ctx, .what = what, .why = why};
        if (err == KITH_OK)
            err = hear_answer(nl, &a);
        if (err < 0 || !a.interrupted)
            return err;
    }
    return kith_os_say(why, KITH_E_AGAIN, "%s: they change too fast to be listed", what);
}
