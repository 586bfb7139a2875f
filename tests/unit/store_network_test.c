/* Networks, the objects that hang on them, and settings. */

#include "property/store_lab.h"

#include "store/network.h"
#include "store/object.h"
#include "store/query.h"
#include "store/setting.h"

static struct kith_store_network full_network(unsigned v)
{
    struct kith_store_network n = {.name = "home",
                                   .slot = 7,
                                   .root_key = kith_span_text("-----BEGIN PRIVATE KEY-----"),
                                   .self_cert = kith_span_text("certificate"),
                                   .admin = true,
                                   .admin_index = 3,
                                   .next_serial = 100,
                                   .created = 1700000000,
                                   .left_at = 1700000001};
    store_lab_id(n.id, sizeof n.id, v);
    return n;
}

static void assert_same(const struct kith_store_network *a, const struct kith_store_network *b)
{
    assert_memory_equal(a->id, b->id, sizeof a->id);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->slot, b->slot);
    assert_true(kith_span_equal(a->root_key, b->root_key));
    assert_true(kith_span_equal(a->self_cert, b->self_cert));
    assert_int_equal(a->admin, b->admin);
    assert_int_equal(a->admin_index, b->admin_index);
    assert_int_equal(a->next_serial, b->next_serial);
    assert_int_equal(a->created, b->created);
    assert_int_equal(a->left_at, b->left_at);
}

static void a_network_comes_back_as_it_was_put(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_network n = full_network(1), got;

    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    assert_int_equal(kith_store_network_get(s, n.id, &got), KITH_OK);
    assert_same(&n, &got);

    struct kith_store_network bare = {.name = "x", .slot = 8}; /* every optional field absent */
    assert_int_equal(kith_store_network_put(s, &bare), KITH_OK);
    assert_int_equal(kith_store_network_get(s, bare.id, &got), KITH_OK);
    assert_same(&bare, &got);
    kith_store_close(s);
}

static void an_unknown_network_is_not_found_and_the_result_untouched(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_network got = {.slot = 99};
    uint8_t id[32] = {0};

    assert_int_equal(kith_store_network_get(s, id, &got), KITH_E_NOTFOUND);
    assert_int_equal(got.slot, 99);
    assert_int_equal(kith_store_network_remove(s, id), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static void putting_again_replaces_but_never_lowers_the_serial(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_network n = full_network(1), got;

    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    n.next_serial = 5;
    n.self_cert = kith_span_text("renewed");
    n.left_at = 0;
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    assert_int_equal(kith_store_network_get(s, n.id, &got), KITH_OK);
    n.next_serial = 100;
    assert_same(&n, &got);
    kith_store_close(s);
}

static void a_slot_belongs_to_one_network(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_network a = full_network(1), b = full_network(2), got;

    assert_int_equal(kith_store_network_put(s, &a), KITH_OK);
    assert_int_equal(kith_store_network_put(s, &b), KITH_E_TAKEN);
    assert_int_equal(kith_store_network_get(s, b.id, &got), KITH_E_NOTFOUND);
    b.slot = 8;
    assert_int_equal(kith_store_network_put(s, &b), KITH_OK);
    kith_store_close(s);
}

static void names_and_numbers_out_of_range_are_refused(void **state)
{
    struct store_lab *lab = *state;
    struct kith_store *s = store_lab_memory(lab);
    struct kith_store_network n = full_network(1);
    static uint8_t big[KITH_STORE_BLOB_MAX + 1];

    n.name[0] = '\0';
    assert_int_equal(kith_store_network_put(s, &n), KITH_E_INVAL);
    memset(n.name, 'a', sizeof n.name); /* without a NUL in reach */
    assert_int_equal(kith_store_network_put(s, &n), KITH_E_INVAL);
    n.name[63] = '\0';
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    n.created = KITH_STORE_INT_MAX + 1;
    assert_int_equal(kith_store_network_put(s, &n), KITH_E_INVAL);
    n.created = KITH_STORE_INT_MAX;
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    n.self_cert = (struct kith_span){big, sizeof big};
    assert_int_equal(kith_store_network_put(s, &n), KITH_E_INVAL);
    n.self_cert.n--;
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
    assert_int_equal(lab->told, 0); /* a caller's mistake is no failure of the store */
    kith_store_close(s);
}

struct walk {
    struct kith_store *store;
    unsigned seen, stop_at;
    uint32_t slots[8];
};

static int note_network(void *ctx, const struct kith_store_network *n)
{
    struct walk *w = ctx;

    w->slots[w->seen++] = n->slot;
    return w->seen == w->stop_at ? 55 : 0;
}

static void a_list_goes_by_slot_and_ends_when_told(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct walk w = {0};

    store_lab_network(s, 3);
    store_lab_network(s, 1);
    store_lab_network(s, 2);
    assert_int_equal(kith_store_network_list(s, note_network, &w), KITH_OK);
    assert_int_equal(w.seen, 3);
    assert_int_equal(w.slots[0] * 100 + w.slots[1] * 10 + w.slots[2], 123);
    w = (struct walk){.stop_at = 2};
    assert_int_equal(kith_store_network_list(s, note_network, &w), 55);
    assert_int_equal(w.seen, 2);
    kith_store_close(s);
}

static int call_back(void *ctx, const struct kith_store_network *n)
{
    struct walk *w = ctx;
    struct kith_store_network got;

    w->seen++;
    assert_int_equal(kith_store_network_get(w->store, n->id, &got), KITH_E_STATE);
    assert_int_equal(kith_store_network_remove(w->store, n->id), KITH_E_STATE);
    assert_int_equal(kith_store_network_list(w->store, call_back, w), KITH_E_STATE);
    assert_int_equal(kith_store_begin(w->store), KITH_E_STATE);
    kith_store_rollback(w->store);
    return 0;
}

static void a_visitor_that_calls_the_store_is_refused_and_the_walk_goes_on(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct walk w = {.store = s};

    store_lab_network(s, 1);
    store_lab_network(s, 2);
    assert_int_equal(kith_store_network_list(s, call_back, &w), KITH_OK);
    assert_int_equal(w.seen, 2);
    store_lab_network(s, 3); /* and afterwards everything is allowed again */
    kith_store_close(s);
}

static void serials_rise_and_a_rollback_gives_them_back(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    uint8_t id[32];
    uint64_t n = 0;

    store_lab_id(id, sizeof id, 1);
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_E_STATE); /* only in a transaction */
    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_E_NOTFOUND);
    store_lab_network(s, 1); /* next_serial 1 */
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_OK);
    assert_int_equal(n, 1);
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_OK);
    assert_int_equal(n, 2);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_OK);
    assert_int_equal(n, 3);
    kith_store_rollback(s);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_serial_next(s, id, &n), KITH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    kith_store_close(s);
}

/* ---- objects ---- */

static int put_object(struct kith_store *s, unsigned network, unsigned key, uint64_t number,
                      const char *bytes)
{
    struct kith_store_object o = {.kind = 2, .number = number, .bytes = kith_span_text(bytes)};
    uint8_t id[32];

    store_lab_id(id, sizeof id, network);
    store_lab_id(o.key, sizeof o.key, key);
    return kith_store_object_put_if_newer(s, id, &o);
}

static void assert_object(struct kith_store *s, unsigned network, unsigned key, uint64_t number,
                          const char *bytes)
{
    struct kith_store_object got;
    uint8_t id[32], k[16];

    store_lab_id(id, sizeof id, network);
    store_lab_id(k, sizeof k, key);
    assert_int_equal(kith_store_object_get(s, id, k, &got), KITH_OK);
    assert_memory_equal(got.key, k, sizeof k);
    assert_int_equal(got.kind, 2);
    assert_int_equal(got.number, number);
    assert_true(kith_span_equal(got.bytes, kith_span_text(bytes)));
}

static void only_a_higher_number_replaces_an_object(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    store_lab_network(s, 1);
    assert_int_equal(put_object(s, 1, 9, 5, "five"), KITH_OK);
    assert_int_equal(put_object(s, 1, 9, 4, "four"), KITH_E_EXISTS);
    assert_int_equal(put_object(s, 1, 9, 5, "another five"), KITH_E_EXISTS);
    assert_object(s, 1, 9, 5, "five");
    assert_int_equal(put_object(s, 1, 9, 6, "six"), KITH_OK);
    assert_object(s, 1, 9, 6, "six");
    kith_store_close(s);
}

static void objects_belong_to_a_known_network_and_go_with_it(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_object got;
    uint8_t id[32], key[16];

    store_lab_id(id, sizeof id, 1);
    store_lab_id(key, sizeof key, 9);
    assert_int_equal(put_object(s, 1, 9, 1, "x"), KITH_E_NOTFOUND);
    store_lab_network(s, 1);
    store_lab_network(s, 2);
    assert_int_equal(put_object(s, 1, 9, 1, "one"), KITH_OK);
    assert_int_equal(put_object(s, 2, 9, 1, "two"), KITH_OK);
    assert_int_equal(kith_store_network_remove(s, id), KITH_OK);
    assert_int_equal(kith_store_object_get(s, id, key, &got), KITH_E_NOTFOUND);
    assert_object(s, 2, 9, 1, "two");
    kith_store_close(s);
}

struct keys {
    unsigned n;
    uint8_t first[8];
};

static int note_object(void *ctx, const struct kith_store_object *o)
{
    struct keys *k = ctx;

    k->first[k->n++] = o->key[0];
    return 0;
}

static void objects_are_listed_by_key_and_removed_one_or_all(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct keys k = {0};
    uint8_t id[32], key[16];

    store_lab_id(id, sizeof id, 1);
    store_lab_id(key, sizeof key, 2);
    store_lab_network(s, 1);
    store_lab_network(s, 2);
    for (unsigned i = 3; i >= 1; i--)
        assert_int_equal(put_object(s, 1, i, i, "x"), KITH_OK);
    assert_int_equal(put_object(s, 2, 7, 1, "other"), KITH_OK);
    assert_int_equal(kith_store_object_list(s, id, note_object, &k), KITH_OK);
    assert_int_equal(k.n, 3);
    assert_memory_equal(k.first, "\1\2\3", 3);
    assert_int_equal(kith_store_object_remove(s, id, key), KITH_OK);
    assert_int_equal(kith_store_object_remove(s, id, key), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_object_clear(s, id), KITH_OK);
    k.n = 0;
    assert_int_equal(kith_store_object_list(s, id, note_object, &k), KITH_OK);
    assert_int_equal(k.n, 0);
    assert_object(s, 2, 7, 1, "other");
    kith_store_close(s);
}

static int put_numbered(struct kith_store *s, uint32_t i, uint64_t number)
{
    struct kith_store_object o = {.number = number};
    uint8_t id[32];

    store_lab_id(id, sizeof id, 1);
    memcpy(o.key, &i, sizeof i);
    return kith_store_object_put_if_newer(s, id, &o);
}

static void a_full_network_takes_news_of_old_objects_only(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    uint8_t id[32], key[16] = {0};

    store_lab_network(s, 1);
    store_lab_network(s, 2);
    assert_int_equal(kith_store_begin(s), KITH_OK);
    for (uint32_t i = 0; i < KITH_STORE_OBJECTS_MAX; i++)
        assert_int_equal(put_numbered(s, i, 1), KITH_OK);
    assert_int_equal(put_numbered(s, KITH_STORE_OBJECTS_MAX, 1), KITH_E_FULL);
    assert_int_equal(put_numbered(s, 0, 2), KITH_OK);
    assert_int_equal(put_object(s, 2, 9, 1, "x"), KITH_OK); /* the other network has room */
    store_lab_id(id, sizeof id, 1);
    assert_int_equal(kith_store_object_remove(s, id, key), KITH_OK);
    assert_int_equal(put_numbered(s, KITH_STORE_OBJECTS_MAX, 1), KITH_OK);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    kith_store_close(s);
}

/* ---- settings ---- */

static void a_setting_is_replaced_read_and_removed(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_span got = {0};

    assert_int_equal(kith_store_setting_get(s, "k", &got), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_setting_put(s, "k", kith_span_text("one")), KITH_OK);
    assert_int_equal(kith_store_setting_put(s, "k", kith_span_text("two")), KITH_OK);
    assert_int_equal(kith_store_setting_get(s, "k", &got), KITH_OK);
    assert_true(kith_span_equal(got, kith_span_text("two")));
    assert_int_equal(kith_store_setting_put(s, "k", (struct kith_span){0}), KITH_OK);
    assert_int_equal(kith_store_setting_get(s, "k", &got), KITH_OK);
    assert_int_equal(got.n, 0);
    assert_int_equal(kith_store_setting_remove(s, "k"), KITH_OK);
    assert_int_equal(kith_store_setting_remove(s, "k"), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_setting_put(s, "", got), KITH_E_INVAL);
    kith_store_close(s);
}

static void a_number_is_8_big_endian_bytes_and_nothing_else(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_span bytes;
    uint64_t n = 0;

    assert_int_equal(kith_store_number_put(s, "wall_high", 0x0102030405060708), KITH_OK);
    assert_int_equal(kith_store_setting_get(s, "wall_high", &bytes), KITH_OK);
    assert_int_equal(bytes.n, 8);
    assert_memory_equal(bytes.p, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(kith_store_number_put(s, "wall_high", UINT64_MAX), KITH_OK);
    assert_int_equal(kith_store_number_get(s, "wall_high", &n), KITH_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(kith_store_setting_put(s, "wall_high", kith_span_text("seven b")), KITH_OK);
    assert_int_equal(kith_store_number_get(s, "wall_high", &n), KITH_E_CORRUPT);
    assert_int_equal(kith_store_number_get(s, "none", &n), KITH_E_NOTFOUND);
    kith_store_close(s);
}

/* ---- every statement ---- */

static void every_statement_of_the_table_is_good_sql(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    for (int i = 0; i < KITH_SQL_COUNT; i++) {
        struct kith_query q = kith_query_on(s, (enum kith_sql)i);
        assert_int_equal(q.err, KITH_OK);
        assert_int_equal(kith_query_done(&q), KITH_OK);
    }
    kith_store_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(a_network_comes_back_as_it_was_put),
        T(an_unknown_network_is_not_found_and_the_result_untouched),
        T(putting_again_replaces_but_never_lowers_the_serial),
        T(a_slot_belongs_to_one_network),
        T(names_and_numbers_out_of_range_are_refused),
        T(a_list_goes_by_slot_and_ends_when_told),
        T(a_visitor_that_calls_the_store_is_refused_and_the_walk_goes_on),
        T(serials_rise_and_a_rollback_gives_them_back),
        T(only_a_higher_number_replaces_an_object),
        T(objects_belong_to_a_known_network_and_go_with_it),
        T(objects_are_listed_by_key_and_removed_one_or_all),
        T(a_full_network_takes_news_of_old_objects_only),
        T(a_setting_is_replaced_read_and_removed),
        T(a_number_is_8_big_endian_bytes_and_nothing_else),
        T(every_statement_of_the_table_is_good_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
