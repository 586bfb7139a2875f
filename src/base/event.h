/* event.h: what a node tells about itself, as typed rows of one table (events.def).
 *
 * `kith_event_<name>(events, …)` is generated for every row and hands a `kith_event` to the sink.
 * A sink gets values, never text: the text and JSON-lines printers below are two of its users,
 * tests assert on values. A NULL `struct kith_events *` or a NULL sink swallows everything.
 * No row may carry a secret. Pointers in an event are valid during the call only. */
#ifndef KITH_BASE_EVENT_H
#define KITH_BASE_EVENT_H

#include "base/addr.h"
#include "base/base.h"

/* Levels carry blame: BUG is ours, HOST the machine's, PEER an unusual peer's. */
/* clang-format off */
#define KITH_LEVEL_TABLE(X)                                                     \
    X(BUG, "bug") X(HOST, "host") X(PEER, "peer") X(INFO, "info") X(DEBUG, "debug")
/* clang-format on */
enum kith_level {
#define X(name, text) KITH_LEVEL_##name,
    KITH_LEVEL_TABLE(X)
#undef X
};

enum kith_event_kind {
#define EVENT0(name, ...) KITH_EV_##name,
#define EVENT1 EVENT0
#define EVENT2 EVENT0
#define EVENT3 EVENT0
#define EVENT4 EVENT0
#include "base/events.def"
#include "base/events_undef.h"
    KITH_EVENT_COUNT
};

enum kith_field_type {
    KITH_FIELD_NONE,
    KITH_FIELD_U64,
    KITH_FIELD_TEXT, /* NUL-terminated UTF-8 */
    KITH_FIELD_ID,   /* 32 bytes, shown as the first 8 characters of base32; JSON has all 52 */
    KITH_FIELD_ADDR,
    KITH_FIELD_ERR, /* a kith_err; its sentence for people, JSON has its name */
    KITH_FIELD_DUR,
};

struct kith_field {
    enum kith_field_type type;
    union {
        uint64_t u64;
        const char *text;
        const uint8_t *id;
        const struct kith_addr *addr;
        int err;
    };
};

enum { KITH_EVENT_FIELDS = 4 };

struct kith_event {
    enum kith_event_kind kind;
    struct kith_field field[KITH_EVENT_FIELDS];
};

struct kith_events {
    void (*sink)(void *ctx, const struct kith_event *ev);
    void *ctx;
};

void kith_event_emit(const struct kith_events *to, const struct kith_event *ev);

/* What the table says of a kind. `text` has {field} marks. */
struct kith_event_info {
    const char *name;
    enum kith_level level;
    const char *text;
    const char *field[KITH_EVENT_FIELDS]; /* names, NULL after the last */
    enum kith_field_type type[KITH_EVENT_FIELDS];
};
const struct kith_event_info *kith_event_info(enum kith_event_kind kind);
const char *kith_level_name(enum kith_level level);
/* KITH_E_NOTFOUND for an unknown name. */
int kith_level_parse(const char *name, enum kith_level *ret) KITH_MUST_CHECK;

enum {
    KITH_EVENT_TEXT_MAX = 384, /* printed bytes of one TEXT field; a longer one ends in "..." */
    KITH_EVENT_LINE = 2048,    /* no printed line needs more: four such fields, names, time */
};

/* Both print one line without a newline, cut to cap between characters, NUL-terminated; return its
 * length. With cap KITH_EVENT_LINE nothing is cut but long TEXT fields, and JSON stays whole.
 * What a peer wrote can neither end the line nor move a cursor: controls, line separators, marks
 * that turn the writing round and bytes that are no UTF-8 become '?' in text; JSON escapes them,
 * the last as U+FFFD. */
size_t kith_event_text(const struct kith_event *ev, char *buf, size_t cap);
/* {"time":"2026-11-20T18:31:00Z","level":"info","event":"node_ready",…fields}. U64 is a number, DUR
 * a number of seconds, ERR the name of the error, all others strings. */
size_t kith_event_json(const struct kith_event *ev, kith_wall at, char *buf, size_t cap);
/* RFC 3339 UTC with seconds, years 1970 to 9999 (later ones are counted modulo 10,000); needs 21
 * bytes. */
const char *kith_wall_text(kith_wall at, char *buf, size_t cap);

enum { KITH_EVENT_BURST = 10 }; /* lines of one kind: enough to see what is going on */

/* Holds back lines that peers or a failing host provoke (all but BUG and INFO): per kind at most
 * KITH_EVENT_BURST at once and then one a second. All-zero is valid. */
struct kith_event_limit {
    struct {
        kith_time paid; /* rate of lines */
        uint64_t held;  /* suppressed since the last that passed */
    } kind[KITH_EVENT_COUNT];
};
/* Whether ev may be shown at `now`; *ret_held says how many of its kind were held back since the
 * last that was shown, 0 when it may not. */
bool kith_event_limit_pass(struct kith_event_limit *l, const struct kith_event *ev, kith_time now,
                           uint64_t *ret_held);

/* ---- generated: one emitter per row ---- */
#define KITH_ARG_U64 uint64_t
#define KITH_ARG_DUR kith_dur
#define KITH_ARG_TEXT const char *
#define KITH_ARG_ID const uint8_t *
#define KITH_ARG_ADDR const struct kith_addr *
#define KITH_ARG_ERR int
#define KITH_SET_U64(v) {.type = KITH_FIELD_U64, .u64 = (v)}
#define KITH_SET_DUR(v) {.type = KITH_FIELD_DUR, .u64 = (v)}
#define KITH_SET_TEXT(v) {.type = KITH_FIELD_TEXT, .text = (v)}
#define KITH_SET_ID(v) {.type = KITH_FIELD_ID, .id = (v)}
#define KITH_SET_ADDR(v) {.type = KITH_FIELD_ADDR, .addr = (v)}
#define KITH_SET_ERR(v) {.type = KITH_FIELD_ERR, .err = (v)}

/* clang-format off */
#define KITH_EMIT(name, ...)                                                                       \
    {                                                                                              \
        struct kith_event ev = {.kind = KITH_EV_##name, .field = {__VA_ARGS__}};                   \
        kith_event_emit(to, &ev);                                                                  \
    }
#define KITH_EMITTER(name) static inline void kith_event_##name(const struct kith_events *to
#define EVENT0(n, l, t) KITH_EMITTER(n)) KITH_EMIT(n, {.type = KITH_FIELD_NONE})
#define EVENT1(n, l, t, ta, a) KITH_EMITTER(n), KITH_ARG_##ta a) KITH_EMIT(n, KITH_SET_##ta(a))
#define EVENT2(n, l, t, ta, a, tb, b)                                                              \
    KITH_EMITTER(n), KITH_ARG_##ta a, KITH_ARG_##tb b)                                             \
    KITH_EMIT(n, KITH_SET_##ta(a), KITH_SET_##tb(b))
#define EVENT3(n, l, t, ta, a, tb, b, tc, c)                                                       \
    KITH_EMITTER(n), KITH_ARG_##ta a, KITH_ARG_##tb b, KITH_ARG_##tc c)                            \
    KITH_EMIT(n, KITH_SET_##ta(a), KITH_SET_##tb(b), KITH_SET_##tc(c))
#define EVENT4(n, l, t, ta, a, tb, b, tc, c, td, d)                                                \
    KITH_EMITTER(n), KITH_ARG_##ta a, KITH_ARG_##tb b, KITH_ARG_##tc c, KITH_ARG_##td d)           \
    KITH_EMIT(n, KITH_SET_##ta(a), KITH_SET_##tb(b), KITH_SET_##tc(c), KITH_SET_##td(d))
#include "base/events.def"
#include "base/events_undef.h"
/* clang-format on */

#endif
