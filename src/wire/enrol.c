#include "wire/enrol.h"

#define KITH_WIRE_TABLE "wire/enrol.def"
#include "wire/define.h"

const char *kith_enrol_name(uint8_t type)
{
    switch (type) {
#include "wire/names.h"
    }
    return "unknown";
}
#undef KITH_WIRE_TABLE
