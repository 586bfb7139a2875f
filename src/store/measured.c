#include "store/measured.h"

#include "store/query.h"

int kith_store_measured_clear(struct kith_store *s)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_measured_clear);

    return kith_query_run(&q);
}

int kith_store_measured_add(struct kith_store *s, const struct kith_store_measured *m)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_measured_add);

    kith_bind_blob(&q, m->network, sizeof m->network);
    kith_bind_blob(&q, m->destination, sizeof m->destination);
    kith_bind_blob(&q, m->peer, sizeof m->peer);
    kith_bind_u64(&q, m->rtt);
    kith_bind_u64(&q, m->loss);
    kith_bind_u64(&q, m->at);
    return kith_query_run(&q);
}

static struct kith_store_measured read_row(struct kith_query *q, const uint8_t network[32])
{
    struct kith_store_measured m = {.rtt = kith_column_u32(q, 2)};

    memcpy(m.network, network, sizeof m.network);
    kith_column_copy(q, 0, m.destination, sizeof m.destination);
    kith_column_copy(q, 1, m.peer, sizeof m.peer);
    m.loss = (uint16_t)kith_column_u32(q, 3);
    m.at = kith_column_u64(q, 4);
    return m;
}

int kith_store_measured_list(struct kith_store *s, const uint8_t network[32],
                             int (*visit)(void *ctx, const struct kith_store_measured *m),
                             void *ctx)
{
    struct kith_query q = kith_query_on(s, KITH_SQL_measured_list);
    int stop = 0;

    kith_bind_blob(&q, network, 32);
    while (stop == 0 && kith_query_next(&q)) {
        struct kith_store_measured m = read_row(&q, network);
        if (kith_visit_begin(&q)) {
            stop = visit(ctx, &m);
            kith_visit_end(&q);
        }
    }
    return kith_visit_done(&q, stop);
}
