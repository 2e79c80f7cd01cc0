#include "postgres/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *text_allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) abort();
    return memory;
}

char *text_copy(const char *words)
{
    size_t size = strlen(words) + 1;
    return memcpy(text_allocate(size, 1), words, size);
}

void text_reserve(struct text *text, size_t more)
{
    if (text->capacity - text->size > more) return;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->size <= more) capacity *= 2;
    text->data = realloc(text->data, capacity);
    if (!text->data) abort();
    text->capacity = capacity;
}

void text_add(struct text *text, const char *data, size_t size)
{
    text_reserve(text, size);
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

void text_puts(struct text *text, const char *words)
{
    text_add(text, words, strlen(words));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) abort();
    text_reserve(text, (size_t)size);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
    va_end(again);
    text->size += (size_t)size;
}

void text_json(struct text *text, const char *data, size_t size)
{
    text_reserve(text, 6 * size + 2);
    char *out = text->data + text->size;
    *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c >= 0x20) {
            *out++ = (char)c;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            *out++ = '\\';
            *out++ = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        } else {
            static const char HEX[] = "0123456789abcdef";
            memcpy(out, "\\u00", 4);
            out[4] = HEX[c >> 4];
            out[5] = HEX[c & 15];
            out += 6;
        }
    }
    *out++ = '"';
    *out = 0;
    text->size = (size_t)(out - text->data);
}

void text_json_puts(struct text *text, const char *words)
{
    text_json(text, words, strlen(words));
}

void text_identifier(struct text *text, const char *name)
{
    text_add(text, "\"", 1);
    for (; *name; name++) {
        if (*name == '"') text_add(text, name, 1);
        text_add(text, name, 1);
    }
    text_add(text, "\"", 1);
}

void text_literal(struct text *text, const char *value)
{
    text_puts(text, strchr(value, '\\') ? " E'" : "'");
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\') text_add(text, value, 1);
        text_add(text, value, 1);
    }
    text_add(text, "'", 1);
}

void text_clear(struct text *text)
{
    text->size = 0;
    if (text->data) text->data[0] = 0;
}

void text_release(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

/* --- patterns ------------------------------------------------------------------------------------------------------------ */

/* Cuts the next pattern off *list, without the blanks around it; false at the end. */
static bool next_pattern(const char **list, const char **pattern, size_t *size)
{
    const char *at = *list;
    while (*at == ',' || *at == ' ' || *at == '\t' || *at == '\n') at++;
    if (!*at) return false;
    size_t length = strcspn(at, ",");
    *list = at + length;
    while (length && (at[length - 1] == ' ' || at[length - 1] == '\t' || at[length - 1] == '\n')) length--;
    *pattern = at;
    *size = length;
    return true;
}

/* Goes back to the last * only, which is enough: what an earlier one took may as well be taken by the last. */
static bool glob(const char *pattern, size_t size, const char *name)
{
    size_t p = 0, star = SIZE_MAX;
    const char *from = name;
    while (*name) {
        if (p < size && pattern[p] == '*') {
            star = p++;
            from = name;
        } else if (p < size && pattern[p] == *name) {
            p++;
            name++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (p < size && pattern[p] == '*') p++;
    return p == size;
}

static bool is_either(const char *pattern, size_t size, const char *name, const char *other)
{
    return glob(pattern, size, name) || (other && glob(pattern, size, other));
}

bool patterns_match(const char *patterns, const char *name, const char *other)
{
    const char *pattern;
    size_t size;
    bool is_named = false, has_names = false;
    if (!patterns) return true;
    while (next_pattern(&patterns, &pattern, &size)) {
        if (*pattern == '!') {
            if (is_either(pattern + 1, size - 1, name, other)) return false;
            continue;
        }
        has_names = true;
        is_named = is_named || is_either(pattern, size, name, other);
    }
    return is_named || !has_names;
}

bool patterns_are_one_name(const char *patterns)
{
    const char *pattern;
    size_t size;
    if (!patterns || strpbrk(patterns, "*!")) return false;
    return next_pattern(&patterns, &pattern, &size) && !next_pattern(&patterns, &pattern, &size);
}
