#include "store/network.h"

#include "store/query.h"

static void bind_network(struct kith_query *q, const struct kith_store_network *n)
{
    kith_bind_blob(q, n->id, sizeof n->id);
    kith_bind_text(q, n->name, 1, KITH_STORE_NAME - 1);
    kith_bind_u64(q, n->slot);
    if (n->root_key.n > 0)
        kith_bind_span(q, n->root_key);
    else
        kith_bind_null(q);
    kith_bind_span(q, n->self_cert);
    if (n->admin)
        kith_bind_u64(q, n->admin_index);
    else
        kith_bind_null(q);
    kith_bind_u64(q, n->next_serial);
    kith_bind_u64(q, n->created);
    if (n->left_at > 0)
        kith_bind_u64(q, n->left_at);
    else
        kith_bind_null(q);
}

static struct kith_store_network read_network(struct kith_query *q)
{
    struct kith_store_network n = {0};

    kith_column_copy(q, 0, n.id, sizeof n.id);
    kith_column_text(q, 1, n.name, sizeof n.name);
    n.slot = kith_column_u32(q, 2);
    n.root_key = kith_column_span(q, 3);
    n.self_cert = kith_column_span(q, 4);
    n.admin = !kith_column_null(q, 5);
    n.admin_index = kith_column_u32(q, 5);
    n.next_serial = kith_column_u64(q, 6);
    n.created = kith_column_u64(q, 7);
    n.left_at = kith_column_u64(q, 8);
    return n;
}

int kith_store_network_put(struct kith_store *s, const struct kith_store_network *n)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_network_put);

    bind_network(&q, n);
    return kith_query_run(&q);
}

int kith_store_network_get(struct kith_store *s, const uint8_t id[32],
                           struct kith_store_network *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_network_get);

    kith_bind_blob(&q, id, 32);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    struct kith_store_network n = read_network(&q);
    kith_query_keep(&q, (struct kith_span *[]){&n.root_key, &n.self_cert}, 2);
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = n;
    return err;
}

int kith_store_network_list(struct kith_store *s,
                            int (*visit)(void *ctx, const struct kith_store_network *n), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_network_list);
    int stop = 0;

    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_network n = read_network(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &n);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}

int kith_store_network_remove(struct kith_store *s, const uint8_t id[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_network_remove);

    kith_bind_blob(&q, id, 32);
    return kith_query_change(&q);
}

int kith_store_serial_next(struct kith_store *s, const uint8_t id[32], uint64_t *ret)
{
    if (!s->in_tx)
        return KITH_E_STATE;
    struct kith_query q = kith_query_on(s, KITH_SQL_serial_next);
    kith_bind_blob(&q, id, 32);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    uint64_t serial = kith_column_u64(&q, 0);
    (void)kith_query_next(&q); /* runs the statement to its end */
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = serial;
    return err;
}
