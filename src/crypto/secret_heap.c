#include "crypto/secret_heap.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum {
    /* A key takes some 50 kB, reading one twice that for a moment, a node has at most one for each
     * network and its own. Pages nobody used cost nothing. */
    HEAP_BYTES = 4 << 20, /* a power of 2; half of what Linux lets anybody lock */
    SMALLEST = 32,        /* bytes of the smallest block */
};

static bool installed; /* written once, before the first allocation */
static _Thread_local unsigned depth;

static bool is_secret(const void *p)
{
    return installed && CRYPTO_secure_allocated(p) == 1;
}

static void *on_malloc(size_t n, const char *file, int line)
{
    if (depth > 0 && installed)
        return CRYPTO_secure_malloc(n, file, line);
    return malloc(n);
}

static void on_free(void *p, const char *file, int line)
{
    if (is_secret(p))
        CRYPTO_secure_free(p, file, line);
    else
        free(p);
}

/* A block stays where it began: what was secret does not leave by growing. */
static void *on_realloc(void *p, size_t n, const char *file, int line)
{
    if (p == NULL)
        return on_malloc(n, file, line);
    if (!is_secret(p))
        return realloc(p, n);

    void *bigger = CRYPTO_secure_malloc(n, file, line);
    size_t had = CRYPTO_secure_actual_size(p);
    if (bigger == NULL)
        return NULL;
    memcpy(bigger, p, had < n ? had : n);
    CRYPTO_secure_free(p, file, line);
    return bigger;
}

int kith_secret_heap_install(bool *ret_locked)
{
    static bool locked;

    if (!installed) {
        if (CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) != 1)
            return KITH_E_STATE;
        int made = CRYPTO_secure_malloc_init(HEAP_BYTES, SMALLEST);
        if (made == 0)
            return KITH_E_NOMEM;
        locked = made == 1; /* 2: mapped, but the host would not lock it */
        installed = true;
    }
    *ret_locked = locked;
    return KITH_OK;
}

void kith_secret_heap_enter(void)
{
    depth++;
}

void kith_secret_heap_leave(void)
{
    depth--;
}

size_t kith_secret_heap_used(void)
{
    return installed ? CRYPTO_secure_used() : 0;
}
