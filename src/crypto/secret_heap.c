/* Blocks lie one behind the other, each with a head that says how long it is; the first that is
 * free and long enough is taken. There are some hundred, and only keys that come and go walk. */
#include "crypto/secret_heap.h"

#include "crypto/hash.h"
#include "crypto/warm_up.h"
#include "os/memory.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    /* A key takes some 40 kB, reading one four times that for a moment; a node has its own and at
     * most one for each network. Pages nobody used cost nothing. Half of what Linux lets anybody
     * lock. */
    HEAP_BYTES = 4 << 20,
};

union head {
    struct {
        size_t n; /* bytes of the block, this head included */
        bool used;
    };
    max_align_t align;
};

static struct {
    uint8_t *at; /* NULL: not installed; written once, before the first allocation */
    bool locked;
    pthread_mutex_t lock; /* guards all heads */
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local unsigned depth;

static bool is_secret(const void *p)
{
    uintptr_t at = (uintptr_t)p, start = (uintptr_t)heap.at;
    return start != 0 && at >= start && at - start < HEAP_BYTES;
}

static union head *head_at(size_t offset)
{
    return (void *)(heap.at + offset);
}

/* Joins the free blocks behind a free one to it. */
static void join(size_t offset)
{
    union head *h = head_at(offset);

    while (offset + h->n < HEAP_BYTES && !head_at(offset + h->n)->used)
        h->n += head_at(offset + h->n)->n;
}

/* Cuts what is not needed off a free block. */
static void cut(size_t offset, size_t n)
{
    union head *h = head_at(offset);

    if (h->n - n <= sizeof *h)
        return;
    *head_at(offset + n) = (union head){{.n = h->n - n}};
    h->n = n;
}

static void *take(size_t bytes)
{
    size_t unit = sizeof(union head), n = unit + (bytes + unit - 1) / unit * unit;

    if (bytes > HEAP_BYTES)
        return NULL;
    for (size_t at = 0; at < HEAP_BYTES; at += head_at(at)->n) {
        union head *h = head_at(at);
        if (h->used)
            continue;
        join(at);
        if (h->n < n)
            continue;
        cut(at, n);
        h->used = true;
        return h + 1;
    }
    return NULL;
}

static size_t room_of(void *p)
{
    return ((union head *)p - 1)->n - sizeof(union head);
}

static void *secret_malloc(size_t n)
{
    (void)pthread_mutex_lock(&heap.lock);
    void *p = take(n);
    (void)pthread_mutex_unlock(&heap.lock);
    return p;
}

static void secret_free(void *p)
{
    kith_wipe(p, room_of(p));
    (void)pthread_mutex_lock(&heap.lock);
    ((union head *)p - 1)->used = false;
    (void)pthread_mutex_unlock(&heap.lock);
}

/* ---- what OpenSSL calls ---- */

static void *on_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return depth > 0 && heap.at != NULL ? secret_malloc(n) : malloc(n);
}

static void on_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (is_secret(p))
        secret_free(p);
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

    void *other = secret_malloc(n);
    if (other == NULL)
        return NULL;
    memcpy(other, p, n < room_of(p) ? n : room_of(p));
    secret_free(p);
    return other;
}

int kith_secret_heap_install(bool *ret_locked, struct kith_os_why *why)
{
    void *pages = NULL;
    bool locked = heap.locked;
    int err = KITH_OK;

    if (heap.at == NULL) {
        if (CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) != 1)
            return kith_os_say(why, KITH_E_STATE, "the cryptographic library is in use already");
        err = kith_secret_pages_map(HEAP_BYTES, &pages, &locked, why);
    }
    if (err < 0)
        return err;
    if (pages != NULL) {
        /* its tables are thousands of blocks with nothing secret in them: while they still go to
         * the ordinary heap. What fails here fails again later. */
        (void)!kith_crypto_warm_up(&kith_heap);
        heap.locked = locked;
        heap.at = pages;
        *head_at(0) = (union head){{.n = HEAP_BYTES}};
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
    size_t used = 0;

    (void)pthread_mutex_lock(&heap.lock);
    for (size_t at = 0; heap.at != NULL && at < HEAP_BYTES; at += head_at(at)->n)
        used += head_at(at)->used ? head_at(at)->n : 0;
    (void)pthread_mutex_unlock(&heap.lock);
    return used;
}
