/* control.c: the control stream of each connection: hello, what the session itself answers, and
 * the messages it hands up.
 *
 * The dialling side opens the stream; both sides' first message is hello. Spec: control-stream. */
#include "session/internal.h"

#include "wire/frame.h"

enum {
    CONTROL_VERSION = 1,
    HANDSHAKE_BYTES = 16384, /* the handshake itself comes to less than 10 kB */
    MESSAGES_PER_TURN = 16,  /* then other connections have a turn */
    LATER_TYPES = 0x80,      /* from here on unknown types are ignored (control-stream 2.3) */
    ALIVE_BURST = 16,        /* answered at once; then one a second (control-stream 6.1) */
};

#define TWINS_EVENT_EVERY (600 * KITH_SEC)

/* Streams carry their kind as a tag: pointers into this table. */
static uint8_t kind_tags[256];

static void *tag_of(uint8_t kind)
{
    return &kind_tags[kind];
}

static bool tagged(const struct kith_conn *c, int64_t id, uint8_t *ret_kind)
{
    const uint8_t *tag = kith_conn_stream_tag(c, id);

    if (tag == NULL)
        return false;
    *ret_kind = (uint8_t)(tag - kind_tags);
    return true;
}

static int send_frame(struct kith_conn *c, int64_t stream, uint8_t *buf, size_t n)
{
    size_t len;
    int err = kith_frame_close(buf, n, &len);

    return err < 0 ? err : kith_conn_stream_send(c, stream, (struct kith_span){buf, len}, false);
}

static int send_hello(struct kith_session *s, struct subflow *f)
{
    const struct kith_sessions_config *cfg = &s->all->cfg;
    struct kith_hello hello = {.version = CONTROL_VERSION,
                               .capabilities = cfg->capabilities,
                               .software = kith_span_text(cfg->software),
                               .boot_id = cfg->boot_id};
    uint8_t buf[KITH_FRAME_HEAD + 128];
    size_t n;
    int err = kith_hello_encode(&hello, buf + KITH_FRAME_HEAD, sizeof buf - KITH_FRAME_HEAD, &n);

    return err < 0 ? err : send_frame(f->conn, f->control, buf, n);
}

static int open_stream(struct kith_conn *c, enum kith_stream_kind kind, int64_t *ret_id)
{
    uint8_t first = (uint8_t)kind;
    int64_t id;
    int err = kith_conn_stream_open(c, &id);

    if (err < 0)
        return err;
    kith_conn_stream_set_tag(c, id, tag_of(first));
    err = kith_conn_stream_send(c, id, (struct kith_span){&first, 1}, false);
    if (err >= 0)
        *ret_id = id;
    return err;
}

void control_start(struct kith_session *s, struct subflow *f, kith_time now)
{
    if (!kith_conn_dialled(f->conn))
        return;
    int err = open_stream(f->conn, KITH_STREAM_CONTROL, &f->control);
    if (err >= 0)
        err = send_hello(s, f);
    if (err < 0)
        subflow_drop(s, f, KITH_CLOSE_INTERNAL, kith_err_text(err), now);
}

/* ---- what the session itself answers ---- */

static void drop_older_boots(struct kith_session *s, const struct subflow *newest, uint64_t code,
                             const char *why, kith_time now)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (f->conn != NULL && f != newest && f->greeted)
            subflow_drop(s, f, code, why, now);
    }
}

static void tell_twins(struct kith_session *s, const struct subflow *f, kith_time now)
{
    if (kith_rate_takes(&s->twins_paid, TWINS_EVENT_EVERY, 1, 1, now))
        kith_event_identity_twice(s->all->env->events, s->peer.b, &kith_conn_path(f->conn)->remote);
}

/* Another program of the peer's speaks: after the one before, or beside it (boots.h). */
static void on_new_boot(struct kith_session *s, const struct subflow *f, uint64_t boot_id,
                        kith_time now)
{
    if (kith_boots_replace(&s->boots, s->boot_id, boot_id, now)) {
        s->all->count.duplicates++;
        tell_twins(s, f, now);
        drop_older_boots(s, f, KITH_CLOSE_DUPLICATE, "another machine has your identity", now);
    } else {
        drop_older_boots(s, f, KITH_CLOSE_SUPERSEDED, "the peer started anew", now);
    }
    s->tell_restarted = true;
    memset(s->slot, 0xff, sizeof s->slot);
}

static int on_hello(struct kith_session *s, struct subflow *f, struct kith_span in, kith_time now)
{
    struct kith_hello hello;
    int err = kith_hello_decode(in, &hello);

    if (err < 0)
        return err;
    if (f->greeted || hello.version < CONTROL_VERSION)
        return KITH_E_PROTOCOL;
    f->greeted = true;
    f->taken_at = now;
    f->look_at = kith_after(now, STALL_LOOK);
    kith_copy(s->software, hello.software.p, hello.software.n);
    s->software[hello.software.n] = '\0';
    if (s->boot_id != 0 && s->boot_id != hello.boot_id)
        on_new_boot(s, f, hello.boot_id, now);
    s->boot_id = hello.boot_id;
    s->failing_since = KITH_NEVER;
    s->capabilities = s->all->cfg.capabilities & hello.capabilities;
    /* KITH_E_STATE: the end of the connection came with its hello, which is no want of memory */
    err = (s->capabilities & KITH_CAP_PLANE) != 0 ? kith_conn_plane_start(f->conn) : KITH_OK;
    if (err < 0 && err != KITH_E_STATE)
        kith_event_out_of_memory(s->all->env->events, "opening the second packet plane", 0);
    subflow_choose(s, now);
    return KITH_OK;
}

/* A message of a type that must be known and whose form is right. */
static int check_form(struct kith_span m)
{
    switch (m.p[0]) {
        /* clang-format off */
#define MESSAGE(name, number, doc)                                                                 \
    case (number): {                                                                               \
        struct kith_##name message;                                                                \
        return kith_##name##_decode(m, &message);                                                  \
    }
#define RECORD(name, doc)
#include "wire/no_fields.h"
#include "wire/control.def"
#include "wire/undef.h"
    /* clang-format on */
    default: return m.p[0] >= LATER_TYPES ? KITH_OK : KITH_E_PROTOCOL;
    }
}

/* Whether one more `alive` is answered; each connection of the session counts for all. */
static bool answers_alive(struct kith_session *s, kith_time now)
{
    bool can = kith_rate_takes(&s->alive_paid, KITH_SEC, 1, ALIVE_BURST, now);

    if (!can)
        kith_session_note(s, KITH_OFFENCE_messages, now);
    return can;
}

static int on_alive(struct kith_session *s, const struct subflow *f, struct kith_span m,
                    kith_time now)
{
    struct kith_alive alive;
    uint8_t buf[KITH_FRAME_HEAD + 16];
    size_t n;
    int err = kith_alive_decode(m, &alive);

    if (err < 0 || !answers_alive(s, now))
        return err;
    err = kith_alive_ack_encode(&(struct kith_alive_ack){.token = alive.token},
                                buf + KITH_FRAME_HEAD, sizeof buf - KITH_FRAME_HEAD, &n);
    if (err >= 0)
        err = send_frame(f->conn, f->control, buf, n);
    return err == KITH_E_AGAIN ? KITH_OK : err; /* one that reads nothing gets no answer */
}

/* Whether the session deals with this message itself; an error ends the connection. */
static int own_message(struct kith_session *s, struct subflow *f, struct kith_span m,
                       bool *ret_mine, kith_time now)
{
    *ret_mine = true;
    if (m.p[0] == KITH_WIRE_hello)
        return on_hello(s, f, m, now);
    if (!f->greeted)
        return KITH_E_PROTOCOL;
    int err = check_form(m);
    if (err < 0)
        return err;
    switch (m.p[0]) {
    case KITH_WIRE_alive: return on_alive(s, f, m, now);
    case KITH_WIRE_alive_ack:
    case KITH_WIRE_drain:
    case KITH_WIRE_goodbye: return KITH_OK; /* packets and the close itself say as much */
    default: *ret_mine = false; return KITH_OK;
    }
}

/* ---- reading ---- */

/* Deals with messages until one is for the node, which is then given out. */
static int read_messages(struct kith_session *s, struct subflow *f, struct kith_session_effect *ret,
                         bool *ret_given, kith_time now)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        struct kith_conn *c = f->conn;
        struct kith_span message;
        bool fin, mine;
        size_t used;
        struct kith_span in = kith_conn_stream_peek(c, f->control, &fin);
        int err = kith_frame_take(in, &message, &used);
        if (err == KITH_E_AGAIN)
            return fin ? KITH_E_PROTOCOL : KITH_OK;
        if (err < 0)
            return err;
        err = own_message(s, f, message, &mine, now);
        if (err < 0 || f->conn != c)
            return err;
        if (!mine) {
            *ret = (struct kith_session_effect){.kind = KITH_SESSION_CONTROL,
                                                .session = s,
                                                .message = message,
                                                .conn = c,
                                                .stream = f->control};
            s->all->held.conn = c;
            s->all->held.stream = f->control;
            s->all->held.used = used;
            *ret_given = true;
            kith_conn_stream_poke(c, f->control); /* there may be more */
            return KITH_OK;
        }
        kith_conn_stream_consume(c, f->control, used);
        if (!kith_list_empty(&s->ready))
            break; /* hello made news, which come before the messages behind it */
    }
    kith_conn_stream_poke(f->conn, f->control);
    return KITH_OK;
}

/* The first byte of a stream the peer opened says what it is. */
static int read_kind(struct kith_session *s, struct subflow *f, int64_t id, uint8_t *ret_kind)
{
    bool fin;
    struct kith_span in = kith_conn_stream_peek(f->conn, id, &fin);

    if (in.n == 0)
        return fin ? KITH_E_PROTOCOL : KITH_E_AGAIN;
    uint8_t kind = in.p[0];
    kith_conn_stream_consume(f->conn, id, 1);
    kith_conn_stream_set_tag(f->conn, id, tag_of(kind));
    *ret_kind = kind;
    if (kind != KITH_STREAM_CONTROL)
        return KITH_OK;
    if (f->control >= 0)
        return KITH_E_PROTOCOL;
    f->control = id;
    return send_hello(s, f);
}

/* What a guest has sent so far on streams; above the limit it goes. */
static bool over_guest_limit(struct kith_session *s, struct subflow *f)
{
    struct kith_conn_stats stats;

    if (s->trusted)
        return false;
    kith_conn_stats(f->conn, &stats);
    return stats.bytes_in >
           f->member_bytes + f->datagram_bytes + KITH_SESSION_GUEST_BYTES + HANDSHAKE_BYTES;
}

/* Our hello could not go, because the end of the connection came along with theirs: nobody's fault.
 */
static bool ended_meanwhile(const struct subflow *f, int err)
{
    return err == KITH_E_CLOSED && kith_conn_end(f->conn)->kind != KITH_END_NONE;
}

void control_stream_event(struct kith_session *s, struct subflow *f,
                          const struct kith_conn_event *ev, struct kith_session_effect *ret,
                          bool *ret_given, kith_time now)
{
    uint8_t kind = 0;
    int err = KITH_OK;

    if (over_guest_limit(s, f)) {
        kith_event_peer_over_limit(s->all->env->events, s->peer.b, "a guest's bytes");
        subflow_drop(s, f, KITH_CLOSE_LIMIT, "too much for a guest", now);
        return;
    }
    if ((ev->flags & KITH_STREAM_OPENED) != 0)
        kith_session_note(s, KITH_OFFENCE_streams, now);
    if (!tagged(f->conn, ev->stream, &kind)) {
        err = read_kind(s, f, ev->stream, &kind);
        if (err == KITH_E_AGAIN)
            return;
    }
    if (err >= 0 && kind == KITH_STREAM_CONTROL) {
        if ((ev->flags & (KITH_STREAM_RESET | KITH_STREAM_DONE)) != 0)
            err = KITH_E_PROTOCOL;
        else
            err = read_messages(s, f, ret, ret_given, now);
    } else if (err >= 0) {
        *ret = (struct kith_session_effect){.kind = KITH_SESSION_STREAM,
                                            .session = s,
                                            .conn = ev->conn,
                                            .stream = ev->stream,
                                            .flags = ev->flags,
                                            .stream_kind = kind};
        *ret_given = true;
    }
    if (err < 0 && f->conn != NULL && !ended_meanwhile(f, err))
        session_broke_rules(s, f, "on a stream", now);
}

/* ---- sending ---- */

int kith_session_send_control(struct kith_session *s, struct kith_span message, kith_time now)
{
    uint8_t head[KITH_FRAME_HEAD] = {(uint8_t)(message.n >> 8), (uint8_t)message.n};

    if (s->used == NULL || s->used->control < 0)
        return KITH_E_STATE;
    if (message.n == 0 || message.n > KITH_FRAME_BODY_MAX)
        return KITH_E_INVAL;
    if (kith_conn_stream_room(s->used->conn, s->used->control) < message.n + sizeof head)
        return KITH_E_AGAIN;
    int err = kith_conn_stream_send(s->used->conn, s->used->control,
                                    (struct kith_span){head, sizeof head}, false);
    if (err >= 0) {
        err = kith_conn_stream_send(s->used->conn, s->used->control, message, false);
        if (err < 0) /* a head without its body: nothing after it would be understood */
            kith_conn_close(s->used->conn, KITH_CLOSE_INTERNAL, kith_err_text(err), now);
    }
    return err;
}

int kith_session_open_stream(struct kith_session *s, enum kith_stream_kind kind,
                             struct kith_conn **ret_conn, int64_t *ret_id)
{
    if (s->used == NULL)
        return KITH_E_STATE;
    int err = open_stream(s->used->conn, kind, ret_id);
    if (err >= 0)
        *ret_conn = s->used->conn;
    return err;
}
