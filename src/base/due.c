#include "base/due.h"

void kith_due_fini(struct kith_due_heap *h)
{
    if (h->alloc != NULL)
        kith_free(h->alloc, h->entry);
    h->entry = NULL;
    h->n = h->cap = 0;
}

static void place(struct kith_due_heap *h, size_t i, struct kith_due_entry e)
{
    h->entry[i] = e;
    e.due->place = i + 1;
}

static size_t rise(struct kith_due_heap *h, size_t i)
{
    struct kith_due_entry e = h->entry[i];

    while (i > 0 && e.at < h->entry[(i - 1) / 2].at) {
        place(h, i, h->entry[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, e);
    return i;
}

static void sink(struct kith_due_heap *h, size_t i)
{
    struct kith_due_entry e = h->entry[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->entry[child + 1].at < h->entry[child].at)
            child++;
        if (e.at <= h->entry[child].at)
            break;
        place(h, i, h->entry[child]);
        i = child;
    }
    place(h, i, e);
}

static int make_room(struct kith_due_heap *h)
{
    if (h->n < h->cap)
        return KITH_OK;
    size_t cap = h->cap == 0 ? 16 : 2 * h->cap;
    struct kith_due_entry *bigger = kith_resize(h->alloc, h->entry, cap * sizeof *bigger);
    if (bigger == NULL)
        return KITH_E_NOMEM;
    h->entry = bigger;
    h->cap = cap;
    return KITH_OK;
}

void kith_due_remove(struct kith_due_heap *h, struct kith_due *d)
{
    if (d->place == 0)
        return;
    size_t i = d->place - 1;
    struct kith_due_entry last = h->entry[--h->n];
    d->place = 0;
    if (last.due != d) {
        place(h, i, last);
        sink(h, rise(h, i));
    }
}

int kith_due_set(struct kith_due_heap *h, struct kith_due *d, kith_time at)
{
    if (at == KITH_NEVER) {
        kith_due_remove(h, d);
        d->at = at;
        return KITH_OK;
    }
    if (d->place != 0 && d->at == at)
        return KITH_OK;
    if (d->place == 0) {
        int err = make_room(h);
        if (err < 0)
            return err;
        d->place = ++h->n;
    }
    d->at = at;
    h->entry[d->place - 1] = (struct kith_due_entry){.at = at, .due = d};
    sink(h, rise(h, d->place - 1));
    return KITH_OK;
}

struct kith_due *kith_due_first(const struct kith_due_heap *h)
{
    return h->n > 0 ? h->entry[0].due : NULL;
}

kith_time kith_due_deadline(const struct kith_due_heap *h)
{
    return h->n > 0 ? h->entry[0].at : KITH_NEVER;
}
