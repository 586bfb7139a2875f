/* Two ends of the second plane with a network between them that does what the input says: it
 * delivers, repeats, delays and changes packets, makes some up under a right index, lets time pass,
 * and brings reports of any content. Each step is a byte that says which, and then its bytes.
 * The laws: a packet opens only if it was sealed, once, and as it was; the gauge never counts more
 * than was sent; after all that the next packet is opened, unless too many were forged. */
#include <stdlib.h>

#include "base/cursor.h"
#include "conn/gauge.h"
#include "conn/plane.h"
#include "wire/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { HELD = 16, PACKETS = 4096, PAYLOAD = 16, SIZE = PAYLOAD + KITH_PLANE_OVERHEAD };

struct world {
    struct kith_plane *a, *b;
    struct kith_gauge gauge; /* a's */
    uint8_t held[HELD][SIZE];
    bool opened[PACKETS + 1];
    kith_time now;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void arrive(struct world *w, const uint8_t *packet, size_t n)
{
    uint8_t copy[256];
    struct kith_span payload;
    uint64_t number, highest;
    bool moved;

    n = n < sizeof copy ? n : sizeof copy;
    kith_copy(copy, packet, n);
    if (kith_plane_open(w->b, copy, n, w->now, &payload, &moved) != KITH_OK)
        return;
    check(payload.n == PAYLOAD);
    memcpy(&number, payload.p, sizeof number);
    check(number < kith_plane_next(w->a) && !w->opened[number]);
    check(memcmp(payload.p + 8, payload.p, 8) == 0);
    check(kith_plane_highest(w->b, &highest) && highest >= number);
    w->opened[number] = true;
    kith_gauge_opened(&w->gauge, highest == number, payload.n, w->now);
}

static void seal_into(struct world *w, uint8_t out[SIZE])
{
    uint64_t number = kith_plane_next(w->a), payload[2] = {number, number};
    size_t n;

    if (number >= PACKETS)
        return;
    check(kith_plane_seal(w->a, &KITH_SPAN_OF(payload), 1, out, w->now, &n) == KITH_OK);
    check(n == SIZE);
    (void)kith_gauge_probes(&w->gauge, number, w->now);
    kith_gauge_sent(&w->gauge, number, n, w->now);
}

/* What a session does with the datagram. */
static void report(struct world *w, struct kith_span bytes)
{
    struct kith_plane_report r;

    if (kith_plane_report_decode(bytes, &r) < 0)
        return;
    const struct kith_gauge_report g = {r.highest, r.received, r.delay * KITH_USEC};
    if (kith_gauge_reported(&w->gauge, &g, kith_plane_next(w->a), w->now) >= 0)
        kith_plane_followed(w->a, r.highest);
    check(w->gauge.lost <= kith_plane_next(w->a));
}

static void true_report(struct world *w)
{
    struct kith_gauge_report g = {.received = kith_plane_counters(w->b)->opened};

    if (!kith_plane_highest(w->b, &g.highest))
        return;
    check(kith_gauge_reported(&w->gauge, &g, kith_plane_next(w->a), w->now) == KITH_OK);
    kith_plane_followed(w->a, g.highest);
}

/* Bytes of the input behind the header of a packet that b expects. */
static void make_up(struct world *w, uint8_t which, struct kith_span bytes)
{
    struct kith_plane_index at[KITH_PLANE_KEYS];
    uint8_t packet[256];

    kith_plane_indices(w->b, at);
    memcpy(packet, at[which % KITH_PLANE_KEYS].b, KITH_PLANE_INDEX);
    size_t n =
        bytes.n < sizeof packet - KITH_PLANE_INDEX ? bytes.n : sizeof packet - KITH_PLANE_INDEX;
    kith_copy(packet + KITH_PLANE_INDEX, bytes.p, n);
    arrive(w, packet, KITH_PLANE_INDEX + n);
}

static void change(struct world *w, const uint8_t *packet, struct kith_reader *r)
{
    uint8_t copy[SIZE];

    memcpy(copy, packet, SIZE);
    copy[kith_get_u8(r) % SIZE] ^= kith_get_u8(r);
    arrive(w, copy, SIZE - kith_get_u8(r) % 4);
}

static void one(struct world *w, struct kith_reader *r)
{
    uint8_t what = kith_get_u8(r);
    uint8_t *held = w->held[what >> 4];

    switch (what % 9) {
    case 0:
    case 1: seal_into(w, held); break;
    case 2: arrive(w, held, SIZE); break;
    case 3: change(w, held, r); break;
    case 4: make_up(w, what >> 4, kith_get_bytes(r, 1, 255)); break;
    case 5: w->now += (kith_time)kith_get_u16(r) * 4 * KITH_MSEC; break;
    case 6: report(w, kith_get_bytes(r, 1, 255)); break;
    case 7: true_report(w); break;
    case 8:
        kith_plane_turn(w->a);
        kith_gauge_moved(&w->gauge, w->now);
        break;
    }
    (void)kith_gauge_serves(&w->gauge, w->now, w->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w;
    struct kith_plane_secrets there = {{1}, {2}}, back = {{2}, {1}};
    struct kith_reader r = kith_reader_on((struct kith_span){data, n});
    const bool liar = n > 0 && data[0] & 0x80; /* then reports may lead the sender astray */
    uint8_t last[SIZE];

    memset(&w, 0, sizeof w);
    w.now = 1000 * KITH_SEC;
    kith_gauge_init(&w.gauge);
    check(kith_plane_new(n % 2 ? KITH_AEAD_AES256GCM : KITH_AEAD_CHACHA20POLY1305, &there,
                         &kith_heap, &w.a) == KITH_OK);
    check(kith_plane_new(n % 2 ? KITH_AEAD_AES256GCM : KITH_AEAD_CHACHA20POLY1305, &back,
                         &kith_heap, &w.b) == KITH_OK);
    while (!r.bad && kith_reader_left(&r) > 0) {
        if (!liar && *(data + n - kith_reader_left(&r)) % 9 == 6) {
            (void)kith_get_u8(&r);
            continue;
        }
        one(&w, &r);
    }
    if (!liar && kith_plane_next(w.a) < PACKETS) {
        uint64_t opened = kith_plane_counters(w.b)->opened;
        seal_into(&w, last);
        arrive(&w, last, SIZE);
        check(kith_plane_counters(w.b)->opened == opened + 1);
    }
    kith_plane_free(w.a);
    kith_plane_free(w.b);
    return 0;
}
