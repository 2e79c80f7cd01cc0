/* boundary: see boundary.h. A list while it grows; sorted, each key once, when it is full or written. */
#include "rest/boundary.h"

#include <stdlib.h>

#include "base/check.h"

enum { DIGITS = 16 };

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void settle(struct boundary *boundary)
{
    size_t kept = 0;
    if (boundary->is_sorted) return;
    if (boundary->count) qsort(boundary->keys, boundary->count, sizeof *boundary->keys, compare);
    for (size_t i = 0; i < boundary->count; i++)
        if (i == 0 || boundary->keys[i] != boundary->keys[i - 1]) boundary->keys[kept++] = boundary->keys[i];
    boundary->count = kept;
    boundary->is_sorted = true;
}

void boundary_add(struct boundary *boundary, uint64_t key)
{
    if (boundary->too_many) return;
    if (boundary->count == BOUNDARY_MAX_KEYS) settle(boundary);
    if (boundary->count == BOUNDARY_MAX_KEYS) {
        boundary->too_many = !boundary_has(boundary, key);
        return;
    }
    if (boundary->count == boundary->capacity) {
        boundary->capacity = boundary->capacity ? boundary->capacity * 2 : 16;
        boundary->keys = mem_resize(boundary->keys, boundary->capacity * sizeof *boundary->keys);
    }
    boundary->keys[boundary->count++] = key;
    boundary->is_sorted = false;
}

void boundary_add_all(struct boundary *boundary, const uint64_t *keys, size_t count, bool too_many)
{
    for (size_t i = 0; i < count; i++) boundary_add(boundary, keys[i]);
    boundary->too_many |= too_many;
}

bool boundary_has(const struct boundary *boundary, uint64_t key)
{
    return boundary->count && bsearch(&key, boundary->keys, boundary->count, sizeof key, compare);
}

void boundary_clear(struct boundary *boundary)
{
    boundary->count = 0;
    boundary->is_sorted = boundary->too_many = false;
}

void boundary_release(struct boundary *boundary)
{
    free(boundary->keys);
    *boundary = (struct boundary){0};
}

void boundary_to_text(struct boundary *boundary, struct buf *text)
{
    if (boundary->too_many) {
        buf_append_char(text, '*');
        return;
    }
    settle(boundary);
    for (size_t i = 0; i < boundary->count; i++) buf_printf(text, "%016llx", (unsigned long long)boundary->keys[i]);
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool boundary_from_text(struct boundary *boundary, struct str text)
{
    boundary_clear(boundary);
    if (str_equal(text, STR("*"))) {
        boundary->too_many = true;
        return true;
    }
    if (text.size % DIGITS || text.size > BOUNDARY_TEXT_MAX) return false;
    for (size_t at = 0; at < text.size; at += DIGITS) {
        uint64_t key = 0;
        for (size_t i = 0; i < DIGITS; i++) {
            int digit = digit_of(text.data[at + i]);
            if (digit < 0) return false;
            key = key << 4 | (uint64_t)digit;
        }
        boundary_add(boundary, key);
    }
    settle(boundary);
    return true;
}
