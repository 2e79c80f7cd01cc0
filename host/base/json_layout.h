/* json_layout: lays JSON text out for people: what fits in a line stays in one, what does not is one member a line.
 *
 *     json_layout(text, 100, &out);
 *
 * Only white space between tokens changes: numbers, escapes and the order of keys stay as they were. Text that is no JSON (an
 * unclosed string or container) is appended as it is. Pure. */
#ifndef SLUICE_BASE_JSON_LAYOUT_H
#define SLUICE_BASE_JSON_LAYOUT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

void json_layout(struct str text, size_t width, struct buf *out);

#endif
