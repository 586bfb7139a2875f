/* join.c: enrolment at the joiner: reach the issuer, prove the ticket, take over what comes.
 *
 * The ticket's secret stays here: the issuer gets a proof that is bound to this connection. A
 * request ends when the issuer has shown its own membership, so that packets pass at once. */
#include "node/internal.h"

static struct node_join *join_with(const struct kith_node *n, const struct kith_peer_id *peer)
{
    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++)
        if (n->join[i].state != JOIN_FREE && n->join[i].state != JOIN_ENDED &&
            kith_peer_id_equal(&n->join[i].issuer, peer))
            return (struct node_join *)&n->join[i];
    return NULL;
}

bool join_is_with(const struct kith_node *n, const struct kith_peer_id *peer)
{
    return join_with(n, peer) != NULL;
}

bool join_may_wait(const struct kith_node *n, const struct kith_peer_id *peer)
{
    const struct node_join *j = join_with(n, peer);

    return j == NULL || j->state == JOIN_WAITING;
}

void join_sent_away(struct kith_node *n, const struct kith_peer_id *peer, kith_time until)
{
    struct node_join *j = join_with(n, peer);

    if (j != NULL)
        j->again_at = until;
}

/* The ticket's secret goes at once; the session with the issuer in the next tick. */
static void join_end(struct kith_node *n, struct node_join *j, int err, const char *remedy,
                     const char *text)
{
    const struct kith_peer_id issuer = j->issuer;

    if (!j->silent)
        node_done(n, j->call, err, &j->network, remedy, text);
    kith_wipe(j, sizeof *j);
    j->state = JOIN_ENDED;
    j->issuer = issuer;
}

static void let_go_of_issuer(struct kith_node *n, struct node_join *j, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &j->issuer);
    const struct node_peer *p = peer_find(n, &j->issuer);

    j->state = JOIN_FREE;
    if (s == NULL || join_with(n, &j->issuer) != NULL)
        return;
    if (p == NULL || p->member_of == 0)
        kith_session_close(s, KITH_CLOSE_DONE, "the enrolment ended", now.mono);
}

static struct node_join *free_join(struct kith_node *n)
{
    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++)
        if (n->join[i].state == JOIN_FREE)
            return &n->join[i];
    return NULL;
}

/* ---- the issuer, until it has greeted ---- */

struct issuer_key {
    char text[64];
};

static const char *issuer_key(const struct kith_network_id *network, struct issuer_key *ret)
{
    char id[KITH_ID_TEXT];

    return kith_format(ret->text, sizeof ret->text, "issuer:%s",
                       kith_network_id_text(network, id, sizeof id));
}

int join_remember(struct kith_node *n, const struct kith_network_id *network,
                  const struct kith_peer_id *contact, size_t count)
{
    struct issuer_key key;

    return kith_store_setting_put(n->store, issuer_key(network, &key),
                                  (struct kith_span){contact->b, count * sizeof *contact});
}

static void forget_issuer(struct kith_node *n, const struct kith_network_id *network)
{
    struct issuer_key key;
    int err = kith_store_setting_remove(n->store, issuer_key(network, &key));

    if (err < 0 && err != KITH_E_NOTFOUND)
        kith_event_store_failed(n->env->events, "forget an issuer", kith_err_text(err));
}

static int reach(struct kith_node *n, struct node_join *j, const struct kith_addr *addr,
                 size_t count, struct kith_now now)
{
    struct kith_session *s;
    int err = kith_sessions_get(n->sessions, &j->issuer, now.mono, &s);

    if (err < 0)
        return err;
    kith_session_trust(s, true); /* the ticket pins it */
    kith_session_set_addrs(s, addr, count, now.mono);
    kith_session_want(s, true, now.mono);
    if (kith_session_is_up(s))
        join_session_up(n, &j->issuer, now);
    return KITH_OK;
}

static void look_for(struct kith_node *n, const struct kith_network_id *network,
                     const uint8_t *contact, struct kith_now now)
{
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];
    struct node_join *j = free_join(n);

    if (j == NULL)
        return;
    *j = (struct node_join){.state = JOIN_WAITING,
                            .silent = true,
                            .until = kith_after(now.mono, JOIN_GREET_SECONDS * KITH_SEC),
                            .network = *network};
    memcpy(j->issuer.b, contact, sizeof j->issuer.b);
    if (blocks_has(n, &j->issuer)) {
        j->again_at = kith_after(now.mono, UNWELCOME_TIME);
        return;
    }
    size_t count = peer_stored_addrs(n, &j->issuer, addr, KITH_COUNT(addr));
    if (reach(n, j, addr, count, now) < 0)
        *j = (struct node_join){.state = JOIN_FREE};
}

void join_resume(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    uint8_t contact[JOIN_CONTACTS * sizeof(struct kith_peer_id)];
    struct issuer_key key;
    struct kith_span kept;

    if (kith_store_setting_get(n->store, issuer_key(&net->id, &key), &kept) < 0 ||
        kept.n > sizeof contact || kept.n % sizeof(struct kith_peer_id) != 0)
        return;
    memcpy(contact, kept.p, kept.n); /* the store's, until its next get */
    for (size_t at = 0; at < kept.n; at += sizeof(struct kith_peer_id))
        look_for(n, &net->id, contact + at, now);
}

/* ---- starting ---- */

static int start(struct kith_node *n, struct node_join *j, const struct kith_ticket *t,
                 struct kith_now now)
{
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];
    struct kith_reader r = kith_reader_on(t->addrs.bytes);
    struct kith_addr_item item;
    char text[KITH_ADDR_TEXT];
    size_t count = 0;

    while (count < KITH_SESSION_ADDRS_MAX && kith_addr_item_next(&r, &item)) {
        addr[count++] = item.addr;
        /* kept for the time before the issuer tells its addresses itself */
        (void)!kith_store_address_learn(n->store, t->issuer.b,
                                        kith_addr_text(&item.addr, text, sizeof text), now.wall);
    }
    return reach(n, j, addr, count, now);
}

static int check_ticket(const struct kith_node *n, const struct kith_ticket *t, struct kith_now now,
                        struct kith_node_why *why)
{
    if (t->expires <= now.wall)
        return node_say(why, KITH_E_EXPIRED, "ask for a new one; or is this machine's clock right?",
                        "the ticket has expired");
    if (peer_is_self(n, &t->issuer))
        return node_say(why, KITH_E_INVAL, "use it on another machine",
                        "this node issued the ticket itself");
    if (blocks_has(n, &t->issuer))
        return node_say(why, KITH_E_STATE, "kith block lists them, kith unblock takes one away",
                        "this node blocks the issuer of the ticket");
    if (network_by_id(n, &t->network) != NULL)
        return node_say(why, KITH_E_EXISTS, "", "this node is a member of %s already",
                        network_by_id(n, &t->network)->name);
    if (join_is_with(n, &t->issuer))
        return node_say(why, KITH_E_STATE, "wait for it to end",
                        "an enrolment at that issuer is under way");
    if (t->addrs.n == 0)
        return node_say(why, KITH_E_UNREACHABLE, "ask for a ticket made while the issuer is online",
                        "the ticket names no address of its issuer");
    return KITH_OK;
}

int kith_node_join(struct kith_node *n, const char *ticket, const char *name, uint64_t call,
                   struct kith_now now, struct kith_node_why *why)
{
    uint8_t buf[KITH_TICKET_MAX];
    struct kith_ticket t;
    const char *text = "";
    struct node_join *j = free_join(n);
    int err = kith_ticket_parse(ticket, buf, sizeof buf, &t, &text);

    if (err < 0) {
        kith_wipe(buf, sizeof buf);
        return node_say(why, err, "copy the whole line that kith invite printed", "%s", text);
    }
    err = check_ticket(n, &t, now, why);
    if (err >= 0 && j == NULL)
        err = node_say(why, KITH_E_FULL, "wait for one to end", "too many enrolments under way");
    if (err >= 0 && j != NULL) {
        *j = (struct node_join){.state = JOIN_DIALLING,
                                .call = call,
                                .until = kith_after(now.mono, JOIN_SECONDS * KITH_SEC),
                                .issuer = t.issuer,
                                .network = t.network,
                                .secret = t.secret};
        kith_label_from(name != NULL ? name : n->name, j->name, sizeof j->name);
        err = start(n, j, &t, now);
        if (err < 0) {
            kith_wipe(j, sizeof *j);
            (void)node_say(why, err, "", "cannot join: %s", kith_err_text(err));
        }
    }
    kith_wipe(buf, sizeof buf);
    kith_wipe(&t, sizeof t);
    return err;
}

/* ---- asking ---- */

static int send_request(struct kith_node *n, struct node_join *j)
{
    struct kith_enrol_request request = {
        .version = 1, .network = j->network, .name = kith_span_text(j->name)};
    struct kith_enrol_exporter exporter;
    size_t len = 0, frame;

    memcpy(exporter.b, kith_conn_exporter(j->conn), sizeof exporter.b);
    struct kith_enrol_claim claim = {.exporter = &exporter,
                                     .network = &j->network,
                                     .issuer = &j->issuer,
                                     .joiner = &n->identity->id,
                                     .name = request.name};
    request.spki = (struct kith_span){n->identity->pub.spki, sizeof n->identity->pub.spki};
    int err = kith_ticket_id(&j->secret, &request.ticket);
    if (err >= 0)
        err = kith_ticket_prove(&j->secret, &claim, &request.proof);
    if (err >= 0)
        err = kith_enrol_request_encode(&request, n->scratch + KITH_FRAME_HEAD, KITH_FRAME_BODY_MAX,
                                        &len);
    if (err >= 0)
        err = kith_frame_close(n->scratch, len, &frame);
    if (err >= 0)
        err =
            kith_conn_stream_send(j->conn, j->stream, (struct kith_span){n->scratch, frame}, true);
    kith_wipe(&exporter, sizeof exporter);
    return err;
}

void join_session_up(struct kith_node *n, const struct kith_peer_id *peer, struct kith_now now)
{
    struct node_join *j = join_with(n, peer);
    struct kith_session *s = kith_sessions_find(n->sessions, peer);

    if (j == NULL || s == NULL)
        return;
    if (j->state == JOIN_WAITING) { /* the connection broke before the issuer heard us */
        struct node_network *net = network_by_id(n, &j->network);
        struct node_peer *p = peer_get(n, peer);
        if (net != NULL && p != NULL)
            gossip_show_membership(n, p, net, now);
        return;
    }
    kith_session_trust(s, true);
    int err = kith_session_open_stream(s, KITH_STREAM_ENROL, &j->conn, &j->stream);
    if (err >= 0)
        err = send_request(n, j);
    if (err < 0)
        join_end(n, j, err, "", "cannot send the request");
    else
        j->state = JOIN_ASKED;
}

/* ---- the answer ---- */

static const char *remedy_for(uint8_t status)
{
    switch (status) {
    case KITH_ENROL_EXPIRED:
    case KITH_ENROL_USED:
    case KITH_ENROL_REFUSED: return "ask the network's admin for a new ticket";
    case KITH_ENROL_NAME: return "choose a name with --name";
    case KITH_ENROL_BUSY: return "try again in a few minutes";
    case KITH_ENROL_VERSION: return "update kith on both machines";
    default: return "ask the network's admin";
    }
}

static int error_for(uint8_t status)
{
    switch (status) {
    case KITH_ENROL_EXPIRED: return KITH_E_EXPIRED;
    case KITH_ENROL_USED: return KITH_E_USED;
    case KITH_ENROL_REVOKED: return KITH_E_REVOKED;
    case KITH_ENROL_BUSY: return KITH_E_AGAIN;
    case KITH_ENROL_VERSION: return KITH_E_VERSION;
    case KITH_ENROL_NO_ADDRESS: return KITH_E_FULL;
    default: return KITH_E_REFUSED;
    }
}

static void on_answer(struct kith_node *n, struct node_join *j, struct kith_span message,
                      struct kith_now now)
{
    struct kith_enrol_answer a;
    struct kith_node_why why = {.text = ""};
    struct node_network *net;

    if (kith_enrol_answer_decode(message, &a) < 0) {
        join_end(n, j, KITH_E_PROTOCOL, "update kith on both machines",
                 "the issuer's answer makes no sense");
        return;
    }
    if (a.status != KITH_ENROL_OK) {
        char text[160];
        kith_format(text, sizeof text, "the issuer says: %s", kith_enrol_status_text(a.status));
        join_end(n, j, error_for(a.status), remedy_for(a.status), text);
        return;
    }
    int err =
        network_adopt(n, &j->network, &j->issuer, a.network, a.admin, a.cert, now, &net, &why);
    if (err < 0) {
        join_end(n, j, err, why.remedy, why.text);
        return;
    }
    j->state = JOIN_WAITING;
    char name[KITH_LABEL_MAX + 1];
    kith_format(name, sizeof name, "%.*s", (int)a.name.n, (const char *)a.name.p);
    kith_event_network_joined(n->env->events, net->name, name);
    struct kith_session *s = kith_sessions_find(n->sessions, &j->issuer);
    struct node_peer *p = peer_get(n, &j->issuer);
    if (s != NULL) /* where the ticket found the issuer it will be found again */
        peer_note_address(n, s, now);
    if (p != NULL) /* it answers with its own membership */
        gossip_show_membership(n, p, net, now);
}

void join_stream(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now)
{
    struct node_join *j = join_with(n, kith_session_peer(fx->session));
    struct kith_span message;
    size_t used;
    bool fin;

    if (j == NULL || j->state != JOIN_ASKED || fx->conn != j->conn || fx->stream != j->stream)
        return;
    if ((fx->flags & KITH_STREAM_RESET) != 0) {
        join_end(n, j, KITH_E_REFUSED, "ask the network's admin", "the issuer broke off");
        return;
    }
    struct kith_span in = kith_conn_stream_peek(fx->conn, fx->stream, &fin);
    int err = kith_frame_take(in, &message, &used);
    if (err == KITH_E_AGAIN && !fin)
        return;
    if (err < 0) {
        join_end(n, j, KITH_E_PROTOCOL, "update kith on both machines",
                 "the issuer's answer is cut off");
        return;
    }
    on_answer(n, j, message, now);
    kith_conn_stream_consume(fx->conn, fx->stream, in.n);
}

void join_member_proved(struct kith_node *n, const struct kith_peer_id *peer,
                        const struct node_network *net)
{
    struct node_join *j = join_with(n, peer);

    if (j == NULL || j->state != JOIN_WAITING || !kith_network_id_equal(&j->network, &net->id))
        return;
    join_forget(n, net); /* the others are found through it */
}

/* ---- failing ---- */

void join_dial_failed(struct kith_node *n, const struct kith_peer_id *peer, const char *why,
                      bool others)
{
    struct node_join *j = join_with(n, peer);

    if (j != NULL && j->state == JOIN_DIALLING && others)
        join_end(n, j, KITH_E_AUTH,
                 "ask for a new ticket: another node has the issuer's address by now",
                 "whoever answers is not the issuer that the ticket names");
    else if (j != NULL)
        kith_format(j->last_failure, sizeof j->last_failure, "%s", why);
}

void join_forget(struct kith_node *n, const struct node_network *net)
{
    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++)
        if (n->join[i].state == JOIN_WAITING &&
            kith_network_id_equal(&n->join[i].network, &net->id))
            join_end(n, &n->join[i], KITH_OK, "", "");
    forget_issuer(n, &net->id);
}

/* It sent us away a while ago, and may have heard of us since. */
static void dial_again(struct kith_node *n, struct node_join *j, struct kith_now now)
{
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];

    if (j->state != JOIN_WAITING || j->again_at == 0 || now.mono < j->again_at)
        return;
    if (blocks_has(n, &j->issuer)) {
        j->again_at = kith_after(now.mono, UNWELCOME_TIME);
        return;
    }
    j->again_at = 0;
    size_t count = peer_stored_addrs(n, &j->issuer, addr, KITH_COUNT(addr));
    if (reach(n, j, addr, count, now) < 0)
        j->again_at = kith_after(now.mono, UNWELCOME_TIME);
}

void join_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++) {
        struct node_join *j = &n->join[i];
        char text[160];
        if (j->state == JOIN_ENDED)
            let_go_of_issuer(n, j, now);
        dial_again(n, j, now);
        if (j->state == JOIN_FREE || now.mono < j->until)
            continue;
        if (j->state == JOIN_WAITING) { /* we are a member, only the issuer is slow to greet */
            if (!j->silent)
                node_done(n, j->call, KITH_OK, &j->network, "", "");
            if (j->silent || network_by_id(n, &j->network) == NULL) {
                j->silent = true;
                forget_issuer(n, &j->network);
                join_end(n, j, KITH_OK, "", "");
                continue;
            }
            /* nobody else is known to us yet: without the issuer we would stay alone */
            j->silent = true;
            j->until = kith_after(now.mono, JOIN_GREET_SECONDS * KITH_SEC);
            continue;
        }
        kith_format(text, sizeof text, "the issuer does not answer%s%s",
                    j->last_failure[0] != '\0' ? ": " : "", j->last_failure);
        join_end(n, j, KITH_E_UNREACHABLE,
                 "check that it is running and that UDP reaches it from here", text);
    }
}

kith_time join_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++) {
        const struct node_join *j = &n->join[i];
        if (j->state != JOIN_FREE)
            at = kith_sooner(at, j->until);
        if (j->state == JOIN_WAITING && j->again_at != 0)
            at = kith_sooner(at, j->again_at);
    }
    return at;
}

void join_cancel(struct kith_node *n, uint64_t call)
{
    for (size_t i = 0; i < KITH_NODE_JOINS_MAX; i++) {
        struct node_join *j = &n->join[i];
        if (j->state == JOIN_FREE || j->state == JOIN_ENDED || j->call != call)
            continue;
        j->silent = true;
        if (j->state != JOIN_WAITING)
            join_end(n, j, KITH_E_CANCELLED, "", "");
    }
}
