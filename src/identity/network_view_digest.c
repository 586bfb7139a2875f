/* network_view_digest.c: what a view holds, in the long form and in the short, for others to
 * compare. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "identity/network_view_parts.h"

const struct kith_object *kith_netview_next_object(const struct kith_netview *v, size_t *at)
{
    const struct kith_held *h = kith_map_next(&v->by_key, at);

    return h != NULL ? &h->obj : NULL;
}

static const struct kith_held *next_told(const struct kith_netview *v, size_t *at, kith_wall now)
{
    const struct kith_held *h;

    do
        h = kith_map_next(&v->by_key, at);
    while (h != NULL && kith_rule_held_spent(v, h, now));
    return h;
}

bool kith_netview_next_digest(const struct kith_netview *v, size_t *at, kith_wall now,
                              struct kith_digest_item *ret)
{
    const struct kith_held *h = next_told(v, at, now);

    if (h == NULL)
        return false;
    *ret = (struct kith_digest_item){.key = h->obj.key, .number = h->obj.env.number};
    return true;
}

bool kith_netview_lacks(const struct kith_netview *v, const struct kith_digest_item *announced,
                        kith_wall now)
{
    const struct kith_held *h = kith_store_find(v, &announced->key);

    return h == NULL || h->obj.env.number < announced->number ||
           (h->obj.env.number > announced->number && kith_rule_early(&h->obj, now));
}

const struct kith_object *kith_netview_find(const struct kith_netview *v,
                                            const struct kith_object_key *key)
{
    const struct kith_held *h = kith_store_find(v, key);

    return h != NULL ? &h->obj : NULL;
}

/* ---- summary ---- */

static int by_key(const void *a, const void *b)
{
    const struct kith_held *const *x = a, *const *y = b;

    return memcmp((*x)->obj.key.b, (*y)->obj.key.b, sizeof(*x)->obj.key.b);
}

/* Keys and numbers of held[0..n), as digests have them, at `out`. */
static size_t write_items(struct kith_held *const *held, size_t n, uint8_t *out, size_t cap)
{
    struct kith_writer w = kith_writer_on(out, cap);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        struct kith_digest_item item = {.key = held[i]->obj.key, .number = held[i]->obj.env.number};
        kith_digest_item_put(&w, &item);
    }
    return kith_writer_done(&w, &len) < 0 ? 0 : len;
}

static int summarise(const struct kith_netview *v, kith_wall now, struct kith_held **held,
                     uint8_t *items, size_t cap, struct kith_holdings *ret)
{
    const struct kith_held *h;
    struct kith_hash hash;
    size_t n = 0;

    for (size_t at = 0; (h = next_told(v, &at, now)) != NULL;)
        held[n++] = (struct kith_held *)h;
    qsort(held, n, sizeof *held, by_key);
    const struct kith_span parts[] = {kith_span_text("kith holdings v1"),
                                      KITH_SPAN_OF(v->id),
                                      {items, write_items(held, n, items, cap)}};
    int err = kith_sha256_parts(parts, KITH_COUNT(parts), &hash);
    if (err == KITH_OK)
        memcpy(ret->b, hash.b, sizeof ret->b);
    return err;
}

int kith_netview_holdings(struct kith_netview *v, kith_wall now, struct kith_holdings *ret)
{
    size_t n = v->by_key.n, cap = n * KITH_DIGEST_ITEM_LEN;

    if (!v->summed || v->summed_on != now / KITH_WALL_DAY) {
        struct kith_held **held = kith_new_array(v->env->alloc, n + 1, sizeof(void *));
        uint8_t *items = kith_new_array(v->env->alloc, cap + 1, 1);
        int err = held != NULL && items != NULL ? summarise(v, now, held, items, cap, &v->holdings)
                                                : KITH_E_NOMEM;
        kith_free(v->env->alloc, held);
        kith_free(v->env->alloc, items);
        if (err < 0)
            return err;
        v->summed = true;
        v->summed_on = now / KITH_WALL_DAY;
    }
    *ret = v->holdings;
    return KITH_OK;
}
