/* leave.c: leaving a network: a word to the others, signed so that it travels, and then nothing is
 * left of it here.
 * Spec: docs/spec/objects.md 3.4.5; why: docs/adr/004-leaving.md. */
#include "node/internal.h"

static bool answers(const struct kith_node *n, const struct node_peer *p)
{
    struct kith_session_info info;

    kith_session_info(kith_sessions_find(n->sessions, &p->id), &info);
    return info.up && !info.silent;
}

/* Pushes this node's signed leave to every member connected; to how many. */
static size_t push_to_all(struct kith_node *n, const struct node_network *net,
                          struct kith_span leave, struct kith_now now)
{
    struct kith_push push = {.object = leave};
    size_t told = 0, len;

    for (size_t i = 0; i < n->n_handles; i++) {
        const struct node_peer *p = n->by_handle[i];
        if ((p->proved & 1u << net->slot) == 0 ||
            !kith_netview_is_member(net->view, &p->id, now.wall))
            continue;
        if (kith_push_encode(&push, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0 &&
            gossip_send(n, &p->id, len, now) >= 0)
            told += answers(n, p) ? 1 : 0;
    }
    return told;
}

/* What is said to whoever is connected; they tell the others. Empty for one that is no member: it
 * has nothing to give up. */
static int sign_goodbye(const struct kith_node *n, const struct node_network *net,
                        struct kith_now now, uint8_t *buf, size_t cap, size_t *ret_len)
{
    struct kith_member self;

    *ret_len = 0;
    if (!network_self(n, net, now.wall, &self) || self.standing != KITH_STANDING_MEMBER)
        return KITH_OK;
    return kith_issue_leave(n->identity, &net->id, self.cert->member.serial,
                            kith_issuer_number(0, now.wall), now.wall, buf, cap, ret_len);
}

/* Its peers are strangers from now on, but for those of another network. */
static void part(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    uint32_t bit = 1u << net->slot;

    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        if ((p->member_of & bit) == 0)
            continue;
        p->member_of &= ~bit;
        p->proved &= ~bit;
        p->shown &= ~bit;
        if (p->member_of != 0)
            continue;
        (void)!kith_store_address_clear(n->store, p->id.b); /* the store tells */
        peer_part(n, p, KITH_CLOSE_DONE, now);
    }
}

int kith_node_network_leave(struct kith_node *n, const char *name, struct kith_now now,
                            size_t *ret_told, struct kith_node_why *why)
{
    uint8_t goodbye[KITH_CERT_MAX];
    struct node_network *net;
    size_t len, told = 0;
    int err = network_find(n, name, &net, why);

    if (err < 0)
        return err;
    err = sign_goodbye(n, net, now, goodbye, sizeof goodbye, &len);
    if (err < 0)
        return node_say(why, err, "", "cannot sign the leave: %s", kith_err_text(err));
    err = kith_store_network_remove(n->store, net->id.b);
    if (err < 0)
        return node_say(why, err, "", "the store failed: %s", kith_err_text(err));
    /* gone, whatever follows; that its secrets are still in the log, the store has told */
    (void)!kith_store_checkpoint(n->store);
    join_forget(n, net);
    services_forget(n, net);
    if (len > 0)
        told = push_to_all(n, net, (struct kith_span){goodbye, len}, now);
    part(n, net, now);
    kith_event_network_left(n->env->events, net->name);
    network_drop(n, net);
    *ret_told = told;
    return KITH_OK;
}
