#include "wire/object.h"

#define KITH_WIRE_TABLE "wire/object.def"
#include "wire/define.h"

const char *kith_object_kind_name(uint8_t kind)
{
    switch (kind) {
#include "wire/names.h"
    }
    return "unknown";
}
#undef KITH_WIRE_TABLE
