/* copy: a line of COPY's text format, taken apart where it stands. Pure.
 *
 * Columns are separated by tabs; \N alone is null; \b \f \n \r \t \v \\ stand for one character, \ and anything else for that.
 */
#ifndef SLUICE_POSTGRES_COPY_H
#define SLUICE_POSTGRES_COPY_H

#include <stddef.h>

struct field {
    char *data; /* NULL: null */
    size_t size;
};

/* Fills in up to `room` fields, pointing into `line` (changed: escapes are resolved); a newline at its end is none of it.
 * Returns how many columns the line has, which may be more than `room`. */
size_t copy_split(char *line, size_t size, struct field *fields, size_t room);

#endif
