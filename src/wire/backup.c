#include "wire/backup.h"

#define KITH_WIRE_TABLE "wire/backup.def"
#include "wire/define.h"
#undef KITH_WIRE_TABLE
