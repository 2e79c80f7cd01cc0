/* names: which topics a pipeline reads. `topics` is a list between commas: names, in which * stands for any characters, or
 * ^REGEX (POSIX, extended); with ! before what is left out again. Topics of Kafka itself (`__consumer_offsets`) are read only
 * where their name is written out. Pure. */
#ifndef SLUICE_KAFKA_NAMES_H
#define SLUICE_KAFKA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct name_pattern; /* one entry of the list */

struct names {
    struct name_pattern *patterns;
    size_t count;
};

/* NULL, or what is wrong with `list`: a line that lives as long as `names`. */
const char *names_init(struct names *names, const char *list);
bool names_match(const struct names *names, const char *topic);
/* The next entry from *at on that is a plain name, which must be there then; NULL: no further one. */
const char *names_plain(const struct names *names, size_t *at);
void names_release(struct names *names);

/* Kafka's rule for names: letters, digits, `.`, `_` and `-`, up to 249. */
bool name_is_valid(const char *topic);

#endif
