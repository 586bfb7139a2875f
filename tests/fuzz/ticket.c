/* ticket.c: any text as a ticket; what parses is written back as the same ticket. */
#include "identity/ticket.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t buf[KITH_TICKET_MAX], buf2[KITH_TICKET_MAX];
    char text[2048], again[KITH_TICKET_TEXT_MAX];
    struct kith_ticket t, t2;
    const char *why;

    if (n >= sizeof text)
        return 0;
    kith_copy(text, data, n);
    text[n] = '\0';
    if (kith_ticket_parse(text, buf, sizeof buf, &t, &why) < 0)
        return 0;
    if (kith_ticket_text(&t, again, sizeof again) < 0 ||
        kith_ticket_parse(again, buf2, sizeof buf2, &t2, &why) < 0 || !kith_ticket_equal(&t, &t2))
        abort();
    return 0;
}
