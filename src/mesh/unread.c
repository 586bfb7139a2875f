#include "mesh/unread.h"

enum { HEAD = 3 }; /* length and mark */

int kith_unread_add(struct kith_unread *h, const struct kith_alloc *a, struct kith_span message,
                    bool mark)
{
    const uint8_t head[HEAD] = {(uint8_t)(message.n >> 8), (uint8_t)message.n, mark};

    if (message.n > UINT16_MAX || kith_unread_size(h) + HEAD + message.n > KITH_UNREAD_MAX)
        return KITH_E_LIMIT;
    if (h->n == 0)
        kith_buf_init(&h->buf, a, KITH_UNREAD_MAX);
    uint8_t *room = kith_buf_room(&h->buf, HEAD + message.n);
    if (room == NULL) {
        if (h->n == 0)
            kith_unread_clear(h);
        return KITH_E_NOMEM;
    }
    memcpy(room, head, HEAD);
    if (message.n > 0)
        memcpy(room + HEAD, message.p, message.n);
    kith_buf_grew(&h->buf, HEAD + message.n);
    h->n++;
    return KITH_OK;
}

bool kith_unread_first(const struct kith_unread *h, struct kith_span *ret, bool *ret_mark)
{
    if (h->n == 0)
        return false;
    const struct kith_span all = kith_buf_span(&h->buf);
    *ret = (struct kith_span){all.p + HEAD, (size_t)(all.p[0] << 8 | all.p[1])};
    *ret_mark = all.p[2] != 0;
    return true;
}

void kith_unread_drop(struct kith_unread *h)
{
    struct kith_span first;
    bool mark;

    if (!kith_unread_first(h, &first, &mark))
        return;
    kith_buf_drop(&h->buf, HEAD + first.n);
    if (--h->n == 0)
        kith_unread_clear(h);
}

size_t kith_unread_size(const struct kith_unread *h)
{
    return h->n == 0 ? 0 : kith_buf_len(&h->buf);
}

void kith_unread_clear(struct kith_unread *h)
{
    if (h->buf.alloc != NULL)
        kith_buf_fini(&h->buf);
    *h = (struct kith_unread){.n = 0};
}
