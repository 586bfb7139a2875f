/* control_structured.c: a live node against a foe whose control messages, signed objects and
 * enrolments are valid by their tables and hostile in what they say. Law: fuzz/siege.h. */
#include "fuzz/siege.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { STEPS_MAX = 48 };

static void step(struct siege *s, struct foe *f, struct recipe *r)
{
    struct node_peer_sim *to = &s->node[0];

    switch (recipe_byte(r) % 8) {
    case 0: siege_run(s, f, (1 + recipe_byte(r)) * 5 * KITH_MSEC); return;
    case 1: mouth_object(f, to, r, &s->network); return;
    case 2: mouth_enrol(f, to, r); return;
    case 3:
        if (recipe_byte(r) % 4 == 3)
            foe_restart(f);
        foe_dial(f, to);
        siege_run(s, f, 50 * KITH_MSEC);
        (void)!foe_say(f, to, s->membership, s->membership_len);
        return;
    default: mouth_control(f, to, r); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct recipe r = recipe_on(data, n, NULL);
    struct foe *f;
    struct siege *s = siege_begin((recipe_byte(&r) & 7) != 0, &f);

    r.known = &s->known;
    for (int i = 0; i < STEPS_MAX && recipe_left(&r) > 0; i++)
        step(s, f, &r);
    siege_end(s, f);
    return 0;
}
