#include "store/lease.h"

#include "store/query.h"

static void bind_lease(struct kith_query *q, const uint8_t network[32],
                       const struct kith_store_lease *l)
{
    kith_bind_blob(q, network, 32);
    kith_bind_u64(q, l->serial);
    kith_bind_blob(q, l->peer, sizeof l->peer);
    if (l->ip4 != 0)
        kith_bind_u64(q, l->ip4);
    else
        kith_bind_null(q);
    kith_bind_text(q, l->name, 1, KITH_STORE_NAME - 1);
}

static int check_free(struct kith_store *s, const uint8_t network[32],
                      const struct kith_store_lease *l, kith_wall now)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_conflict);

    bind_lease(&q, network, l);
    kith_bind_u64(&q, now);
    (void)kith_query_next(&q); /* always one row */
    bool serial = kith_column_u64(&q, 0) != 0;
    bool ip4 = kith_column_u64(&q, 1) != 0, name = kith_column_u64(&q, 2) != 0;
    int err = kith_query_done(&q);
    if (err < 0)
        return err;
    if (serial)
        return KITH_E_EXISTS;
    return ip4 || name ? KITH_E_TAKEN : KITH_OK;
}

int kith_store_lease_put(struct kith_store *s, const uint8_t network[32],
                         const struct kith_store_lease *l, kith_wall now)
{
    int err = check_free(s, network, l, now);

    if (err < 0)
        return err;
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_put);
    bind_lease(&q, network, l);
    kith_bind_u64(&q, l->not_after);
    kith_bind_u64(&q, l->claimed ? 1 : 0);
    return kith_query_run(&q);
}

static struct kith_store_lease read_lease(struct kith_query *q)
{
    struct kith_store_lease l = {0};

    l.serial = kith_column_u64(q, 0);
    kith_column_copy(q, 1, l.peer, sizeof l.peer);
    l.ip4 = kith_column_u32(q, 2);
    kith_column_text(q, 3, l.name, sizeof l.name);
    l.not_after = kith_column_u64(q, 4);
    l.claimed = kith_column_u64(q, 5) != 0;
    return l;
}

static int find(struct kith_query *q, struct kith_store_lease *ret)
{
    if (!kith_query_next(q))
        return kith_query_missing(q);
    struct kith_store_lease l = read_lease(q);
    int err = kith_query_done(q);
    if (err == KITH_OK)
        *ret = l;
    return err;
}

int kith_store_lease_by_peer(struct kith_store *s, const uint8_t network[32],
                             const uint8_t peer[32], struct kith_store_lease *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_by_peer);

    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, peer, 32);
    return find(&q, ret);
}

int kith_store_lease_by_name(struct kith_store *s, const uint8_t network[32], const char *name,
                             struct kith_store_lease *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_by_name);

    kith_bind_blob(&q, network, 32);
    kith_bind_text(&q, name, 1, KITH_STORE_NAME - 1);
    return find(&q, ret);
}

int kith_store_lease_by_ip4(struct kith_store *s, const uint8_t network[32], uint32_t ip4,
                            struct kith_store_lease *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_by_ip4);

    kith_bind_blob(&q, network, 32);
    kith_bind_u64(&q, ip4);
    return find(&q, ret);
}

int kith_store_lease_list(struct kith_store *s, const uint8_t network[32],
                          int (*visit)(void *ctx, const struct kith_store_lease *l), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_list);
    int stop = 0;

    kith_bind_blob(&q, network, 32);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_lease l = read_lease(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &l);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}

int kith_store_lease_remove(struct kith_store *s, const uint8_t network[32], uint64_t serial)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_remove);

    kith_bind_blob(&q, network, 32);
    kith_bind_u64(&q, serial);
    return kith_query_change(&q);
}

int kith_store_lease_forget(struct kith_store *s, const uint8_t network[32], kith_wall before)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_forget);

    kith_bind_blob(&q, network, 32);
    kith_bind_u64(&q, before);
    return kith_query_run(&q);
}

int kith_store_lease_claim(struct kith_store *s, const uint8_t network[32], const uint8_t peer[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_lease_claim);

    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, peer, 32);
    return kith_query_change(&q);
}
