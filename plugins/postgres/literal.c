/* literal: one pass. A quoted part is unescaped into the output's own end first, then written again from there as JSON. */
#include "postgres/literal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIMENSIONS_MAX = 6 }; /* PostgreSQL's MAXDIM */

struct reading {
    const char *at, *end;
    struct text part; /* the element at hand, unescaped */
    struct text *out;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reading *reading)
{
    while (reading->at < reading->end && is_blank(*reading->at)) reading->at++;
}

static bool take(struct reading *reading, char c)
{
    if (reading->at >= reading->end || *reading->at != c) return false;
    reading->at++;
    return true;
}

/* "..." with \ before what is meant literally. */
static bool quoted(struct reading *reading)
{
    text_clear(&reading->part);
    text_reserve(&reading->part, (size_t)(reading->end - reading->at));
    for (reading->at++; reading->at < reading->end; reading->at++) {
        if (*reading->at == '"') {
            reading->at++;
            return true;
        }
        if (*reading->at == '\\' && ++reading->at == reading->end) return false;
        reading->part.data[reading->part.size++] = *reading->at;
    }
    return false;
}

/* Up to what ends an element, without the blanks behind it. */
static bool bare(struct reading *reading, char delimiter)
{
    text_clear(&reading->part);
    text_reserve(&reading->part, (size_t)(reading->end - reading->at));
    size_t kept = 0;
    for (; reading->at < reading->end; reading->at++) {
        char c = *reading->at;
        if (c == delimiter || c == '}' || c == '{' || c == '"') break;
        bool is_escaped = c == '\\';
        if (is_escaped && ++reading->at == reading->end) return false;
        reading->part.data[reading->part.size++] = *reading->at;
        if (is_escaped || !is_blank(c)) kept = reading->part.size;
    }
    reading->part.size = kept;
    return kept > 0;
}

static void write_element(struct reading *reading, enum pg_kind element, bool is_quoted)
{
    struct text *part = &reading->part, *out = reading->out;
    const char *data = part->data ? part->data : "";
    bool is_number = element == PG_INTEGER || element == PG_FLOAT || element == PG_DECIMAL;
    if (!is_quoted && part->size == 4 && strncasecmp(data, "NULL", 4) == 0) {
        text_puts(out, "null");
    } else if ((is_number && value_is_number(data, part->size)) || (element == PG_JSON && part->size)) {
        text_add(out, data, part->size);
    } else if (element == PG_BOOLEAN && part->size == 1 && (*data == 't' || *data == 'f')) {
        text_puts(out, *data == 't' ? "true" : "false");
    } else {
        text_json(out, data, part->size);
    }
}

/* [2:3][-1:0]= before an array whose indices do not begin at 1. */
static bool skip_bounds(struct reading *reading)
{
    if (reading->at >= reading->end || *reading->at != '[') return true;
    const char *equals = memchr(reading->at, '=', (size_t)(reading->end - reading->at));
    if (!equals) return false;
    reading->at = equals + 1;
    return true;
}

static bool array(struct reading *reading, enum pg_kind element, char delimiter)
{
    int depth = 0;
    bool wants_element = true; /* or a closing brace, right behind an opening one */
    bool is_first = true;
    if (!skip_bounds(reading)) return false;
    do {
        skip_blanks(reading);
        if (take(reading, '{')) {
            if (!wants_element || ++depth > DIMENSIONS_MAX) return false;
            text_puts(reading->out, "[");
            is_first = true;
            continue;
        }
        if (depth == 0) return false;
        if (take(reading, '}')) {
            if (wants_element && !is_first) return false;
            text_puts(reading->out, "]");
            depth--;
            wants_element = is_first = false;
        } else if (!wants_element) {
            if (!take(reading, delimiter)) return false;
            text_puts(reading->out, ",");
            wants_element = true;
            is_first = false;
        } else {
            bool is_quoted = reading->at < reading->end && *reading->at == '"';
            if (!(is_quoted ? quoted(reading) : bare(reading, delimiter))) return false;
            write_element(reading, element, is_quoted);
            wants_element = is_first = false;
        }
    } while (depth > 0);
    skip_blanks(reading);
    return reading->at == reading->end;
}

bool literal_array(const char *data, size_t size, enum pg_kind element, char delimiter, struct text *out)
{
    size_t before = out->size;
    struct reading reading = {data, data + size, {0}, out};
    bool is_read = array(&reading, element, delimiter);
    text_release(&reading.part);
    if (!is_read) out->size = before;
    return is_read;
}

static bool hstore(struct reading *reading)
{
    text_puts(reading->out, "{");
    skip_blanks(reading);
    for (bool is_first = true; reading->at < reading->end; is_first = false) {
        if (!is_first) {
            if (!take(reading, ',')) return false;
            text_puts(reading->out, ",");
        }
        skip_blanks(reading);
        if (reading->at >= reading->end || *reading->at != '"' || !quoted(reading)) return false;
        text_json(reading->out, reading->part.data, reading->part.size);
        if (!take(reading, '=') || !take(reading, '>')) return false;
        text_puts(reading->out, ":");
        if (reading->at < reading->end && *reading->at == '"') {
            if (!quoted(reading)) return false;
            text_json(reading->out, reading->part.data, reading->part.size);
        } else {
            if (reading->end - reading->at < 4 || strncasecmp(reading->at, "NULL", 4) != 0) return false;
            reading->at += 4;
            text_puts(reading->out, "null");
        }
        skip_blanks(reading);
    }
    text_puts(reading->out, "}");
    return true;
}

bool literal_hstore(const char *data, size_t size, struct text *out)
{
    size_t before = out->size;
    struct reading reading = {data, data + size, {0}, out};
    bool is_read = hstore(&reading);
    text_release(&reading.part);
    if (!is_read) out->size = before;
    return is_read;
}
