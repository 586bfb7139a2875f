/* wire-doc.c: prints one wire table (-DTABLE='"wire/control.def"') as Markdown; see tools/wire-doc.
 */
#include <stdio.h>

#define STREAM_KIND(NAME, value, doc) row("stream kind", #NAME, value, doc);
#define CLOSE_CODE(NAME, value, doc) row("close code", #NAME, value, doc);
#define ENROL_STATUS(NAME, value, doc) row("status", #NAME, value, doc);

#define RECORD(name, doc) head(#name, -1, doc);
#define MESSAGE(name, number, doc) head(#name, number, doc);
#define BODY(name, number, doc) head(#name, number, doc);
#define U8(f, doc) field(#f, "u8", doc);
#define U16(f, doc) field(#f, "u16", doc);
#define U32(f, doc) field(#f, "u32", doc);
#define U64(f, doc) field(#f, "u64", doc);
#define RANGE8(f, lo, hi, doc) field(#f, "u8, " #lo " to " #hi, doc);
#define ID(f, type, doc) field(#f, #type, doc);
#define SECRET(f, type, doc) field(#f, #type ", secret", doc);
#define RAW(f, len, doc) field(#f, #len " bytes", doc);
#define SPKI(f, doc) field(#f, "public key, 1974 bytes", doc);
#define BYTES8(f, max, doc) field(#f, "bytes8, up to " #max, doc);
#define BYTES16(f, max, doc) field(#f, "bytes16, up to " #max, doc);
#define REST(f, doc) field(#f, "all that is left", doc);
#define TEXT8(f, max, doc) field(#f, "text8, up to " #max, doc);
#define LABEL(f, doc) field(#f, "label", doc);
#define LABEL0(f, doc) field(#f, "label or empty", doc);
#define IP(f, doc) field(#f, "ip", doc);
#define ADDR(f, doc) field(#f, "address", doc);
#define PREFIX(f, doc) field(#f, "prefix", doc);
#define LIST8(f, record, max, doc) field(#f, "list8 of " #record ", up to " #max, doc);
#define LIST16(f, record, max, doc) field(#f, "list16 of " #record ", up to " #max, doc);
#define END(name)

static const char *last = "";

static void row(const char *what, const char *name, int value, const char *doc)
{
    if (what != last)
        printf("\n| %s | name | meaning |\n|---|---|---|\n", what);
    last = what;
    printf("| %d | %s | %s |\n", value, name, doc);
}

static void head(const char *name, int number, const char *doc)
{
    if (number >= 0)
        printf("\n**`%s`**, 0x%02x. %s\n", name, (unsigned)number, doc);
    else
        printf("\n**`%s`**. %s\n", name, doc);
    printf("\n| field | form | meaning |\n|---|---|---|\n");
}

static void field(const char *name, const char *form, const char *doc)
{
    printf("| `%s` | %s | %s |\n", name, form, doc);
}

int main(void)
{
    (void)row, (void)head, (void)field;
#include TABLE
    return 0;
}
