/* The four layers, merged. Each layer turns what it was given into text and hands it to take(),
 * which reads it as the option's type; the file's values alone know TOML types. */

#include "conf/conf.h"

#include <assert.h>

#include "conf/toml.h"

/* clang-format off */
#define T(type, ctype, member, what)                                                               \
    static_assert(_Generic(*(KITH_OPTION_FIELD_##type *)0, ctype: 1, default: 0), #type);
/* clang-format on */
KITH_OPTION_TYPES(T)
#undef T

#define GET_BOOL(f) (v.number = (f))
#define GET_NUM GET_BOOL
#define GET_SIZE GET_BOOL
#define GET_DUR GET_BOOL
#define GET_LEVEL GET_BOOL
#define GET_CONGESTION GET_BOOL
#define GET_CIPHER GET_BOOL
#define GET_INBOUND GET_BOOL
#define GET_LABEL(f) (v.text = (f))
#define GET_IFNAME GET_LABEL
#define GET_GROUP GET_LABEL
#define GET_ADDRS(f) (v.addrs = (f))
#define GET_ADDR GET_ADDRS

struct kith_conf_value kith_conf_get(const struct kith_conf *conf, enum kith_option o)
{
    struct kith_conf_value v = {.number = 0};

    switch (o) {
#define SECTION(s, about)
#define OPTION(s, k, type, ...)                                                                    \
    case KITH_OPTION_##s##_##k: GET_##type(conf->s.k); break;
#define END(s)
#include "conf/options.def"
#include "conf/options_undef.h"
    case KITH_OPTION_COUNT: break;
    }
    return v;
}

#define SET_BOOL(f) ((f) = v->number != 0)
#define SET_NUM(f) ((f) = (uint32_t)v->number)
#define SET_SIZE(f) ((f) = v->number)
#define SET_DUR SET_SIZE
#define SET_LEVEL(f) ((f) = (enum kith_level)v->number)
#define SET_CONGESTION(f) ((f) = (enum kith_conf_congestion)v->number)
#define SET_CIPHER(f) ((f) = (enum kith_conf_cipher)v->number)
#define SET_INBOUND(f) ((f) = (enum kith_inbound)v->number)
#define SET_LABEL(f) ((f) = v->text)
#define SET_IFNAME SET_LABEL
#define SET_GROUP SET_LABEL
#define SET_ADDRS(f) ((f) = v->addrs)
#define SET_ADDR SET_ADDRS

static void set(struct kith_conf *conf, enum kith_option o, const struct kith_conf_value *v)
{
    switch (o) {
#define SECTION(s, about)
#define OPTION(s, k, type, ...)                                                                    \
    case KITH_OPTION_##s##_##k: SET_##type(conf->s.k); break;
#define END(s)
#include "conf/options.def"
#include "conf/options_undef.h"
    case KITH_OPTION_COUNT: break;
    }
}

/* ---- problems ---- */

/* Where a value was found: the file and a place in it, a variable or a flag. */
struct place {
    const char *name;
    uint32_t line, column;
};

struct loading {
    struct kith_conf conf;
    struct kith_conf_problems *problems;
    const char *file;
    char list[KITH_CONF_VALUE_TEXT]; /* the file's list being told, its items joined by commas */
    enum kith_option list_option;
    struct place list_place; /* name is NULL when no list is being told */
};

/* A new problem at `at`, to be written into; NULL when enough are known. Problems of a file stay in
 * the order of its lines. */
static struct kith_conf_problem *problem(struct loading *l, struct place at)
{
    struct kith_conf_problems *all = l->problems;
    size_t i = all->n++;

    if (i >= KITH_CONF_PROBLEMS)
        return NULL;
    while (i > 0 && at.line > 0 && all->at[i - 1].line > at.line) {
        all->at[i] = all->at[i - 1];
        i--;
    }
    all->at[i] = (struct kith_conf_problem){.line = at.line, .column = at.column};
    (void)kith_format(all->at[i].where, sizeof all->at[i].where, "%s", at.name);
    return &all->at[i];
}

static void complain(struct loading *l, struct place at, const char *name, const char *what)
{
    struct kith_conf_problem *p = problem(l, at);

    if (p != NULL)
        (void)kith_format(p->what, sizeof p->what, "%s%s%s", name, name[0] == '\0' ? "" : " ",
                          what);
}

const char *kith_conf_problem_text(const struct kith_conf_problem *p, char *buf, size_t cap)
{
    if (p->line == 0)
        return kith_format(buf, cap, "%s: %s", p->where, p->what);
    return kith_format(buf, cap, "%s:%u:%u: %s", p->where, p->line, p->column, p->what);
}

/* ---- one value, whatever layer it is from ---- */

static void take(struct loading *l, enum kith_option o, const char *text, struct place at,
                 struct kith_conf_origin origin)
{
    struct kith_conf_value v;
    char why[200];

    if (kith_option_parse(o, text, &v, why, sizeof why) < 0) {
        complain(l, at, kith_option_row(o)->name, why);
        return;
    }
    set(&l->conf, o, &v);
    l->conf.origin[o] = origin;
}

static void take_defaults(struct loading *l, const char *host_name)
{
    for (size_t i = 0; i < KITH_OPTION_COUNT; i++)
        take(l, (enum kith_option)i, kith_option_row((enum kith_option)i)->preset,
             (struct place){.name = "defaults"}, (struct kith_conf_origin){0});
    if (host_name != NULL)
        (void)kith_label_from(host_name, l->conf.node.name.s, sizeof l->conf.node.name.s);
}

/* ---- the file ---- */

static void complain_unknown(struct loading *l, struct place at, const char *what, const char *name,
                             const char *nearest)
{
    struct kith_conf_problem *p = problem(l, at);

    if (p != NULL)
        (void)kith_format(p->what, sizeof p->what, "unknown %s %.64s%s%s%s", what, name,
                          nearest == NULL ? "" : " (did you mean ", nearest == NULL ? "" : nearest,
                          nearest == NULL ? "" : "?)");
}

static const char *nearest_option(const char *name)
{
    const char *names[KITH_OPTION_COUNT];

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++)
        names[i] = kith_option_row((enum kith_option)i)->name;
    return kith_text_nearest(name, names, KITH_COUNT(names));
}

static const char *nearest_section(const char *name)
{
    static const char *const names[] = {
#define SECTION(s, about) #s,
#define OPTION(...)
#define END(s)
#include "conf/options.def"
#include "conf/options_undef.h"
    };
    return kith_text_nearest(name, names, KITH_COUNT(names));
}

static void told_section(struct loading *l, const struct kith_toml_value *v)
{
    struct place at = {l->file, v->key_line, v->key_column};
    struct kith_conf_problem *p;

    if (kith_section_about(v->key) == NULL)
        complain_unknown(l, at, v->kind == KITH_TOML_TABLE ? "section" : "option", v->key,
                         nearest_section(v->key));
    else if (v->kind != KITH_TOML_TABLE && (p = problem(l, at)) != NULL)
        (void)kith_format(p->what, sizeof p->what, "%.64s is a section: write [%.64s]", v->key,
                          v->key);
}

/* Whether the file may give options of this type a value of this kind; *ret_text is it as text. */
static bool file_text(enum kith_option_type type, const struct kith_toml_value *v, char *buf,
                      size_t cap, const char **ret_text)
{
    bool counts = type == KITH_OPTION_TYPE_NUM || type == KITH_OPTION_TYPE_SIZE ||
                  type == KITH_OPTION_TYPE_DUR;

    if (v->kind == KITH_TOML_BOOL && type == KITH_OPTION_TYPE_BOOL)
        *ret_text = v->number ? "true" : "false";
    else if (v->kind == KITH_TOML_NUMBER && counts)
        *ret_text = kith_format(buf, cap, "%lld", (long long)v->number);
    else if (v->kind == KITH_TOML_TEXT && type != KITH_OPTION_TYPE_BOOL &&
             type != KITH_OPTION_TYPE_NUM)
        *ret_text = v->text;
    else
        return false;
    return true;
}

static void complain_type(struct loading *l, enum kith_option o, const struct kith_toml_value *v)
{
    struct place at = {l->file, v->line, v->column};
    char what[160];

    if (v->kind == KITH_TOML_TABLE) /* begins at its bracket; the name in it says more */
        at = (struct place){l->file, v->key_line, v->key_column};
    (void)kith_format(what, sizeof what, "must be %s",
                      kith_option_type_text(kith_option_row(o)->type));
    complain(l, at, kith_option_row(o)->name, what);
}

static void list_end(struct loading *l)
{
    struct place at = l->list_place;

    if (at.name == NULL)
        return;
    l->list_place.name = NULL;
    take(l, l->list_option, l->list, at,
         (struct kith_conf_origin){KITH_CONF_FROM_FILE, at.line, at.column, NULL});
}

static void told_item(struct loading *l, const struct kith_toml_value *v)
{
    size_t n = strlen(l->list);

    if (l->list_place.name == NULL)
        return; /* complained about already */
    if (v->kind != KITH_TOML_TEXT || v->text[0] == '\0' || strchr(v->text, ',') != NULL) {
        complain_type(l, l->list_option, v);
        l->list_place.name = NULL;
        return;
    }
    /* What is cut here has more addresses than a list may, or a bad one: take() refuses it. */
    (void)kith_format(l->list + n, sizeof l->list - n, "%s%s", n == 0 ? "" : ",", v->text);
}

static void told_option(struct loading *l, const struct kith_toml_value *v)
{
    struct place at = {l->file, v->line, v->column};
    char name[2 * KITH_CONF_TEXT], buf[32];
    const char *text;
    enum kith_option o;

    (void)kith_format(name, sizeof name, "%.60s.%.60s", v->section, v->key);
    if (kith_option_find(name, &o) < 0) {
        at = (struct place){l->file, v->key_line, v->key_column};
        if (kith_section_about(v->section) != NULL)
            complain_unknown(l, at, "option", name, nearest_option(name));
    } else if (v->kind == KITH_TOML_LIST && kith_option_row(o)->type == KITH_OPTION_TYPE_ADDRS) {
        l->list[0] = '\0';
        l->list_option = o;
        l->list_place = at;
    } else if (!file_text(kith_option_row(o)->type, v, buf, sizeof buf, &text)) {
        complain_type(l, o, v);
    } else {
        take(l, o, text, at,
             (struct kith_conf_origin){KITH_CONF_FROM_FILE, at.line, at.column, NULL});
    }
}

static void told(void *ctx, const struct kith_toml_value *v)
{
    struct loading *l = ctx;

    if (v->item) {
        if (v->section != NULL)
            told_item(l, v);
        return;
    }
    list_end(l);
    if (v->section == NULL)
        told_section(l, v);
    else
        told_option(l, v);
}

static int take_file(struct loading *l, const struct kith_conf_input *in)
{
    struct kith_toml_error error = {0};
    int err;

    if (in->file == NULL)
        return KITH_OK;
    (void)kith_format(l->conf.file, sizeof l->conf.file, "%s", in->file);
    l->file = l->conf.file;
    if (in->text.n > KITH_CONF_FILE_MAX) {
        complain(l, (struct place){.name = l->file}, "", "is over 256 KiB");
        return KITH_OK;
    }
    err = kith_toml_read((const char *)in->text.p, in->text.n, told, l, &error);
    if (err == KITH_E_MALFORMED) {
        complain(l, (struct place){l->file, error.line, error.column}, "", error.what);
        return KITH_OK;
    }
    list_end(l);
    return err;
}

/* ---- environment and flags ---- */

/* Whether `variable` begins with KITH_<SECTION>_ of a section there is, so that it must be an
 * option: KITH_STATE, KITH_CONFIG and other programs' variables are not ours to judge. */
static bool names_section(const char *variable, size_t n)
{
    char env[KITH_CONF_ENV_NAME];

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        size_t len = strlen("KITH_") + strlen(kith_option_row((enum kith_option)i)->section) + 1;
        (void)kith_option_env((enum kith_option)i, env, sizeof env);
        if (n > len && strncmp(variable, env, len) == 0)
            return true;
    }
    return false;
}

static const char *nearest_variable(const char *name, char *buf, size_t cap)
{
    char env[KITH_OPTION_COUNT][KITH_CONF_ENV_NAME];
    const char *names[KITH_OPTION_COUNT], *nearest;

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++)
        names[i] = kith_option_env((enum kith_option)i, env[i], sizeof env[i]);
    nearest = kith_text_nearest(name, names, KITH_COUNT(names));
    return nearest == NULL ? NULL : kith_format(buf, cap, "%s", nearest);
}

static void take_variable(struct loading *l, const char *variable)
{
    size_t n = strcspn(variable, "=");
    char name[KITH_CONF_ENV_NAME], buf[KITH_CONF_ENV_NAME];

    if (variable[n] != '=' || strncmp(variable, "KITH_", 5) != 0)
        return;
    (void)kith_format(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1),
                      variable);
    for (size_t i = 0; n < sizeof name && i < KITH_OPTION_COUNT; i++) {
        enum kith_option o = (enum kith_option)i;
        if (strcmp(kith_option_env(o, buf, sizeof buf), name) == 0) {
            take(l, o, variable + n + 1, (struct place){.name = name},
                 (struct kith_conf_origin){.from = KITH_CONF_FROM_ENV});
            return;
        }
    }
    if (names_section(variable, n))
        complain_unknown(l, (struct place){.name = "environment"}, "option", name,
                         nearest_variable(name, buf, sizeof buf));
}

static void take_flag(struct loading *l, const struct kith_conf_flag *f)
{
    take(l, f->option, f->value, (struct place){.name = f->flag},
         (struct kith_conf_origin){.from = KITH_CONF_FROM_FLAG, .flag = f->flag});
}

/* ---- what only all of them together can break ---- */

static void check_together(struct loading *l)
{
    const struct kith_conf *c = &l->conf;
    const struct kith_conf_origin *o = &c->origin[KITH_OPTION_net_keepalive];
    char where[KITH_CONF_PATH];
    struct place at = {.name = where};

    if (c->net.keepalive < c->net.idle_timeout)
        return;
    if (o->from == KITH_CONF_FROM_FILE)
        at = (struct place){c->file, o->line, o->column};
    else
        (void)kith_conf_origin_text(c, KITH_OPTION_net_keepalive, where, sizeof where);
    complain(l, at, "net.keepalive", "must be shorter than net.idle_timeout");
}

int kith_conf_load(struct kith_conf *ret, const struct kith_conf_input *in,
                   struct kith_conf_problems *ret_problems)
{
    struct loading l = {.problems = ret_problems};
    int err;

    ret_problems->n = 0;
    take_defaults(&l, in->host_name);
    err = take_file(&l, in);
    if (err < 0)
        return err;
    for (const char *const *v = in->env; v != NULL && *v != NULL; v++)
        take_variable(&l, *v);
    for (size_t i = 0; i < in->flags; i++)
        take_flag(&l, &in->flag[i]);
    if (ret_problems->n == 0)
        check_together(&l);
    if (ret_problems->n > 0)
        return KITH_E_INVAL;
    *ret = l.conf;
    return KITH_OK;
}

/* ---- changes at run time ---- */

size_t kith_conf_reload(struct kith_conf *running, const struct kith_conf *fresh, char *later,
                        size_t cap)
{
    char was[KITH_CONF_VALUE_TEXT], is[KITH_CONF_VALUE_TEXT];
    size_t waiting = 0, n = 0;

    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        enum kith_option o = (enum kith_option)i;
        struct kith_conf_value v = kith_conf_get(fresh, o);
        bool same = strcmp(kith_conf_text(running, o, was, sizeof was),
                           kith_conf_text(fresh, o, is, sizeof is)) == 0;
        if (same || kith_option_row(o)->reload) {
            set(running, o, &v);
            running->origin[o] = fresh->origin[o];
        } else if (n < cap) {
            (void)kith_format(later + n, cap - n, "%s%s", waiting++ == 0 ? "" : ", ",
                              kith_option_row(o)->name);
            n += strlen(later + n);
        }
    }
    if (waiting == 0)
        (void)kith_format(later, cap, "nothing");
    memcpy(running->file, fresh->file, sizeof running->file);
    return waiting;
}
