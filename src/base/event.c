#include "base/event.h"

#include "base/text.h"

#include <stdio.h>

static const struct kith_event_info infos[KITH_EVENT_COUNT] = {
/* clang-format off */
#define ROW(n, l, t) [KITH_EV_##n] = {.name = #n, .level = KITH_LEVEL_##l, .text = t
#define T(t) KITH_FIELD_##t
#define EVENT0(n, l, t) ROW(n, l, t)},
#define EVENT1(n, l, t, ta, a) ROW(n, l, t), .field = {#a}, .type = {T(ta)}},
#define EVENT2(n, l, t, ta, a, tb, b) ROW(n, l, t), .field = {#a, #b}, .type = {T(ta), T(tb)}},
#define EVENT3(n, l, t, ta, a, tb, b, tc, c)                                                       \
    ROW(n, l, t), .field = {#a, #b, #c}, .type = {T(ta), T(tb), T(tc)}},
#define EVENT4(n, l, t, ta, a, tb, b, tc, c, td, d)                                                \
    ROW(n, l, t), .field = {#a, #b, #c, #d}, .type = {T(ta), T(tb), T(tc), T(td)}},
#include "base/events.def"
#include "base/events_undef.h"
#undef ROW
#undef T
    /* clang-format on */
};

const struct kith_event_info *kith_event_info(enum kith_event_kind kind)
{
    return &infos[kind];
}

void kith_event_emit(const struct kith_events *to, const struct kith_event *ev)
{
    if (to != NULL && to->sink != NULL)
        to->sink(to->ctx, ev);
}

static const char *const level_names[] = {
#define X(name, text) text,
    KITH_LEVEL_TABLE(X)
#undef X
};

const char *kith_level_name(enum kith_level level)
{
    return level_names[level];
}

int kith_level_parse(const char *name, enum kith_level *ret)
{
    for (size_t i = 0; i < KITH_COUNT(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (enum kith_level)i;
            return KITH_OK;
        }
    }
    return KITH_E_NOTFOUND;
}

/* ---- printing ---- */

/* Collects text in a buffer that may be too small; what does not fit ends it. */
struct out {
    char *p;
    size_t n, cap;
    bool full;
};

/* n bytes that come together or not at all. */
static void out_piece(struct out *o, const char *s, size_t n)
{
    if (o->full || o->n + n + 1 > o->cap) {
        o->full = true;
        return;
    }
    memcpy(o->p + o->n, s, n);
    o->n += n;
}

static void out_char(struct out *o, char c)
{
    out_piece(o, &c, 1);
}

static void out_text(struct out *o, const char *s)
{
    for (; *s != '\0'; s++)
        out_char(o, *s);
}

static size_t out_done(struct out *o)
{
    if (o->cap > 0)
        o->p[o->n] = '\0';
    return o->n;
}

enum { NO_UTF8 = 0x110000 }; /* one above the last code point */

/* The character at s and how many bytes it has; NO_UTF8 of 1 byte where there is none (RFC 3629:
 * also for overlong forms, surrogates and what is above U+10FFFF). */
static uint32_t character_at(const char *s, size_t *ret_n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)*s;
    size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = n < 2 ? first : first & (0x7fu >> n);

    *ret_n = 1;
    if (n == 0 || first >= 0xf8)
        return NO_UTF8;
    for (size_t i = 1; i < n; i++) {
        if (((uint8_t)s[i] & 0xc0) != 0x80) /* also at the end of the text */
            return NO_UTF8;
        c = c << 6 | ((uint8_t)s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return NO_UTF8;
    *ret_n = n;
    return c;
}

/* Peers choose some texts: nothing they send may move a cursor, end a line or turn it round. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||      /* C0, DEL, C1 */
           c == 0x2028 || c == 0x2029 ||               /* line and paragraph separator */
           c == 0x61c || c == 0x200e || c == 0x200f || /* marks of direction, Unicode UAX 9 */
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void put_plain(struct out *o, uint32_t c, const char *s, size_t n)
{
    if (c == NO_UTF8 || is_control(c))
        out_char(o, '?');
    else
        out_piece(o, s, n);
}

static void put_escaped(struct out *o, uint32_t c, const char *s, size_t n)
{
    char esc[8];

    if (c == NO_UTF8)
        out_piece(o, "\\ufffd", 6);
    else if (is_control(c))
        out_piece(o, kith_format(esc, sizeof esc, "\\u%04x", (unsigned)c), 6);
    else if (c == '"' || c == '\\')
        out_piece(o, c == '"' ? "\\\"" : "\\\\", 2);
    else
        out_piece(o, s, n);
}

/* s character by character, at most KITH_EVENT_TEXT_MAX bytes of output. */
static void out_foreign(struct out *o, const char *s,
                        void (*put)(struct out *o, uint32_t c, const char *s, size_t n))
{
    size_t start = o->n, n;

    for (; *s != '\0' && !o->full; s += n) {
        if (o->n - start > KITH_EVENT_TEXT_MAX - 6 - 3) { /* the longest character and the dots */
            out_text(o, "...");
            return;
        }
        uint32_t c = character_at(s, &n);
        put(o, c, s, n);
    }
}

static void out_json_string(struct out *o, const char *s)
{
    out_char(o, '"');
    out_foreign(o, s, put_escaped);
    out_char(o, '"');
}

enum { FIELD_TEXT = 96 };

/* The field as plain text; TEXT fields are returned as they are. */
static const char *field_text(const struct kith_field *f, char buf[FIELD_TEXT])
{
    switch (f->type) {
    case KITH_FIELD_NONE: return "";
    case KITH_FIELD_U64: return kith_format(buf, FIELD_TEXT, "%llu", (unsigned long long)f->u64);
    case KITH_FIELD_TEXT: return f->text != NULL ? f->text : "";
    case KITH_FIELD_ID: return kith_base32_text((struct kith_span){f->id, 32}, buf, FIELD_TEXT);
    case KITH_FIELD_ADDR: return kith_addr_text(f->addr, buf, FIELD_TEXT);
    case KITH_FIELD_ERR: return kith_err_text(f->err);
    case KITH_FIELD_DUR:
        if (f->u64 >= KITH_SEC)
            return kith_format(buf, FIELD_TEXT, "%.1f s", (double)f->u64 / 1e9);
        return kith_format(buf, FIELD_TEXT, "%.1f ms", (double)f->u64 / 1e6);
    }
    return "";
}

static const struct kith_field *field_named(const struct kith_event *ev, const char *name, size_t n)
{
    const struct kith_event_info *info = &infos[ev->kind];

    for (size_t i = 0; i < KITH_EVENT_FIELDS && info->field[i] != NULL; i++)
        if (strlen(info->field[i]) == n && memcmp(info->field[i], name, n) == 0)
            return &ev->field[i];
    return NULL;
}

static void out_field(struct out *o, const struct kith_field *f)
{
    char buf[FIELD_TEXT];
    const char *text = field_text(f, buf);

    if (f->type == KITH_FIELD_ID && text == buf)
        buf[8] = '\0'; /* the short form of an id */
    out_foreign(o, text, put_plain);
}

size_t kith_event_text(const struct kith_event *ev, char *buf, size_t cap)
{
    struct out o = {.p = buf, .cap = cap};

    for (const char *t = infos[ev->kind].text; *t != '\0'; t++) {
        const char *end = *t == '{' ? strchr(t, '}') : NULL;
        const struct kith_field *f =
            end != NULL ? field_named(ev, t + 1, (size_t)(end - t - 1)) : NULL;
        if (f == NULL) {
            out_char(&o, *t);
            continue;
        }
        out_field(&o, f);
        t = end;
    }
    return out_done(&o);
}

const char *kith_wall_text(kith_wall at, char *buf, size_t cap)
{
    /* days to a civil date, after Howard Hinnant's chrono algorithms; no time zone, no locale */
    uint64_t days = at / 86400, secs = at % 86400;
    uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint64_t month = mp < 10 ? mp + 3 : mp - 9;
    uint64_t year = yoe + era * 400 + (month <= 2);

    return kith_format(buf, cap, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(year % 10000),
                       (unsigned)month, (unsigned)(doy - (153 * mp + 2) / 5 + 1),
                       (unsigned)(secs / 3600), (unsigned)(secs / 60 % 60), (unsigned)(secs % 60));
}

size_t kith_event_json(const struct kith_event *ev, kith_wall at, char *buf, size_t cap)
{
    const struct kith_event_info *info = &infos[ev->kind];
    struct out o = {.p = buf, .cap = cap};
    char text[FIELD_TEXT];

    out_text(&o, "{\"time\":\"");
    out_text(&o, kith_wall_text(at, text, sizeof text));
    out_text(&o, "\",\"level\":\"");
    out_text(&o, level_names[info->level]);
    out_text(&o, "\",\"event\":\"");
    out_text(&o, info->name);
    out_char(&o, '"');
    for (size_t i = 0; i < KITH_EVENT_FIELDS && info->field[i] != NULL; i++) {
        const struct kith_field *f = &ev->field[i];
        out_char(&o, ',');
        out_json_string(&o, info->field[i]);
        out_char(&o, ':');
        if (f->type == KITH_FIELD_U64)
            out_text(&o, field_text(f, text));
        else if (f->type == KITH_FIELD_DUR)
            out_text(&o, kith_format(text, sizeof text, "%.6f", (double)f->u64 / 1e9));
        else if (f->type == KITH_FIELD_ERR)
            out_json_string(&o, kith_err_name(f->err));
        else
            out_json_string(&o, field_text(f, text));
    }
    out_char(&o, '}');
    return out_done(&o);
}

/* ---- rate of lines that peers provoke ---- */

bool kith_event_limit_pass(struct kith_event_limit *l, const struct kith_event *ev, kith_time now,
                           uint64_t *ret_held)
{
    enum kith_level level = infos[ev->kind].level;

    *ret_held = 0;
    if (level == KITH_LEVEL_BUG || level == KITH_LEVEL_INFO)
        return true;
    if (!kith_rate_takes(&l->kind[ev->kind].paid, KITH_SEC, 1, KITH_EVENT_BURST, now)) {
        l->kind[ev->kind].held++;
        return false;
    }
    *ret_held = l->kind[ev->kind].held;
    l->kind[ev->kind].held = 0;
    return true;
}
