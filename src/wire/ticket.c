#include "wire/ticket.h"

static void skip_addr_item(struct kith_reader *r)
{
    struct kith_addr_item item;

    kith_addr_item_get(r, &item);
}

#define KITH_WIRE_TABLE "wire/ticket.def"
#include "wire/define.h"
#undef KITH_WIRE_TABLE
