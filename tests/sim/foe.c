#include "sim/foe.h"

#include <stdlib.h>

#include "session/internal.h"

static void on_event(void *ctx, const struct kith_event *ev)
{
    const struct foe *f = ctx;

    sim_host_trace(f->host, "foe", ev);
}

static void forget_questions(struct foe *f)
{
    for (struct kith_session *s = kith_sessions_next(f->sessions, NULL); s != NULL;
         s = kith_sessions_next(f->sessions, s))
        for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
            s->flow[i].pong_owed = false;
}

static void on_deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct foe *f = ctx;

    kith_sessions_receive(f->sessions, run, now);
    if (f->zombie)
        forget_questions(f);
}

static void on_packet(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                      struct kith_marks marks, kith_time now)
{
    struct foe *f = ctx;

    (void)s, (void)slot, (void)packet, (void)marks, (void)now;
    f->packets++;
}

static void start(struct foe *f)
{
    struct kith_sessions_config cfg = {.self = f->identity.id, .software = "foe"};
    struct kith_packet_sink sink = {.packet = on_packet, .ctx = f};

    cfg.quic.key = f->identity.key;
    cfg.boot_id = kith_random_u64(f->env.random) | 1;
    if (kith_sessions_new(&cfg, &f->env, &sink, &f->sessions) < 0)
        abort();
}

static void init(struct foe *f, struct sim_net *net, const char *addr,
                 const struct kith_sign_seed *seed)
{
    memset(f, 0, sizeof *f);
    f->net = net;
    f->events = (struct kith_events){.sink = on_event, .ctx = f};
    f->env =
        (struct kith_env){.alloc = &kith_heap, .random = sim_net_random(net), .events = &f->events};
    f->host = sim_host_add(net, addr, on_deliver, f);
    sim_host_batch(f->host, &f->transport, &f->batch);
    if (kith_identity_from_seed(&kith_heap, seed, &f->identity) < 0)
        abort();
    start(f);
}

void foe_init(struct foe *f, struct sim_net *net, const char *addr, uint8_t seed)
{
    init(f, net, addr, &(struct kith_sign_seed){{seed, 99}});
}

void foe_init_as_node(struct foe *f, struct sim_net *net, const char *addr, uint8_t node_seed)
{
    init(f, net, addr, &(struct kith_sign_seed){{node_seed, 77}});
}

void foe_fini(struct foe *f)
{
    kith_sessions_free(f->sessions);
    kith_tx_fini(&f->batch);
    kith_identity_fini(&f->identity);
}

void foe_restart(struct foe *f)
{
    kith_sessions_free(f->sessions);
    start(f);
}

void foe_dial(struct foe *f, const struct node_peer_sim *to)
{
    struct kith_session *s;
    kith_time now = sim_net_now(f->net);

    if (kith_sessions_get(f->sessions, &to->identity.id, now, &s) < 0)
        abort();
    kith_session_trust(s, true);
    kith_session_set_addrs(s, sim_host_addr(to->host), 1, now);
    kith_session_want(s, true, now);
}

struct kith_session *foe_session(const struct foe *f, const struct node_peer_sim *to)
{
    return kith_sessions_find(f->sessions, &to->identity.id);
}

bool foe_is_up(const struct foe *f, const struct node_peer_sim *to)
{
    return foe_conn(f, to) != NULL;
}

struct kith_conn *foe_conn(const struct foe *f, const struct node_peer_sim *to)
{
    const struct kith_session *s = foe_session(f, to);

    return s != NULL && s->used != NULL ? s->used->conn : NULL;
}

int foe_say(struct foe *f, const struct node_peer_sim *to, const uint8_t *message, size_t n)
{
    struct kith_session *s = foe_session(f, to);

    if (s == NULL)
        return KITH_E_STATE;
    return kith_session_send_control(s, (struct kith_span){message, n}, sim_net_now(f->net));
}

int foe_say_raw(struct foe *f, const struct node_peer_sim *to, const uint8_t *bytes, size_t n)
{
    struct kith_session *s = foe_session(f, to);

    if (s == NULL || s->used == NULL)
        return KITH_E_STATE;
    return kith_conn_stream_send(s->used->conn, s->used->control, (struct kith_span){bytes, n},
                                 false);
}

int foe_datagram(struct foe *f, const struct node_peer_sim *to, const uint8_t *bytes, size_t n)
{
    struct kith_conn *c = foe_conn(f, to);
    kith_time now = sim_net_now(f->net);

    if (c == NULL)
        return KITH_E_STATE;
    int err = kith_conn_datagram_send(c, &f->batch, &(struct kith_span){bytes, n}, 1, now);
    kith_conn_burst_end(c, now);
    kith_tx_flush(&f->batch);
    return err;
}

static void on_stream(struct foe *f, const struct kith_session_effect *fx)
{
    struct kith_span in = kith_conn_stream_peek(fx->conn, fx->stream, &f->answer_fin);

    f->answer_reset |= (fx->flags & KITH_STREAM_RESET) != 0;
    if (in.n <= sizeof f->answer && in.n > 0) {
        kith_copy(f->answer, in.p, in.n);
        f->answer_len = in.n;
    }
}

static void note_request(struct foe *f, struct kith_span message)
{
    if (message.p[0] != KITH_WIRE_path_request || message.n > sizeof f->asked)
        return;
    memcpy(f->asked, message.p, message.n);
    f->asked_len = message.n;
}

void foe_pump(struct foe *f)
{
    struct kith_session_effect fx;
    kith_time now = sim_net_now(f->net);

    if (kith_sessions_deadline(f->sessions) <= now)
        kith_sessions_tick(f->sessions, now);
    while (!f->deaf && kith_sessions_next_effect(f->sessions, now, &fx)) {
        f->ups += fx.kind == KITH_SESSION_UP;
        if (fx.kind == KITH_SESSION_DOWN) {
            f->downs++;
            f->last_end = *fx.end;
        } else if (fx.kind == KITH_SESSION_CONTROL) {
            f->controls[fx.message.p[0]]++;
            note_request(f, fx.message);
        } else if (fx.kind == KITH_SESSION_STREAM) {
            on_stream(f, &fx);
        }
    }
    kith_sessions_flush(f->sessions, &f->batch, now);
    kith_tx_flush(&f->batch);
}

struct crowd {
    struct foe *const *foe;
    size_t n;
};

static bool pump_all(void *ctx)
{
    const struct crowd *c = ctx;

    for (size_t i = 0; i < c->n; i++)
        foe_pump(c->foe[i]);
    return false;
}

void foes_run(struct node_peer_sim **nodes, size_t n_nodes, struct foe *const *foes, size_t n_foes,
              kith_dur how_long)
{
    struct crowd crowd = {.foe = foes, .n = n_foes};
    kith_time end = sim_net_now(nodes[0]->net) + how_long, now;

    while ((now = sim_net_now(nodes[0]->net)) < end) /* the foes' own clocks tick this finely */
        (void)node_sims_run(nodes, n_nodes, pump_all, &crowd,
                            end - now < 5 * KITH_MSEC ? end - now : 5 * KITH_MSEC);
}
