/* backup.h: structs and codecs of wire/backup.def, generated (what for: wire/declare.h). */
#ifndef KITH_WIRE_BACKUP_H
#define KITH_WIRE_BACKUP_H

#include "wire/field.h"
#include "wire/ids.h"

#define KITH_WIRE_TABLE "wire/backup.def"
#include "wire/declare.h"
#undef KITH_WIRE_TABLE

#endif
