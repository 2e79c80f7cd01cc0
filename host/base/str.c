/* str: see str.h. */
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i])) return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.size >= prefix.size && str_equal((struct str){s.data, prefix.size}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.size >= suffix.size && str_equal((struct str){s.data + (s.size - suffix.size), suffix.size}, suffix);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.size && is_space(s.data[0])) s = (struct str){s.data + 1, s.size - 1};
    while (s.size && is_space(s.data[s.size - 1])) s.size--;
    return s;
}

bool str_next(struct str *rest, char separator, struct str *part)
{
    if (!rest->data) return false;
    const char *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    if (end) {
        *part = (struct str){rest->data, (size_t)(end - rest->data)};
        *rest = (struct str){end + 1, rest->size - part->size - 1};
        return true;
    }
    *part = *rest;
    *rest = (struct str){0};
    return part->size > 0;
}

char *str_dup(struct str s)
{
    char *copy = mem_alloc(s.size + 1);
    if (s.size) memcpy(copy, s.data, s.size);
    copy[s.size] = '\0';
    return copy;
}

/* Levenshtein distance over one row; words longer than the row are never near anything. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[64];
    if (a.size >= ARRAY_SIZE(row) || b.size >= ARRAY_SIZE(row)) return SIZE_MAX;
    for (size_t j = 0; j <= b.size; j++) row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t best = diagonal + (lower(a.data[i - 1]) != lower(b.data[j - 1]));
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.size];
}

const char *str_nearest(struct str word, const char *const *names, size_t count, size_t stride)
{
    const char *nearest = NULL;
    size_t best = 1 + (word.size + 2) / 3;
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)(const void *)names + i * stride);
        size_t distance = name ? edit_distance(word, str_from(name)) : best;
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    return nearest;
}
