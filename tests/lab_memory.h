/* lab_memory.h: looks for a secret in all memory this process can write: heap, stacks, data, what
 * was mapped, freed or not.
 *
 * What is looked for is kept as its complement, so that the search does not find itself, and must
 * be made where nothing stays behind: see lab_secret_take. */
#ifndef KITH_TESTS_LAB_MEMORY_H
#define KITH_TESTS_LAB_MEMORY_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LAB_SECRET = 32 }; /* bytes that are compared */

struct lab_secret {
    uint8_t complement[LAB_SECRET];
};

/* Remembers the first LAB_SECRET bytes at p, which stay the caller's to wipe. */
static inline void lab_secret_take(struct lab_secret *s, const uint8_t *p)
{
    for (size_t i = 0; i < LAB_SECRET; i++)
        s->complement[i] = (uint8_t)~p[i];
}

/* Writes the secret: as many times as a test makes one, as many it wipes it. */
static inline void lab_secret_give(const struct lab_secret *s, uint8_t *p)
{
    for (size_t i = 0; i < LAB_SECRET; i++)
        p[i] = (uint8_t)~s->complement[i];
}

static inline size_t lab_count(const struct lab_secret *s, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n, *at = p;
    size_t found = 0;

    while (end - at >= LAB_SECRET && (at = memchr(at, (uint8_t)~s->complement[0],
                                                  (size_t)(end - at) - LAB_SECRET + 1)) != NULL) {
        size_t i = 1;
        while (i < LAB_SECRET && (at[i] ^ s->complement[i]) == 0xff)
            i++;
        found += i == LAB_SECRET;
        at++;
    }
    return found;
}

/* How often it is there. Says where. */
static inline size_t lab_secret_count(const struct lab_secret *s)
{
    static char buffer[1 << 16]; /* stdio's: nothing is mapped while it looks */
    char line[512], access[8];
    uintptr_t start, end;
    size_t found = 0;
    FILE *f = fopen("/proc/self/maps", "re");

    if (f == NULL || setvbuf(f, buffer, _IOFBF, sizeof buffer) != 0)
        return SIZE_MAX;
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &start, &end, access) != 3 ||
            access[0] != 'r' || access[1] != 'w')
            continue;
        size_t here = lab_count(s, (const uint8_t *)start, end - start); /* NOLINT */
        if (here > 0)
            printf("# %zu in %s", here, line);
        found += here;
    }
    (void)fclose(f);
    return found;
}

static inline bool lab_secret_is_there(const struct lab_secret *s)
{
    return lab_secret_count(s) > 0;
}

static inline bool lab_secret_is_gone(const struct lab_secret *s)
{
    return lab_secret_count(s) == 0;
}

#endif
