#include "store/blocked.h"

#include "store/query.h"

static int check_room(struct kith_store *s, const uint8_t peer[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_blocked_count);

    kith_bind_blob(&q, peer, 32);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    bool full = kith_column_u64(&q, 0) >= KITH_STORE_BLOCKED_MAX,
         known = kith_column_u64(&q, 1) != 0;
    int err = kith_query_done(&q);
    if (err < 0)
        return err;
    return known ? KITH_E_EXISTS : full ? KITH_E_FULL : KITH_OK;
}

int kith_store_blocked_add(struct kith_store *s, const struct kith_store_blocked *b)
{
    int err = check_room(s, b->peer);

    if (err < 0)
        return err;
    struct kith_query q = kith_query_on(s, KITH_SQL_blocked_add);
    kith_bind_blob(&q, b->peer, sizeof b->peer);
    kith_bind_u64(&q, b->since);
    return kith_query_run(&q);
}

int kith_store_blocked_remove(struct kith_store *s, const uint8_t peer[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_blocked_remove);

    kith_bind_blob(&q, peer, 32);
    return kith_query_change(&q);
}

int kith_store_blocked_list(struct kith_store *s,
                            int (*visit)(void *ctx, const struct kith_store_blocked *b), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_blocked_list);
    int stop = 0;

    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_blocked b = {.since = 0};
        kith_column_copy(&q, 0, b.peer, sizeof b.peer);
        b.since = kith_column_u64(&q, 1);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &b);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}
