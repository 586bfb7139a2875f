/* The method table, and the judgement of JSON by it. */

#include "ctl/method.h"

#include "base/text.h"

enum { NEED = true, MAY = false };

/* One reading of methods.def for each kind of line gives the lists; a last one the rows. */
/* clang-format off */
#define METHOD(n, ...) static const struct kith_ctl_param params_of_##n[] = {
#define PARAM(n, p, t, need, least, most, text) {#p, KITH_CTL_TYPE_##t, need, least, most, text},
#define FIELD(...)
#define ITEM(...)
#define FAIL(...)
#define END(n) {.name = NULL}};
#include "ctl/methods.def"
#include "ctl/methods_undef.h"

#define METHOD(n, ...) static const struct kith_ctl_field fields_of_##n[] = {
#define PARAM(...)
#define FIELD(n, path, type, text) {path, type, text},
#define ITEM(...)
#define FAIL(...)
#define END(n) {.path = NULL}};
#include "ctl/methods.def"
#include "ctl/methods_undef.h"

#define METHOD(n, ...) static const struct kith_ctl_field items_of_##n[] = {
#define PARAM(...)
#define FIELD(...)
#define ITEM(n, path, type, text) {path, type, text},
#define FAIL(...)
#define END(n) {.path = NULL}};
#include "ctl/methods.def"
#include "ctl/methods_undef.h"

#define METHOD(n, ...) static const struct kith_ctl_fail fails_of_##n[] = {
#define PARAM(...)
#define FIELD(...)
#define ITEM(...)
#define FAIL(n, error, text) {#error, text},
#define END(n) {.error = NULL}};
#include "ctl/methods.def"
#include "ctl/methods_undef.h"

static const struct kith_ctl_method_row rows[KITH_CTL_METHODS] = {
#define METHOD(n, wire, grant, seconds, text)                                                      \
    [KITH_CTL_##n] = {wire, KITH_CTL_GRANT_##grant, seconds, text, params_of_##n, fields_of_##n,   \
                      items_of_##n, fails_of_##n},
#define PARAM(...)
#define FIELD(...)
#define ITEM(...)
#define FAIL(...)
#define END(n)
#include "ctl/methods.def"
#include "ctl/methods_undef.h"
};
/* clang-format on */

const struct kith_ctl_method_row *kith_ctl_method_row(enum kith_ctl_method m)
{
    return &rows[m];
}

const char *kith_ctl_type_text(enum kith_ctl_type t)
{
    switch (t) {
    case KITH_CTL_TYPE_TEXT: return "text";
    case KITH_CTL_TYPE_LABEL: return "label";
    case KITH_CTL_TYPE_NAME: return "name";
    case KITH_CTL_TYPE_SECRET: return "secret text";
    case KITH_CTL_TYPE_UINT: return "whole number";
    case KITH_CTL_TYPE_BOOL: return "bool";
    case KITH_CTL_TYPE_LABELS: return "list of labels";
    case KITH_CTL_TYPE_ANY: return "any value";
    }
    return "";
}

int kith_ctl_method_find(const char *name, enum kith_ctl_method *ret, const char **ret_nearest)
{
    const char *names[KITH_CTL_METHODS];

    for (size_t i = 0; i < KITH_CTL_METHODS; i++) {
        names[i] = rows[i].name;
        if (strcmp(rows[i].name, name) == 0) {
            *ret = (enum kith_ctl_method)i;
            return KITH_OK;
        }
    }
    *ret_nearest = kith_text_nearest(name, names, KITH_COUNT(names));
    return KITH_E_NOTFOUND;
}

/* ---- params ---- */

static const struct kith_ctl_param *param_find(const struct kith_ctl_param *list, const char *name)
{
    for (; list->name != NULL; list++)
        if (strcmp(list->name, name) == 0)
            return list;
    return NULL;
}

static int text_check(const struct kith_ctl_param *p, const json_t *v, char *why, size_t cap)
{
    size_t n = json_string_length(v);

    if (!json_is_string(v) || strlen(json_string_value(v)) != n)
        (void)kith_format(why, cap, "param %s must be a text", p->name);
    else if (n < p->least || n > p->most)
        (void)kith_format(why, cap, "param %s must have %llu to %llu bytes", p->name,
                          (unsigned long long)p->least, (unsigned long long)p->most);
    else
        return KITH_OK;
    return KITH_E_INVAL;
}

static bool label(const json_t *v)
{
    return json_is_string(v) && kith_label_valid(kith_span_text(json_string_value(v)));
}

/* Labels with single dots between them. */
static bool dotted_labels(const char *text)
{
    for (;;) {
        size_t n = strcspn(text, ".");
        if (!kith_label_valid((struct kith_span){(const uint8_t *)text, n}))
            return false;
        if (text[n] == '\0')
            return true;
        text += n + 1;
    }
}

static int label_check(const struct kith_ctl_param *p, const json_t *v, char *why, size_t cap)
{
    int err = text_check(p, v, why, cap);

    if (err < 0)
        return err;
    if (p->type == KITH_CTL_TYPE_LABEL ? label(v) : dotted_labels(json_string_value(v)))
        return KITH_OK;
    (void)kith_format(why, cap,
                      "param %s must be a name of a-z, 0-9 and inner hyphens, not \"%.80s\"",
                      p->name, json_string_value(v));
    return KITH_E_INVAL;
}

static int labels_check(const struct kith_ctl_param *p, const json_t *v, char *why, size_t cap)
{
    size_t n = json_array_size(v);
    bool good = json_is_array(v) && n >= p->least && n <= p->most;

    for (size_t i = 0; good && i < n; i++)
        good = label(json_array_get(v, i));
    if (good)
        return KITH_OK;
    (void)kith_format(why, cap,
                      "param %s must be a list of at most %llu names of a-z, 0-9 and inner "
                      "hyphens",
                      p->name, (unsigned long long)p->most);
    return KITH_E_INVAL;
}

static int uint_check(const struct kith_ctl_param *p, const json_t *v, char *why, size_t cap)
{
    json_int_t n = json_integer_value(v);

    if (json_is_integer(v) && n >= 0 && (uint64_t)n >= p->least && (uint64_t)n <= p->most)
        return KITH_OK;
    (void)kith_format(why, cap, "param %s must be a whole number from %llu to %llu", p->name,
                      (unsigned long long)p->least, (unsigned long long)p->most);
    return KITH_E_INVAL;
}

static int param_check(const struct kith_ctl_param *p, const json_t *v, char *why, size_t cap)
{
    switch (p->type) {
    case KITH_CTL_TYPE_TEXT:
    case KITH_CTL_TYPE_SECRET: return text_check(p, v, why, cap);
    case KITH_CTL_TYPE_LABEL:
    case KITH_CTL_TYPE_NAME: return label_check(p, v, why, cap);
    case KITH_CTL_TYPE_UINT: return uint_check(p, v, why, cap);
    case KITH_CTL_TYPE_LABELS: return labels_check(p, v, why, cap);
    case KITH_CTL_TYPE_ANY: return KITH_OK;
    case KITH_CTL_TYPE_BOOL:
        if (json_is_boolean(v))
            return KITH_OK;
        (void)kith_format(why, cap, "param %s must be true or false", p->name);
        return KITH_E_INVAL;
    }
    return KITH_E_INVAL;
}

static int unknown_param(const struct kith_ctl_param *list, const char *key, char *why, size_t cap)
{
    const char *names[16], *nearest;
    size_t n = 0;

    for (; n < KITH_COUNT(names) && list[n].name != NULL; n++)
        names[n] = list[n].name;
    nearest = kith_text_nearest(key, names, n);
    (void)kith_format(why, cap, "unknown param %.64s%s%s%s", key,
                      nearest == NULL ? "" : " (did you mean ", nearest == NULL ? "" : nearest,
                      nearest == NULL ? "" : "?)");
    return KITH_E_INVAL;
}

int kith_ctl_params_check(enum kith_ctl_method m, const json_t *params, char *why, size_t cap)
{
    const struct kith_ctl_param *list = rows[m].param;
    const char *key;
    json_t *v;

    if (params != NULL && !json_is_object(params)) {
        (void)kith_format(why, cap, "params must be an object");
        return KITH_E_INVAL;
    }
    json_object_foreach((json_t *)params, key, v)
    {
        const struct kith_ctl_param *p = param_find(list, key);
        int err = p == NULL ? unknown_param(list, key, why, cap) : param_check(p, v, why, cap);
        if (err < 0)
            return err;
    }
    for (const struct kith_ctl_param *p = list; p->name != NULL; p++) {
        if (p->needed && json_object_get(params, p->name) == NULL) {
            (void)kith_format(why, cap, "param %s is missing", p->name);
            return KITH_E_INVAL;
        }
    }
    return KITH_OK;
}

void kith_ctl_params_wipe(enum kith_ctl_method m, json_t *params)
{
    for (const struct kith_ctl_param *p = rows[m].param; p->name != NULL; p++) {
        json_t *v = json_object_get(params, p->name);
        if (p->type == KITH_CTL_TYPE_SECRET && json_is_string(v))
            explicit_bzero((char *)json_string_value(v), json_string_length(v));
    }
}

const char *kith_ctl_text(const json_t *params, const char *name, const char *preset)
{
    const json_t *v = json_object_get(params, name);
    return v == NULL ? preset : json_string_value(v);
}

uint64_t kith_ctl_uint(const json_t *params, const char *name, uint64_t preset)
{
    const json_t *v = json_object_get(params, name);
    return v == NULL ? preset : (uint64_t)json_integer_value(v);
}

bool kith_ctl_bool(const json_t *params, const char *name, bool preset)
{
    const json_t *v = json_object_get(params, name);
    return v == NULL ? preset : json_is_true(v);
}

/* ---- results ---- */

static bool type_fits(const json_t *v, const char *type, size_t n)
{
#define IS(word) (n == sizeof(word) - 1 && strncmp(type, word, n) == 0)
    switch (json_typeof(v)) {
    case JSON_OBJECT: return IS("object");
    case JSON_ARRAY: return IS("list");
    case JSON_STRING: return IS("text");
    case JSON_INTEGER: return IS("int") || IS("number");
    case JSON_REAL: return IS("number");
    case JSON_TRUE:
    case JSON_FALSE: return IS("bool");
    case JSON_NULL: return IS("null");
    }
#undef IS
    return false;
}

/* Whether v is of one of the "|" alternatives. */
static bool types_fit(const json_t *v, const char *types)
{
    for (;;) {
        size_t n = strcspn(types, "|?");
        if (type_fits(v, types, n))
            return true;
        if (types[n] != '|')
            return false;
        types += n + 1;
    }
}

struct shape {
    const struct kith_ctl_field *field;
    bool open; /* members that no field names are fine */
    char *why;
    size_t cap;
};

static const struct kith_ctl_field *field_find(const struct shape *s, const char *path)
{
    for (const struct kith_ctl_field *f = s->field; f->path != NULL; f++)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

/* Whether path is `prefix` and one more name without "." or "[]". */
static bool child_of(const char *path, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(path, prefix, n) == 0 && path[n] != '\0' && strpbrk(path + n, ".[") == NULL;
}

static int shape_wrong(const struct shape *s, const char *path, const char *what)
{
    (void)kith_format(s->why, s->cap, "%s %s", path, what);
    return KITH_E_INVAL;
}

static int value_check(const struct shape *s, const char *path, const json_t *v);

static int object_check(const struct shape *s, const char *prefix, const json_t *object)
{
    char path[96];
    const char *key;
    json_t *v;
    int err = KITH_OK;

    for (const struct kith_ctl_field *f = s->field; f->path != NULL; f++)
        if (child_of(f->path, prefix) && strchr(f->type, '?') == NULL &&
            json_object_get(object, f->path + strlen(prefix)) == NULL)
            return shape_wrong(s, f->path, "is missing");
    json_object_foreach((json_t *)object, key, v)
    {
        (void)kith_format(path, sizeof path, "%s%s", prefix, key);
        if (field_find(s, path) == NULL && s->open)
            continue;
        err = value_check(s, path, v);
        if (err < 0)
            return err;
    }
    return KITH_OK;
}

/* Results nest two deep (members[].groups[]), so this recursion ends with the table's paths. */
static int value_check(const struct shape *s, const char *path, const json_t *v)
{
    const struct kith_ctl_field *f = field_find(s, path);
    char deeper[96];
    int err = KITH_OK;

    if (f == NULL)
        return shape_wrong(s, path, "is not documented");
    if (!types_fit(v, f->type))
        return shape_wrong(s, path, "has the wrong type");
    (void)kith_format(deeper, sizeof deeper, "%s[]", path);
    for (size_t i = 0; err == KITH_OK && i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (field_find(s, deeper) != NULL) {
            err = value_check(s, deeper, item);
        } else if (json_is_object(item)) {
            char prefix[98];
            (void)kith_format(prefix, sizeof prefix, "%s.", deeper);
            err = object_check(s, prefix, item);
        }
    }
    return err;
}

int kith_ctl_result_check(enum kith_ctl_method m, const json_t *result, char *why, size_t cap)
{
    struct shape s = {rows[m].field, false, why, cap};

    return json_is_object(result) ? object_check(&s, "", result)
                                  : shape_wrong(&s, "result", "is no object");
}

int kith_ctl_item_check(enum kith_ctl_method m, const json_t *item, char *why, size_t cap)
{
    struct shape s = {rows[m].item, m == KITH_CTL_logs, why, cap};

    return json_is_object(item) ? object_check(&s, "", item)
                                : shape_wrong(&s, "item", "is no object");
}
