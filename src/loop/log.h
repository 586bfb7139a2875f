/* log.h: where a node's events go: the last thousand in memory, and standard error if asked.
 *
 * A sink for base/event.h. Events above the level are dropped, those that peers provoke are held
 * back to one a second per kind, with the number of those held back told with the next. Nothing is
 * written to disk: under a service manager standard error is the journal's. Readers (kith logs) ask
 * by number, so an event that is told while another is being told cannot re-enter anything.
 * Test: tests/unit/loop_log_test.c */
#ifndef KITH_LOOP_LOG_H
#define KITH_LOOP_LOG_H

#include "base/env.h"

enum {
    KITH_LOG_KEPT = 1000,     /* events in memory: about 300 kB when full */
    KITH_LOG_TEXT_MAX = 768,  /* bytes of a sentence; longer ones are cut */
    KITH_LOG_JSON_MAX = 2048, /* bytes of an object */
};

/* JOURNAL: sentences for systemd's journal, which has the time, with their priority (sd-daemon(3)).
 */
enum kith_log_form { KITH_LOG_SILENT, KITH_LOG_TEXT, KITH_LOG_JSON, KITH_LOG_JOURNAL };

struct kith_log_line {
    enum kith_level level;
    char *json; /* owned, one allocation with text behind it; NULL: there was no memory for it */
    const char *text;
};

struct kith_log_counters {
    uint64_t happened[KITH_EVENT_COUNT]; /* by kind, whatever became of them */
    uint64_t held_back; /* over the rate of their kind, and so neither kept nor written */
};

struct kith_log {
    const struct kith_alloc *alloc;
    struct kith_events events; /* hand this to the cores */
    void (*clock)(struct kith_now *ret);
    enum kith_level level;
    enum kith_log_form form;
    int fd; /* where `form` is written */
    struct kith_event_limit limit;
    struct kith_log_counters count;
    uint64_t next; /* number of the next event; it lies at next % KITH_LOG_KEPT */
    struct kith_log_line line[KITH_LOG_KEPT];
};

/* clock tells when an event happened. Lines go to fd unless form is SILENT. */
void kith_log_init(struct kith_log *l, const struct kith_alloc *a,
                   void (*clock)(struct kith_now *ret), enum kith_log_form form, int fd);
void kith_log_fini(struct kith_log *l);
/* The first line kept with number *at or more; *at is then the number after it. NULL when there is
 * none. Borrowed until the next event. */
const struct kith_log_line *kith_log_next(const struct kith_log *l, uint64_t *at);

#endif
