/* Memory through a table: zeroed, refused in one piece, never smaller than asked for. */
#include "unit/base_lab.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Hands out memory full of 0xa5, so that zeros are somebody's work. */
static void *dirty_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    free(p);
    if (n == 0)
        return NULL;
    void *q = malloc(n);
    if (q != NULL)
        memset(q, 0xa5, n);
    return q;
}

static void new_memory_is_zero(void **state)
{
    static const struct kith_alloc dirty = {.resize = dirty_resize};
    static const uint8_t zero[96];
    uint8_t *p = kith_new_zero(&dirty, 96), *q = kith_new_array(&dirty, 12, 8);

    (void)state;
    assert_memory_equal(p, zero, 96);
    assert_memory_equal(q, zero, 96);
    kith_free(&dirty, p);
    kith_free(&dirty, q);
}

static void an_array_that_overflows_is_never_asked_for(void **state)
{
    struct lab_heap heap;
    struct kith_alloc a = lab_alloc(&heap);

    (void)state;
    assert_null(kith_new_array(&a, SIZE_MAX, 2));
    assert_null(kith_new_array(&a, 2, SIZE_MAX));
    assert_null(kith_new_array(&a, SIZE_MAX / 8 + 1, 8));
    assert_null(kith_new_array(&a, (size_t)1 << 32, (size_t)1 << 32));
    assert_int_equal(heap.asked, 0);
    assert_null(kith_new_array(&a, 4, 0));
    assert_null(kith_new_array(&a, 0, 4));
    assert_int_equal(heap.live, 0);
}

static void a_refusal_is_null_and_leaks_nothing(void **state)
{
    struct lab_heap heap;
    struct kith_alloc a = lab_alloc(&heap);

    (void)state;
    heap.fuse = 1;
    char *copy = kith_text_copy(&a, "kith");
    assert_string_equal(copy, "kith");
    assert_null(kith_text_copy(&a, "kith"));
    assert_null(kith_new_zero(&a, 1));
    assert_null(kith_new_array(&a, 1, 1));
    assert_null(kith_resize(&a, copy, 100));
    assert_string_equal(copy, "kith"); /* as realloc: the old block stays */
    kith_free(&a, copy);
    kith_free(&a, NULL);
    assert_int_equal(heap.live, 0);
}

static void a_watch_counts_what_is_refused_and_nothing_else(void **state)
{
    struct lab_heap heap;
    struct kith_alloc a = lab_alloc(&heap);
    struct kith_alloc_watch w;

    (void)state;
    heap.fuse = 2;
    kith_alloc_watch_init(&w, &a);
    char *p = kith_resize(&w.alloc, NULL, 10);
    p = kith_resize(&w.alloc, p, 20);
    assert_non_null(p);
    assert_int_equal(w.refused, 0);
    assert_null(kith_resize(&w.alloc, p, 300));
    assert_null(kith_new_zero(&w.alloc, 40));
    assert_int_equal(w.refused, 2);
    assert_int_equal(w.bytes, 40);
    kith_free(&w.alloc, p);
    assert_int_equal(w.refused, 2);
    assert_int_equal(heap.live, 0);
}

static void the_heap_grows_shrinks_and_frees(void **state)
{
    uint8_t *p = kith_resize(&kith_heap, NULL, 3);

    (void)state;
    assert_non_null(p);
    memcpy(p, "abc", 3);
    p = kith_resize(&kith_heap, p, 100000);
    assert_non_null(p);
    assert_memory_equal(p, "abc", 3);
    p[99999] = 1;
    assert_null(kith_resize(&kith_heap, p, 0));
    kith_free(&kith_heap, NULL);
    char *empty = kith_text_copy(&kith_heap, "");
    assert_string_equal(empty, "");
    kith_free(&kith_heap, empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_memory_is_zero),
        cmocka_unit_test(an_array_that_overflows_is_never_asked_for),
        cmocka_unit_test(a_refusal_is_null_and_leaks_nothing),
        cmocka_unit_test(a_watch_counts_what_is_refused_and_nothing_else),
        cmocka_unit_test(the_heap_grows_shrinks_and_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
