/* toml_text.h: finds bytes no configuration needs, before toml++ sees them.
 *
 * Control characters, which TOML allows nowhere, and characters that are not ASCII outside
 * comments: bare keys, numbers and punctuation of TOML 1.0 are ASCII, and no option takes other
 * text. toml++ 3.3 runs into undefined behaviour for some of them, in strings too
 * (is_non_ascii_horizontal_whitespace() for U+00A1 to U+0499). Up to the first mistake of a
 * document this scanner and toml++ agree on what is a comment; after it neither goes on. Test:
 * tests/unit/conf_load_test.c. */
#ifndef KITH_CONF_TOML_TEXT_H
#define KITH_CONF_TOML_TEXT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the first such byte is; n when there is none. */
size_t kith_toml_text_foreign(const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
