/* wire_structured.c: messages made by the tables themselves. The law: what the table calls valid
 * its decoder accepts, and encodes again to the same bytes; with one field just beyond its bound it
 * refuses; cut off or changed anywhere it does either, and never reads beyond its end. */
#include "fuzz/structured.h"
#include "wire_laws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { CHANGES_MAX = 8 };

/* On the heap at its exact length, so that the sanitizer sees the first byte read beyond it. */
static bool holds_exactly(size_t which, const uint8_t *bytes, size_t n)
{
    uint8_t *exact = malloc(n + (n == 0));

    if (exact == NULL)
        abort();
    kith_copy(exact, bytes, n);
    bool accepted = wire_entries[which].holds((struct kith_span){exact, n});
    free(exact);
    return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t buf[STRUCTURED_MAX];
    struct recipe r = recipe_on(data, n, NULL);
    size_t which = recipe_below(&r, structured_count);
    bool bend = (recipe_byte(&r) & 1) != 0;
    size_t len = recipe_entry(&r, &structured_entry[which], bend, buf, sizeof buf);

    if (strcmp(structured_entry[which].name, wire_entries[which].name) != 0 || len == 0)
        abort(); /* both lists come from the same tables */
    if (holds_exactly(which, buf, len) == r.bent)
        abort();
    for (int i = 0; i < CHANGES_MAX && recipe_left(&r) > 0; i++) {
        size_t at = recipe_below(&r, len < 65536 ? len : 65536);
        (void)holds_exactly(which, buf, at);
        buf[at] ^= (uint8_t)(recipe_byte(&r) | 1);
        (void)holds_exactly(which, buf, len);
    }
    return 0;
}
