/* The flows of a node: found by label, id and destination, each end in one place, the longest
 * unused first, and never more than there may be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "mesh/flows.h"

enum { MAX = 100 };

static struct kith_random_seeded seeded;
static struct kith_random rnd;
static struct lab_alloc heap;
static struct kith_env env;
static struct kith_mesh_flows f;

static int begin_with(size_t max)
{
    kith_random_seeded_init(&seeded, 5);
    rnd = kith_random_from_seed(&seeded);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &rnd};
    kith_mesh_flows_init(&f, &env, max);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(MAX);
}

static int begin_with_one(void **state)
{
    (void)state;
    return begin_with(1);
}

static int finish(void **state)
{
    (void)state;
    kith_mesh_flows_fini(&f);
    return heap.live == 0 ? 0 : -1;
}

static struct kith_flow_id id_of(unsigned i)
{
    return (struct kith_flow_id){{(uint8_t)(i >> 8), (uint8_t)i, 0xf1}};
}

static struct kith_destination dest(unsigned i)
{
    return (struct kith_destination){{(uint8_t)(i >> 8), (uint8_t)i, 0xde}};
}

static int adds(unsigned id, unsigned to, bool here, kith_time now, struct kith_mesh_flow **ret)
{
    const struct kith_flow_id i = id_of(id);
    const struct kith_destination d = dest(to);

    return kith_mesh_flows_add(&f, &i, &d, here, now, ret);
}

static struct kith_mesh_flow *add(unsigned id, unsigned to, bool here)
{
    struct kith_mesh_flow *flow = NULL;

    assert_int_equal(adds(id, to, here, KITH_SEC, &flow), KITH_OK);
    return flow;
}

static struct kith_mesh_flow *by_id(unsigned id)
{
    const struct kith_flow_id i = id_of(id);

    return kith_mesh_flows_by_id(&f, &i);
}

static struct kith_mesh_flow *to(unsigned i)
{
    const struct kith_destination d = dest(i);

    return kith_mesh_flows_to(&f, &d);
}

static struct kith_mesh_end end(uint32_t neighbour, uint32_t label)
{
    return (struct kith_mesh_end){.neighbour = neighbour, .label = label};
}

static struct kith_mesh_flow *at(uint32_t neighbour, uint32_t label)
{
    return kith_mesh_flows_by_label(&f, end(neighbour, label));
}

static int set(struct kith_mesh_flow *flow, enum kith_mesh_side side, uint32_t by, uint32_t label)
{
    return kith_mesh_flows_set_end(&f, flow, side, end(by, label));
}

static void a_flow_is_found_by_its_id_and_one_from_here_by_its_destination_too(void **state)
{
    (void)state;
    struct kith_mesh_flow *ours = add(1, 10, true), *theirs = add(2, 11, false);
    assert_ptr_equal(by_id(1), ours);
    assert_ptr_equal(by_id(2), theirs);
    assert_null(by_id(3));
    assert_ptr_equal(to(10), ours);
    assert_null(to(11));
    assert_int_equal(ours->end[KITH_MESH_UP].neighbour, KITH_MESH_SELF);
    assert_int_equal(ours->end[KITH_MESH_DOWN].neighbour, KITH_MESH_NOBODY);
    assert_int_equal(theirs->end[KITH_MESH_UP].neighbour, KITH_MESH_NOBODY);
    assert_int_equal(ours->unheard_at, KITH_NEVER);
    assert_int_equal(ours->used_at, KITH_SEC);
    assert_int_equal(kith_mesh_flows_count(&f), 2);
}

static void an_id_is_known_once_and_a_destination_has_one_flow_from_here(void **state)
{
    struct kith_mesh_flow *flow = NULL;

    (void)state;
    (void)add(1, 10, true);
    assert_int_equal(adds(1, 11, false, KITH_SEC, &flow), KITH_E_EXISTS);
    assert_int_equal(adds(2, 10, true, KITH_SEC, &flow), KITH_E_EXISTS);
    assert_null(flow);
    assert_null(by_id(2));
    (void)add(2, 10, false); /* what goes through may lead there, too */
    (void)add(3, 10, false);
    assert_int_equal(kith_mesh_flows_count(&f), 3);
}

static void both_ends_are_found_by_neighbour_and_label(void **state)
{
    (void)state;
    struct kith_mesh_flow *one = add(1, 10, false), *two = add(2, 10, false);
    assert_int_equal(set(one, KITH_MESH_UP, 7, 5), KITH_OK);
    assert_int_equal(set(one, KITH_MESH_DOWN, 8, 5), KITH_OK); /* the same label elsewhere */
    assert_int_equal(set(two, KITH_MESH_UP, 7, 6), KITH_OK);
    assert_ptr_equal(at(7, 5), one);
    assert_ptr_equal(at(8, 5), one);
    assert_ptr_equal(at(7, 6), two);
    assert_null(at(8, 6));
}

static void an_end_that_moves_leaves_its_old_label(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, false);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 7, 5), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 6), KITH_OK);
    assert_null(at(7, 5));
    assert_ptr_equal(at(8, 6), flow);
    assert_int_equal(set(flow, KITH_MESH_DOWN, KITH_MESH_NOBODY, 0), KITH_OK);
    assert_null(at(8, 6));
    assert_int_equal(flow->end[KITH_MESH_DOWN].neighbour, KITH_MESH_NOBODY);
    assert_int_equal(set(flow, KITH_MESH_DOWN, KITH_MESH_SELF, 0), KITH_OK);
    assert_int_equal(flow->end[KITH_MESH_DOWN].neighbour, KITH_MESH_SELF);
    assert_null(at(KITH_MESH_SELF, 0)); /* this node is no place on a session */
}

static void a_label_belongs_to_one_end(void **state)
{
    (void)state;
    struct kith_mesh_flow *one = add(1, 10, false), *two = add(2, 10, false);
    assert_int_equal(set(one, KITH_MESH_UP, 7, 5), KITH_OK);
    assert_int_equal(set(two, KITH_MESH_UP, 8, 5), KITH_OK);
    assert_int_equal(set(two, KITH_MESH_DOWN, 7, 5), KITH_E_EXISTS);
    assert_int_equal(two->end[KITH_MESH_DOWN].neighbour, KITH_MESH_NOBODY);
    assert_ptr_equal(at(7, 5), one);
    assert_int_equal(set(one, KITH_MESH_UP, 7, 5), KITH_OK); /* it is there already */
    assert_ptr_equal(at(7, 5), one);
}

static void the_two_ends_of_a_flow_never_share_a_label(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, false);
    assert_int_equal(set(flow, KITH_MESH_UP, 7, 5), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 7, 5), KITH_E_EXISTS);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 5), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 7, 5), KITH_E_EXISTS);
    assert_int_equal(flow->end[KITH_MESH_DOWN].neighbour, 8);
    assert_ptr_equal(at(8, 5), flow);
}

static void a_flow_that_retires_leaves_its_labels_to_its_former(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, false);
    assert_int_equal(set(flow, KITH_MESH_UP, 7, 5), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 6), KITH_OK);
    flow->attempt = 3;
    assert_int_equal(kith_mesh_flows_retire(&f, flow, 2 * KITH_SEC), KITH_OK);
    struct kith_mesh_flow *former = kith_mesh_flows_first_former(&f);
    assert_ptr_equal(flow->former, former);
    assert_ptr_equal(former->latter, flow);
    assert_int_equal(former->attempt, 3);
    assert_ptr_equal(at(7, 5), former);
    assert_ptr_equal(at(8, 6), former);
    assert_true(kith_mesh_flows_at(&f, 7));
    assert_int_equal(flow->end[KITH_MESH_UP].neighbour, KITH_MESH_NOBODY);
    assert_int_equal(flow->end[KITH_MESH_DOWN].neighbour, KITH_MESH_NOBODY);
    assert_int_equal(kith_mesh_flows_count(&f), 2);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 9, 1), KITH_OK);
    assert_int_equal(kith_mesh_flows_retire(&f, flow, 2 * KITH_SEC), KITH_OK); /* in its place */
    assert_null(at(7, 5));
    assert_int_equal(kith_mesh_flows_count(&f), 2);
    kith_mesh_flows_drop(&f, flow);
    assert_null(at(9, 1));
    assert_null(kith_mesh_flows_first_former(&f));
    assert_int_equal(kith_mesh_flows_count(&f), 0);
}

static void one_that_begins_here_still_does_when_it_retires(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, true);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 6), KITH_OK);
    assert_int_equal(kith_mesh_flows_retire(&f, flow, 2 * KITH_SEC), KITH_OK);
    assert_int_equal(flow->end[KITH_MESH_UP].neighbour, KITH_MESH_SELF);
    assert_int_equal(flow->former->end[KITH_MESH_UP].neighbour, KITH_MESH_SELF);
    const struct kith_destination d = dest(10);
    assert_ptr_equal(kith_mesh_flows_to(&f, &d), flow);
    kith_mesh_flows_drop_former(&f, flow);
    assert_ptr_equal(kith_mesh_flows_to(&f, &d), flow);
    assert_null(at(8, 6));
}

static void formers_have_no_room_beside_the_flows(void **state)
{
    struct kith_mesh_flow *other;

    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, false);
    assert_int_equal(set(flow, KITH_MESH_UP, 7, 5), KITH_OK);
    assert_int_equal(kith_mesh_flows_retire(&f, flow, KITH_SEC), KITH_E_FULL);
    assert_ptr_equal(at(7, 5), flow);
    assert_int_equal(adds(2, 10, false, KITH_SEC, &other), KITH_E_FULL);
}

static void who_has_an_end_of_a_flow_is_known(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 1, false);
    assert_false(kith_mesh_flows_at(&f, 7));
    assert_int_equal(set(flow, KITH_MESH_UP, 7, 1), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 2), KITH_OK);
    add(2, 2, true);
    assert_true(kith_mesh_flows_at(&f, 7) && kith_mesh_flows_at(&f, 8));
    assert_false(kith_mesh_flows_at(&f, 9));
    kith_mesh_flows_drop(&f, flow);
    assert_false(kith_mesh_flows_at(&f, 7) || kith_mesh_flows_at(&f, 8));
}

static void a_dropped_flow_is_found_by_nothing(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, true);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 7, 5), KITH_OK);
    kith_mesh_flows_drop(&f, flow);
    assert_null(by_id(1));
    assert_null(to(10));
    assert_null(at(7, 5));
    assert_null(kith_mesh_flows_oldest(&f));
    assert_int_equal(kith_mesh_flows_count(&f), 0);
    (void)add(1, 10, true); /* everything is free again */
}

static void one_that_goes_through_takes_nothing_along_of_one_from_here(void **state)
{
    (void)state;
    struct kith_mesh_flow *ours = add(1, 10, true), *theirs = add(2, 10, false);
    kith_mesh_flows_drop(&f, theirs);
    assert_ptr_equal(to(10), ours);
}

static void the_longest_unused_is_the_oldest(void **state)
{
    (void)state;
    assert_null(kith_mesh_flows_oldest(&f));
    struct kith_mesh_flow *one = add(1, 10, false), *two = add(2, 10, false),
                          *three = add(3, 10, false);
    assert_ptr_equal(kith_mesh_flows_oldest(&f), one);
    kith_mesh_flows_touch(&f, one, 2 * KITH_SEC);
    assert_int_equal(one->used_at, 2 * KITH_SEC);
    assert_ptr_equal(kith_mesh_flows_oldest(&f), two);
    kith_mesh_flows_touch(&f, two, 3 * KITH_SEC);
    assert_ptr_equal(kith_mesh_flows_oldest(&f), three);
    kith_mesh_flows_drop(&f, three);
    assert_ptr_equal(kith_mesh_flows_oldest(&f), one);
}

static void full_is_full_until_one_goes(void **state)
{
    struct kith_mesh_flow *flow = NULL;

    (void)state;
    for (unsigned i = 0; i < MAX; i++)
        (void)add(i, i, i % 2 == 0);
    assert_int_equal(adds(MAX, MAX, true, KITH_SEC, &flow), KITH_E_FULL);
    assert_int_equal(adds(MAX, MAX, false, KITH_SEC, &flow), KITH_E_FULL);
    assert_null(flow);
    assert_null(to(MAX));
    assert_int_equal(kith_mesh_flows_count(&f), MAX);
    kith_mesh_flows_drop(&f, by_id(50));
    (void)add(MAX, MAX, true);
}

static void with_all_ends_taken_an_end_can_still_move(void **state)
{
    (void)state;
    struct kith_mesh_flow *flow = add(1, 10, false); /* the only one there may be */
    assert_int_equal(set(flow, KITH_MESH_UP, 7, 1), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 8, 2), KITH_OK);
    assert_int_equal(set(flow, KITH_MESH_DOWN, 9, 3), KITH_OK);
    assert_null(at(8, 2));
    assert_ptr_equal(at(9, 3), flow);
}

/* Adds a flow and gives it both ends; how far it came is checked by what is found. */
static void build(unsigned i)
{
    struct kith_mesh_flow *flow = NULL;
    size_t count = kith_mesh_flows_count(&f);

    if (adds(i, i, true, KITH_SEC, &flow) != KITH_OK) {
        assert_null(by_id(i));
        assert_null(to(i));
        assert_int_equal(kith_mesh_flows_count(&f), count);
        return;
    }
    assert_ptr_equal(by_id(i), flow);
    assert_ptr_equal(to(i), flow);
    if (set(flow, KITH_MESH_DOWN, 7, i) == KITH_OK) {
        assert_ptr_equal(at(7, i), flow);
    } else {
        assert_int_equal(flow->end[KITH_MESH_DOWN].neighbour, KITH_MESH_NOBODY);
        assert_null(at(7, i));
    }
}

static void without_memory_everything_is_as_it_was(void **state)
{
    enum { ASKED = 29 }; /* 20 flows, and 3 maps that grow to 8, 16 and 32 places */

    (void)state;
    for (uint64_t fail = 1; fail <= ASKED; fail++) {
        heap.fail_at = heap.requests + fail;
        for (unsigned i = 0; i < 20; i++)
            build(i);
        heap.fail_at = 0;
        kith_mesh_flows_fini(&f);
        assert_int_equal(heap.live, 0);
        kith_mesh_flows_init(&f, &env, MAX);
    }
    assert_int_equal(heap.failed, ASKED);
}

static void a_failed_move_leaves_an_end_where_it_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) /* the map of labels must grow for the next */
        assert_int_equal(set(add(i, i, false), KITH_MESH_UP, 7, i), KITH_OK);
    heap.fail_at = heap.requests + 1;
    assert_int_equal(set(by_id(3), KITH_MESH_UP, 8, 9), KITH_E_NOMEM);
    assert_ptr_equal(at(7, 3), by_id(3));
    assert_null(at(8, 9));
    assert_int_equal(by_id(3)->end[KITH_MESH_UP].neighbour, 7);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(a_flow_is_found_by_its_id_and_one_from_here_by_its_destination_too),
        T(an_id_is_known_once_and_a_destination_has_one_flow_from_here),
        T(both_ends_are_found_by_neighbour_and_label),
        T(an_end_that_moves_leaves_its_old_label),
        T(a_label_belongs_to_one_end),
        T(the_two_ends_of_a_flow_never_share_a_label),
        T(who_has_an_end_of_a_flow_is_known),
        T(a_dropped_flow_is_found_by_nothing),
        T(one_that_goes_through_takes_nothing_along_of_one_from_here),
        T(the_longest_unused_is_the_oldest),
        T(a_flow_that_retires_leaves_its_labels_to_its_former),
        T(one_that_begins_here_still_does_when_it_retires),
        cmocka_unit_test_setup_teardown(formers_have_no_room_beside_the_flows, begin_with_one,
                                        finish),
        T(full_is_full_until_one_goes),
        cmocka_unit_test_setup_teardown(with_all_ends_taken_an_end_can_still_move, begin_with_one,
                                        finish),
        T(without_memory_everything_is_as_it_was),
        T(a_failed_move_leaves_an_end_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
