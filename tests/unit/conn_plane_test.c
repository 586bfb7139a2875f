/* The second packet plane between two ends, times given by hand. */
#include "conn/plane.h"

#include "base/text.h"
#include "lab_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ROOM = 256 };
static const kith_time T0 = 1000 * KITH_SEC;
static const struct kith_span word = {(const uint8_t *)"word", 4};

struct packet {
    uint8_t b[ROOM];
    size_t n;
};

/* Two ends, a's secret for sending being the bytes 0, 1, … 47 and b's 128, 129, …. */
struct ends {
    struct kith_plane *a, *b;
};

static struct kith_plane_secrets secrets_of(bool a)
{
    struct kith_plane_secrets s;

    for (size_t i = 0; i < KITH_PLANE_SECRET; i++) {
        s.send[i] = (uint8_t)(i + (a ? 0 : 128));
        s.receive[i] = (uint8_t)(i + (a ? 128 : 0));
    }
    return s;
}

static struct kith_plane *make(enum kith_aead_kind kind, bool a, const struct kith_alloc *alloc)
{
    struct kith_plane_secrets s = secrets_of(a);
    struct kith_plane *p = NULL;

    assert_int_equal(kith_plane_new(kind, &s, alloc, &p), KITH_OK);
    return p;
}

static struct ends meet(enum kith_aead_kind kind)
{
    return (struct ends){make(kind, true, &kith_heap), make(kind, false, &kith_heap)};
}

static void part(struct ends *e)
{
    kith_plane_free(e->a);
    kith_plane_free(e->b);
}

static struct packet seal(struct kith_plane *p, struct kith_span payload, kith_time now)
{
    struct packet out = {.n = 0};

    assert_int_equal(kith_plane_seal(p, &payload, payload.n > 0, out.b, now, &out.n), KITH_OK);
    return out;
}

/* Opens a copy. */
static int try_open(struct kith_plane *p, const struct packet *in, kith_time now, bool *ret_moved)
{
    struct packet copy = *in;
    struct kith_span payload;

    return kith_plane_open(p, copy.b, copy.n, now, &payload, ret_moved);
}

static void opens(struct kith_plane *p, const struct packet *in, kith_time now, bool moves)
{
    bool moved;

    assert_int_equal(try_open(p, in, now, &moved), KITH_OK);
    assert_int_equal(moved, moves);
}

static void refuses(struct kith_plane *p, const struct packet *in, kith_time now, int err)
{
    bool moved;

    assert_int_equal(try_open(p, in, now, &moved), err);
}

static void assert_packet(const struct packet *p, const char *want)
{
    char text[2 * ROOM + 1];

    assert_string_equal(kith_hex_text((struct kith_span){p->b, p->n}, text, sizeof text), want);
}

/* ---- bytes ---- */

/* Computed with Python's hmac and hashlib, and the ciphers of the package `cryptography`:
 *   t, out, i = b"", b"", 1
 *   while len(out) < 107:
 *       t = hmac.new(secret, t + b"kith plane v1 step" + bytes([i]), hashlib.sha384).digest()
 *       out, i = out + t, i + 1
 *   secret, key, iv, index = out[:48], out[48:80], out[80:92], b"\x30" + out[92:99]
 *   mask, n = out[99:107], number.to_bytes(8, "big")
 *   head = index + bytes(x ^ y for x, y in zip(mask, n))
 *   nonce = bytes(x ^ y for x, y in zip(iv, bytes(4) + n))
 *   packet = head + CIPHER(key).encrypt(nonce, payload, head)
 * beginning with secret = bytes(range(48)). */
static const struct {
    enum kith_aead_kind kind;
    const char *first, *second;
} known[] = {
    {KITH_AEAD_AES256GCM,
     "30d311b522a162e595b1a59cc74807e8866f7acfeecd5cb9f8dfea199b156ddc271afe3c02",
     "30ad730e3937a059f7679c7896e0498237ae30929a211b67ca0d0be16d2a089ddfe253a4ad42"},
    {KITH_AEAD_CHACHA20POLY1305,
     "30d311b522a162e595b1a59cc74807e8b707ddb5c137ff8d2ab319eb6458bf8de83ea7fdb6",
     "30ad730e3937a059f7679c7896e04982aebbe18d10f3863fc540d0f4263d9f47799c9894f342"},
};

static void packets_of_two_steps_are_those_of_an_independent_computation(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(known); i++) {
        struct ends e = meet(known[i].kind);
        struct packet p = seal(e.a, kith_span_text("first"), T0);
        assert_packet(&p, known[i].first);
        opens(e.b, &p, T0, false);
        kith_plane_followed(e.a, 0);
        p = seal(e.a, kith_span_text("second"), T0 + 120 * KITH_SEC);
        assert_packet(&p, known[i].second);
        opens(e.b, &p, T0, true);
        part(&e);
    }
}

static void what_one_end_seals_the_other_opens_and_the_header_is_as_specified(void **state)
{
    const struct kith_span parts[] = {kith_span_text("in "), {0}, kith_span_text("parts")};
    struct kith_plane_index at[KITH_PLANE_KEYS];
    struct kith_span payload;
    struct packet p;
    uint8_t mask[8];
    bool moved;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    for (uint64_t number = 0; number < 300; number++) {
        assert_int_equal(kith_plane_next(e.a), number);
        assert_int_equal(kith_plane_seal(e.a, parts, 3, p.b, T0, &p.n), KITH_OK);
        assert_int_equal(p.n, 8 + KITH_PLANE_OVERHEAD);
        assert_int_equal(p.b[0], 0x30);
        if (number == 0)
            memcpy(mask, p.b + KITH_PLANE_INDEX, sizeof mask);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(p.b[KITH_PLANE_INDEX + i] ^ mask[i], number >> (56 - 8 * i) & 0xff);
        kith_plane_indices(e.b, at);
        assert_memory_equal(p.b, at[1].b, KITH_PLANE_INDEX);
        assert_int_equal(kith_plane_open(e.b, p.b, p.n, T0, &payload, &moved), KITH_OK);
        assert_true(kith_span_equal(payload, kith_span_text("in parts")));
        assert_false(moved);
    }
    assert_int_equal(kith_plane_counters(e.a)->sealed, 300);
    assert_int_equal(kith_plane_counters(e.a)->sealed_bytes, 300 * (8 + 32));
    assert_int_equal(kith_plane_counters(e.b)->opened, 300);
    assert_int_equal(kith_plane_counters(e.b)->opened_bytes, 300 * (8 + 32));
    part(&e);
}

static void an_empty_packet_is_one_too(void **state)
{
    uint64_t highest = 99;

    (void)state;
    struct ends e = meet(KITH_AEAD_CHACHA20POLY1305);
    assert_false(kith_plane_highest(e.b, &highest));
    assert_int_equal(highest, 99);
    struct packet p = seal(e.a, (struct kith_span){0}, T0);
    assert_int_equal(p.n, KITH_PLANE_OVERHEAD);
    opens(e.b, &p, T0, false);
    assert_true(kith_plane_highest(e.b, &highest));
    assert_int_equal(highest, 0);
    part(&e);
}

static void each_direction_has_keys_of_its_own(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet there = seal(e.a, word, T0), back = seal(e.b, word, T0);
    assert_memory_not_equal(there.b, back.b, KITH_PLANE_INDEX);
    assert_memory_not_equal(there.b + KITH_PLANE_HEAD, back.b + KITH_PLANE_HEAD, word.n);
    refuses(e.a, &there, T0, KITH_E_NOTFOUND); /* reflected */
    memcpy(there.b, back.b, KITH_PLANE_INDEX); /* and made to look like the other direction's */
    refuses(e.a, &there, T0, KITH_E_AUTH);
    opens(e.a, &back, T0, false);
    part(&e);
}

/* ---- refusals ---- */

static void a_packet_with_any_bit_changed_or_byte_missing_is_refused(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet good = seal(e.a, word, T0);
    for (size_t bit = 0; bit < good.n * 8; bit++) {
        struct packet p = good;
        p.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(e.b, &p, T0, bit / 8 < KITH_PLANE_INDEX ? KITH_E_NOTFOUND : KITH_E_AUTH);
    }
    assert_int_equal(kith_plane_counters(e.b)->forged, (good.n - KITH_PLANE_INDEX) * 8);
    for (struct packet p = good; p.n-- > 0;)
        refuses(e.b, &p, T0, p.n < KITH_PLANE_OVERHEAD ? KITH_E_MALFORMED : KITH_E_AUTH);
    opens(e.b, &good, T0, false); /* nothing of it was noted */
    part(&e);
}

static void a_packet_is_opened_once_and_a_late_one_within_the_window(void **state)
{
    static struct packet early[3];

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    for (size_t i = 0; i < 3; i++)
        early[i] = seal(e.a, word, T0);
    for (uint64_t n = 3; n < 8193; n++) {
        struct packet p = seal(e.a, word, T0);
        if (n == 8192) {
            opens(e.b, &p, T0, false);
            refuses(e.b, &p, T0, KITH_E_USED);
        }
    }
    refuses(e.b, &early[0], T0, KITH_E_USED); /* 8192 behind */
    opens(e.b, &early[1], T0, false);         /* 8191 behind */
    refuses(e.b, &early[1], T0, KITH_E_USED);
    opens(e.b, &early[2], T0, false);
    assert_int_equal(kith_plane_counters(e.b)->replayed, 3);
    assert_int_equal(kith_plane_counters(e.b)->opened, 3);
    part(&e);
}

static void a_forged_high_number_does_not_move_the_window(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet good = seal(e.a, word, T0), p = good;
    for (size_t i = KITH_PLANE_INDEX; i < KITH_PLANE_HEAD; i++)
        p.b[i] = (uint8_t)~good.b[i];  /* it has number 0: now it has the last there is */
    refuses(e.b, &p, T0, KITH_E_USED); /* which has no successor */
    p.b[15] ^= 1;
    refuses(e.b, &p, T0, KITH_E_AUTH);
    opens(e.b, &good, T0, false);
    part(&e);
}

/* ---- rekeying ---- */

static void index_in_use(const struct packet *p, struct kith_plane_index *ret)
{
    memcpy(ret->b, p->b, KITH_PLANE_INDEX);
}

static bool same_key(const struct packet *p, const struct packet *q)
{
    return memcmp(p->b, q->b, KITH_PLANE_INDEX) == 0;
}

static void the_key_changes_after_120_s_once_the_receiver_has_followed(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet first = seal(e.a, word, T0);
    struct packet p = seal(e.a, word, T0 + 500 * KITH_SEC);
    assert_true(same_key(&p, &first)); /* nobody has said that it has this one */
    kith_plane_followed(e.a, 0);
    p = seal(e.a, word, T0 + 120 * KITH_SEC - 1);
    assert_true(same_key(&p, &first));
    struct packet second = seal(e.a, word, T0 + 120 * KITH_SEC);
    assert_false(same_key(&second, &first));
    assert_int_equal(kith_plane_counters(e.a)->rekeyed, 1);

    kith_plane_followed(e.a, 2); /* a report of the key before is none of this */
    p = seal(e.a, word, T0 + 300 * KITH_SEC);
    assert_true(same_key(&p, &second));
    kith_plane_followed(e.a, 3);
    p = seal(e.a, word, T0 + 240 * KITH_SEC - 1); /* 120 s from its own first packet on */
    assert_true(same_key(&p, &second));
    p = seal(e.a, word, T0 + 240 * KITH_SEC);
    assert_false(same_key(&p, &second));
    part(&e);
}

static void a_receiver_cannot_have_followed_what_was_never_sent(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet first = seal(e.a, word, T0);
    kith_plane_followed(e.a, 1);
    kith_plane_followed(e.a, UINT64_MAX);
    struct packet p = seal(e.a, word, T0 + 500 * KITH_SEC);
    assert_true(same_key(&p, &first));
    part(&e);
}

static void the_key_changes_after_2_to_the_20_packets(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet first = seal(e.a, word, T0), p = first;
    kith_plane_followed(e.a, 0);
    while (kith_plane_next(e.a) < 1 << 20) {
        p = seal(e.a, word, T0);
        if (!same_key(&p, &first))
            fail_msg("another key already at %llu", (unsigned long long)kith_plane_next(e.a));
    }
    p = seal(e.a, word, T0);
    assert_false(same_key(&p, &first));
    opens(e.b, &p, T0, true); /* the receiver follows though it has seen none of the first key's */
    part(&e);
}

/* With a path's change, so that the new path does not show the old one's index. */
static void the_key_changes_when_the_path_did_as_soon_as_it_may(void **state)
{
    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    kith_plane_turn(e.a); /* no packet has shown this index to anybody */
    struct packet first = seal(e.a, word, T0), p;
    kith_plane_followed(e.a, 0);
    p = seal(e.a, word, T0);
    assert_true(same_key(&p, &first));
    kith_plane_turn(e.a);
    struct packet second = seal(e.a, word, T0);
    assert_false(same_key(&second, &first));
    kith_plane_turn(e.a); /* again, but this one is not known to have arrived */
    p = seal(e.a, word, T0);
    assert_true(same_key(&p, &second));
    kith_plane_followed(e.a, 3);
    p = seal(e.a, word, T0);
    assert_false(same_key(&p, &second));
    part(&e);
}

/* The sender takes one step; none of the packets before are needed for it. */
static void rekey(struct ends *e, kith_time *now, struct packet *ret_first)
{
    *now += 120 * KITH_SEC;
    kith_plane_followed(e->a, kith_plane_next(e->a) - 1);
    *ret_first = seal(e->a, word, *now);
}

/* Numbers go on from key to key, and nobody who sees packets of both can tell by them. */
static void numbers_are_under_another_mask_with_every_key(void **state)
{
    struct packet first;
    kith_time now = T0;
    uint64_t highest;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet p = seal(e.a, word, now);
    for (uint64_t number = 1; number <= 20; number++, p = first) {
        rekey(&e, &now, &first);
        assert_memory_not_equal(first.b + KITH_PLANE_INDEX, p.b + KITH_PLANE_INDEX, 4);
        opens(e.b, &first, now, true);
        assert_true(kith_plane_highest(e.b, &highest));
        assert_int_equal(highest, number);
    }
    part(&e);
}

static void a_step_whose_first_packets_are_lost_is_followed_by_any_later_one(void **state)
{
    struct packet lost, p;
    kith_time now = T0;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    p = seal(e.a, word, now);
    opens(e.b, &p, now, false);
    rekey(&e, &now, &lost);
    for (int i = 0; i < 100; i++)
        p = seal(e.a, word, now);
    opens(e.b, &p, now, true);
    opens(e.b, &lost, now, false);
    p = seal(e.a, word, now);
    opens(e.b, &p, now, false);
    part(&e);
}

static void the_old_key_is_good_for_10_s_after_the_step_and_then_gone(void **state)
{
    struct packet late, later, first;
    kith_time now = T0;
    bool moved;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    late = seal(e.a, word, now);
    later = seal(e.a, word, now);
    assert_true(kith_plane_deadline(e.b) == KITH_NEVER);
    rekey(&e, &now, &first);
    opens(e.b, &first, now, true);
    assert_int_equal(kith_plane_deadline(e.b), now + 10 * KITH_SEC);
    assert_false(kith_plane_tick(e.b, now + 10 * KITH_SEC - 1));
    opens(e.b, &late, now + 10 * KITH_SEC - 1, false);
    assert_int_equal(try_open(e.b, &later, now + 10 * KITH_SEC, &moved), KITH_E_NOTFOUND);
    assert_true(moved);
    assert_true(kith_plane_deadline(e.b) == KITH_NEVER);
    assert_false(kith_plane_tick(e.b, now + 10 * KITH_SEC));
    part(&e);
}

static void packets_come_under_three_indices_at_most_and_never_an_old_one(void **state)
{
    static const struct kith_plane_index none;
    struct kith_plane_index before[KITH_PLANE_KEYS], after[KITH_PLANE_KEYS], used;
    struct packet first;
    kith_time now = T0;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    first = seal(e.a, word, now);
    kith_plane_indices(e.b, before);
    assert_memory_equal(&before[0], &none, sizeof none);
    index_in_use(&first, &used);
    assert_memory_equal(&before[1], &used, sizeof used);
    for (int steps = 0; steps < 50; steps++) {
        rekey(&e, &now, &first);
        opens(e.b, &first, now, true);
        kith_plane_indices(e.b, after);
        assert_memory_equal(&after[0], &before[1], sizeof used);
        assert_memory_equal(&after[1], &before[2], sizeof used);
        index_in_use(&first, &used);
        assert_memory_equal(&after[1], &used, sizeof used);
        assert_memory_not_equal(&after[2], &before[2], sizeof used);
        assert_int_equal(after[2].b[0], 0x30);
        memcpy(before, after, sizeof before);
    }
    assert_true(kith_plane_tick(e.b, now + 10 * KITH_SEC));
    kith_plane_indices(e.b, after);
    assert_memory_equal(&after[0], &none, sizeof none);
    part(&e);
}

/* ---- limits ---- */

/* The work of a few seconds, once: nothing but sealing as often can show that it ends. */
static void a_key_that_nobody_follows_seals_2_to_the_24_packets_and_no_more(void **state)
{
    uint8_t out[ROOM];
    size_t n = 0;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    for (uint32_t i = 0; i < 1u << 24; i++)
        if (kith_plane_seal(e.a, NULL, 0, out, T0, &n) != KITH_OK)
            fail_msg("packet %u", i);
    assert_int_equal(kith_plane_seal(e.a, NULL, 0, out, T0, &n), KITH_E_LIMIT);
    assert_int_equal(kith_plane_next(e.a), 1u << 24); /* and no number is spent on it */
    kith_plane_followed(e.a, 5);
    assert_int_equal(kith_plane_seal(e.a, NULL, 0, out, T0, &n), KITH_OK);
    part(&e);
}

static void after_2_to_the_24_forgeries_nothing_is_opened(void **state)
{
    struct kith_span payload;
    bool moved;

    (void)state;
    struct ends e = meet(KITH_AEAD_AES256GCM);
    struct packet good = seal(e.a, (struct kith_span){0}, T0), p = good;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        p.b[20] = (uint8_t)~good.b[20]; /* the tag's */
        if (kith_plane_open(e.b, p.b, p.n, T0, &payload, &moved) != KITH_E_AUTH)
            fail_msg("forgery %u", i);
    }
    refuses(e.b, &good, T0, KITH_E_LIMIT);
    part(&e);
}

/* ---- memory ---- */

static void without_memory_nothing_is_lost_but_the_packet(void **state)
{
    struct kith_plane_secrets s = secrets_of(true);
    struct kith_plane *p = NULL;
    struct lab_alloc heap;
    uint8_t out[ROOM];
    size_t n = 0;

    (void)state;
    lab_alloc_init(&heap);
    heap.fail_at = 1;
    assert_int_equal(kith_plane_new(KITH_AEAD_AES256GCM, &s, &heap.alloc, &p), KITH_E_NOMEM);
    assert_null(p);
    assert_int_equal(kith_plane_new(KITH_AEAD_AES256GCM, &s, &heap.alloc, &p), KITH_OK);

    heap.fail_at = heap.requests + 1; /* the cipher for sending */
    assert_int_equal(kith_plane_seal(p, &word, 1, out, T0, &n), KITH_E_NOMEM);
    assert_int_equal(kith_plane_next(p), 0);
    struct packet there = seal(p, word, T0);
    struct kith_plane *b = make(KITH_AEAD_AES256GCM, false, &kith_heap);
    opens(b, &there, T0, false);

    struct packet back = seal(b, word, T0);
    heap.fail_at = heap.requests + 1; /* the cipher for receiving */
    refuses(p, &back, T0, KITH_E_NOMEM);
    opens(p, &back, T0, false);

    kith_plane_followed(p, 0);
    heap.fail_at = heap.requests + 1; /* the next step's cipher */
    assert_int_equal(kith_plane_seal(p, &word, 1, out, T0 + 120 * KITH_SEC, &n), KITH_E_NOMEM);
    there = seal(p, word, T0 + 121 * KITH_SEC);
    opens(b, &there, T0, true);
    assert_int_equal(heap.failed, 4);
    kith_plane_free(p);
    kith_plane_free(b);
    assert_int_equal(heap.live, 0);
}

/* An allocator that looks into what is given back. */
static struct {
    size_t size; /* of the block looked at */
    void *block;
    size_t nonzero;
} watched;

static void *watching_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0 && p != NULL && p == watched.block)
        for (size_t i = 0; i < watched.size; i++)
            watched.nonzero += ((uint8_t *)p)[i] != 0;
    void *q = kith_heap.resize(kith_heap.ctx, p, n);
    if (n > 0 && watched.block == NULL) {
        watched.block = q;
        watched.size = n;
    }
    return q;
}

static void nothing_of_it_is_left_in_memory_that_was_freed(void **state)
{
    const struct kith_alloc a = {.resize = watching_resize};

    (void)state;
    memset(&watched, 0, sizeof watched);
    struct kith_plane *p = make(KITH_AEAD_AES256GCM, true, &a); /* its struct comes first */
    struct kith_plane *b = make(KITH_AEAD_AES256GCM, false, &kith_heap);
    struct packet there = seal(p, word, T0), back = seal(b, word, T0);
    opens(b, &there, T0, false);
    opens(p, &back, T0, false);
    assert_ptr_equal(p, watched.block);
    assert_true(watched.size > sizeof(struct kith_replay));
    kith_plane_free(p);
    assert_int_equal(watched.nonzero, 0);
    kith_plane_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_two_steps_are_those_of_an_independent_computation),
        cmocka_unit_test(what_one_end_seals_the_other_opens_and_the_header_is_as_specified),
        cmocka_unit_test(an_empty_packet_is_one_too),
        cmocka_unit_test(each_direction_has_keys_of_its_own),
        cmocka_unit_test(a_packet_with_any_bit_changed_or_byte_missing_is_refused),
        cmocka_unit_test(a_packet_is_opened_once_and_a_late_one_within_the_window),
        cmocka_unit_test(a_forged_high_number_does_not_move_the_window),
        cmocka_unit_test(the_key_changes_after_120_s_once_the_receiver_has_followed),
        cmocka_unit_test(a_receiver_cannot_have_followed_what_was_never_sent),
        cmocka_unit_test(the_key_changes_after_2_to_the_20_packets),
        cmocka_unit_test(the_key_changes_when_the_path_did_as_soon_as_it_may),
        cmocka_unit_test(numbers_are_under_another_mask_with_every_key),
        cmocka_unit_test(a_step_whose_first_packets_are_lost_is_followed_by_any_later_one),
        cmocka_unit_test(the_old_key_is_good_for_10_s_after_the_step_and_then_gone),
        cmocka_unit_test(packets_come_under_three_indices_at_most_and_never_an_old_one),
        cmocka_unit_test(a_key_that_nobody_follows_seals_2_to_the_24_packets_and_no_more),
        cmocka_unit_test(after_2_to_the_24_forgeries_nothing_is_opened),
        cmocka_unit_test(without_memory_nothing_is_lost_but_the_packet),
        cmocka_unit_test(nothing_of_it_is_left_in_memory_that_was_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
