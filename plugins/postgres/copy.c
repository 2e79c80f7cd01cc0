#include "postgres/copy.h"

#include <string.h>

static char unescaped(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    default:
        return c;
    }
}

/* A column that has a backslash at `first`. Null is \N alone. */
static void resolve(struct field *field, char *first)
{
    char *end = field->data + field->size, *out = first;
    if (field->size == 2 && first == field->data && first[1] == 'N') {
        *field = (struct field){NULL, 0};
        return;
    }
    for (char *at = first; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            *out++ = unescaped(*++at);
        else
            *out++ = *at;
    }
    field->size = (size_t)(out - field->data);
}

size_t copy_split(char *line, size_t size, struct field *fields, size_t room)
{
    if (size && line[size - 1] == '\n') size--;
    char *end = line + size, *start = line, *escape = memchr(line, '\\', size);
    for (size_t count = 0;; count++) {
        char *tab = memchr(start, '\t', (size_t)(end - start));
        char *stop = tab ? tab : end;
        if (count < room) {
            fields[count] = (struct field){start, (size_t)(stop - start)};
            if (escape && escape < stop) resolve(&fields[count], escape);
        }
        if (!tab) return count + 1;
        start = tab + 1;
        if (escape && escape < start) escape = memchr(start, '\\', (size_t)(end - start));
    }
}
