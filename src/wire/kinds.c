#include "wire/kinds.h"

/* clang-format off */
const char *kith_stream_kind_name(uint64_t kind)
{
    switch (kind) {
#define STREAM_KIND(NAME, value, doc) case (value): return #NAME;
#define CLOSE_CODE(NAME, value, doc)
#define ENROL_STATUS(NAME, value, doc)
#include "wire/kinds.def"
#undef STREAM_KIND
#undef CLOSE_CODE
    }
    return "unknown";
}

const char *kith_close_code_name(uint64_t code)
{
    switch (code) {
#define STREAM_KIND(NAME, value, doc)
#define CLOSE_CODE(NAME, value, doc) case (value): return #NAME;
#include "wire/kinds.def"
#undef CLOSE_CODE
    }
    return "unknown";
}

const char *kith_close_code_text(uint64_t code)
{
    switch (code) {
#define CLOSE_CODE(NAME, value, doc) case (value): return doc;
#include "wire/kinds.def"
#undef CLOSE_CODE
#undef ENROL_STATUS
    }
    return "unknown";
}

const char *kith_enrol_status_name(uint64_t status)
{
    switch (status) {
#define CLOSE_CODE(NAME, value, doc)
#define ENROL_STATUS(NAME, value, doc) case (value): return #NAME;
#include "wire/kinds.def"
#undef ENROL_STATUS
    }
    return "unknown";
}

const char *kith_enrol_status_text(uint64_t status)
{
    switch (status) {
#define ENROL_STATUS(NAME, value, doc) case (value): return doc;
#include "wire/kinds.def"
    }
    return "unknown";
}
/* clang-format on */
