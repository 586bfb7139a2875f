/* Errors as programs see them. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/handle.h"
#include "base/text.h"

#define X(name, num, fault, text)                                                                  \
    _Static_assert((int)KITH_ERROR_##name == (int)KITH_E_##name, "kith/errors.h is of this table");
KITH_ERR_TABLE(X)
#undef X

const char *kith_error_name(int code)
{
    return kith_err_name(code);
}

const char *kith_error_text(int code)
{
    return kith_err_text(code);
}

/* The number of a name; KITH_OK when a newer node speaks of an error that this library lacks. */
static int code_of(const char *name)
{
#define X(id, num, fault, text)                                                                    \
    if (strcmp(name, #id) == 0)                                                                    \
        return num;
    KITH_ERR_TABLE(X)
#undef X
    return KITH_OK;
}

static int fill(struct kith_error *e, int err, const char *message, const char *remedy)
{
    if (e == NULL)
        return err;
    *e = (struct kith_error){.code = err, .exit = kith_ctl_exit_code(err)};
    (void)kith_format(e->name, sizeof e->name, "%s", kith_err_name(err));
    (void)kith_format(e->message, sizeof e->message, "%s",
                      message[0] == '\0' ? kith_err_text(err) : message);
    (void)kith_format(e->remedy, sizeof e->remedy, "%s", remedy);
    return err;
}

int kith_error_set(struct kith_error *e, int err, const char *fmt, ...)
{
    char message[sizeof e->message];
    va_list args;

    va_start(args, fmt);
    if (vsnprintf(message, sizeof message, fmt, args) < 0)
        message[0] = '\0';
    va_end(args);
    return fill(e, err, message, "");
}

int kith_error_from_ctl(struct kith_error *e, const struct kith_ctl_error *from)
{
    return fill(e, from->err, from->message, from->remedy);
}

int kith_error_from_connect(struct kith_error *e, const struct kith_ctl_error *from)
{
    (void)fill(e, from->err, from->message, from->remedy);
    if (e != NULL)
        e->exit = kith_client_exit_code(from->err);
    return from->err;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

int kith_error_from_json(struct kith_error *e, const json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *name = text_at(data, "error");
    json_int_t exit_code = json_integer_value(json_object_get(data, "exit"));
    int code = code_of(name);
    bool known = code != KITH_OK;

    if (!known) /* ours must be negative, and must not be taken for another */
        code = KITH_E_PROTOCOL;
    (void)fill(e, code, text_at(error, "message"), text_at(data, "remedy"));
    if (e == NULL)
        return code;
    if (!known && name[0] != '\0')
        (void)kith_format(e->name, sizeof e->name, "%s", name);
    if (exit_code >= 1 && exit_code <= 4)
        e->exit = (int)exit_code;
    return code;
}
