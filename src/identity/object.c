#include "identity/object.h"

static const char sign_prefix[] = "kith object v1"; /* its NUL is signed, too (spec objects 2.3) */
static const char key_prefix[] = "kith object key v1";

/* ---- keys ---- */

/* Spec objects 4.1: only statements that belong to their signer are told apart by signer. */
static bool belongs_to_signer(uint8_t kind)
{
    return kind == KITH_OBJECT_revocation_body || kind == KITH_OBJECT_members_body ||
           kith_object_is_own(kind);
}

bool kith_object_is_own(uint8_t kind)
{
    return kind == KITH_OBJECT_endpoints_body || kind == KITH_OBJECT_announcement_body;
}

int kith_object_key_of(const struct kith_network_id *network, uint8_t kind,
                       const struct kith_peer_id *signer, const struct kith_peer_id *subject,
                       struct kith_object_key *ret)
{
    static const struct kith_peer_id none;
    const struct kith_peer_id *by = belongs_to_signer(kind) ? signer : &none;
    struct kith_span parts[] = {kith_span_text(key_prefix), KITH_SPAN_OF(*network),
                                KITH_SPAN_OF(kind), KITH_SPAN_OF(*by), KITH_SPAN_OF(*subject)};
    struct kith_hash h;
    int err = kith_sha256_parts(parts, KITH_COUNT(parts), &h);

    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

bool kith_object_beats(const struct kith_object *a, const struct kith_object *b)
{
    if (a->env.number != b->env.number)
        return a->env.number > b->env.number;
    return memcmp(a->hash.b, b->hash.b, sizeof a->hash.b) < 0;
}

/* ---- signing ---- */

/* The library signs one piece, so the prefix and the object are laid end to end. */
static struct kith_span signed_part(uint8_t *to, struct kith_span head_and_body)
{
    memcpy(to, sign_prefix, sizeof sign_prefix);
    memcpy(to + sizeof sign_prefix, head_and_body.p, head_and_body.n);
    return (struct kith_span){to, sizeof sign_prefix + head_and_body.n};
}

enum { SIGNED_MAX = sizeof sign_prefix + KITH_OBJECT_HEAD + KITH_OBJECT_BODY_MAX };

int kith_object_sign(const struct kith_identity *signer, const struct kith_object_head *head,
                     struct kith_span body, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_signature sig = {{0}};
    struct kith_envelope env = {.version = KITH_OBJECT_VERSION,
                                .kind = head->kind,
                                .network = head->network,
                                .signer = signer->id,
                                .number = head->number,
                                .issued = head->issued,
                                .body = body,
                                .signature = KITH_SPAN_OF(sig)};
    uint8_t msg[SIGNED_MAX];
    size_t n = 0;
    int err = kith_envelope_encode(&env, buf, cap, &n);

    if (err < 0)
        return err;
    struct kith_span unsigned_part = {buf, n - sizeof sig.b};
    err = kith_sign(signer->key, signed_part(msg, unsigned_part), &sig);
    if (err < 0)
        return err;
    memcpy(buf + unsigned_part.n, sig.b, sizeof sig.b);
    *ret_len = n;
    return KITH_OK;
}

int kith_object_verify(const struct kith_object *obj, const struct kith_public_key *signer)
{
    struct kith_signature sig;
    struct kith_peer_id id;
    uint8_t msg[SIGNED_MAX];
    int err = kith_peer_id_of(signer, &id);

    if (err < 0)
        return err;
    if (!kith_peer_id_equal(&id, &obj->env.signer))
        return KITH_E_AUTH;
    memcpy(sig.b, obj->env.signature.p, sizeof sig.b);
    struct kith_span unsigned_part = {obj->bytes.p, obj->bytes.n - sizeof sig.b};
    return kith_verify(signer, signed_part(msg, unsigned_part), &sig);
}

/* ---- opening ---- */

/* Whether spki hashes to id. Spec identity 3.4. */
static int shown_key_fits(struct kith_span spki, const uint8_t id[32])
{
    struct kith_hash h;
    int err = kith_sha256(spki, &h);

    if (err < 0)
        return err;
    return memcmp(h.b, id, sizeof h.b) == 0 ? KITH_OK : KITH_E_MALFORMED;
}

/* Ascending and without repetition, so that members are found by halving (spec objects 3.6.2). */
static bool members_in_order(const struct kith_members_body *m, uint64_t number)
{
    struct kith_reader r = kith_reader_on(m->members.bytes);
    struct kith_member_item last = {{{0}}, 0}, item;

    for (bool first = true; kith_member_item_next(&r, &item); first = false) {
        if (!first && memcmp(last.peer.b, item.peer.b, sizeof item.peer.b) >= 0)
            return false;
        if (item.serial >= number)
            return false;
        last = item;
    }
    return true;
}

static int open_network(struct kith_object *o)
{
    int err = kith_network_body_decode(o->env.body, &o->network);

    if (err < 0)
        return err;
    if (o->network.ipv4.ip.family != KITH_FAMILY_IP4)
        return KITH_E_MALFORMED;
    return shown_key_fits(o->network.root, o->env.network.b);
}

static int open_admin(struct kith_object *o)
{
    int err = kith_admin_body_decode(o->env.body, &o->admin);

    if (err < 0)
        return err;
    if (o->admin.ipv4.ip.family != KITH_FAMILY_IP4 || o->admin.serial_first > o->admin.serial_last)
        return KITH_E_MALFORMED;
    return shown_key_fits(o->admin.spki, o->admin.peer.b);
}

static bool subnets_ok(const struct kith_records *subnets)
{
    struct kith_reader r = kith_reader_on(subnets->bytes);
    struct kith_subnet_item item;

    while (kith_subnet_item_next(&r, &item))
        if (item.prefix.ip.family == KITH_FAMILY_NONE)
            return false;
    return true;
}

static int open_member(struct kith_object *o)
{
    int err = kith_member_body_decode(o->env.body, &o->member);

    if (err < 0)
        return err;
    /* spec objects 3.3.1, 3.3.4 */
    if (o->member.ipv4.family != KITH_FAMILY_IP4 || o->member.not_before > o->member.not_after ||
        !subnets_ok(&o->member.subnets))
        return KITH_E_MALFORMED;
    return shown_key_fits(o->member.spki, o->member.peer.b);
}

static int open_members(struct kith_object *o)
{
    int err = kith_members_body_decode(o->env.body, &o->members);

    if (err == KITH_OK && !members_in_order(&o->members, o->env.number))
        err = KITH_E_MALFORMED;
    return err;
}

/* Ascending and without repetition: one announcement has one form (spec objects 3.7.3). */
static bool services_in_order(const struct kith_records *services)
{
    struct kith_reader r = kith_reader_on(services->bytes);
    struct kith_service_item last = {.name = {0}}, item;

    for (bool first = true; kith_service_item_next(&r, &item); first = false) {
        if (!first && kith_span_compare(last.name, item.name) >= 0)
            return false;
        last = item;
    }
    return true;
}

static int open_announcement(struct kith_object *o)
{
    int err = kith_announcement_body_decode(o->env.body, &o->announcement);

    if (err == KITH_OK && !services_in_order(&o->announcement.services))
        err = KITH_E_MALFORMED;
    return err;
}

/* Decodes the body and says whom it is about. */
static int open_body(struct kith_object *o, struct kith_peer_id *ret_subject)
{
    int err = KITH_E_VERSION;

    *ret_subject = o->env.signer;
    switch (o->env.kind) {
    case KITH_OBJECT_network_body:
        err = open_network(o);
        *ret_subject = kith_network_root(&o->env.network);
        break;
    case KITH_OBJECT_admin_body:
        err = open_admin(o);
        *ret_subject = o->admin.peer;
        break;
    case KITH_OBJECT_member_body:
        err = open_member(o);
        *ret_subject = o->member.peer;
        break;
    case KITH_OBJECT_revocation_body:
        err = kith_revocation_body_decode(o->env.body, &o->revocation);
        *ret_subject = o->revocation.peer;
        break;
    case KITH_OBJECT_endpoints_body:
        err = kith_endpoints_body_decode(o->env.body, &o->endpoints);
        break;
    case KITH_OBJECT_members_body: err = open_members(o); break;
    case KITH_OBJECT_announcement_body: err = open_announcement(o); break;
    }
    return err;
}

int kith_object_open(struct kith_span bytes, struct kith_object *ret)
{
    struct kith_object o = {.bytes = bytes};
    struct kith_peer_id subject;

    if (bytes.n > 0 && bytes.p[0] != KITH_OBJECT_VERSION)
        return KITH_E_VERSION; /* spec objects 2.1 */
    int err = kith_envelope_decode(bytes, &o.env);
    if (err == KITH_OK)
        err = open_body(&o, &subject);
    if (err == KITH_OK)
        err = kith_sha256(bytes, &o.hash);
    if (err == KITH_OK)
        err = kith_object_key_of(&o.env.network, o.env.kind, &o.env.signer, &subject, &o.key);
    if (err == KITH_OK)
        *ret = o;
    return err;
}
