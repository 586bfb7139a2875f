#include "sim/crowd.h"

#include <stdlib.h>

#include "sim/mail.h"

void crowd_begin(struct crowd *c, struct sim_net *net, unsigned threads)
{
    *c = (struct crowd){.net = net, .due.alloc = &kith_heap, .workers = workers_new(threads)};
    kith_list_init(&c->stirred);
}

void crowd_end(struct crowd *c)
{
    workers_free(c->workers);
    kith_due_fini(&c->due);
    free(c->called);
}

void crowd_prepare(struct crowd *c, struct crowd_place *place, struct node_peer_sim *p)
{
    *place = (struct crowd_place){.node = p, .crowd = c};
    kith_list_init(&place->stirred);
    kith_random_seeded_init(&place->seeded, kith_random_u64(sim_net_random(c->net)));
    place->random = kith_random_from_seed(&place->seeded);
    p->env.random = &place->random;
    sim_mail_begin(p->host);
}

void crowd_stir(struct crowd_place *place)
{
    if (kith_list_empty(&place->stirred))
        kith_list_append(&place->crowd->stirred, &place->stirred);
}

void crowd_add(struct crowd_place *place)
{
    place->node->place = place;
    crowd_stir(place);
}

void crowd_take_out(struct crowd_place *place)
{
    kith_list_remove(&place->stirred);
    kith_due_remove(&place->crowd->due, &place->due);
    place->node->place = NULL;
}

static bool on_mail(void *host_ctx)
{
    struct node_peer_sim *p = host_ctx;

    if (p->place == NULL)
        return false;
    crowd_stir(p->place);
    return true;
}

static void call(struct crowd *c, struct crowd_place *place)
{
    kith_list_remove(&place->stirred);
    kith_due_remove(&c->due, &place->due);
    if (c->n_called == c->cap_called) {
        c->cap_called = c->cap_called == 0 ? 64 : 2 * c->cap_called;
        c->called = realloc(c->called, c->cap_called * sizeof(struct crowd_place *));
        if (c->called == NULL)
            abort();
    }
    c->called[c->n_called++] = place;
}

/* Whoever was stirred, or is due; false: nobody. */
static bool call_all(struct crowd *c)
{
    c->n_called = 0;
    while (!kith_list_empty(&c->stirred))
        call(c, KITH_OF(c->stirred.next, struct crowd_place, stirred));
    while (kith_due_deadline(&c->due) <= sim_net_now(c->net))
        call(c, (struct crowd_place *)(void *)kith_due_first(&c->due));
    return c->n_called > 0;
}

/* In any thread. */
static void give_turn(void *ctx, size_t i)
{
    struct crowd_place *place = ((struct crowd *)ctx)->called[i];

    sim_mail_read(place->node->host);
    place->next_at = node_sim_turn(place->node);
}

static void after_turn(struct crowd *c, struct crowd_place *place)
{
    c->turns++;
    sim_mail_post(place->node->host);
    if (kith_due_set(&c->due, &place->due, sim_net_tick_at(c->net, place->next_at)) < 0)
        abort();
}

static void give_turns(struct crowd *c)
{
    while (call_all(c)) {
        workers_run(c->workers, c->n_called, give_turn, c);
        for (size_t i = 0; i < c->n_called; i++)
            after_turn(c, c->called[i]);
    }
}

void crowd_run(struct crowd *c, kith_dur d)
{
    kith_time end = kith_after(sim_net_now(c->net), d);

    for (;;) {
        give_turns(c);
        if (sim_net_now(c->net) >= end)
            return;
        sim_mail_collect(c->net, kith_sooner(kith_due_deadline(&c->due), end), on_mail);
    }
}
