#include "ctl/metrics.h"

#include "base/text.h"
#include "kith/version.h"

/* clang-format off */
/* Where a value lies, if it is one: a count of any other type would be read as nonsense. */
#define OF(field) ((struct kith_metrics *)0)->field
#define PLACE(field) \
    _Generic(&OF(field), uint64_t *: offsetof(struct kith_metrics, field))
#define PLACES(field) \
    _Generic(&OF(field)[0], uint64_t *: offsetof(struct kith_metrics, field))

#define FULL_COUNTER(name) "kith_" #name "_total"
#define FULL_GAUGE(name) "kith_" #name

static const struct kith_metric_row rows[] = {
#define GROUP(group, about)
#define METRIC(g, name, kind, field, help) \
    {#g, FULL_##kind(name), KITH_METRIC_##kind, NULL, NULL, help, PLACE(field), 1},
#define LABELLED(g, name, kind, field, label, words, help) \
    {#g, FULL_##kind(name), KITH_METRIC_##kind, #label, words, help, PLACES(field), \
     sizeof OF(field) / sizeof OF(field)[0]},
#define END(group)
#include "ctl/metrics.def"
#include "ctl/metrics_undef.h"
};
/* clang-format on */

const struct kith_metric_row *kith_metric_row(size_t i)
{
    return i < KITH_COUNT(rows) ? &rows[i] : NULL;
}

const char *kith_metric_group_about(const char *group)
{
#define GROUP(g, about)                                                                            \
    if (strcmp(group, #g) == 0)                                                                    \
        return about;
#define METRIC(...)
#define LABELLED(...)
#define END(g)
#include "ctl/metrics.def"
#include "ctl/metrics_undef.h"
    return "";
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

enum kith_metric_unit kith_metric_unit(const struct kith_metric_row *row)
{
    static const struct {
        const char *end;
        enum kith_metric_unit unit;
    } ends[] = {
        {"_bytes", KITH_METRIC_BYTES},       {"_bytes_total", KITH_METRIC_BYTES},
        {"_time_seconds", KITH_METRIC_DATE}, {"_timestamp_seconds", KITH_METRIC_DATE},
        {"_seconds", KITH_METRIC_SECONDS},   {"_seconds_total", KITH_METRIC_SECONDS},
    };

    for (size_t i = 0; i < KITH_COUNT(ends); i++)
        if (ends_with(row->name, ends[i].end))
            return ends[i].unit;
    return KITH_METRIC_NUMBER;
}

uint64_t kith_metric_value(const struct kith_metrics *m, const struct kith_metric_row *row,
                           size_t i)
{
    uint64_t v;

    memcpy(&v, (const uint8_t *)m + row->offset + i * sizeof v, sizeof v);
    return v;
}

/* ---- words of labels ---- */

const char *kith_metric_version(size_t i)
{
    (void)i;
    return kith_version();
}

const char *kith_metric_reason(size_t i)
{
    return kith_health_code((enum kith_health_reason)i);
}

const char *kith_metric_event(size_t i)
{
    return kith_event_info((enum kith_event_kind)i)->name;
}

const char *kith_metric_drop(size_t i)
{
    static const char *const names[KITH_VPN_DROPS] = {
#define COUNTER(name, text)
#define DROP(name, text) [KITH_VPN_DROP_##name] = #name,
#include "vpn/counters.def"
#undef COUNTER
#undef DROP
    };
    return names[i];
}

/* ---- the Prometheus text ---- */

const char *kith_metric_escape(const char *text, bool quoted, char *buf, size_t cap)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        bool escape = *text == '\\' || *text == '\n' || (quoted && *text == '"');
        if (n + (escape ? 2 : 1) >= cap)
            break;
        if (escape)
            buf[n++] = '\\';
        buf[n++] = *text == '\n' ? 'n' : *text;
    }
    buf[n] = '\0';
    return buf;
}

static const char *value_text(enum kith_metric_unit unit, uint64_t v, char *buf, size_t cap)
{
    if (unit != KITH_METRIC_SECONDS)
        return kith_format(buf, cap, "%llu", (unsigned long long)v);
    return kith_format(buf, cap, "%llu.%09llu", (unsigned long long)(v / KITH_SEC),
                       (unsigned long long)(v % KITH_SEC));
}

static int add_head(const struct kith_metric_row *row, struct kith_buf *out)
{
    char help[256], text[512];

    (void)kith_format(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n", row->name,
                      kith_metric_escape(row->help, false, help, sizeof help), row->name,
                      row->kind == KITH_METRIC_COUNTER ? "counter" : "gauge");
    return kith_buf_add(out, kith_span_text(text));
}

static int add_value(const struct kith_metric_row *row, size_t i, uint64_t v, struct kith_buf *out)
{
    char label[160] = "", word[100], value[40], text[300];

    if (row->label != NULL)
        (void)kith_format(label, sizeof label, "{%s=\"%s\"}", row->label,
                          kith_metric_escape(row->word(i), true, word, sizeof word));
    (void)kith_format(text, sizeof text, "%s%s %s\n", row->name, label,
                      value_text(kith_metric_unit(row), v, value, sizeof value));
    return kith_buf_add(out, kith_span_text(text));
}

static int add_row(const struct kith_metrics *m, const struct kith_metric_row *row,
                   struct kith_buf *out)
{
    int err = add_head(row, out);

    for (size_t i = 0; err == KITH_OK && i < row->values; i++) {
        uint64_t v = kith_metric_value(m, row, i);
        if (v != KITH_METRIC_UNKNOWN)
            err = add_value(row, i, v, out);
    }
    return err;
}

int kith_metrics_text(const struct kith_metrics *m, struct kith_buf *out)
{
    int err = KITH_OK;

    for (size_t i = 0; err == KITH_OK && i < KITH_COUNT(rows); i++)
        err = add_row(m, &rows[i], out);
    return err;
}

/* ---- JSON ---- */

static const char *unit_text(enum kith_metric_unit unit)
{
    switch (unit) {
    case KITH_METRIC_NUMBER: return "";
    case KITH_METRIC_BYTES: return "bytes";
    case KITH_METRIC_SECONDS: return "seconds";
    case KITH_METRIC_DATE: return "time";
    }
    return "";
}

static json_t *value_json(enum kith_metric_unit unit, uint64_t v)
{
    if (v == KITH_METRIC_UNKNOWN)
        return json_null();
    if (unit == KITH_METRIC_SECONDS)
        return json_real((double)v / (double)KITH_SEC);
    return json_integer((json_int_t)v);
}

static json_t *labels_json(const struct kith_metric_row *row, size_t i)
{
    return row->label == NULL ? json_object() : json_pack("{s:s}", row->label, row->word(i));
}

static json_t *metric_json(const struct kith_metrics *m, const struct kith_metric_row *row,
                           size_t i)
{
    enum kith_metric_unit unit = kith_metric_unit(row);

    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s}", "name", row->name, "type",
                     row->kind == KITH_METRIC_COUNTER ? "counter" : "gauge", "group", row->group,
                     "unit", unit_text(unit), "labels", labels_json(row, i), "value",
                     value_json(unit, kith_metric_value(m, row, i)), "help", row->help);
}

json_t *kith_metrics_json(const struct kith_metrics *m)
{
    json_t *list = json_array();
    const struct kith_metric_row *row;

    for (size_t r = 0; (row = kith_metric_row(r)) != NULL; r++) {
        for (size_t i = 0; i < row->values; i++) {
            if (json_array_append_new(list, metric_json(m, row, i)) < 0) {
                json_decref(list);
                return NULL;
            }
        }
    }
    return json_pack("{s:o}", "metrics", list);
}
