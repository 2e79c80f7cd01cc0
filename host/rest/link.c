/* How it works: one pass over the grammar of RFC 8288 3: links are separated by commas, but a comma also stands inside <...>
 * and inside quoted parameter values, so nothing is split beforehand. */
#include "rest/link.h"

#include <stddef.h>

struct scanner {
    const char *at;
    const char *end;
};

static void skip_space(struct scanner *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t')) scan->at++;
}

static bool take(struct scanner *scan, char c)
{
    skip_space(scan);
    if (scan->at >= scan->end || *scan->at != c) return false;
    scan->at++;
    return true;
}

static bool is_token_char(char c)
{
    return c != ',' && c != ';' && c != '=' && c != '"' && c != ' ' && c != '\t';
}

static struct str take_token(struct scanner *scan)
{
    skip_space(scan);
    struct str token = {scan->at, 0};
    while (scan->at < scan->end && is_token_char(*scan->at)) scan->at++;
    token.size = (size_t)(scan->at - token.data);
    return token;
}

/* A quoted value, behind its first quote; escapes stay in it (relation types have none). */
static struct str take_quoted(struct scanner *scan)
{
    struct str text = {scan->at, 0};
    while (scan->at < scan->end && *scan->at != '"') scan->at += *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1;
    text.size = (size_t)(scan->at - text.data);
    if (scan->at < scan->end) scan->at++;
    return text;
}

/* rel="next last": one of the words. */
static bool has_word(struct str words, struct str word)
{
    struct str part;
    while (str_next(&words, ' ', &part))
        if (str_equal_nocase(part, word)) return true;
    return false;
}

/* The parameters of one link, up to its comma. Only the first rel counts (RFC 8288 3.3). */
static bool scan_parameters(struct scanner *scan, struct str relation)
{
    bool has_rel = false, matches = false;
    while (take(scan, ';')) {
        struct str name = take_token(scan), value = {0};
        if (take(scan, '=')) value = take(scan, '"') ? take_quoted(scan) : take_token(scan);
        if (has_rel || !str_equal_nocase(name, STR("rel"))) continue;
        has_rel = true;
        matches = has_word(value, relation);
    }
    return matches;
}

/* To the next link, past what could not be read. */
static void skip_to_comma(struct scanner *scan)
{
    while (scan->at < scan->end && *scan->at != ',') {
        if (*scan->at++ == '"') take_quoted(scan);
    }
    if (scan->at < scan->end) scan->at++;
}

bool link_find(struct str header, struct str relation, struct str *target)
{
    struct scanner scan = {header.data, header.data + header.size};
    while (scan.at < scan.end) {
        if (take(&scan, '<')) {
            const char *begin = scan.at;
            const char *close = memchr(begin, '>', (size_t)(scan.end - begin));
            if (!close) return false;
            scan.at = close + 1;
            if (scan_parameters(&scan, relation)) {
                *target = str_trim((struct str){begin, (size_t)(close - begin)});
                return true;
            }
        }
        skip_to_comma(&scan);
    }
    return false;
}
