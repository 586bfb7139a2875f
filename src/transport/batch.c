#include "transport/batch.h"

int kith_tx_init(struct kith_tx_batch *b, const struct kith_alloc *a)
{
    uint8_t *buf = kith_new_bytes(a, KITH_TX_BYTES);

    if (buf == NULL)
        return KITH_E_NOMEM;
    *b = (struct kith_tx_batch){.alloc = a, .buf = buf};
    return KITH_OK;
}

void kith_tx_fini(struct kith_tx_batch *b)
{
    if (b->alloc != NULL)
        kith_free(b->alloc, b->buf);
    *b = (struct kith_tx_batch){0};
}

int kith_tx_add_transport(struct kith_tx_batch *b, const struct kith_transport *t,
                          uint32_t *ret_index)
{
    if (b->transports == KITH_TX_TRANSPORTS)
        return KITH_E_FULL;
    *ret_index = (uint32_t)b->transports;
    b->transport[b->transports++] = *t;
    return KITH_OK;
}

void kith_tx_drop_transport(struct kith_tx_batch *b, uint32_t index)
{
    size_t kept = b->first;

    if (index + 1 != b->transports)
        return;
    b->transports--;
    for (size_t i = b->first; i < b->n; i++)
        if (b->run[i].path.transport != index)
            b->run[kept++] = b->run[i];
    b->n = kept;
    b->last_short = true; /* what comes next begins a run of its own */
}

/* The runs for one transport from b->first on that stand together. */
static size_t together(const struct kith_tx_batch *b)
{
    size_t k = b->first;

    while (k < b->n && b->run[k].path.transport == b->run[b->first].path.transport)
        k++;
    return k - b->first;
}

bool kith_tx_flush(struct kith_tx_batch *b)
{
    b->blocked = false;
    while (b->first < b->n) {
        const struct kith_transport *t = &b->transport[b->run[b->first].path.transport];
        size_t k = together(b);
        size_t taken = t->ops->send(t->ctx, &b->run[b->first], k);
        b->first += taken;
        if (taken < k) {
            b->blocked = true;
            return false;
        }
    }
    b->first = b->n = b->used = 0;
    b->last_short = false;
    return true;
}

uint8_t *kith_tx_room(struct kith_tx_batch *b)
{
    if (b->blocked)
        return NULL;
    if (b->used + KITH_TX_DATAGRAM_MAX > KITH_TX_BYTES || b->n == KITH_TX_RUNS)
        if (!kith_tx_flush(b))
            return NULL;
    return b->buf + b->used;
}

static bool joins(const struct kith_tx_batch *b, const struct kith_path *path, uint8_t ecn,
                  size_t len)
{
    const struct kith_tx *last = &b->run[b->n - 1];

    return !b->last_short && len <= last->segment && last->ecn == ecn &&
           last->len + len <= KITH_TX_RUN_BYTES &&
           last->len < last->segment * KITH_TX_RUN_DATAGRAMS && kith_path_equal(&last->path, path);
}

void kith_tx_commit(struct kith_tx_batch *b, const struct kith_path *path, uint8_t ecn, size_t len)
{
    if (len == 0)
        return;
    if (b->n > b->first && joins(b, path, ecn, len)) {
        b->run[b->n - 1].len += len;
        b->last_short = len < b->run[b->n - 1].segment;
    } else {
        b->run[b->n++] = (struct kith_tx){
            .path = *path, .data = b->buf + b->used, .len = len, .segment = len, .ecn = ecn};
        b->last_short = false;
    }
    b->used += len;
}
