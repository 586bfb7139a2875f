/* torture.h: a story of three nodes, told again and again with another failure in it each time.
 *
 * The story has chapters (torture.c). A chapter is told from a fork of the process as the chapters
 * before it left it, so that thousands of tellings cost what the chapter costs. In a telling, one
 * request for memory fails, or every one of a run; whoever asked the nodes for something asks
 * again when it was answered by an error. The telling is good when the chapter's goal is reached
 * within bounded virtual time, what failed was told, the other nodes are unharmed, and in the end
 * all memory came back.
 *
 * Which failures: a sample with a printed seed (KITH_TEST_SEED), or with KITH_TORTURE=all every
 * one. KITH_TORTURE=CHAPTER tells all of one chapter; KITH_TORTURE=CHAPTER:N:RUN one telling, not
 * forked (for a debugger). KITH_TORTURE_STEP=N takes every N-th. */
#ifndef KITH_TESTS_SIM_TORTURE_H
#define KITH_TESTS_SIM_TORTURE_H

#include "lab_alloc.h"
#include "sim/world.h"

struct torture_source;

struct torture {
    struct world w;
    const struct torture_source *src;
    struct kith_alloc scarce;
    kith_time shortage_ends; /* whatever `armed_until` says; from the first failure on */
    uint64_t armed_until;    /* requests of the source, after which none fails any more */
    size_t victim;           /* the node whose memory fails */
    struct lab_alloc lab;    /* the victim's */
    unsigned refused;        /* requests answered by an error, in this telling */
    size_t told;             /* whom the one that left said it had told */
    bool forgiven;           /* the others may not know that it left */
    size_t starts;           /* who is being started */
    uint64_t call;           /* the last request's number */
    char ticket[KITH_TICKET_TEXT_MAX];
};

/* Where the failures come from. */
struct torture_source {
    const char *name;
    /* From now on the n-th request fails, and `run` in all; n 0: none any more. */
    void (*arm)(struct torture *t, uint64_t n, uint64_t run);
    uint64_t (*asked)(const struct torture *t);  /* requests so far */
    uint64_t (*failed)(const struct torture *t); /* of them failed */
    /* The victim's store; NULL: in memory. */
    int (*open)(struct torture *t, const struct kith_env *env, struct kith_store **ret);
    /* What a node's process does before it has a node; may be NULL. */
    void (*prepare)(void);
    bool is_shared; /* a library's: its failures are everybody's */
    bool is_told;   /* the node tells of each: else of what follows from it only */
};

/* Whether the shortage has ended: 10 s after the first request that fell victim to it, as what is
 * asked for rarely would else fail for hours. Asked before each request. */
bool torture_is_over(struct torture *t);
/* Asks `lab` for memory. */
void *torture_resize(struct torture *t, struct lab_alloc *lab, void *p, size_t n);

extern const struct torture_source torture_memory; /* the victim's kith_alloc */

/* Tells the whole story with node `victim` (0 the founder, 1 a joiner) as the one that fails;
 * `sample` tellings a chapter unless the environment says otherwise. How many were bad. */
unsigned torture_run(const struct torture_source *src, size_t victim, unsigned sample);

#endif
