/* conf.h: the options of a node, and where each value came from.
 *
 * Options stand in options.def. `kith_conf_load` merges four layers, the later one winning:
 * defaults, the configuration file (TOML), the environment (KITH_<SECTION>_<KEY>), flags. It is
 * pure: file and environment come in as text; finding and reading them is the program's affair. All
 * mistakes are gathered, each with its file, line and column, and one mistake is enough to refuse
 * the whole.
 *
 * Order of calls: kith_conf_load; read the typed fields; on SIGHUP load again and kith_conf_reload.
 * See docs/modules/conf.md, docs/options.md; tests: tests/unit/conf_load_test.c. */
#ifndef KITH_CONF_CONF_H
#define KITH_CONF_CONF_H

#include "base/addr.h"
#include "base/event.h"
#include "base/text.h"

enum {
    KITH_CONF_ADDRS = 8,            /* addresses in a list: two families on four interfaces */
    KITH_CONF_FILE_MAX = 256 << 10, /* bytes of a configuration file; the table prints as 6 KiB */
    KITH_CONF_PATH = 4096,          /* longest path with its NUL, PATH_MAX of Linux */
    KITH_CONF_TEXT = 64,            /* longest text value with its NUL */
    KITH_CONF_VALUE_TEXT = 600,     /* longest value as text with its NUL: 8 addresses */
    KITH_CONF_PROBLEMS = 16,        /* mistakes told at once */
    KITH_CONF_ENV_NAME = 64,        /* longest "KITH_<SECTION>_<KEY>" with its NUL */
};
#define KITH_KIB UINT64_C(1024) /* for bounds of sizes in options.def */
#define KITH_MIB (1024 * KITH_KIB)

/* clang-format off */
#define KITH_CONGESTION_TABLE(X) X(CUBIC, "cubic") X(BBR, "bbr")
#define KITH_CIPHER_TABLE(X) X(AUTO, "auto") X(AES, "aes") X(CHACHA, "chacha")
#define KITH_INBOUND_TABLE(X) X(ALLOW, "allow") X(DENY, "deny")
/* clang-format on */
#define X(name, text) KITH_CONF_CONGESTION_##name,
enum kith_conf_congestion { KITH_CONGESTION_TABLE(X) };
#undef X
#define X(name, text) KITH_CONF_CIPHER_##name,
enum kith_conf_cipher { KITH_CIPHER_TABLE(X) };
#undef X
#define X(name, text) KITH_INBOUND_##name,
enum kith_inbound { KITH_INBOUND_TABLE(X) };
#undef X

struct kith_conf_addrs {
    struct kith_addr addr[KITH_CONF_ADDRS];
    uint8_t n;
};

struct kith_conf_text {
    char s[KITH_CONF_TEXT];
};

/* Type of an option, C type of its field, member of kith_conf_value that holds it, what people
 * are told is expected. */
/* clang-format off */
#define KITH_OPTION_TYPES(T)                                                                       \
    T(BOOL,       bool,                   number, "true or false")                                 \
    T(NUM,        uint32_t,               number, "a number")                                      \
    T(SIZE,       uint64_t,               number, "a size, as in 512KiB")                          \
    T(DUR,        kith_dur,               number, "a duration, as in 90s, 15m, 24h or 30d")        \
    T(LEVEL,      enum kith_level,        number, "bug, host, peer, info or debug")                \
    T(CONGESTION, enum kith_conf_congestion, number, "cubic or bbr")                                  \
    T(CIPHER,     enum kith_conf_cipher,  number, "auto, aes or chacha")                           \
    T(INBOUND,    enum kith_inbound,      number, "allow or deny")                                 \
    T(LABEL,      struct kith_conf_text,  text,   "a name of a-z, 0-9 and inner hyphens")          \
    T(IFNAME,     struct kith_conf_text,  text,   "an interface name of 1 to 15 characters")       \
    T(GROUP,      struct kith_conf_text,  text,   "a group name")                                  \
    T(ADDRS,      struct kith_conf_addrs, addrs,  "addresses and ports, as in 0.0.0.0:9000")       \
    T(ADDR,       struct kith_conf_addrs, addrs,  "an address and a port, as in 127.0.0.1:9000, or empty")
/* clang-format on */

enum kith_option_type {
#define T(type, ctype, member, what) KITH_OPTION_TYPE_##type,
    KITH_OPTION_TYPES(T)
#undef T
};

enum kith_option {
#define SECTION(section, about)
#define OPTION(section, key, ...) KITH_OPTION_##section##_##key,
#define END(section)
#include "conf/options.def"
#include "conf/options_undef.h"
    KITH_OPTION_COUNT
};

#define KITH_ORIGIN_TABLE(X) X(DEFAULT, "default") X(FILE, "file") X(ENV, "env") X(FLAG, "flag")
enum kith_conf_layer {
#define X(name, text) KITH_CONF_FROM_##name,
    KITH_ORIGIN_TABLE(X)
#undef X
};

struct kith_conf_origin {
    enum kith_conf_layer from;
    uint32_t line, column; /* of a value from the file, from 1; else 0 */
    const char *flag;      /* of a value from a flag, as given to load ("--listen"); else NULL */
};

/* C types of the fields, by option type; conf.c asserts that they agree with the table above. */
#define KITH_OPTION_FIELD_BOOL bool
#define KITH_OPTION_FIELD_NUM uint32_t
#define KITH_OPTION_FIELD_SIZE uint64_t
#define KITH_OPTION_FIELD_DUR kith_dur
#define KITH_OPTION_FIELD_LEVEL enum kith_level
#define KITH_OPTION_FIELD_CONGESTION enum kith_conf_congestion
#define KITH_OPTION_FIELD_CIPHER enum kith_conf_cipher
#define KITH_OPTION_FIELD_INBOUND enum kith_inbound
#define KITH_OPTION_FIELD_LABEL struct kith_conf_text
#define KITH_OPTION_FIELD_IFNAME struct kith_conf_text
#define KITH_OPTION_FIELD_GROUP struct kith_conf_text
#define KITH_OPTION_FIELD_ADDRS struct kith_conf_addrs
#define KITH_OPTION_FIELD_ADDR struct kith_conf_addrs /* of one address at most */

/* conf.net.mtu and so on, a field per option. A plain value: copied freely, nothing to release. */
struct kith_conf {
    /* clang-format off */
#define SECTION(section, about) struct {
#define OPTION(section, key, type, ...) KITH_OPTION_FIELD_##type key;
#define END(section) } section;
#include "conf/options.def"
#include "conf/options_undef.h"
    /* clang-format on */
    struct kith_conf_origin origin[KITH_OPTION_COUNT];
    char file[KITH_CONF_PATH]; /* the file that was read; empty when there was none */
};

/* A value of any type on its way between text and field. */
struct kith_conf_value {
    uint64_t number; /* BOOL, NUM, SIZE, DUR; of words the place in their table */
    struct kith_conf_text text;
    struct kith_conf_addrs addrs;
};

/* What options.def says of an option. */
struct kith_option_row {
    const char *name; /* "net.mtu" */
    const char *section, *key;
    enum kith_option_type type;
    const char *preset; /* the default, as text */
    uint64_t least, most;
    bool reload; /* counts with SIGHUP; otherwise with the next start */
    const char *about;
};
const struct kith_option_row *kith_option_row(enum kith_option o);
/* What the section is about; NULL when there is none of that name. */
const char *kith_section_about(const char *section);
const char *kith_option_type_text(enum kith_option_type type);
const char *kith_conf_layer_text(enum kith_conf_layer from);
/* KITH_E_NOTFOUND for an unknown "section.key". */
int kith_option_find(const char *name, enum kith_option *ret) KITH_MUST_CHECK;
/* "KITH_NET_MTU"; buf needs KITH_CONF_ENV_NAME bytes. Returns buf. */
const char *kith_option_env(enum kith_option o, char *buf, size_t cap);

/* "from 1280 to 1420", or empty where there are no bounds; 80 bytes hold any. Returns buf. */
const char *kith_option_bounds_text(enum kith_option o, char *buf, size_t cap);

/* Reads text as the option's type and within its bounds. KITH_E_INVAL; `why` then says what is
 * wrong with it ("must be from 1280 to 1420"). */
int kith_option_parse(enum kith_option o, const char *text, struct kith_conf_value *ret, char *why,
                      size_t cap) KITH_MUST_CHECK;
/* The value of o in conf. */
struct kith_conf_value kith_conf_get(const struct kith_conf *conf, enum kith_option o);
/* Writes the value as kith_option_parse reads it; KITH_CONF_VALUE_TEXT bytes hold any. Returns buf.
 */
const char *kith_conf_text(const struct kith_conf *conf, enum kith_option o, char *buf, size_t cap);
/* "default", "kith.toml:3:7", "KITH_VPN_MTU" or "--listen". Returns buf. */
const char *kith_conf_origin_text(const struct kith_conf *conf, enum kith_option o, char *buf,
                                  size_t cap);

/* One mistake. `where` is a file's name, a variable or a flag; line and column are 0 for the
 * latter. */
struct kith_conf_problem {
    char where[KITH_CONF_PATH];
    uint32_t line, column;
    char what[256];
};
struct kith_conf_problems {
    size_t n; /* all that were found; the first KITH_CONF_PROBLEMS are kept */
    struct kith_conf_problem at[KITH_CONF_PROBLEMS];
};
/* "kith.toml:3:7: unknown option net.mtuu (did you mean vpn.mtu?)". Returns buf. */
const char *kith_conf_problem_text(const struct kith_conf_problem *p, char *buf, size_t cap);

struct kith_conf_flag {
    enum kith_option option;
    const char *flag;  /* "--listen"; must outlive the conf, which points at it */
    const char *value; /* as text */
};

/* The layers above the defaults; everything is borrowed for the call. All-zero: defaults only. */
struct kith_conf_input {
    const char *file;       /* the file's name for messages; NULL: there is no file */
    struct kith_span text;  /* what is in it, at most KITH_CONF_FILE_MAX bytes */
    const char *const *env; /* NULL-terminated "NAME=value", as environ; may be NULL */
    const struct kith_conf_flag *flag;
    size_t flags;
    const char *host_name; /* node.name where no layer sets it; may be NULL */
};

/* KITH_E_INVAL with at least one problem; KITH_E_NOMEM (while reading the file). *ret is written
 * only on success, *ret_problems always. */
int kith_conf_load(struct kith_conf *ret, const struct kith_conf_input *in,
                   struct kith_conf_problems *ret_problems) KITH_MUST_CHECK;

/* Takes from `fresh` into `running` what may change at run time, with its origins. `later` gets the
 * names of changed options that wait for the next start ("net.listen, vpn.mtu"; "nothing" when
 * there are none); it returns how many. */
size_t kith_conf_reload(struct kith_conf *running, const struct kith_conf *fresh, char *later,
                        size_t cap);

#endif
