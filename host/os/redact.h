/* redact: does one secret value begin at this place of a text, in any of the spellings it may have there? Pure; used by
 * secret.c.
 *
 * The spellings are not listed, the text is read back: as it is, through JSON's escapes, through URL escapes, through both; and
 * in each of these the value itself or its base64 (either alphabet) at any of the three alignments; and hex. So whatever an
 * encoder chose to escape, it is found. */
#ifndef SLUICE_OS_REDACT_H
#define SLUICE_OS_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { REDACT_BYTES_MIN = 4 }; /* shorter values would match by chance */

/* A value to look for: which spellings of it (a bit each) may begin with a byte? Most bytes of most texts begin none. */
struct redact_value {
    struct str value; /* REDACT_BYTES_MIN or more */
    unsigned char spellings[256];
};

void redact_value_init(struct redact_value *wanted, struct str value);

/* A text to search, and what was found out about it once. */
struct redact_text {
    struct str text;
    bool has_json_escapes;
    bool has_url_escapes;
};

struct redact_text redact_text(struct str text);

/* The end of the longest spelling of the value that begins at `at`; `at` when none does. A spelling that the end of the text
 * cuts off counts once 4 to 8 bytes of it (half of a short value) are there. */
size_t redact_match(const struct redact_value *wanted, const struct redact_text *text, size_t at);

#endif
