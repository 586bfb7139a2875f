#include "wire/datagram.h"

#define KITH_WIRE_TABLE "wire/datagram.def"
#include "wire/define.h"

const char *kith_datagram_name(uint8_t type)
{
    switch (type) {
#include "wire/names.h"
    }
    return "unknown";
}
#undef KITH_WIRE_TABLE
