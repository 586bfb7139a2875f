/* datagram_structured.c: a live node against a member whose datagrams are valid by their table:
 * packets with its own addresses or foreign ones, fragments that overlap, pings, reports. Law:
 * fuzz/siege.h, and nothing comes out of the victim's device that is no IP packet. */
#include "fuzz/siege.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { STEPS_MAX = 128 };

static void step(struct siege *s, struct foe *f, struct recipe *r)
{
    struct mouth_ends ends = s->ends;
    uint8_t how = recipe_byte(r);

    if (how < 24) {
        siege_run(s, f, (1 + how) * 20 * KITH_MSEC);
        return;
    }
    if (how > 250)
        recipe_fill(r, ends.from4.b, 4);
    if (how > 245)
        recipe_fill(r, ends.to6.b, 16);
    mouth_datagram(f, &s->node[0], r, &ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct recipe r = recipe_on(data, n, NULL);
    struct foe *f;
    struct siege *s = siege_begin(true, &f);

    r.known = &s->known;
    siege_run(s, f, 50 * KITH_MSEC); /* the membership is believed */
    for (int i = 0; i < STEPS_MAX && recipe_left(&r) > 0; i++)
        step(s, f, &r);
    siege_end(s, f);
    uint8_t version = s->node[0].last_packet[0] >> 4;
    if (s->node[0].tun_packets > 0 && version != 4 && version != 6)
        abort();
    return 0;
}
