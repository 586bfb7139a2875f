/* ranges.c: sets of numbers, as sorted ranges. */
#include "sim/model/model.h"

static int room_for_one(struct model_ranges *s, const struct kith_alloc *a)
{
    if (s->n < s->cap)
        return KITH_OK;
    size_t cap = s->cap == 0 ? 4 : 2 * s->cap;
    struct model_range *bigger = kith_resize(a, s->r, cap * sizeof *bigger);
    if (bigger == NULL)
        return KITH_E_NOMEM;
    s->r = bigger;
    s->cap = cap;
    return KITH_OK;
}

/* Puts `with` (none or one or two ranges) in the place of r[at..at + n). There is room. */
static void replace(struct model_ranges *s, size_t at, size_t n, const struct model_range *with,
                    size_t n_with)
{
    memmove(s->r + at + n_with, s->r + at + n, (s->n - at - n) * sizeof *s->r);
    kith_copy(s->r + at, with, n_with * sizeof *with);
    s->n = s->n - n + n_with;
}

int model_ranges_add(struct model_ranges *s, const struct kith_alloc *a, uint64_t from, uint64_t to)
{
    size_t at = 0, n = 0;

    if (from >= to)
        return KITH_OK;
    int err = room_for_one(s, a);
    if (err < 0)
        return err;
    for (at = s->n; at > 0 && s->r[at - 1].to >= from; at--)
        continue;
    while (at + n < s->n && s->r[at + n].from <= to)
        n++;
    if (n > 0) {
        from = from < s->r[at].from ? from : s->r[at].from;
        to = to > s->r[at + n - 1].to ? to : s->r[at + n - 1].to;
    }
    replace(s, at, n, &(struct model_range){from, to}, 1);
    return KITH_OK;
}

int model_ranges_cut(struct model_ranges *s, const struct kith_alloc *a, uint64_t from, uint64_t to)
{
    struct model_range rest[2];
    size_t at = 0, n = 0, n_rest = 0;

    while (at < s->n && s->r[at].to <= from)
        at++;
    while (at + n < s->n && s->r[at + n].from < to)
        n++;
    if (n == 0)
        return KITH_OK;
    int err = room_for_one(s, a);
    if (err < 0)
        return err;
    if (s->r[at].from < from)
        rest[n_rest++] = (struct model_range){s->r[at].from, from};
    if (s->r[at + n - 1].to > to)
        rest[n_rest++] = (struct model_range){to, s->r[at + n - 1].to};
    replace(s, at, n, rest, n_rest);
    return KITH_OK;
}

bool model_ranges_hold(const struct model_ranges *s, uint64_t x)
{
    for (size_t i = s->n; i > 0; i--)
        if (s->r[i - 1].from <= x)
            return x < s->r[i - 1].to;
    return false;
}

void model_ranges_drop_first(struct model_ranges *s)
{
    replace(s, 0, 1, NULL, 0);
}

void model_ranges_fini(struct model_ranges *s, const struct kith_alloc *a)
{
    kith_free(a, s->r);
    *s = (struct model_ranges){0};
}
