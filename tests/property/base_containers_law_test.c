/* Containers and codecs against naive models, step by step over many seeds: the map against an
 * array, the heap of deadlines against a search for the least, the buffer against one long array,
 * the cursor against what was put in, base32 and durations against themselves. */
#include "base/buf.h"
#include "base/due.h"
#include "base/map.h"
#include "base/text.h"
#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEDS = 100, STEPS = 1000 };

static struct lab_dice dice;
static struct lab_heap heap;
static struct kith_alloc alloc;
static uint64_t seed;

static void begin(uint64_t s)
{
    seed = s;
    lab_seed(&dice, s);
    alloc = lab_alloc(&heap);
}

static void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

/* Every so often memory is out for one allocation. */
static void perhaps_out_of_memory(void)
{
    heap.fuse = lab_below(&dice, 20) == 0 ? 0 : SIZE_MAX;
}

/* ---- the map ---- */

enum { KEYS = 200 };

static void same_values(const struct kith_map *m, int *const model[KEYS], int things[2])
{
    size_t n = 0, found = 0, at = 0;
    int *v;

    for (size_t k = 0; k < KEYS; k++)
        n += model[k] != NULL;
    check(m->n == n, "the count");
    things[0] = things[1] = 0;
    for (; (v = kith_map_next(m, &at)) != NULL; found++)
        ++*v;
    check(found == n, "a visit sees each entry once");
    for (size_t k = 0; k < KEYS; k++)
        if (model[k] != NULL)
            --*model[k];
    check(things[0] == 0 && things[1] == 0, "a visit sees the values");
}

static void key_of(size_t k, size_t len, uint8_t key[KITH_MAP_KEY_MAX])
{
    memset(key, 0x55, KITH_MAP_KEY_MAX);
    key[len - 1] = (uint8_t)k;
}

static void the_map_is_an_array_of_values(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        int *model[KEYS] = {0}, thing[2] = {0};
        size_t len = 1 + lab_below(&dice, KITH_MAP_KEY_MAX), max = 1 + lab_below(&dice, KEYS);
        size_t n = 0, puts = 2 + lab_below(&dice, 6); /* out of 8: growing and shrinking maps */
        struct kith_map m;
        kith_map_init(&m, &alloc, &dice.random, len, max);
        for (int i = 0; i < STEPS; i++) {
            size_t k = lab_below(&dice, KEYS);
            uint8_t key[KITH_MAP_KEY_MAX];
            key_of(k, len, key);
            if (lab_below(&dice, 8) < puts) {
                int *v = &thing[lab_below(&dice, 2)];
                perhaps_out_of_memory();
                int err = kith_map_put(&m, key, v);
                if (model[k] == NULL && n == max)
                    check(err == KITH_E_FULL, "full");
                else
                    check(err == KITH_OK || (heap.fuse == 0 && err == KITH_E_NOMEM), "put");
                n += err == KITH_OK && model[k] == NULL;
                model[k] = err == KITH_OK ? v : model[k];
            } else {
                check(kith_map_take(&m, key) == model[k], "take");
                n -= model[k] != NULL;
                model[k] = NULL;
            }
            size_t other = lab_below(&dice, KEYS);
            key_of(other, len, key);
            check(kith_map_find(&m, key) == model[other], "find");
            if (i % 50 == 0)
                same_values(&m, model, thing);
        }
        for (size_t k = 0; k < KEYS; k++) {
            uint8_t key[KITH_MAP_KEY_MAX];
            key_of(k, len, key);
            check(kith_map_find(&m, key) == model[k], "find at the end");
        }
        kith_map_fini(&m);
        check(heap.live == 0, "a leak");
    }
}

/* ---- the heap of deadlines ---- */

enum { OBJECTS = 100 };

static void the_first_is_always_the_least(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        struct kith_due d[OBJECTS] = {0};
        kith_time model[OBJECTS];
        struct kith_due_heap h = {.alloc = &alloc};
        memset(model, 0xff, sizeof model); /* KITH_NEVER, all of them */
        for (int i = 0; i < STEPS; i++) {
            size_t k = lab_below(&dice, OBJECTS), in = 0;
            kith_time at = lab_below(&dice, 4) ? lab_below(&dice, 300) : KITH_NEVER;
            perhaps_out_of_memory();
            if (lab_below(&dice, 5) == 0) {
                kith_due_remove(&h, &d[k]);
                model[k] = KITH_NEVER;
            } else if (kith_due_set(&h, &d[k], at) == KITH_OK) {
                model[k] = at;
            } else {
                check(model[k] == KITH_NEVER && heap.fuse == 0, "only a put may fail");
            }
            kith_time least = KITH_NEVER;
            for (size_t j = 0; j < OBJECTS; j++) {
                least = kith_sooner(least, model[j]);
                in += model[j] != KITH_NEVER;
                check((d[j].place != 0) == (model[j] != KITH_NEVER), "who is in");
            }
            const struct kith_due *first = kith_due_first(&h);
            check(h.n == in && kith_due_deadline(&h) == least, "the deadline");
            check((first == NULL) == (in == 0), "nobody");
            check(first == NULL || model[first - d] == least, "the first");
        }
        kith_time before = 0; /* taken out one by one, they come in order */
        for (struct kith_due *first; (first = kith_due_first(&h)) != NULL; before = first->at) {
            check(first->at >= before && first->at == model[first - d], "the order");
            kith_due_remove(&h, first);
        }
        kith_due_fini(&h);
        check(heap.live == 0, "a leak");
    }
}

/* ---- the buffer ---- */

static void the_buffer_is_a_window_of_a_stream(void **state)
{
    static uint8_t stream[STEPS * 64];

    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        size_t from = 0, to = 0, max = 1 + lab_below(&dice, 2000);
        struct kith_buf b;
        kith_random_fill(&dice.random, stream, sizeof stream);
        kith_buf_init(&b, &alloc, max);
        for (int i = 0; i < STEPS; i++) {
            size_t n = lab_below(&dice, 64);
            perhaps_out_of_memory();
            if (lab_below(&dice, 9) < 5) {
                int err = kith_buf_add(&b, (struct kith_span){stream + to, n});
                if (to - from + n > max)
                    check(err == KITH_E_LIMIT, "the limit");
                else
                    check(err == KITH_OK || (heap.fuse == 0 && err == KITH_E_NOMEM), "add");
                to += err == KITH_OK ? n : 0;
            } else {
                kith_buf_drop(&b, n);
                from = from + n < to ? from + n : to;
            }
            check(kith_span_equal(kith_buf_span(&b), (struct kith_span){stream + from, to - from}),
                  "the bytes");
            check(b.cap <= max && heap.largest <= max, "memory above the maximum");
        }
        kith_buf_fini(&b);
        check(heap.live == 0, "a leak");
    }
}

/* ---- the cursor ---- */

enum { FIELDS = 40, KINDS = 7 };

struct field {
    size_t kind, n;
    uint64_t v;
    uint8_t b[64];
};

static void put(struct kith_writer *w, const struct field *f)
{
    struct kith_span s = {f->b, f->n};

    switch (f->kind) {
    case 0: kith_put_u8(w, (uint8_t)f->v); return;
    case 1: kith_put_u16(w, (uint16_t)f->v); return;
    case 2: kith_put_u32(w, (uint32_t)f->v); return;
    case 3: kith_put_u64(w, f->v); return;
    case 4: kith_put_span(w, s); return;
    default: kith_put_bytes(w, s, f->kind - 4, sizeof f->b); return;
    }
}

static bool got(struct kith_reader *r, const struct field *f)
{
    struct kith_span s = {f->b, f->n};

    switch (f->kind) {
    case 0: return kith_get_u8(r) == (uint8_t)f->v;
    case 1: return kith_get_u16(r) == (uint16_t)f->v;
    case 2: return kith_get_u32(r) == (uint32_t)f->v;
    case 3: return kith_get_u64(r) == f->v;
    case 4: return kith_span_equal(kith_get_span(r, f->n), s);
    default: return kith_span_equal(kith_get_bytes(r, f->kind - 4, sizeof f->b), s);
    }
}

static void what_was_put_is_got_and_no_prefix_of_it_passes(void **state)
{
    static struct field field[FIELDS];
    static uint8_t out[FIELDS * 80];

    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        size_t count = 1 + lab_below(&dice, FIELDS), n = 0;
        struct kith_writer w = kith_writer_on(out, sizeof out);
        for (size_t i = 0; i < count; i++) {
            struct field *f = &field[i];
            f->kind = lab_below(&dice, KINDS);
            f->v = kith_random_u64(&dice.random);
            f->n = lab_below(&dice, sizeof f->b + 1);
            kith_random_fill(&dice.random, f->b, sizeof f->b);
            put(&w, f);
        }
        check(kith_writer_done(&w, &n) == KITH_OK, "it fits");
        struct kith_reader r = kith_reader_on((struct kith_span){out, n});
        for (size_t i = 0; i < count; i++)
            check(got(&r, &field[i]), "what was put");
        check(kith_reader_done(&r) == KITH_OK, "all of it");
        for (size_t cut = 0; cut < n; cut++) {
            r = kith_reader_on((struct kith_span){out, cut});
            for (size_t i = 0; i < count; i++)
                (void)got(&r, &field[i]);
            check(kith_reader_done(&r) == KITH_E_MALFORMED, "a prefix is malformed");
            struct kith_writer tight = kith_writer_on(out, cut);
            for (size_t i = 0; i < count; i++)
                put(&tight, &field[i]);
            size_t none = 77;
            check(kith_writer_done(&tight, &none) == KITH_E_LIMIT && none == 77, "does not fit");
        }
    }
}

/* ---- texts ---- */

static void base32_is_a_bijection(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (size_t n = 0; n <= 40; n++) {
            uint8_t in[40], out[40];
            char text[KITH_BASE32_LEN(40) + 1];
            size_t len = 99;
            kith_random_fill(&dice.random, in, n);
            kith_base32_text((struct kith_span){in, n}, text, sizeof text);
            check(strlen(text) == KITH_BASE32_LEN(n), "the length");
            check(kith_base32_parse(text, strlen(text), out, n, &len) == KITH_OK, "reads back");
            check(len == n && memcmp(in, out, n) == 0, "the same bytes");
            if (n == 0)
                continue;
            /* another text is refused or means other bytes: no two texts are one id */
            size_t at = lab_below(&dice, strlen(text));
            char before = text[at];
            text[at] = "abcdefghijklmnopqrstuvwxyz234567"[lab_below(&dice, 32)];
            int err = kith_base32_parse(text, strlen(text), out, sizeof out, &len);
            check(text[at] == before || err < 0 || memcmp(in, out, n) != 0, "one text only");
        }
    }
}

static void durations_read_back(void **state)
{
    static const kith_dur unit[] = {
        1, 1000, 1000000, KITH_SEC, 60 * KITH_SEC, 3600 * KITH_SEC, 86400 * KITH_SEC};

    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int i = 0; i < 100; i++) {
            kith_dur u = unit[lab_below(&dice, KITH_COUNT(unit))], back = 0;
            kith_dur d = u * kith_random_below(&dice.random, (KITH_NEVER - 1) / u);
            char text[32];
            kith_dur_text(d, text, sizeof text);
            check(kith_dur_parse(text, &back) == KITH_OK && back == d, text);
        }
    }
}

static void a_made_label_is_valid_or_empty(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int i = 0; i < 100; i++) {
            char text[100] = {0}, label[KITH_LABEL_MAX + 1], again[KITH_LABEL_MAX + 1];
            size_t n = lab_below(&dice, sizeof text);
            kith_random_fill(&dice.random, text, n);
            for (size_t k = 0; k < n; k += 1 + lab_below(&dice, 3))
                text[k] = "abcXYZ059---"[lab_below(&dice, 12)];
            kith_label_from(text, label, sizeof label);
            check(label[0] == '\0' || kith_label_valid(kith_span_text(label)), "valid");
            check(strcmp(kith_label_from(label, again, sizeof again), label) == 0, "stays itself");
        }
    }
}

/* The definition itself, with no table: the least of dropping, adding and changing. */
static unsigned slow_distance(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return (unsigned)(strlen(a) + strlen(b));
    unsigned drop = slow_distance(a + 1, b) + 1, grow = slow_distance(a, b + 1) + 1;
    unsigned change = slow_distance(a + 1, b + 1) + (*a != *b);
    unsigned least = drop < grow ? drop : grow;
    return least < change ? least : change;
}

static void distances_follow_the_definition(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        for (int i = 0; i < 10; i++) {
            char a[7] = {0}, b[7] = {0};
            for (size_t k = lab_below(&dice, 7); k > 0; k--)
                a[k - 1] = "abc"[lab_below(&dice, 3)];
            for (size_t k = lab_below(&dice, 7); k > 0; k--)
                b[k - 1] = "abc"[lab_below(&dice, 3)];
            check(kith_text_distance(a, b) == slow_distance(a, b), "the distance");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_map_is_an_array_of_values),
        cmocka_unit_test(the_first_is_always_the_least),
        cmocka_unit_test(the_buffer_is_a_window_of_a_stream),
        cmocka_unit_test(what_was_put_is_got_and_no_prefix_of_it_passes),
        cmocka_unit_test(base32_is_a_bijection),
        cmocka_unit_test(durations_read_back),
        cmocka_unit_test(a_made_label_is_valid_or_empty),
        cmocka_unit_test(distances_follow_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
