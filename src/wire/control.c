#include "wire/control.h"

#define KITH_WIRE_TABLE "wire/control.def"
#include "wire/define.h"

const char *kith_control_name(uint8_t type)
{
    switch (type) {
#include "wire/names.h"
    }
    return "unknown";
}
#undef KITH_WIRE_TABLE
