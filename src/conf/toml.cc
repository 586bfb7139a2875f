/* The only C++ file: toml++ parses, C gets values. toml++ is used header-only, so that libkith
 * needs no shared library for it, and with exceptions, its usual mode, all caught here: nothing may
 * leave through C. Its assertions are off: toml++ 3.3 asserts that a key follows "[" where it then
 * goes on to report that none does, so that "[!]" would abort the program
 * (tests/fuzz/corpus/config). */

#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/err.h"
#include "conf/toml.h"
#include "conf/toml_text.h"

namespace
{

struct teller {
    void (*tell)(void *ctx, const struct kith_toml_value *v);
    void *ctx;
};

enum kith_toml_kind kind_of(const toml::node &node)
{
    switch (node.type()) {
    case toml::node_type::table: return KITH_TOML_TABLE;
    case toml::node_type::array: return KITH_TOML_LIST;
    case toml::node_type::integer: return KITH_TOML_NUMBER;
    case toml::node_type::boolean: return KITH_TOML_BOOL;
    case toml::node_type::string:
        return node.as_string()->get().find('\0') == std::string::npos ? KITH_TOML_TEXT
                                                                       : KITH_TOML_OTHER;
    case toml::node_type::none:
    case toml::node_type::floating_point:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time: return KITH_TOML_OTHER;
    }
    return KITH_TOML_OTHER;
}

struct kith_toml_value value_of(const char *section, const toml::key &key, const toml::node &node)
{
    struct kith_toml_value v = {};

    v.kind = kind_of(node);
    v.section = section;
    v.key = key.str().data();
    v.line = node.source().begin.line;
    v.column = node.source().begin.column;
    v.key_line = key.source().begin.line;
    v.key_column = key.source().begin.column;
    if (key.str().find('\0') != std::string_view::npos)
        v.kind = KITH_TOML_OTHER; /* C would see a shorter key */
    if (v.kind == KITH_TOML_TEXT)
        v.text = node.as_string()->get().c_str();
    if (v.kind == KITH_TOML_NUMBER)
        v.number = node.as_integer()->get();
    if (v.kind == KITH_TOML_BOOL)
        v.number = node.as_boolean()->get();
    return v;
}

void tell_table(const teller &to, const char *section, const toml::table &table)
{
    for (const auto &[key, node] : table) {
        struct kith_toml_value v = value_of(section, key, node);
        to.tell(to.ctx, &v);
        if (v.kind == KITH_TOML_TABLE && section == nullptr)
            tell_table(to, v.key, *node.as_table());
        if (v.kind != KITH_TOML_LIST)
            continue;
        for (const auto &element : *node.as_array()) {
            struct kith_toml_value item = value_of(section, key, element);
            item.item = 1;
            to.tell(to.ctx, &item);
        }
    }
}

void refuse_byte(std::string_view text, size_t at, struct kith_toml_error *ret_error)
{
    size_t line_start = text.rfind('\n', at);

    ret_error->line = 1 + static_cast<uint32_t>(std::count(
                              text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    ret_error->column =
        static_cast<uint32_t>(line_start == std::string_view::npos ? at + 1 : at - line_start);
    std::snprintf(ret_error->what, sizeof ret_error->what,
                  static_cast<unsigned char>(text[at]) >= 0x80
                      ? "a character that is not ASCII (0x%02x) outside a comment"
                      : "a control character (0x%02x)",
                  static_cast<unsigned>(static_cast<unsigned char>(text[at])));
}

} // namespace

extern "C" int kith_toml_read(const char *text, size_t n,
                              void (*tell)(void *ctx, const struct kith_toml_value *v), void *ctx,
                              struct kith_toml_error *ret_error)
try {
    std::string_view document(n == 0 ? "" : text, n);
    size_t foreign = kith_toml_text_foreign(document.data(), n);

    if (foreign < n) {
        refuse_byte(document, foreign, ret_error);
        return KITH_E_MALFORMED;
    }
    tell_table({tell, ctx}, nullptr, toml::parse(document));
    return KITH_OK;
} catch (const toml::parse_error &e) {
    std::string_view what = e.description();

    ret_error->line = e.source().begin.line;
    ret_error->column = e.source().begin.column;
    std::snprintf(ret_error->what, sizeof ret_error->what, "%.*s", static_cast<int>(what.size()),
                  what.data());
    return KITH_E_MALFORMED;
} catch (...) {
    return KITH_E_NOMEM;
}
