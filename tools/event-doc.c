/* Prints the page events.md from src/base/events.def: every event with its level, fields and text.
 */
#include "base/event.h"

#include <stdio.h>

static const char *type_text(enum kith_field_type type)
{
    switch (type) {
    case KITH_FIELD_NONE: return "";
    case KITH_FIELD_U64: return "number";
    case KITH_FIELD_TEXT: return "text";
    case KITH_FIELD_ID: return "id";
    case KITH_FIELD_ADDR: return "address";
    case KITH_FIELD_ERR: return "error";
    case KITH_FIELD_DUR: return "duration";
    }
    return "";
}

static void print_row(const struct kith_event_info *info)
{
    printf("| `%s` | %s |", info->name, kith_level_name(info->level));
    for (size_t i = 0; i < KITH_EVENT_FIELDS && info->field[i] != NULL; i++)
        printf("%s `%s` (%s)", i > 0 ? "," : "", info->field[i], type_text(info->type[i]));
    printf(" | %s |\n", info->text);
}

int main(void)
{
    puts(
        "# Events\n\n"
        "What a node tells about itself, printed from `src/base/events.def`. Names are stable; no\n"
        "event carries a secret.\n\n"
        "Levels say whose matter it is: `bug` ours, `host` that of the person who runs the\n"
        "machine, `peer` an unusual peer's; `info` and `debug` are nobody's fault. Of `peer` and");
    printf("`debug`, at most %d of a kind are shown at once and then one a second.\n\n",
           KITH_EVENT_BURST);
    puts(
        "In JSON lines each event has `time` (RFC 3339, UTC), `level`, `event` (its name) and its\n"
        "fields: a number is a number, a duration a number of seconds, an error its name in\n"
        "capitals (`NOTFOUND`), an id 52 characters of base32; the others are strings.\n\n"
        "| event | level | fields | text |\n|---|---|---|---|");
    for (int k = 0; k < KITH_EVENT_COUNT; k++)
        print_row(kith_event_info((enum kith_event_kind)k));
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
