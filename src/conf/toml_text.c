#include "conf/toml_text.h"

#include "base/span.h"

/* Where a byte stands. The strings' quote is in the scanner. */
enum where { IN_CODE, IN_COMMENT, IN_STRING, IN_LONG_STRING };

struct scanner {
    const char *text;
    size_t n, at;
    enum where where;
    char quote; /* of the string: " with escapes, ' without */
};

static bool three_quotes(const struct scanner *s, char quote)
{
    return s->n - s->at >= 3 && s->text[s->at] == quote && s->text[s->at + 1] == quote &&
           s->text[s->at + 2] == quote;
}

static void step_code(struct scanner *s)
{
    char c = s->text[s->at];

    if (c == '#') {
        s->where = IN_COMMENT;
    } else if (c == '"' || c == '\'') {
        s->quote = c;
        s->where = three_quotes(s, c) ? IN_LONG_STRING : IN_STRING;
        s->at += s->where == IN_LONG_STRING ? 2 : 0;
    }
    s->at++;
}

static void step_string(struct scanner *s)
{
    char c = s->text[s->at];

    if (c == '\\' && s->quote == '"')
        s->at++; /* what it escapes ends no string */
    else if (s->where == IN_STRING && (c == s->quote || c == '\n'))
        s->where = IN_CODE;
    else if (s->where == IN_LONG_STRING && three_quotes(s, s->quote)) {
        s->at += 2;
        while (s->at + 1 < s->n && s->text[s->at + 1] == s->quote)
            s->at++; /* up to two more belong to the string's text */
        s->where = IN_CODE;
    }
    s->at++;
}

static bool foreign(const struct scanner *s)
{
    unsigned char c = (unsigned char)s->text[s->at];

    if (c >= 0x80)
        return s->where != IN_COMMENT;
    return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

size_t kith_toml_text_foreign(const char *text, size_t n)
{
    struct scanner s = {.text = text, .n = n, .where = IN_CODE};

    while (s.at < n && !foreign(&s)) {
        switch (s.where) {
        case IN_CODE: step_code(&s); break;
        case IN_COMMENT:
            if (text[s.at] == '\n')
                s.where = IN_CODE;
            s.at++;
            break;
        case IN_STRING:
        case IN_LONG_STRING: step_string(&s); break;
        }
    }
    return s.at < n ? s.at : n;
}
