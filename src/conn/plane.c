#include "conn/plane.h"

#include <assert.h>

#include "crypto/hash.h"

/* The keys of one step of the ratchet. Which are made into ciphers only when a packet needs them: a
 * quiet connection holds none. */
struct plane_key {
    bool there;
    struct kith_plane_index index;
    uint64_t mask; /* over the numbers in packets, which go on from key to key */
    struct kith_aead_key key;
    struct kith_aead *aead; /* NULL until used */
};

enum { BEFORE, PRESENT, NEXT };

struct kith_plane {
    const struct kith_alloc *alloc;
    enum kith_aead_kind kind;
    /* sending */
    uint8_t send_secret[KITH_PLANE_SECRET]; /* of the step after the present one */
    struct plane_key send;
    uint64_t next, key_first; /* number of the next packet, and of this key's first */
    kith_time key_since;      /* when this key's first packet was sealed */
    bool followed;            /* the receiver has opened one of this key's */
    bool turn;                /* the path changed under this key */
    /* receiving */
    uint8_t receive_secret[KITH_PLANE_SECRET]; /* of the step after NEXT */
    struct plane_key receive[KITH_PLANE_KEYS];
    kith_time old_until; /* when BEFORE is forgotten */
    struct kith_replay replay;
    struct kith_plane_counters count;
};

/* ---- keys ---- */

static void key_forget(const struct kith_plane *p, struct plane_key *k)
{
    kith_aead_free(k->aead, p->alloc);
    kith_wipe(k, sizeof *k);
}

static uint64_t load_u64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* Takes the keys of one step out of the secret, which becomes the next step's: consecutive parts of
 * one HKDF-Expand, none of which tells anything about another. */
static int ratchet(uint8_t secret[KITH_PLANE_SECRET], struct plane_key *ret)
{
    struct step {
        uint8_t next[KITH_PLANE_SECRET], key[KITH_AEAD_KEY], iv[KITH_AEAD_IV];
        uint8_t index[KITH_PLANE_INDEX - 1], mask[8];
    } step;
    static_assert(sizeof step ==
                      KITH_PLANE_SECRET + KITH_AEAD_KEY + KITH_AEAD_IV + KITH_PLANE_INDEX - 1 + 8,
                  "no padding");
    int err = kith_hkdf_expand(KITH_HKDF_SHA384, (struct kith_span){secret, KITH_PLANE_SECRET},
                               kith_span_text("kith plane v1 step"), (uint8_t *)&step, sizeof step);

    if (err >= 0) {
        memcpy(secret, step.next, sizeof step.next);
        *ret = (struct plane_key){
            .there = true, .index.b[0] = KITH_PLANE_TYPE, .mask = load_u64(step.mask)};
        memcpy(ret->index.b + 1, step.index, sizeof step.index);
        memcpy(ret->key.key, step.key, sizeof step.key);
        memcpy(ret->key.iv, step.iv, sizeof step.iv);
    }
    kith_wipe(&step, sizeof step);
    return err;
}

static int key_use(struct kith_plane *p, struct plane_key *k, bool seals)
{
    if (k->aead != NULL)
        return KITH_OK;
    return kith_aead_new(p->kind, &k->key, seals, p->alloc, &k->aead);
}

int kith_plane_new(enum kith_aead_kind kind, const struct kith_plane_secrets *secrets,
                   const struct kith_alloc *a, struct kith_plane **ret)
{
    struct kith_plane *p = kith_new_zero(a, sizeof *p);

    if (p == NULL)
        return KITH_E_NOMEM;
    p->alloc = a;
    p->kind = kind;
    memcpy(p->send_secret, secrets->send, KITH_PLANE_SECRET);
    memcpy(p->receive_secret, secrets->receive, KITH_PLANE_SECRET);
    int err = ratchet(p->send_secret, &p->send);
    if (err >= 0)
        err = ratchet(p->receive_secret, &p->receive[PRESENT]);
    if (err >= 0)
        err = ratchet(p->receive_secret, &p->receive[NEXT]);
    if (err < 0) {
        kith_plane_free(p);
        return err;
    }
    *ret = p;
    return KITH_OK;
}

void kith_plane_free(struct kith_plane *p)
{
    if (p == NULL)
        return;
    key_forget(p, &p->send);
    for (size_t i = 0; i < KITH_PLANE_KEYS; i++)
        key_forget(p, &p->receive[i]);
    const struct kith_alloc *a = p->alloc;
    kith_wipe(p, sizeof *p);
    kith_free(a, p);
}

/* ---- sending ---- */

/* Whether it is time for another key; only after the receiver was seen to have this one, so that
 * it never has to guess more than one step ahead. */
static bool rekey_due(const struct kith_plane *p, kith_time now)
{
    return p->followed && (p->turn || p->next - p->key_first >= KITH_PLANE_REKEY_PACKETS ||
                           kith_since(now, p->key_since) >= KITH_PLANE_REKEY_AFTER);
}

static int rekey(struct kith_plane *p)
{
    struct plane_key fresh;
    int err = ratchet(p->send_secret, &fresh);

    if (err < 0)
        return err;
    key_forget(p, &p->send);
    p->send = fresh;
    kith_wipe(&fresh, sizeof fresh);
    p->key_first = p->next;
    p->followed = p->turn = false;
    p->count.rekeyed++;
    return KITH_OK;
}

static void put_head(uint8_t *out, const struct plane_key *k, uint64_t number)
{
    memcpy(out, k->index.b, KITH_PLANE_INDEX);
    for (int i = 0; i < 8; i++)
        out[KITH_PLANE_INDEX + i] = (uint8_t)((number ^ k->mask) >> (56 - 8 * i));
}

int kith_plane_seal(struct kith_plane *p, const struct kith_span *parts, size_t n, uint8_t *out,
                    kith_time now, size_t *ret_len)
{
    size_t len = KITH_PLANE_OVERHEAD;
    int err = rekey_due(p, now) ? rekey(p) : KITH_OK;

    if (err < 0)
        return err;
    if (p->next - p->key_first >= KITH_PLANE_KEY_PACKETS_MAX)
        return KITH_E_LIMIT;
    if (p->next == p->key_first)
        p->key_since = now;
    err = key_use(p, &p->send, true);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    put_head(out, &p->send, p->next);
    err = kith_aead_seal(p->send.aead, p->next, (struct kith_span){out, KITH_PLANE_HEAD}, parts, n,
                         out + KITH_PLANE_HEAD);
    p->next++; /* whatever came of it, the number is spent */
    if (err < 0)
        return err;
    p->count.sealed++;
    p->count.sealed_bytes += len;
    *ret_len = len;
    return KITH_OK;
}

uint64_t kith_plane_next(const struct kith_plane *p)
{
    return p->next;
}

void kith_plane_followed(struct kith_plane *p, uint64_t number)
{
    if (number >= p->key_first && number < p->next)
        p->followed = true;
}

void kith_plane_turn(struct kith_plane *p)
{
    p->turn = p->next > p->key_first; /* else nobody has seen this key's index */
}

/* ---- receiving ---- */

void kith_plane_indices(const struct kith_plane *p, struct kith_plane_index ret[KITH_PLANE_KEYS])
{
    for (size_t i = 0; i < KITH_PLANE_KEYS; i++)
        ret[i] = p->receive[i].index;
}

/* A first authentic packet came under the next key. */
static int step(struct kith_plane *p, kith_time now)
{
    struct plane_key after;
    int err = ratchet(p->receive_secret, &after);

    if (err < 0)
        return err;
    key_forget(p, &p->receive[BEFORE]);
    p->receive[BEFORE] = p->receive[PRESENT];
    p->receive[PRESENT] = p->receive[NEXT];
    p->receive[NEXT] = after;
    kith_wipe(&after, sizeof after);
    p->old_until = kith_after(now, KITH_PLANE_OLD_KEY_FOR);
    return KITH_OK;
}

static size_t key_of(const struct kith_plane *p, const uint8_t *packet)
{
    for (size_t i = KITH_PLANE_KEYS; i-- > 0;)
        if (p->receive[i].there && memcmp(p->receive[i].index.b, packet, KITH_PLANE_INDEX) == 0)
            return i;
    return KITH_PLANE_KEYS;
}

int kith_plane_open(struct kith_plane *p, uint8_t *packet, size_t n, kith_time now,
                    struct kith_span *ret_payload, bool *ret_moved)
{
    *ret_moved = kith_plane_tick(p, now);
    if (n < KITH_PLANE_OVERHEAD)
        return KITH_E_MALFORMED;
    size_t at = key_of(p, packet);
    if (at == KITH_PLANE_KEYS)
        return KITH_E_NOTFOUND;
    uint64_t number = load_u64(packet + KITH_PLANE_INDEX) ^ p->receive[at].mask;
    if (!kith_replay_admits(&p->replay, number)) {
        p->count.replayed++;
        return KITH_E_USED;
    }
    if (p->count.forged >= KITH_PLANE_FORGED_MAX)
        return KITH_E_LIMIT;
    int err = key_use(p, &p->receive[at], false);
    if (err >= 0)
        err =
            kith_aead_open(p->receive[at].aead, number, (struct kith_span){packet, KITH_PLANE_HEAD},
                           packet + KITH_PLANE_HEAD, n - KITH_PLANE_HEAD);
    if (err == KITH_E_AUTH)
        p->count.forged++;
    if (err >= 0 && at == NEXT) {
        err = step(p, now);
        *ret_moved = *ret_moved || err >= 0;
    }
    if (err < 0)
        return err;
    kith_replay_note(&p->replay, number);
    p->count.opened++;
    p->count.opened_bytes += n;
    *ret_payload = (struct kith_span){packet + KITH_PLANE_HEAD, n - KITH_PLANE_OVERHEAD};
    return KITH_OK;
}

bool kith_plane_tick(struct kith_plane *p, kith_time now)
{
    if (!p->receive[BEFORE].there || now < p->old_until)
        return false;
    key_forget(p, &p->receive[BEFORE]);
    return true;
}

kith_time kith_plane_deadline(const struct kith_plane *p)
{
    return p->receive[BEFORE].there ? p->old_until : KITH_NEVER;
}

bool kith_plane_highest(const struct kith_plane *p, uint64_t *ret_number)
{
    if (p->replay.next == 0)
        return false;
    *ret_number = p->replay.next - 1;
    return true;
}

const struct kith_plane_counters *kith_plane_counters(const struct kith_plane *p)
{
    return &p->count;
}
