#include "sim/crowd.h"

#include <stdlib.h>

void crowd_begin(struct crowd *c, struct sim_net *net)
{
    *c = (struct crowd){.net = net, .due.alloc = &kith_heap};
    kith_list_init(&c->stirred);
}

void crowd_end(struct crowd *c)
{
    kith_due_fini(&c->due);
}

void crowd_stir(struct crowd_place *place)
{
    if (kith_list_empty(&place->stirred))
        kith_list_append(&place->crowd->stirred, &place->stirred);
}

static void on_stir(void *ctx)
{
    crowd_stir(ctx);
}

void crowd_add(struct crowd *c, struct crowd_place *place, struct node_peer_sim *p)
{
    *place = (struct crowd_place){.node = p, .crowd = c};
    kith_list_init(&place->stirred);
    p->on_stir = on_stir;
    p->stir_ctx = place;
    crowd_stir(place);
}

void crowd_take_out(struct crowd_place *place)
{
    kith_list_remove(&place->stirred);
    kith_due_remove(&place->crowd->due, &place->due);
    place->node->on_stir = NULL;
}

static void give_turn(struct crowd *c, struct crowd_place *place)
{
    c->turns++;
    if (kith_due_set(&c->due, &place->due, node_sim_turn(place->node)) < 0)
        abort();
}

/* Whoever was stirred, or is due, until nobody is. */
static void give_turns(struct crowd *c)
{
    for (;;) {
        while (!kith_list_empty(&c->stirred)) {
            struct crowd_place *place = KITH_OF(c->stirred.next, struct crowd_place, stirred);
            kith_list_remove(&place->stirred);
            give_turn(c, place);
        }
        if (kith_due_deadline(&c->due) > sim_net_now(c->net))
            return;
        give_turn(c, (struct crowd_place *)(void *)kith_due_first(&c->due));
    }
}

void crowd_run(struct crowd *c, kith_dur d)
{
    kith_time end = kith_after(sim_net_now(c->net), d);

    for (;;) {
        give_turns(c);
        if (sim_net_now(c->net) >= end)
            return;
        sim_net_run(c->net, kith_sooner(kith_due_deadline(&c->due), end));
    }
}
