/* parsed: what a plugin makes of a body, as NDJSON, a page at a time: the bytes it emits, or a line for each of its rows.
 *
 *     parsed = parsed_new(&format, budget, &parsing, &input);
 *     while ((rc = parsed_next(parsed, &arena, &lines, err)) > 0) ...    // lines: in `arena`, or until the next call
 *     parsed_free(parsed);
 *
 * The plugin is code that nobody knows: it is done only when it has seen the body's end, every page of it must take or give
 * something, and what it gives has a bound by what it took. One thread. */
#ifndef SLUICE_REST_FORMAT_PARSED_H
#define SLUICE_REST_FORMAT_PARSED_H

#include "base/arena.h"
#include "rest/format/format.h"
#include "rest/native.h"

enum {
    PARSED_MAX_RATIO = 1000,       /* bytes of JSON for one of the body; */
    PARSED_GRACE_BYTES = 64 << 20, /* up to here any */
    PARSED_GRACE_PAGES = 8 << 10,  /* and so many pages beside one for each byte of the body */
};

struct functions;
struct stream_description;

/* Who parses, and for whom: rows have the stream's declared fields. */
struct parsing {
    const struct functions *functions;
    const struct stream_description *stream;
    int64_t now_us;
};

struct parsed;

/* Does nothing yet. The format, and what `parsing` points to, must outlive it. */
struct parsed *parsed_new(const struct format *format, struct budget *budget, const struct parsing *parsing,
                          const struct native_input *input);
void parsed_free(struct parsed *parsed); /* NULL is fine */

/* 1: the next lines, which may be none, and may end in the middle of one; 0: that was all; or a class: what the plugin says of
 * the body (TRANSIENT, DATA), CONNECTOR for what it does wrong, DATA for far more than the body can hold. */
int parsed_next(struct parsed *parsed, struct arena *arena, struct str *lines, struct err *err) MUST_USE;

#endif
