/* enrol.c: enrolment at the issuer: one request on a stream of its own, one answer, the end.
 *
 * Whoever has not proved a ticket's secret hears "refused" and nothing else. The use of the ticket
 * and the certificate are one transaction; a peer that asks again gets the same certificate.
 * Spec: docs/spec/enrolment.md. */
#include "node/internal.h"

/* Who used a ticket and left gets another certificate for it no sooner, seconds. */
#define AGAIN_AFTER ((kith_wall)30)

enum { REQUEST_MAX = 4096 }; /* bytes of a request with its frame, with room: a key takes 1,974 */

struct enrolment {
    struct kith_node *n;
    struct kith_conn *conn;
    struct kith_peer_id peer;
    struct kith_ip source;
    struct kith_enrol_request request;
    struct kith_store_ticket ticket;
    bool again; /* it has used this ticket before */
    bool same;  /* and what it was given then still counts */
    kith_wall last_use;
    struct node_network *net;
    struct kith_now now;
    uint8_t cert[KITH_CERT_MAX];
    size_t cert_len;
    char name[KITH_LABEL_MAX + 1];
    uint8_t groups[KITH_NODE_GROUPS_MAX * (KITH_LABEL_MAX + 1)]; /* the ticket's, copied */
};

static void send_answer(struct enrolment *e, int64_t stream, uint8_t status)
{
    struct kith_enrol_answer answer = {.status = status};
    uint8_t *buf = e->n->scratch;
    size_t len, frame;

    if (status == KITH_ENROL_OK) {
        const struct kith_object *network = kith_netview_network(e->net->view);
        struct kith_object cert;
        answer.network = network->bytes;
        answer.cert = (struct kith_span){e->cert, e->cert_len};
        answer.name = kith_span_text(e->name);
        if (kith_object_open(answer.cert, &cert) >= 0) {
            const struct kith_object *office =
                kith_netview_admin(e->net->view, &cert.env.signer, e->now.wall);
            if (office != NULL)
                answer.admin = office->bytes;
        }
    }
    int err = kith_enrol_answer_encode(&answer, buf + KITH_FRAME_HEAD, KITH_FRAME_BODY_MAX, &len);
    if (err >= 0)
        err = kith_frame_close(buf, len, &frame);
    if (err >= 0)
        err = kith_conn_stream_send(e->conn, stream, (struct kith_span){buf, frame}, true);
    if (err < 0)
        kith_conn_stream_reset(e->conn, stream, KITH_CLOSE_INTERNAL);
}

/* Whether the request holds a ticket of ours and proves its secret. */
static int check_proof(struct enrolment *e)
{
    struct kith_enrol_exporter exporter;
    int err = kith_store_ticket_get(e->n->store, e->request.ticket.b, &e->ticket);
    bool known = err == KITH_OK &&
                 memcmp(e->ticket.network, e->request.network.b, sizeof e->ticket.network) == 0;

    if (!known)
        e->ticket = (struct kith_store_ticket){0}; /* the same work for a ticket that is none */
    memcpy(exporter.b, kith_conn_exporter(e->conn), sizeof exporter.b);
    struct kith_enrol_claim claim = {.exporter = &exporter,
                                     .network = &e->request.network,
                                     .issuer = &e->n->identity->id,
                                     .joiner = &e->peer,
                                     .name = e->request.name};
    struct kith_ticket_secret secret;
    memcpy(secret.b, e->ticket.secret, sizeof secret.b);
    err = kith_ticket_check(&secret, &claim, &e->request.proof);
    kith_wipe(&secret, sizeof secret);
    kith_wipe(&exporter, sizeof exporter);
    kith_wipe(e->ticket.secret, sizeof e->ticket.secret);
    return known && err == KITH_OK ? KITH_OK : KITH_E_AUTH;
}

/* The name to try first: the ticket's, the joiner's wish, or one made of its id. */
static void wanted_name(const struct enrolment *e, char name[KITH_LABEL_MAX + 1])
{
    char id[KITH_ID_SHORT];

    if (e->ticket.name[0] != '\0')
        kith_format(name, KITH_LABEL_MAX + 1, "%s", e->ticket.name);
    else if (e->request.name.n > 0)
        kith_format(name, KITH_LABEL_MAX + 1, "%.*s", (int)e->request.name.n,
                    (const char *)e->request.name.p);
    else
        kith_format(name, KITH_LABEL_MAX + 1, "node-%s",
                    kith_peer_id_short(&e->peer, id, sizeof id));
}

static struct kith_records ticket_groups(const struct kith_store_ticket *t)
{
    struct kith_records groups = {.bytes = t->groups};
    struct kith_reader r = kith_reader_on(t->groups);
    struct kith_group_item item;

    while (kith_group_item_next(&r, &item))
        groups.n++;
    return groups;
}

/* What the peer was given before for this ticket, if it still counts: it may have left since, or
 * have shown itself too late. */
static bool given_before(struct enrolment *e)
{
    struct kith_store_ticket_use use;

    e->again = kith_store_ticket_use_get(e->n->store, e->request.ticket.b, e->peer.b, &use) >= 0;
    e->last_use = e->again ? use.at : 0;
    if (!e->again || use.cert.n > sizeof e->cert)
        return false;
    memcpy(e->cert, use.cert.p, use.cert.n);
    e->cert_len = use.cert.n;
    struct kith_object o;
    struct kith_span cert = {e->cert, e->cert_len};
    /* it is in the store; there may have been no memory to take it over as well */
    if (kith_object_open(cert, &o) < 0 || object_publish(e->n, e->net, cert, e->now) < 0 ||
        e->now.wall >= o.member.not_after ||
        !kith_netview_is_member(e->net->view, &e->peer, e->now.wall))
        return false;
    kith_format(e->name, sizeof e->name, "%.*s", (int)o.member.name.n,
                (const char *)o.member.name.p);
    return true;
}

static int issue_in_transaction(struct enrolment *e)
{
    struct issue_member m = {.peer = e->peer};
    struct kith_store_ticket_use use = {.at = e->now.wall};
    char name[KITH_LABEL_MAX + 1];

    /* the ticket's groups are the store's until its next get: copy them first */
    if (e->ticket.groups.n > sizeof e->groups)
        return KITH_E_CORRUPT;
    kith_copy(e->groups, e->ticket.groups.p, e->ticket.groups.n);
    e->ticket.groups.p = e->groups;
    m.groups = ticket_groups(&e->ticket);
    wanted_name(e, name);
    m.name = name;
    int err = kith_public_key_from(e->request.spki, &m.key);
    if (err >= 0)
        err = issue_cert(e->n, e->net, &m, e->now, e->cert, &e->cert_len, &use.serial, e->name);
    if (err < 0)
        return err;
    memcpy(use.peer, e->peer.b, sizeof use.peer);
    use.cert = (struct kith_span){e->cert, e->cert_len};
    return e->again ? kith_store_ticket_use_replace(e->n->store, e->request.ticket.b, &use)
                    : kith_store_ticket_use_record(e->n->store, e->request.ticket.b, &use);
}

/* Whether somebody whose word stands revoked all certificates of the peer, those to come included:
 * the view holds no other revocations. A leave names its certificates. */
static bool is_banned(const struct enrolment *e)
{
    const struct kith_object *o;

    for (size_t i = 0; (o = kith_netview_revocation(e->net->view, &e->peer, i)) != NULL; i++)
        if (o->revocation.serials.n == 0)
            return true;
    return false;
}

static int admit(struct enrolment *e)
{
    if (is_banned(e))
        return KITH_E_REVOKED;
    e->same = given_before(e);
    if (e->same)
        return KITH_OK;
    if (e->now.wall >= e->ticket.expires)
        return KITH_E_EXPIRED;
    if (e->ticket.uses_left == 0 && !e->again)
        return KITH_E_USED;
    if (e->again && e->now.wall < e->last_use + AGAIN_AFTER)
        return KITH_E_AGAIN; /* each time costs signatures, and words to everybody */
    int err = kith_store_begin(e->n->store);
    if (err < 0)
        return err;
    err = issue_in_transaction(e);
    if (err >= 0)
        return kith_store_commit(e->n->store);
    kith_store_rollback(e->n->store);
    return err;
}

static uint8_t status_of(int err)
{
    switch (err) {
    case KITH_OK: return KITH_ENROL_OK;
    case KITH_E_EXPIRED: return KITH_ENROL_EXPIRED;
    case KITH_E_USED: return KITH_ENROL_USED;
    case KITH_E_REVOKED: return KITH_ENROL_REVOKED;
    case KITH_E_FULL: return KITH_ENROL_NO_ADDRESS;
    case KITH_E_TAKEN:
    case KITH_E_MALFORMED: return KITH_ENROL_NAME;
    default: return KITH_ENROL_BUSY;
    }
}

static void refuse(struct enrolment *e, int err)
{
    const struct kith_addr *from = &kith_conn_path(e->conn)->remote;
    bool too_many;

    kith_event_enrol_refused(e->n->env->events, from, kith_err_text(err));
    if (err != KITH_E_AUTH)
        return;
    kith_enrol_limits_failed(e->n->limits, &e->source, &e->peer, e->now.mono, &too_many);
    if (too_many)
        kith_event_enrol_limited(e->n->env->events, from);
}

/* Judges a request; what to answer. */
static uint8_t judge(struct enrolment *e)
{
    struct kith_public_key key;
    struct kith_peer_id shown;
    int err = kith_enrol_limits_check(e->n->limits, &e->source, &e->peer, e->now.mono);

    if (err < 0)
        return KITH_ENROL_BUSY; /* this source, this peer, or everybody has to wait */
    if (e->request.version != 1)
        return KITH_ENROL_VERSION;
    err = kith_public_key_from(e->request.spki, &key);
    if (err >= 0)
        err = kith_peer_id_of(&key, &shown);
    e->net = network_by_id(e->n, &e->request.network);
    if (err >= 0 && !kith_peer_id_equal(&shown, &e->peer))
        err = KITH_E_AUTH; /* the key of somebody else */
    if (err >= 0)
        err = check_proof(e);
    if (err >= 0 && (e->net == NULL || kith_netview_network(e->net->view) == NULL ||
                     !issue_may(e->n, e->net, e->now.wall)))
        err = KITH_E_AUTH;
    if (err < 0) {
        refuse(e, KITH_E_AUTH);
        return KITH_ENROL_REFUSED;
    }
    err = admit(e);
    if (err < 0)
        refuse(e, err);
    return status_of(err);
}

static void welcome(struct enrolment *e)
{
    struct kith_span cert = {e->cert, e->cert_len};
    struct node_peer *p = peer_find(e->n, &e->peer);

    if (p != NULL) /* one that asks again could make nothing of what it was shown before */
        p->shown &= ~(1u << e->net->slot);
    kith_enrol_limits_succeeded(e->n->limits, &e->peer);
    kith_event_enrolled(e->n->env->events, e->peer.b, e->net->name, e->name);
    if (object_publish(e->n, e->net, cert, e->now) < 0)
        kith_event_store_failed(e->n->env->events, "keep a certificate", e->name);
    if (!e->same)
        issue_list_soon(e->net, e->now);
}

void enrol_stream(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now)
{
    struct enrolment e = {.n = n, .conn = fx->conn, .now = now};
    struct kith_span message;
    size_t used;
    bool fin;
    struct kith_span in = kith_conn_stream_peek(fx->conn, fx->stream, &fin);
    int err;

    if ((fx->flags & KITH_STREAM_READABLE) == 0 || kith_conn_stream_room(fx->conn, fx->stream) == 0)
        return; /* answered already, or reset */
    err = kith_frame_take(in, &message, &used);
    if (err == KITH_E_AGAIN && !fin && in.n <= REQUEST_MAX)
        return;
    if (err >= 0 && used != in.n)
        err = KITH_E_PROTOCOL; /* one request and nothing more */
    if (err >= 0)
        err = kith_enrol_request_decode(message, &e.request);
    if (err < 0) {
        kith_conn_stream_reset(fx->conn, fx->stream, KITH_CLOSE_PROTOCOL);
        return;
    }
    e.peer = *kith_session_peer(fx->session);
    e.source = kith_conn_path(fx->conn)->remote.ip;
    uint8_t status = judge(&e);
    send_answer(&e, fx->stream, status);
    kith_conn_stream_consume(fx->conn, fx->stream, in.n);
    if (status == KITH_ENROL_OK)
        welcome(&e);
}
