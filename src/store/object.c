#include "store/object.h"

#include "store/query.h"

static struct kith_store_object read_object(struct kith_query *q)
{
    struct kith_store_object o = {0};

    kith_column_copy(q, 0, o.key, sizeof o.key);
    o.kind = kith_column_u32(q, 1);
    o.number = kith_column_u64(q, 2);
    o.bytes = kith_column_span(q, 3);
    return o;
}

/* Room for the key in its network: a known key needs none. */
static int check_room(struct kith_store *s, const uint8_t network[32], const uint8_t key[16])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_object_count);

    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, key, 16);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    bool full = kith_column_u64(&q, 0) >= KITH_STORE_OBJECTS_MAX && kith_column_u64(&q, 1) == 0;
    int err = kith_query_done(&q);
    return err == KITH_OK && full ? KITH_E_FULL : err;
}

int kith_store_object_put_if_newer(struct kith_store *s, const uint8_t network[32],
                                   const struct kith_store_object *o)
{
    int err = check_room(s, network, o->key);

    if (err < 0)
        return err;
    struct kith_query q = kith_query_on(s, KITH_SQL_object_put);
    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, o->key, sizeof o->key);
    kith_bind_u64(&q, o->kind);
    kith_bind_u64(&q, o->number);
    kith_bind_span(&q, o->bytes);
    err = kith_query_change(&q);
    return err == KITH_E_NOTFOUND ? KITH_E_EXISTS : err;
}

int kith_store_object_get(struct kith_store *s, const uint8_t network[32], const uint8_t key[16],
                          struct kith_store_object *ret)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_object_get);

    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, key, 16);
    if (!kith_query_next(&q))
        return kith_query_missing(&q);
    struct kith_store_object o = read_object(&q);
    kith_query_keep(&q, (struct kith_span *[]){&o.bytes}, 1);
    int err = kith_query_done(&q);
    if (err == KITH_OK)
        *ret = o;
    return err;
}

int kith_store_object_list(struct kith_store *s, const uint8_t network[32],
                           int (*visit)(void *ctx, const struct kith_store_object *o), void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_object_list);
    int stop = 0;

    kith_bind_blob(&q, network, 32);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_object o = read_object(&q);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &o);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}

int kith_store_object_remove(struct kith_store *s, const uint8_t network[32], const uint8_t key[16])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_object_remove);

    kith_bind_blob(&q, network, 32);
    kith_bind_blob(&q, key, 16);
    return kith_query_change(&q);
}

int kith_store_object_clear(struct kith_store *s, const uint8_t network[32])
{
    struct kith_query q = kith_query_on(s, KITH_SQL_object_clear);

    kith_bind_blob(&q, network, 32);
    return kith_query_run(&q);
}
