#include "base/err.h"

const char *kith_err_text(int err)
{
    switch (err) {
    case KITH_OK: return "ok";
#define X(name, num, fault, text)                                                                  \
    case KITH_E_##name:                                                                            \
        return text;
        KITH_ERR_TABLE(X)
#undef X
    }
    return "unknown error";
}

const char *kith_err_name(int err)
{
    switch (err) {
    case KITH_OK: return "OK";
#define X(name, num, fault, text)                                                                  \
    case KITH_E_##name:                                                                            \
        return #name;
        KITH_ERR_TABLE(X)
#undef X
    }
    return "UNKNOWN";
}

enum kith_blame kith_err_blame(int err)
{
    switch (err) {
#define X(name, num, fault, text)                                                                  \
    case KITH_E_##name:                                                                            \
        return KITH_BLAME_##fault;
        KITH_ERR_TABLE(X)
#undef X
    }
    return KITH_BLAME_NOBODY;
}
