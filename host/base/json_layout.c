/* How it works: the text is read twice. First without its white space and with one space behind ',' and ':' (the compact form);
 * then each container whose compact form is longer than what is left of the line is broken. The end of a container is found by
 * counting, so a deep text costs its size times its depth, which the cap below keeps small. */
#include "base/json_layout.h"

#include <stdbool.h>

enum { DEPTH_MAX = 64, INDENT = 2 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the string that begins at `at`; the text's size when it does not end. */
static size_t string_end(struct str text, size_t at)
{
    for (size_t i = at + 1; i < text.size; i++) {
        if (text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            return i + 1;
    }
    return text.size + 1;
}

/* The compact form; false when brackets and quotes do not match. */
static bool append_compact(struct str text, struct buf *out)
{
    char closing[DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (is_space(c)) continue;
        if (c == '"') {
            size_t end = string_end(text, i);
            if (end > text.size) return false;
            buf_append(out, text.data + i, end - i);
            i = end - 1;
            continue;
        }
        if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX) return false;
            closing[depth++] = c == '{' ? '}' : ']';
        } else if (c == '}' || c == ']') {
            if (depth == 0 || closing[--depth] != c) return false;
        }
        buf_append_char(out, c);
        if (c == ',' || c == ':') buf_append_char(out, ' ');
    }
    return depth == 0;
}

/* How many bytes the container that begins at `at` has, counted up to `limit`. */
static size_t span(struct str text, size_t at, size_t limit)
{
    size_t depth = 0;
    for (size_t i = at; i < text.size && i - at <= limit; i++) {
        char c = text.data[i];
        if (c == '"')
            i = string_end(text, i) - 1;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return i - at + 1;
    }
    return limit + 1;
}

static void new_line(struct buf *out, size_t depth)
{
    buf_append_char(out, '\n');
    for (size_t i = 0; i < depth * INDENT; i++) buf_append_char(out, ' ');
}

static void append_broken(struct str text, size_t width, struct buf *out)
{
    size_t depth = 0, line = out->size;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '"') {
            size_t end = string_end(text, i);
            buf_append(out, text.data + i, end - i);
            i = end - 1;
        } else if (c == '{' || c == '[') {
            size_t used = out->size - line, left = width > used ? width - used : 0, size = span(text, i, left);
            bool is_empty = text.data[i + 1] == '}' || text.data[i + 1] == ']';
            if (size <= left || is_empty) {
                size = is_empty ? 2 : size;
                buf_append(out, text.data + i, size);
                i += size - 1;
                continue;
            }
            buf_append_char(out, c);
            line = out->size + 1;
            new_line(out, ++depth);
        } else if (c == '}' || c == ']') {
            line = out->size + 1;
            new_line(out, --depth);
            buf_append_char(out, c);
        } else if (c == ',') { /* outside what stayed in one line: between members of a broken container */
            buf_append_char(out, c);
            line = out->size + 1;
            new_line(out, depth);
            i++; /* the space behind it */
        } else {
            buf_append_char(out, c);
        }
    }
}

void json_layout(struct str text, size_t width, struct buf *out)
{
    struct buf compact = BUF_INIT(out->max);
    if (append_compact(text, &compact) && !compact.failed)
        append_broken(buf_str(&compact), width, out);
    else
        buf_append_str(out, text);
    buf_release(&compact);
}
