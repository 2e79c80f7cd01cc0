/* records: see files.h. Nothing is parsed here but what tells records apart: the host's decoders do the rest. */
#include <string.h>

#include "files.h"

/* Behind the line end that ends a CSV record, quotes considered. */
static long cut_csv(struct records *records, const char *text, size_t size, size_t from)
{
    for (size_t at = from; at < size; at++) {
        if (records->is_quoted) {
            const char *quote = memchr(text + at, records->quote, size - at);
            if (!quote) return 0;
            at = (size_t)(quote - text);
            records->is_quoted = false; /* a doubled one begins again at once */
        } else if (text[at] == records->quote) {
            records->is_quoted = true;
        } else if (text[at] == '\n') {
            return (long)at + 1;
        }
    }
    return 0;
}

static long cut_line(const char *text, size_t size, size_t from)
{
    const char *end = from < size ? memchr(text + from, '\n', size - from) : NULL;
    return end ? (long)(end - text) + 1 : 0;
}

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next element of the one array that a JSON file is; or the file's only value. */
static long cut_json(struct records *records, const char *text, size_t size, size_t from, size_t *start, size_t *stop)
{
    size_t begin = 0;
    while (begin < size && (is_white(text[begin]) || (records->in_array && text[begin] == ','))) begin++;
    if (begin == size) return 0;
    if (!records->in_array) {
        if (records->is_done || text[begin] != '[') return -1;
        records->in_array = true;
        *start = *stop = 0;
        return (long)begin + 1;
    }
    if (records->depth == 0 && text[begin] == ']') {
        records->in_array = false;
        records->is_done = true;
        *start = *stop = 0;
        return (long)begin + 1;
    }
    for (size_t at = from > begin ? from : begin; at < size; at++) {
        char c = text[at];
        if (records->in_string) {
            if (records->is_escaped)
                records->is_escaped = false;
            else if (c == '\\')
                records->is_escaped = true;
            else if (c == '"')
                records->in_string = false;
        } else if (c == '"') {
            records->in_string = true;
        } else if (c == '{' || c == '[') {
            records->depth++;
        } else if (records->depth == 0 && (c == ',' || c == ']' || is_white(c))) {
            *start = begin;
            *stop = at;
            return (long)at;
        } else if (c == '}' || c == ']') {
            if (--records->depth == 0) {
                *start = begin;
                *stop = at + 1;
                return (long)at + 1;
            }
        }
    }
    return 0;
}

long records_cut(struct records *records, const char *text, size_t size, size_t from, size_t *start, size_t *stop)
{
    if (records->format == FORMAT_JSON) return cut_json(records, text, size, from, start, stop);
    long end = records->format == FORMAT_CSV ? cut_csv(records, text, size, from) : cut_line(text, size, from);
    *start = 0;
    *stop = end > 0 ? (size_t)end : 0;
    return end;
}

char records_delimiter(const char *text, size_t size)
{
    static const char KNOWN[] = {',', ';', '\t', '|'};
    size_t best = 0, best_count = 0, counts[sizeof KNOWN] = {0};
    bool is_quoted = false;
    for (size_t at = 0; at < size && (is_quoted || text[at] != '\n'); at++) {
        if (text[at] == '"') is_quoted = !is_quoted;
        for (size_t k = 0; k < sizeof KNOWN && !is_quoted; k++) counts[k] += text[at] == KNOWN[k];
    }
    for (size_t k = 0; k < sizeof KNOWN; k++)
        if (counts[k] > best_count) best = k, best_count = counts[k];
    return KNOWN[best];
}
