#include "sim/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    USUAL_MAX = 8,
    PATIENCE = 20000, /* ns that a thread looks on before it sleeps: about what waking it costs */
    LOOKS = 64,       /* between two looks at the clock */
};

struct workers {
    unsigned others; /* threads beside the caller's */
    workers_do *f;   /* these three are set before `round` grows */
    void *ctx;
    size_t n;
    atomic_size_t next;    /* the first that nobody has taken */
    atomic_uint round;     /* grows when there is something to do */
    atomic_uint busy;      /* others that are not through with this round */
    atomic_bool ends;      /* set before `round` grows */
    pthread_mutex_t guard; /* of going to sleep, so that nobody misses being woken */
    pthread_cond_t begun, over;
    pthread_t thread[];
};

static void need(int err)
{
    if (err == 0)
        return;
    fprintf(stderr, "workers: error %d\n", err);
    abort();
}

unsigned workers_wanted(void)
{
    const char *text = getenv("KITH_THREADS");
    long n = text != NULL && text[0] != '\0' ? strtol(text, NULL, 10) : 0;

    if (n > 0)
        return n < WORKERS_MAX ? (unsigned)n : WORKERS_MAX;
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n < USUAL_MAX ? (unsigned)n : USUAL_MAX;
}

static unsigned long long clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long long)t.tv_sec * 1000000000ull + (unsigned long long)t.tv_nsec;
}

/* Until *a is not `was`. */
static void await_change(struct workers *w, atomic_uint *a, unsigned was, pthread_cond_t *told)
{
    unsigned long long until = clock_ns() + PATIENCE;

    while (clock_ns() < until)
        for (int i = 0; i < LOOKS; i++)
            if (atomic_load(a) != was)
                return;
    need(pthread_mutex_lock(&w->guard));
    while (atomic_load(a) == was)
        need(pthread_cond_wait(told, &w->guard));
    need(pthread_mutex_unlock(&w->guard));
}

static void tell(struct workers *w, pthread_cond_t *c)
{
    need(pthread_mutex_lock(&w->guard));
    need(pthread_cond_broadcast(c));
    need(pthread_mutex_unlock(&w->guard));
}

static void take_part(struct workers *w)
{
    for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;)
        w->f(w->ctx, i);
}

static void *work(void *ctx)
{
    struct workers *w = ctx;

    for (unsigned seen = 0;; seen++) {
        await_change(w, &w->round, seen, &w->begun);
        if (atomic_load(&w->ends))
            return NULL;
        take_part(w);
        if (atomic_fetch_sub(&w->busy, 1) == 1)
            tell(w, &w->over);
    }
}

struct workers *workers_new(unsigned n)
{
    struct workers *w = calloc(1, sizeof *w + n * sizeof w->thread[0]);

    if (w == NULL || n == 0 || n > WORKERS_MAX)
        abort();
    w->others = n - 1;
    need(pthread_mutex_init(&w->guard, NULL));
    need(pthread_cond_init(&w->begun, NULL));
    need(pthread_cond_init(&w->over, NULL));
    for (unsigned i = 0; i < w->others; i++)
        need(pthread_create(&w->thread[i], NULL, work, w));
    return w;
}

static void begin_round(struct workers *w)
{
    atomic_fetch_add(&w->round, 1);
    tell(w, &w->begun);
}

void workers_free(struct workers *w)
{
    if (w == NULL)
        return;
    atomic_store(&w->ends, true);
    begin_round(w);
    for (unsigned i = 0; i < w->others; i++)
        need(pthread_join(w->thread[i], NULL));
    need(pthread_cond_destroy(&w->begun));
    need(pthread_cond_destroy(&w->over));
    need(pthread_mutex_destroy(&w->guard));
    free(w);
}

void workers_run(struct workers *w, size_t n, workers_do *f, void *ctx)
{
    if (w->others == 0 || n < 2) { /* not worth waking anybody */
        for (size_t i = 0; i < n; i++)
            f(ctx, i);
        return;
    }
    w->f = f;
    w->ctx = ctx;
    w->n = n;
    atomic_store(&w->next, 0);
    atomic_store(&w->busy, w->others);
    begin_round(w);
    take_part(w);
    for (unsigned busy; (busy = atomic_load(&w->busy)) != 0;)
        await_change(w, &w->busy, busy, &w->over);
}
