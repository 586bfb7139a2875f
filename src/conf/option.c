/* The option table, and values between text and field. */

#include "conf/conf.h"

enum { WHEN_RESTART = false, WHEN_RELOAD = true };

static const struct kith_option_row rows[KITH_OPTION_COUNT] = {
/* clang-format off */
#define SECTION(s, about)
#define OPTION(s, k, t, preset, least, most, when, about)                                          \
    [KITH_OPTION_##s##_##k] = {#s "." #k, #s, #k, KITH_OPTION_TYPE_##t, preset, least, most,       \
                               WHEN_##when, about},
#define END(s)
#include "conf/options.def"
#include "conf/options_undef.h"
    /* clang-format on */
};

const struct kith_option_row *kith_option_row(enum kith_option o)
{
    return &rows[o];
}

const char *kith_section_about(const char *section)
{
#define SECTION(s, about)                                                                          \
    if (strcmp(section, #s) == 0)                                                                  \
        return about;
#define OPTION(...)
#define END(s)
#include "conf/options.def"
#include "conf/options_undef.h"
    return NULL;
}

const char *kith_option_type_text(enum kith_option_type type)
{
    static const char *const text[] = {
#define T(type, ctype, member, what) [KITH_OPTION_TYPE_##type] = what,
        KITH_OPTION_TYPES(T)
#undef T
    };
    return text[type];
}

const char *kith_conf_layer_text(enum kith_conf_layer from)
{
    static const char *const text[] = {
#define X(name, word) [KITH_CONF_FROM_##name] = word,
        KITH_ORIGIN_TABLE(X)
#undef X
    };
    return text[from];
}

int kith_option_find(const char *name, enum kith_option *ret)
{
    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *ret = (enum kith_option)i;
            return KITH_OK;
        }
    }
    return KITH_E_NOTFOUND;
}

const char *kith_option_env(enum kith_option o, char *buf, size_t cap)
{
    (void)kith_format(buf, cap, "KITH_%s_%s", rows[o].section, rows[o].key);
    for (char *c = buf; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return buf;
}

/* The words of a type, in the order of its enum; NULL for types that are no words. */
static const char *const *words_of(enum kith_option_type type)
{
#define X(name, text) text,
    static const char *const levels[] = {KITH_LEVEL_TABLE(X) NULL};
    static const char *const congestions[] = {KITH_CONGESTION_TABLE(X) NULL};
    static const char *const ciphers[] = {KITH_CIPHER_TABLE(X) NULL};
    static const char *const inbounds[] = {KITH_INBOUND_TABLE(X) NULL};
#undef X

    switch (type) {
    case KITH_OPTION_TYPE_LEVEL: return levels;
    case KITH_OPTION_TYPE_CONGESTION: return congestions;
    case KITH_OPTION_TYPE_CIPHER: return ciphers;
    case KITH_OPTION_TYPE_INBOUND: return inbounds;
    case KITH_OPTION_TYPE_BOOL:
    case KITH_OPTION_TYPE_NUM:
    case KITH_OPTION_TYPE_SIZE:
    case KITH_OPTION_TYPE_DUR:
    case KITH_OPTION_TYPE_LABEL:
    case KITH_OPTION_TYPE_IFNAME:
    case KITH_OPTION_TYPE_GROUP:
    case KITH_OPTION_TYPE_ADDRS:
    case KITH_OPTION_TYPE_ADDR: return NULL;
    }
    return NULL;
}

static int word_parse(const char *text, const char *const *words, uint64_t *ret)
{
    for (uint64_t i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return KITH_OK;
        }
    }
    return KITH_E_INVAL;
}

static int bool_parse(const char *text, uint64_t *ret)
{
    static const char *const no[] = {"false", "no", "off", "0", NULL};
    static const char *const yes[] = {"true", "yes", "on", "1", NULL};
    uint64_t place;

    if (word_parse(text, yes, &place) == KITH_OK)
        *ret = 1;
    else if (word_parse(text, no, &place) == KITH_OK)
        *ret = 0;
    else
        return KITH_E_INVAL;
    return KITH_OK;
}

static const struct size_unit {
    const char *name;
    uint64_t bytes;
} size_units[] = {{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"", 1}};

static int size_parse(const char *text, uint64_t *ret)
{
    char digits[24];
    size_t n = strspn(text, "0123456789");
    uint64_t v;

    if (n >= sizeof digits)
        return KITH_E_INVAL;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (kith_u64_parse(digits, &v) < 0)
        return KITH_E_INVAL;
    for (size_t i = 0; i < KITH_COUNT(size_units); i++) {
        if (strcmp(text + n, size_units[i].name) != 0)
            continue;
        if (v > UINT64_MAX / size_units[i].bytes)
            return KITH_E_INVAL;
        *ret = v * size_units[i].bytes;
        return KITH_OK;
    }
    return KITH_E_INVAL;
}

static const char *size_text(uint64_t v, char *buf, size_t cap)
{
    size_t i = 0;

    while (v % size_units[i].bytes != 0 || (v == 0 && size_units[i].bytes > 1))
        i++;
    return kith_format(buf, cap, "%llu%s", (unsigned long long)(v / size_units[i].bytes),
                       size_units[i].name);
}

/* Linux: 1 to 15 bytes (here of ASCII), no space, no slash, no colon, not "." or ".."; a percent
 * sign would ask the kernel to number it. */
static bool ifname_valid(const char *text)
{
    size_t n = strlen(text);

    if (n == 0 || n > 15 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f || strchr("/:%", *text) != NULL)
            return false;
    return true;
}

/* As useradd takes them: at most 32 of a-z, A-Z, 0-9, "_", "-" and "."; empty is "no group". */
static bool group_valid(const char *text)
{
    size_t n = strlen(text);

    return n <= 32 && text[0] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n;
}

static bool text_valid(enum kith_option_type type, const char *text)
{
    if (type == KITH_OPTION_TYPE_IFNAME)
        return ifname_valid(text);
    if (type == KITH_OPTION_TYPE_GROUP)
        return group_valid(text);
    return text[0] == '\0' || kith_label_valid(kith_span_text(text));
}

static int text_parse(enum kith_option_type type, const char *text, struct kith_conf_text *ret)
{
    if (strlen(text) >= sizeof ret->s || !text_valid(type, text))
        return KITH_E_INVAL;
    (void)kith_format(ret->s, sizeof ret->s, "%s", text);
    return KITH_OK;
}

/* Takes the part of *text up to the next comma, without the spaces around it, and moves on. */
static const char *part_take(const char **text, char *buf, size_t cap)
{
    size_t n = strcspn(*text, ","), skip = strspn(*text, " ");
    const char *start = *text + (skip < n ? skip : n);
    const char *end = *text + n;

    *text = *end == ',' ? end + 1 : end;
    while (end > start && end[-1] == ' ')
        end--;
    return kith_format(buf, cap, "%.*s", (int)(end - start), start);
}

static bool addrs_hold(const struct kith_conf_addrs *list, const struct kith_addr *a)
{
    for (size_t i = 0; i < list->n; i++)
        if (kith_addr_equal(&list->addr[i], a))
            return true;
    return false;
}

static int addrs_parse(const char *text, struct kith_conf_addrs *ret, char *why, size_t cap)
{
    struct kith_conf_addrs list = {.n = 0};
    char part[KITH_ADDR_TEXT + 1];

    while (*text != '\0') {
        struct kith_addr a;
        if (list.n == KITH_CONF_ADDRS) {
            (void)kith_format(why, cap, "has more than %d addresses", KITH_CONF_ADDRS);
            return KITH_E_INVAL;
        }
        if (kith_addr_parse(part_take(&text, part, sizeof part), 0, &a) < 0 || a.port == 0) {
            (void)kith_format(why, cap,
                              "must be an address and a port, as in 192.0.2.1:9000 or "
                              "[2001:db8::1]:9000, not \"%s\"",
                              part);
            return KITH_E_INVAL;
        }
        if (addrs_hold(&list, &a)) {
            (void)kith_format(why, cap, "names %s twice", part);
            return KITH_E_INVAL;
        }
        list.addr[list.n++] = a;
    }
    *ret = list;
    return KITH_OK;
}

static const char *bound_text(enum kith_option_type type, uint64_t v, char *buf, size_t cap)
{
    if (type == KITH_OPTION_TYPE_DUR)
        return kith_dur_text(v, buf, cap);
    if (type == KITH_OPTION_TYPE_SIZE)
        return size_text(v, buf, cap);
    return kith_format(buf, cap, "%llu", (unsigned long long)v);
}

const char *kith_option_bounds_text(enum kith_option o, char *buf, size_t cap)
{
    const struct kith_option_row *row = &rows[o];
    char least[32], most[32];

    if (row->most == 0)
        return kith_format(buf, cap, "%s", "");
    return kith_format(buf, cap, "from %s to %s",
                       bound_text(row->type, row->least, least, sizeof least),
                       bound_text(row->type, row->most, most, sizeof most));
}

static int bounds_check(enum kith_option o, uint64_t v, char *why, size_t cap)
{
    const struct kith_option_row *row = &rows[o];
    char bounds[80];

    if (row->most == 0 || (v >= row->least && v <= row->most))
        return KITH_OK;
    (void)kith_format(why, cap, "must be %s", kith_option_bounds_text(o, bounds, sizeof bounds));
    return KITH_E_INVAL;
}

/* Reads a NUM, SIZE, DUR, BOOL or word. */
static int number_parse(enum kith_option_type type, const char *text, uint64_t *ret)
{
    const char *const *words = words_of(type);

    if (words != NULL)
        return word_parse(text, words, ret);
    if (type == KITH_OPTION_TYPE_BOOL)
        return bool_parse(text, ret);
    if (type == KITH_OPTION_TYPE_SIZE)
        return size_parse(text, ret);
    if (type == KITH_OPTION_TYPE_DUR)
        return kith_dur_parse(text, ret);
    return kith_u64_parse(text, ret);
}

/* "must be cubic or bbr, not "cubik" (did you mean cubic?)" */
static void say_expected(enum kith_option_type type, const char *text, char *why, size_t cap)
{
    const char *const *words = words_of(type);
    const char *nearest = NULL;
    size_t n = 0;

    while (words != NULL && words[n] != NULL)
        n++;
    if (n > 0)
        nearest = kith_text_nearest(text, words, n);
    (void)kith_format(why, cap, "must be %s, not \"%.64s\"%s%s%s", kith_option_type_text(type),
                      text, nearest == NULL ? "" : " (did you mean ",
                      nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?)");
}

int kith_option_parse(enum kith_option o, const char *text, struct kith_conf_value *ret, char *why,
                      size_t cap)
{
    const struct kith_option_row *row = &rows[o];
    struct kith_conf_value v = {.number = 0};
    int err = KITH_E_INVAL;

    switch (row->type) {
    case KITH_OPTION_TYPE_LABEL:
    case KITH_OPTION_TYPE_IFNAME:
    case KITH_OPTION_TYPE_GROUP: err = text_parse(row->type, text, &v.text); break;
    case KITH_OPTION_TYPE_ADDRS:
        err = addrs_parse(text, &v.addrs, why, cap);
        if (err < 0)
            return err;
        err = v.addrs.n > 0 ? KITH_OK : KITH_E_INVAL;
        break;
    case KITH_OPTION_TYPE_ADDR:
        err = addrs_parse(text, &v.addrs, why, cap);
        if (err < 0)
            return err;
        err = v.addrs.n <= 1 ? KITH_OK : KITH_E_INVAL;
        break;
    case KITH_OPTION_TYPE_BOOL:
    case KITH_OPTION_TYPE_NUM:
    case KITH_OPTION_TYPE_SIZE:
    case KITH_OPTION_TYPE_DUR:
    case KITH_OPTION_TYPE_LEVEL:
    case KITH_OPTION_TYPE_CONGESTION:
    case KITH_OPTION_TYPE_CIPHER:
    case KITH_OPTION_TYPE_INBOUND: err = number_parse(row->type, text, &v.number); break;
    }
    if (err < 0) {
        say_expected(row->type, text, why, cap);
        return KITH_E_INVAL;
    }
    err = bounds_check(o, v.number, why, cap);
    if (err < 0)
        return err;
    *ret = v;
    return KITH_OK;
}

static const char *addrs_text(const struct kith_conf_addrs *list, char *buf, size_t cap)
{
    char one[KITH_ADDR_TEXT];
    size_t n = 0;

    (void)kith_format(buf, cap, "%s", list->n == 0 ? "off" : "");
    for (size_t i = 0; i < list->n && n < cap; i++) {
        (void)kith_format(buf + n, cap - n, "%s%s", i == 0 ? "" : ",",
                          kith_addr_text(&list->addr[i], one, sizeof one));
        n += strlen(buf + n);
    }
    return buf;
}

const char *kith_conf_text(const struct kith_conf *conf, enum kith_option o, char *buf, size_t cap)
{
    struct kith_conf_value v = kith_conf_get(conf, o);

    switch (rows[o].type) {
    case KITH_OPTION_TYPE_BOOL: return kith_format(buf, cap, "%s", v.number ? "true" : "false");
    case KITH_OPTION_TYPE_NUM:
    case KITH_OPTION_TYPE_SIZE:
    case KITH_OPTION_TYPE_DUR: return bound_text(rows[o].type, v.number, buf, cap);
    case KITH_OPTION_TYPE_LEVEL:
    case KITH_OPTION_TYPE_CONGESTION:
    case KITH_OPTION_TYPE_CIPHER:
    case KITH_OPTION_TYPE_INBOUND:
        return kith_format(buf, cap, "%s", words_of(rows[o].type)[v.number]);
    case KITH_OPTION_TYPE_LABEL:
    case KITH_OPTION_TYPE_IFNAME:
    case KITH_OPTION_TYPE_GROUP: return kith_format(buf, cap, "%s", v.text.s);
    case KITH_OPTION_TYPE_ADDRS: return addrs_text(&v.addrs, buf, cap);
    case KITH_OPTION_TYPE_ADDR:
        return v.addrs.n == 0 ? kith_format(buf, cap, "%s", "") : addrs_text(&v.addrs, buf, cap);
    }
    return buf;
}

const char *kith_conf_origin_text(const struct kith_conf *conf, enum kith_option o, char *buf,
                                  size_t cap)
{
    const struct kith_conf_origin *origin = &conf->origin[o];
    char env[KITH_CONF_ENV_NAME];

    switch (origin->from) {
    case KITH_CONF_FROM_DEFAULT: return kith_format(buf, cap, "default");
    case KITH_CONF_FROM_FILE:
        return kith_format(buf, cap, "%s:%u:%u", conf->file, origin->line, origin->column);
    case KITH_CONF_FROM_ENV:
        return kith_format(buf, cap, "%s", kith_option_env(o, env, sizeof env));
    case KITH_CONF_FROM_FLAG: return kith_format(buf, cap, "%s", origin->flag);
    }
    return buf;
}
