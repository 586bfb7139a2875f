#include "sim/vandal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "wire/control.h"
#include "wire/datagram.h"

enum { FIERCE = 60, ITEMS = 100, ITEM = 22, HALF = 2, FLOWS = 512 };

static uint64_t below(struct vandal *v, uint64_t n)
{
    return kith_random_below(v->dice, n);
}

/* ---- what it says ---- */

static void says(struct vandal *v, size_t victim, const uint8_t *message, size_t n)
{
    (void)!foe_say(&v->foe, &v->t->node[victim], message, n); /* if there is room for it */
}

static void sends(struct vandal *v, size_t victim, const uint8_t *datagram, size_t n)
{
    (void)!foe_datagram(&v->foe, &v->t->node[victim], datagram, n);
}

/* Its labels have the highest bit if its id is the greater. */
static uint32_t own_label(const struct vandal *v, size_t victim, uint32_t label)
{
    const struct kith_peer_id *other = &v->t->node[victim].identity.id;
    bool high = memcmp(v->foe.identity.id.b, other->b, sizeof other->b) > 0;

    return (label & ~(UINT32_C(1) << 31)) | (uint32_t)high << 31;
}

static struct kith_destination of_nobody(struct vandal *v)
{
    struct kith_destination d;

    kith_random_fill(v->dice, d.b, sizeof d.b);
    return d;
}

/* Of a member that is not spared, or of nobody. */
static struct kith_destination of_somebody(struct vandal *v, const bool *spared)
{
    size_t who = (size_t)below(v, v->t->n);
    struct kith_destination d;

    if (spared[who] || below(v, HALF) == 0)
        return of_nobody(v);
    assert_int_equal(mesh_destination_of(&v->t->node[who].identity.id, &d), KITH_OK);
    return d;
}

static void begins_a_flow(struct vandal *v, size_t victim, const bool *spared)
{
    const struct kith_flow_open m = {.hops = (uint8_t)(1 + below(v, KITH_MESH_HOPS_MAX)),
                                     .label = own_label(v, victim, ++v->label),
                                     .attempt = (uint32_t)below(v, 4),
                                     .flow = {{(uint8_t)below(v, HALF), (uint8_t)below(v, 256),
                                               (uint8_t)below(v, 256), (uint8_t)v->who}},
                                     .destination = of_somebody(v, spared)};
    uint8_t buf[64];
    size_t n;

    assert_int_equal(kith_flow_open_encode(&m, buf, sizeof buf, &n), KITH_OK);
    sends(v, victim, buf, n);
}

/* Under a label that it may have given, or never gave. */
static uint32_t some_label(struct vandal *v, size_t victim)
{
    return below(v, HALF) == 0 ? own_label(v, victim, v->label - (uint32_t)below(v, FLOWS))
                               : (uint32_t)kith_random_u64(v->dice);
}

static void sends_noise(struct vandal *v, size_t victim, const bool *spared)
{
    uint8_t noise[200], buf[256];
    const struct kith_flow_packet m = {.hops = (uint8_t)below(v, KITH_MESH_HOPS_MAX),
                                       .label = some_label(v, victim),
                                       .packet = KITH_SPAN_OF(noise)};
    size_t n;

    (void)spared;
    kith_random_fill(v->dice, noise, sizeof noise);
    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &n), KITH_OK);
    sends(v, victim, buf, n);
}

static void sends_a_piece(struct vandal *v, size_t victim, const bool *spared)
{
    uint8_t part[300] = {0}, buf[400];
    const struct kith_flow_piece m = {.hops = KITH_MESH_HOPS_MAX,
                                      .label = some_label(v, victim),
                                      .id = (uint16_t)below(v, 65536),
                                      .size = 900,
                                      .index = (uint8_t)below(v, 2),
                                      .count = 3,
                                      .part = KITH_SPAN_OF(part)};
    size_t n;

    (void)spared;
    assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &n), KITH_OK);
    sends(v, victim, buf, n);
}

static void ends_a_flow(struct vandal *v, size_t victim, const bool *spared)
{
    const struct kith_flow_over m = {.label = some_label(v, victim), .why = (uint8_t)below(v, 8)};
    uint8_t buf[16];
    size_t n;

    (void)spared;
    assert_int_equal(kith_flow_over_encode(&m, buf, sizeof buf, &n), KITH_OK);
    sends(v, victim, buf, n);
}

static void lies_about_ways(struct vandal *v, size_t victim, const bool *spared)
{
    static uint8_t items[ITEMS * ITEM], message[ITEMS * ITEM + 64];
    struct kith_writer w = kith_writer_on(items, sizeof items);
    kith_wall now = node_sim_now(&v->t->node[victim]).wall;
    size_t n;

    for (size_t i = 0; i < ITEMS; i++) {
        const struct kith_route_item item = {
            .destination = i < 4 ? of_somebody(v, spared) : of_nobody(v),
            .seq = (uint32_t)(now - 1000 + (kith_wall)below(v, 2000)),
            .hops = below(v, 4) == 0 ? 255 : (uint8_t)below(v, 70)};
        kith_route_item_put(&w, &item);
    }
    const struct kith_routes m = {.network = v->t->info.id,
                                  .flags = (uint8_t)(below(v, 8) == 0 ? below(v, 4) : 0),
                                  .entries = {KITH_SPAN_OF(items), ITEMS}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &n), KITH_OK);
    says(v, victim, message, n);
}

static void asks_for_news(struct vandal *v, size_t victim, const bool *spared)
{
    const struct kith_route_request m = {.network = v->t->info.id,
                                         .tag = kith_random_u64(v->dice),
                                         .destination = of_somebody(v, spared),
                                         .seq = (uint32_t)node_sim_now(&v->t->node[victim]).wall,
                                         .hops = (uint8_t)(1 + below(v, KITH_MESH_HOPS_MAX))};
    uint8_t buf[128];
    size_t n;

    assert_int_equal(kith_route_request_encode(&m, buf, sizeof buf, &n), KITH_OK);
    says(v, victim, buf, n);
}

/* For paths; and it answers what it was not asked, or what it was (asked holds the last). */
static void asks_for_paths(struct vandal *v, size_t victim, const bool *spared)
{
    const struct kith_path_request m = {.network = v->t->info.id,
                                        .tag = kith_random_u64(v->dice),
                                        .destination = of_somebody(v, spared),
                                        .hops = (uint8_t)(1 + below(v, KITH_MESH_HOPS_MAX)),
                                        .flags = (uint8_t)below(v, 2)};
    uint8_t buf[128];
    size_t n;

    assert_int_equal(kith_path_request_encode(&m, buf, sizeof buf, &n), KITH_OK);
    says(v, victim, buf, n);
}

static void answers_at_random(struct vandal *v, size_t victim, const bool *spared)
{
    struct kith_path_request asked = {.tag = kith_random_u64(v->dice),
                                      .destination = of_somebody(v, spared)};
    uint8_t buf[128];
    size_t n;

    if (v->foe.asked_len > 0 && below(v, 2) == 0)
        assert_int_equal(
            kith_path_request_decode((struct kith_span){v->foe.asked, v->foe.asked_len}, &asked),
            KITH_OK);
    const struct kith_path_answer m = {.network = v->t->info.id,
                                       .tag = asked.tag,
                                       .destination = asked.destination,
                                       .seq = (uint32_t)node_sim_now(&v->t->node[victim]).wall,
                                       .hops = (uint8_t)below(v, 4)};
    assert_int_equal(kith_path_answer_encode(&m, buf, sizeof buf, &n), KITH_OK);
    says(v, victim, buf, n);
}

/* ---- life ---- */

static void learn_membership(struct vandal *v)
{
    const struct kith_peer_id root = kith_network_root(&v->t->info.id);
    struct kith_membership m = {.network = v->t->info.id, .slot = 0};
    struct kith_store_object cert = {.kind = 0};
    struct kith_object_key key;

    assert_int_equal(kith_object_key_of(&v->t->info.id, KITH_OBJECT_member_body, &root,
                                        &v->foe.identity.id, &key),
                     KITH_OK);
    assert_int_equal(kith_store_object_get(v->t->node[0].store, v->t->info.id.b, key.b, &cert),
                     KITH_OK);
    m.cert = cert.bytes;
    assert_int_equal(
        kith_membership_encode(&m, v->membership, sizeof v->membership, &v->membership_len),
        KITH_OK);
}

void vandal_begin(struct vandal *v, struct town *t, size_t who, const size_t *victims, size_t n,
                  const struct sim_link *link, struct kith_random *dice)
{
    memset(v, 0, sizeof *v);
    v->t = t;
    v->who = who;
    v->dice = dice;
    v->fierce = 1 + (unsigned)below(v, FIERCE);
    node_sim_kill(&t->node[who]);
    foe_init_as_node(&v->foe, t->net, "203.0.113.9:9000", (uint8_t)(who + 1));
    learn_membership(v);
    for (size_t i = 0; i < n && i < VANDAL_VICTIMS; i++) {
        v->victim[v->n_victims++] = victims[i];
        sim_net_link(t->net, v->foe.host, t->node[victims[i]].host, link);
        foe_dial(&v->foe, &t->node[victims[i]]);
    }
}

/* Once for each session: it is a member. */
static void greet(struct vandal *v, size_t i)
{
    bool up =
        v->t->node[v->victim[i]].node != NULL && foe_is_up(&v->foe, &v->t->node[v->victim[i]]);

    if (up && !v->greeted[i])
        says(v, v->victim[i], v->membership, v->membership_len);
    v->greeted[i] = up;
}

void vandal_act(struct vandal *v, const bool *spared)
{
    static void (*const things[])(struct vandal *, size_t, const bool *) = {
        begins_a_flow,   begins_a_flow, sends_noise,    sends_a_piece,    ends_a_flow,
        lies_about_ways, asks_for_news, asks_for_paths, answers_at_random};
    size_t i = (size_t)below(v, v->n_victims);

    for (size_t k = 0; k < v->n_victims; k++)
        greet(v, k);
    for (uint64_t n = 1 + below(v, v->fierce); n > 0 && v->greeted[i]; n--)
        things[below(v, sizeof things / sizeof *things)](v, v->victim[i], spared);
    foe_pump(&v->foe);
}

void vandal_silence(struct vandal *v)
{
    sim_host_power(v->foe.host, false);
}

void vandal_end(struct vandal *v)
{
    foe_fini(&v->foe);
}
