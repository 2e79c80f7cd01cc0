/* utf8: is this text UTF-8, and what to put where it is not (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes (1 to 4) of the valid character that `text` begins with; 0 when it begins with none. */
size_t utf8_length(struct str text);

/* Bytes of the longest valid prefix. Equal to text.size when all of it is UTF-8. */
size_t utf8_valid_prefix(struct str text);

/* Writes the character `code` (not a surrogate, at most 0x10FFFF) and returns its size, 1 to 4. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
