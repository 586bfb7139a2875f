#include "store/ticket.h"

#include "store/query.h"

static struct kith_store_ticket read_ticket(struct kith_query *q)
{
    struct kith_store_ticket t = {0};

    kith_column_copy(q, 0, t.id, sizeof t.id);
    kith_column_copy(q, 1, t.network, sizeof t.network);
    kith_column_copy(q, 2, t.secret, sizeof t.secret);
    kith_column_text(q, 3, t.name, sizeof t.name);
    t.groups = kith_column_span(q, 4);
    t.expires = kith_column_u64(q, 5);
    t.uses_left = kith_column_u32(q, 6);
    t.created = kith_column_u64(q, 7);
    return t;
}

int kith_store_ticket_add(struct kith_store *s, const struct kith_store_ticket *t)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_add);

    kith_bind_blob(&q, t->id, sizeof t->id);
    kith_bind_blob(&q, t->network, sizeof t->network);
    kith_bind_blob(&q, t->secret, sizeof t->secret);
    kith_bind_text(&q, t->name, 0, KITH_STORE_NAME - 1);
    kith_bind_span(&q, t->groups);
    kith_bind_u64(&q, t->expires);
    kith_bind_u64(&q, t->uses_left);
    kith_bind_u64(&q, t->created);
    return kith_query_run(&q);
}

int kith_store_ticket_get(struct kith_store *s, const uint8_t id[16], struct kith_store_ticket *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_get);

    kith_bind_blob(&q, id, 16);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    struct kith_store_ticket t = read_ticket(&q);
    kith_query_keep(&q, (struct kith_span *[]){&t.groups}, 1);
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = t;
    explicit_bzero(&t, sizeof t);
    return err;
}

int kith_store_ticket_list(struct kith_store *s, const uint8_t network[32],
                           int (*visit)(void *ctx, const struct kith_store_ticket *t), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_list);
    int stop = 0;

    kith_bind_blob(&q, network, 32);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_ticket t = read_ticket(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &t);
            kith_visit_end(&q);
        }
        explicit_bzero(&t, sizeof t);
    }
    return kith_visit_done(&q, stop);
}

int kith_store_ticket_remove(struct kith_store *s, const uint8_t id[16])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_remove);

    kith_bind_blob(&q, id, 16);
    return kith_query_change(&q);
}

int kith_store_ticket_remove_expired(struct kith_store *s, kith_wall before, uint64_t *ret_removed)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_remove_expired);

    kith_bind_u64(&q, before);
    int err = kith_query_run(&q);
    if (err == KITH_OK)
        *ret_removed = kith_query_changed(s);
    return err;
}

/* ---- uses ---- */

static struct kith_store_ticket_use read_use(struct kith_query *q)
{
    struct kith_store_ticket_use u = {0};

    kith_column_copy(q, 0, u.peer, sizeof u.peer);
    u.cert = kith_column_span(q, 1);
    u.serial = kith_column_u64(q, 2);
    u.at = kith_column_u64(q, 3);
    return u;
}

int kith_store_ticket_use_get(struct kith_store *s, const uint8_t id[16], const uint8_t peer[32],
                              struct kith_store_ticket_use *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_use_get);

    kith_bind_blob(&q, id, 16);
    kith_bind_blob(&q, peer, 32);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    struct kith_store_ticket_use u = read_use(&q);
    kith_query_keep(&q, (struct kith_span *[]){&u.cert}, 1);
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = u;
    return err;
}

/* Takes one use away; KITH_E_NOTFOUND when the ticket is not to be had by this peer. */
static int spend(struct kith_store *s, const uint8_t id[16], const struct kith_store_ticket_use *u)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_spend);

    kith_bind_blob(&q, id, 16);
    kith_bind_blob(&q, u->peer, sizeof u->peer);
    kith_bind_u64(&q, u->at);
    return kith_query_change(&q);
}

/* Why a ticket was not to be had. */
static int refusal(struct kith_store *s, const uint8_t id[16],
                   const struct kith_store_ticket_use *u)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_state);

    kith_bind_blob(&q, id, 16);
    kith_bind_blob(&q, u->peer, sizeof u->peer);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    bool expired = kith_column_u64(&q, 1) <= u->at;
    bool known = kith_column_u64(&q, 2) != 0;
    int err = kith_query_done(&q);
    if (err < 0)
        return err;
    if (known)
        return KITH_E_EXISTS;
    return expired ? KITH_E_EXPIRED : KITH_E_USED;
}

static void bind_use(struct kith_query *q, const uint8_t id[16],
                     const struct kith_store_ticket_use *u)
{
    kith_bind_blob(q, id, 16);
    kith_bind_blob(q, u->peer, sizeof u->peer);
    kith_bind_span(q, u->cert);
    kith_bind_u64(q, u->serial);
    kith_bind_u64(q, u->at);
}

static int add_use(struct kith_store *s, const uint8_t id[16],
                   const struct kith_store_ticket_use *u)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_use_add);

    bind_use(&q, id, u);
    return kith_query_run(&q);
}

int kith_store_ticket_use_replace(struct kith_store *s, const uint8_t id[16],
                                  const struct kith_store_ticket_use *u)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_use_replace);

    bind_use(&q, id, u);
    return kith_query_change(&q);
}

int kith_store_ticket_use_record(struct kith_store *s, const uint8_t id[16],
                                 const struct kith_store_ticket_use *u)
{
    if (!s->in_tx)
        return KITH_E_STATE;
    /* What add_use would refuse is refused before anything is spent. */
    if (u->serial > KITH_STORE_INT_MAX || u->cert.n > KITH_STORE_BLOB_MAX)
        return KITH_E_INVAL;
    int err = spend(s, id, u);
    if (err == KITH_E_NOTFOUND)
        return refusal(s, id, u);
    return err < 0 ? err : add_use(s, id, u);
}

int kith_store_ticket_use_list(struct kith_store *s, const uint8_t id[16],
                               int (*visit)(void *ctx, const struct kith_store_ticket_use *u),
                               void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_ticket_use_list);
    int stop = 0;

    kith_bind_blob(&q, id, 16);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_ticket_use u = read_use(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &u);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}
