/* Calls whose n-th allocation for JSON fails: each is an error, and none leaves anything behind.
 * The allocator is a program's own, as jansson lets programs have one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

#include "api_lab.h"
#include "dir_lab.h"

/* Of this thread only: the node's has memory. */
static _Thread_local size_t left = SIZE_MAX; /* allocations that still succeed */
static _Thread_local size_t live;            /* blocks of this thread not yet freed */

enum { HEAD = 16 }; /* what makes these blocks none that free() takes */

static void *lab_malloc(size_t n)
{
    char *p;

    if (left == 0)
        return NULL;
    left -= left != SIZE_MAX;
    p = malloc(n + HEAD);
    if (p == NULL)
        return NULL;
    live++;
    return p + HEAD;
}

static void lab_free(void *p)
{
    if (p == NULL)
        return;
    live--;
    free((char *)p - HEAD);
}

struct counted {
    size_t items;
};

static bool count(void *ctx, const char *item_json, size_t length)
{
    struct counted *c = ctx;

    assert_int_equal(strlen(item_json), length);
    c->items++;
    return true;
}

/* jansson takes a string it had no memory for for one that is no JSON: then it is said to be the
 * caller's, or the node's. */
static bool is_honest(int err)
{
    return err == KITH_ERROR_NOMEM || err == KITH_ERROR_INVAL || err == KITH_ERROR_PROTOCOL;
}

/* Makes the call with ever more memory until it goes well; returns how many items it told then. */
static size_t starve(struct kith *k, const char *method, const char *params)
{
    for (size_t n = 0;; n++) {
        struct kith_error e = {.code = 0};
        struct kith_reply r = {.json = NULL};
        struct counted c = {.items = 0};
        size_t before = live;
        int err;
        left = n;
        err = kith_call_items(k, method, params, count, &c, &r, &e);
        left = SIZE_MAX;
        assert_int_equal(live, before);
        if (err == 0) {
            assert_true(n > 10); /* some did fail */
            kith_reply_free(&r);
            return c.items;
        }
        assert_true(is_honest(err));
        assert_int_equal(e.code, err);
        assert_null(r.json);
        assert_true(n < 5000);
    }
}

static void a_call_without_memory_says_so_and_the_next_one_works(void **state)
{
    struct kith *k = lab_node("one");

    (void)state;
    assert_int_equal(starve(k, "status", "{}"), 0);
    assert_int_equal(starve(k, "members", NULL), 0);
    kith_close(k);
}

static void items_are_told_all_or_the_call_fails(void **state)
{
    struct kith *k = lab_node("one");

    (void)state;
    assert_int_equal(starve(k, "logs", "{\"lines\":2}"), 2);
    kith_close(k);
}

static void connecting_without_memory_is_an_error_too(void **state)
{
    const struct kith_open_options o = {
        .state_dir = "one", .config = LAB_CONFIG, .any_port = true, .control_socket = true};
    const struct kith_connect_options where = {.state_dir = "one"};
    struct kith *node = NULL, *client = NULL;
    size_t n = 0, before = live;

    (void)state;
    assert_int_equal(kith_open(&o, &node, NULL), 0);
    for (int err = KITH_ERROR_NOMEM; err < 0; n++) {
        assert_true(is_honest(err));
        assert_null(client);
        left = n;
        err = kith_connect(&where, &client, NULL);
        left = SIZE_MAX;
    }
    assert_true(n > 10);
    assert_int_equal(live, before);
    kith_close(client);
    kith_close(node);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_dir_enter, lab_dir_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_call_without_memory_says_so_and_the_next_one_works),
        T(items_are_told_all_or_the_call_fails),
        T(connecting_without_memory_is_an_error_too),
    };

    json_set_alloc_funcs(lab_malloc, lab_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
