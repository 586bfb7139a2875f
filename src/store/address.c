#include "store/address.h"

#include "store/query.h"

/* How things stand before an address is added. */
struct census {
    uint64_t all, of_peer;
    bool known;
};

static void bind_address(struct kith_query *q, const uint8_t peer[32], const char *addr)
{
    kith_bind_blob(q, peer, 32);
    kith_bind_text(q, addr, 1, KITH_STORE_ADDRESS_TEXT - 1);
}

static int take_census(struct kith_store *s, const uint8_t peer[32], const char *addr,
                       struct census *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_known);
    struct census c = {0};

    bind_address(&q, peer, addr);
    if (kith_query_next(&q))
        c = (struct census){.all = kith_column_u64(&q, 0),
                            .of_peer = kith_column_u64(&q, 1),
                            .known = kith_column_u64(&q, 2) != 0};
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = c;
    return err;
}

static int make_room(struct kith_store *s, const uint8_t peer[32], const struct census *c)
{
    if (c->of_peer >= KITH_STORE_ADDRESSES_PEER) {
        struct kith_query q = kith_query_on(s, KITH_SQL_address_evict_peer);
        kith_bind_blob(&q, peer, 32);
        return kith_query_run(&q);
    }
    if (c->all >= KITH_STORE_ADDRESSES_MAX) {
        struct kith_query q = kith_query_on(s, KITH_SQL_address_evict_any);
        return kith_query_run(&q);
    }
    return KITH_OK;
}

static int add(struct kith_store *s, const uint8_t peer[32], const char *addr, kith_wall now)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_add);

    bind_address(&q, peer, addr);
    kith_bind_u64(&q, now);
    return kith_query_run(&q);
}

static int learn(struct kith_store *s, const uint8_t peer[32], const char *addr, kith_wall now)
{
    struct census c = {0};
    int err = take_census(s, peer, addr, &c);

    if (err < 0 || c.known)
        return err;
    err = make_room(s, peer, &c);
    return err < 0 ? err : add(s, peer, addr, now);
}

static int mark_worked(struct kith_store *s, const uint8_t peer[32], const char *addr,
                       kith_wall now)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_worked);

    bind_address(&q, peer, addr);
    kith_bind_u64(&q, now);
    return kith_query_change(&q);
}

int kith_store_address_learn(struct kith_store *s, const uint8_t peer[32], const char *addr,
                             kith_wall now)
{
    struct kith_scope scope;

    if (now > KITH_STORE_INT_MAX) /* before anything makes room for it */
        return KITH_E_INVAL;
    int err = kith_scope_enter(s, &scope);
    if (err < 0)
        return err;
    return kith_scope_leave(&scope, learn(s, peer, addr, now));
}

int kith_store_address_worked(struct kith_store *s, const uint8_t peer[32], const char *addr,
                              kith_wall now)
{
    struct kith_scope scope;

    if (now > KITH_STORE_INT_MAX)
        return KITH_E_INVAL;
    int err = kith_scope_enter(s, &scope);
    if (err < 0)
        return err;
    err = learn(s, peer, addr, now);
    if (err == KITH_OK)
        err = mark_worked(s, peer, addr, now);
    return kith_scope_leave(&scope, err);
}

int kith_store_address_failed(struct kith_store *s, const uint8_t peer[32], const char *addr)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_failed);

    bind_address(&q, peer, addr);
    return kith_query_change(&q);
}

static struct kith_store_address read_address(struct kith_query *q)
{
    struct kith_store_address a = {.failures = 0};

    kith_column_text(q, 0, a.addr, sizeof a.addr);
    a.learned_at = kith_column_u64(q, 1);
    a.last_ok = kith_column_u64(q, 2);
    a.failures = kith_column_u32(q, 3);
    return a;
}

int kith_store_address_list(struct kith_store *s, const uint8_t peer[32],
                            int (*visit)(void *ctx, const struct kith_store_address *a), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_list);
    int stop = 0;

    kith_bind_blob(&q, peer, 32);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_address a = read_address(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &a);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}

int kith_store_address_reached(struct kith_store *s, size_t most,
                               int (*visit)(void *ctx, const uint8_t peer[32]), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_reached);
    uint8_t peer[32];
    int stop = 0;

    kith_bind_u64(&q, most);
    while (stop == 0 && kith_query_next(&q)) {
        kith_column_copy(&q, 0, peer, sizeof peer);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, peer);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}

int kith_store_address_remove(struct kith_store *s, const uint8_t peer[32], const char *addr)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_remove);

    bind_address(&q, peer, addr);
    return kith_query_change(&q);
}

int kith_store_address_clear(struct kith_store *s, const uint8_t peer[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_address_clear);

    kith_bind_blob(&q, peer, 32);
    return kith_query_run(&q);
}
