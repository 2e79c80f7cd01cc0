/* str: a view of bytes that somebody else owns: pointer and size, no terminator promised.
 *
 *     struct str host = str_from(text);
 *     if (str_equal(host, STR("example.com"))) ...
 *     err_set(err, ERR_CONFIG, "unknown host '" STR_FMT "'", STR_ARG(host)); */
#ifndef SLUICE_BASE_STR_H
#define SLUICE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)((s).size > 4096 ? 4096 : (s).size), ((s).size ? (s).data : "")

/* The view of a terminated string; NULL gives the empty view. */
static inline struct str str_from(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool str_equal_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* spaces, tabs, CR, LF at both ends */

/* Cuts off the part before the first `separator` and moves *rest behind it; false when *rest was used up.
 * "a,,b" gives "a", "", "b"; "a," gives "a"; "" gives nothing. Start with *rest = the whole. */
bool str_next(struct str *rest, char separator, struct str *part);

/* A copy with a terminator, to be freed. */
char *str_dup(struct str s);

/* The candidate nearest to `word` by edit distance, for "did you mean"; NULL when none is within a third of its length.
 * `names` holds `count` terminated strings, each `stride` bytes after the one before (so a table's name column serves). */
const char *str_nearest(struct str word, const char *const *names, size_t count, size_t stride);

#endif
