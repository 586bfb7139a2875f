#include "loop/log.h"

#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_HEAD = 32 }; /* time and level before a sentence */

/* Adds how many were held back before this one. */
static void add_held(char *text, char *json, uint64_t held)
{
    size_t n = strlen(text), j = strlen(json);
    unsigned long long count = held;

    if (held == 0 || j == 0)
        return;
    (void)kith_format(text + n, KITH_LOG_TEXT_MAX - n, " (%llu more like it were held back)",
                      count);
    (void)kith_format(json + j - 1, KITH_LOG_JSON_MAX - (j - 1), ",\"held\":%llu}", count);
}

/* Of syslog(3). */
static int priority_of(enum kith_level level)
{
    switch (level) {
    case KITH_LEVEL_BUG: return 3;
    case KITH_LEVEL_HOST: return 4;
    case KITH_LEVEL_PEER: return 5;
    case KITH_LEVEL_INFO: return 6;
    case KITH_LEVEL_DEBUG: return 7;
    }
    return 6;
}

/* One write, so that lines of several processes on one terminal stay whole. */
static void print(const struct kith_log *l, enum kith_level level, kith_wall wall, const char *text,
                  const char *json)
{
    char head[LINE_HEAD] = "", stamp[24];
    const char *body = l->form == KITH_LOG_JSON ? json : text;

    if (l->form == KITH_LOG_SILENT)
        return;
    if (l->form == KITH_LOG_TEXT)
        (void)kith_format(head, sizeof head, "%s  %-5s  ",
                          kith_wall_text(wall, stamp, sizeof stamp), kith_level_name(level));
    if (l->form == KITH_LOG_JOURNAL)
        (void)kith_format(head, sizeof head, "<%d>", priority_of(level));
    const struct iovec part[] = {
        {.iov_base = head, .iov_len = strlen(head)},
        {.iov_base = (void *)(uintptr_t)body, .iov_len = strlen(body)},
        {.iov_base = "\n", .iov_len = 1},
    };
    (void)!writev(l->fd, part, (int)KITH_COUNT(part)); /* nobody is left to be told */
}

static void keep(struct kith_log *l, enum kith_level level, const char *text, const char *json)
{
    struct kith_log_line *line = &l->line[l->next++ % KITH_LOG_KEPT];
    size_t text_n = strlen(text) + 1, json_n = strlen(json) + 1;
    char *both = kith_resize(l->alloc, line->json, json_n + text_n);

    if (both == NULL) {
        kith_free(l->alloc, line->json);
        *line = (struct kith_log_line){.level = level};
        return;
    }
    memcpy(both, json, json_n);
    memcpy(both + json_n, text, text_n);
    *line = (struct kith_log_line){.level = level, .json = both, .text = both + json_n};
}

static void sink(void *ctx, const struct kith_event *ev)
{
    struct kith_log *l = ctx;
    enum kith_level level = kith_event_info(ev->kind)->level;
    char text[KITH_LOG_TEXT_MAX], json[KITH_LOG_JSON_MAX];
    struct kith_now now;
    uint64_t held;

    l->count.happened[ev->kind]++;
    if (level > l->level)
        return;
    l->clock(&now);
    if (!kith_event_limit_pass(&l->limit, ev, now.mono, &held)) {
        l->count.held_back++;
        return;
    }
    (void)kith_event_text(ev, text, sizeof text);
    (void)kith_event_json(ev, now.wall, json, sizeof json);
    add_held(text, json, held);
    keep(l, level, text, json);
    print(l, level, now.wall, text, json);
}

void kith_log_init(struct kith_log *l, const struct kith_alloc *a,
                   void (*clock)(struct kith_now *ret), enum kith_log_form form, int fd)
{
    *l = (struct kith_log){
        .alloc = a,
        .clock = clock,
        .level = KITH_LEVEL_INFO,
        .form = form,
        .fd = fd,
    };
    l->events = (struct kith_events){.sink = sink, .ctx = l};
}

void kith_log_fini(struct kith_log *l)
{
    if (l->alloc == NULL)
        return;
    for (size_t i = 0; i < KITH_LOG_KEPT; i++)
        kith_free(l->alloc, l->line[i].json);
    *l = (struct kith_log){.alloc = NULL};
}

const struct kith_log_line *kith_log_next(const struct kith_log *l, uint64_t *at)
{
    if (*at + KITH_LOG_KEPT < l->next)
        *at = l->next - KITH_LOG_KEPT;
    while (*at < l->next) {
        const struct kith_log_line *line = &l->line[(*at)++ % KITH_LOG_KEPT];
        if (line->json != NULL)
            return line;
    }
    return NULL;
}
