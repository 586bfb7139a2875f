#include "vpn/waiting.h"

struct waiting_packet {
    struct kith_link in_all, in_line;
    struct kith_line *line;
    kith_time ends_at;
    size_t len;
    uint8_t data[];
};

void kith_waiting_init(struct kith_waiting *w, const struct kith_alloc *a)
{
    *w = (struct kith_waiting){.alloc = a};
    kith_list_init(&w->all);
}

void kith_line_init(struct kith_line *l)
{
    kith_list_init(&l->packets);
    l->n = 0;
}

static void forget(struct kith_waiting *w, struct waiting_packet *p)
{
    kith_list_remove(&p->in_all);
    kith_list_remove(&p->in_line);
    p->line->n--;
    w->bytes -= p->len;
    kith_free(w->alloc, p);
}

static struct waiting_packet *first_of_all(const struct kith_waiting *w)
{
    return kith_list_empty(&w->all) ? NULL : KITH_OF(w->all.next, struct waiting_packet, in_all);
}

void kith_waiting_fini(struct kith_waiting *w)
{
    for (struct waiting_packet *p = first_of_all(w); p != NULL; p = first_of_all(w))
        forget(w, p);
}

int kith_waiting_add(struct kith_waiting *w, struct kith_line *l, struct kith_span head,
                     struct kith_span body, kith_time now)
{
    size_t len = head.n + body.n;

    if (l->n >= KITH_WAITING_PACKETS || len > KITH_WAITING_BYTES - w->bytes)
        return KITH_E_FULL;
    struct waiting_packet *p = kith_resize(w->alloc, NULL, sizeof *p + len);
    if (p == NULL)
        return KITH_E_NOMEM;

    p->line = l;
    p->ends_at = kith_after(now, KITH_WAITING_TIME);
    p->len = len;
    kith_copy(p->data, head.p, head.n);
    kith_copy(p->data + head.n, body.p, body.n);
    kith_list_append(&w->all, &p->in_all);
    kith_list_append(&l->packets, &p->in_line);
    l->n++;
    w->bytes += len;
    return KITH_OK;
}

size_t kith_waiting_peek(const struct kith_line *l, struct kith_span *out, size_t max)
{
    size_t n = 0;

    for (const struct kith_link *at = l->packets.next; at != &l->packets && n < max;
         at = at->next) {
        const struct waiting_packet *p = KITH_OF(at, struct waiting_packet, in_line);
        out[n++] = (struct kith_span){p->data, p->len};
    }
    return n;
}

void kith_waiting_drop(struct kith_waiting *w, struct kith_line *l, size_t n)
{
    for (; n > 0 && !kith_list_empty(&l->packets); n--)
        forget(w, KITH_OF(l->packets.next, struct waiting_packet, in_line));
}

size_t kith_waiting_expire(struct kith_waiting *w, kith_time now)
{
    size_t n = 0;
    struct waiting_packet *p = first_of_all(w);

    for (; p != NULL && p->ends_at <= now; p = first_of_all(w), n++)
        forget(w, p);
    return n;
}

kith_time kith_waiting_deadline(const struct kith_waiting *w)
{
    const struct waiting_packet *p = first_of_all(w);

    return p == NULL ? KITH_NEVER : p->ends_at;
}
