/* method.h: the methods of the control API as data, and the judgement of params and results by it.
 *
 * Everything here is printed or checked from methods.def. The dispatch (ctl.h) lets only params
 * through that fit; a handler reads them with the getters below and need not check again. */
#ifndef KITH_CTL_METHOD_H
#define KITH_CTL_METHOD_H

#include <jansson.h>

#include "base/base.h"

enum kith_ctl_method {
#define METHOD(name, ...) KITH_CTL_##name,
#define PARAM(...)
#define FIELD(...)
#define ITEM(...)
#define FAIL(...)
#define END(name)
#include "ctl/methods.def"
#include "ctl/methods_undef.h"
    KITH_CTL_METHODS
};

/* What a client may do. */
enum kith_ctl_grant { KITH_CTL_GRANT_NONE, KITH_CTL_GRANT_READ, KITH_CTL_GRANT_ADMIN };

enum kith_ctl_type {
    KITH_CTL_TYPE_TEXT,   /* UTF-8 without NUL, bounded in bytes */
    KITH_CTL_TYPE_LABEL,  /* a DNS label */
    KITH_CTL_TYPE_NAME,   /* labels with dots between them; how members and networks are named */
    KITH_CTL_TYPE_SECRET, /* text that is overwritten after the call */
    KITH_CTL_TYPE_UINT,
    KITH_CTL_TYPE_BOOL,
    KITH_CTL_TYPE_LABELS, /* a list of labels */
    KITH_CTL_TYPE_ANY,
};

struct kith_ctl_param {
    const char *name;
    enum kith_ctl_type type;
    bool needed;
    uint64_t least, most;
    const char *about;
};

/* A member of a result or an item: "networks[].name", "text|null". */
struct kith_ctl_field {
    const char *path, *type, *about;
};

struct kith_ctl_fail {
    const char *error, *about;
};

/* Lists end with a NULL name, path or error. */
struct kith_ctl_method_row {
    const char *name; /* as on the wire */
    enum kith_ctl_grant grant;
    uint32_t seconds; /* a call may take; 0: no limit */
    const char *about;
    const struct kith_ctl_param *param;
    const struct kith_ctl_field *field, *item; /* of the result; of what is told before it */
    const struct kith_ctl_fail *fail;
};

const struct kith_ctl_method_row *kith_ctl_method_row(enum kith_ctl_method m);
const char *kith_ctl_type_text(enum kith_ctl_type t);
/* KITH_E_NOTFOUND; *ret_nearest is then the name nearest to it, or NULL. */
int kith_ctl_method_find(const char *name, enum kith_ctl_method *ret,
                         const char **ret_nearest) KITH_MUST_CHECK;

/* Whether params (an object, or NULL for none) fit the table. KITH_E_INVAL with a sentence in why.
 */
int kith_ctl_params_check(enum kith_ctl_method m, const json_t *params, char *why,
                          size_t cap) KITH_MUST_CHECK;
/* Whether a result is what the table documents: nothing missing, nothing more, every type right.
 * KITH_E_INVAL with the path in why. For tests of handlers. */
int kith_ctl_result_check(enum kith_ctl_method m, const json_t *result, char *why,
                          size_t cap) KITH_MUST_CHECK;
/* The same for an item; logs may carry the event's own fields besides. */
int kith_ctl_item_check(enum kith_ctl_method m, const json_t *item, char *why,
                        size_t cap) KITH_MUST_CHECK;
/* Overwrites the SECRET params in place. */
void kith_ctl_params_wipe(enum kith_ctl_method m, json_t *params);

/* Getters for params that passed the check; the preset stands for what was left out. */
const char *kith_ctl_text(const json_t *params, const char *name, const char *preset);
uint64_t kith_ctl_uint(const json_t *params, const char *name, uint64_t preset);
bool kith_ctl_bool(const json_t *params, const char *name, bool preset);

#endif
