/* case_compare: how it works: what is expected and what came are lines; each of the one takes the first fitting one of the
 * other that is left. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/case.h"
#include "net/cassette.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

static void report(struct case_result *result, const char *format, ...) PRINTF_LIKE(2, 3);
static void report(struct case_result *result, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_append_text(&result->report, text);
}

/* --- lines ---------------------------------------------------------------------------------------- */

static struct str canonical(struct str line, struct arena *arena)
{
    const struct node *node;
    struct err ignored = ERR_INIT;
    struct buf out = BUF_INIT(TEXT_MAX);
    line = str_trim(line);
    if (node_from_json(line, arena, &node, &ignored) != 0) return line;
    node_to_json(node, &out);
    struct str text = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return text;
}

enum { UNMET = SIZE_MAX };

struct lines {
    struct str *list, *canonical;
    size_t *met; /* which of the others, or UNMET */
    size_t count;
};

static struct lines split(struct str text, struct arena *arena)
{
    struct lines lines = {0};
    struct str rest = text, line;
    size_t max = 1;
    while (str_next(&rest, '\n', &line)) max++;
    lines.list = arena_array(arena, struct str, max);
    lines.canonical = arena_array(arena, struct str, max);
    lines.met = arena_array(arena, size_t, max);
    for (rest = text; str_next(&rest, '\n', &line);) {
        if (str_trim(line).size == 0) continue;
        lines.list[lines.count] = str_trim(line);
        lines.met[lines.count] = UNMET;
        lines.canonical[lines.count++] = canonical(line, arena);
    }
    return lines;
}

/* Returns how many lines of both have no counterpart. */
static size_t match(struct lines *wanted, struct lines *got)
{
    size_t left = wanted->count + got->count;
    for (size_t w = 0; w < wanted->count; w++)
        for (size_t g = 0; g < got->count && wanted->met[w] == UNMET; g++)
            if (got->met[g] == UNMET && cassette_fits(wanted->canonical[w], got->canonical[g]))
                wanted->met[w] = g, got->met[g] = w, left -= 2;
    return left;
}

/* Lines with '-' were expected and did not come, those with '+' came. */
static bool compare_lines(struct case_result *result, struct arena *arena, size_t number, const char *what,
                          struct str wanted_text, struct str got_text)
{
    struct lines wanted = split(wanted_text, arena), got = split(got_text, arena);
    if (match(&wanted, &got) == 0) return true;
    result->failures++;
    report(result, "  sync %zu: %s\n", number, what);
    for (size_t w = 0; w < wanted.count; w++)
        if (wanted.met[w] == UNMET) report(result, "    - " STR_FMT "\n", STR_ARG(wanted.list[w]));
    for (size_t g = 0; g < got.count; g++)
        if (got.met[g] == UNMET) report(result, "    + " STR_FMT "\n", STR_ARG(got.list[g]));
    return false;
}

static void append_line(struct str line, struct buf *out)
{
    buf_append_str(out, line);
    buf_append_char(out, '\n');
}

/* A line that is new stands behind the one it came behind. */
struct str case_merge_lines(struct str wanted_text, struct str got_text, struct arena *arena)
{
    struct lines wanted = split(wanted_text, arena), got = split(got_text, arena);
    struct buf out = BUF_INIT(TEXT_MAX);
    (void)match(&wanted, &got);
    for (size_t g = 0; g < got.count && got.met[g] == UNMET; g++) append_line(got.list[g], &out);
    for (size_t w = 0; w < wanted.count; w++) {
        if (wanted.met[w] == UNMET) continue;
        append_line(wanted.list[w], &out);
        for (size_t g = wanted.met[w] + 1; g < got.count && got.met[g] == UNMET; g++) append_line(got.list[g], &out);
    }
    struct str merged = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return merged;
}

/* --- what a case says ----------------------------------------------------------------------------- */

static bool compare_rows(struct case_result *result, struct arena *arena, size_t number, const struct node *rows,
                         const struct case_outcome *outcome)
{
    char what[256];
    bool fit = true;
    for (size_t i = 0; i < rows->count; i++) {
        struct str stream = rows->children[i].key, got = {0};
        for (size_t t = 0; t < outcome->table_count; t++)
            if (str_equal(stream, str_from(outcome->tables[t].stream))) got = outcome->tables[t].rows;
        snprintf(what, sizeof what, "rows of " STR_FMT, STR_ARG(stream));
        fit = compare_lines(result, arena, number, what, node_text(&rows->children[i]), got) && fit;
    }
    for (size_t t = 0; t < outcome->table_count; t++) {
        const char *stream = outcome->tables[t].stream;
        if (node_get(rows, stream)) continue;
        snprintf(what, sizeof what, "rows of %s, of which the case says nothing", stream);
        fit = compare_lines(result, arena, number, what, (struct str){0}, outcome->tables[t].rows) && fit;
    }
    return fit;
}

static bool is_same(const struct node *wanted, const struct case_failure *got)
{
    const char *stream = node_cstr(node_get(wanted, "stream"), NULL), *message = node_cstr(node_get(wanted, "message"), NULL);
    if (strcmp(node_cstr(node_get(wanted, "class"), ""), got->class) != 0) return false;
    if (stream && (!got->stream || strcmp(stream, got->stream) != 0)) return false;
    return !message || cassette_fits(str_from(message), str_from(got->message));
}

size_t case_errors(const struct node *error, const struct node **entries)
{
    bool is_list = node_is(error, NODE_LIST);
    *entries = is_list ? error->children : error;
    return is_list ? error->count : error ? 1 : 0;
}

bool case_error_came(const struct node *entry, const struct case_outcome *outcome)
{
    for (size_t i = 0; i < outcome->failure_count; i++)
        if (is_same(entry, &outcome->failures[i])) return true;
    return false;
}

bool case_failure_is_expected(const struct node *error, const struct case_failure *failure)
{
    const struct node *entries;
    size_t count = case_errors(error, &entries);
    for (size_t i = 0; i < count; i++)
        if (is_same(&entries[i], failure)) return true;
    return false;
}

static void report_failure(struct case_result *result, char sign, const char *class, const char *stream, const char *message)
{
    report(result, "    %c %s%s%s%s%s\n", sign, class, stream ? " of " : "", stream ? stream : "", message ? ": " : "",
           message ? message : "");
}

static bool compare_failures(struct case_result *result, size_t number, const struct node *error,
                             const struct case_outcome *outcome)
{
    const struct node *entries;
    size_t count = case_errors(error, &entries), missing = 0, unexpected = 0;
    for (size_t i = 0; i < count; i++) missing += !case_error_came(&entries[i], outcome);
    for (size_t i = 0; i < outcome->failure_count; i++) unexpected += !case_failure_is_expected(error, &outcome->failures[i]);
    if (missing + unexpected == 0) return true;
    result->failures++;
    report(result, "  sync %zu: error\n", number);
    if (count == 0) report(result, "    - none\n");
    for (size_t i = 0; i < count; i++)
        if (!case_error_came(&entries[i], outcome))
            report_failure(result, '-', node_cstr(node_get(&entries[i], "class"), NULL),
                           node_cstr(node_get(&entries[i], "stream"), NULL), node_cstr(node_get(&entries[i], "message"), NULL));
    for (size_t i = 0; i < outcome->failure_count; i++) {
        const struct case_failure *failure = &outcome->failures[i];
        if (!case_failure_is_expected(error, failure))
            report_failure(result, '+', failure->class, failure->stream, failure->message);
    }
    if (outcome->failure_count == 0) report(result, "    + none\n");
    return false;
}

static void compare_requests(struct case_result *result, size_t number, const struct cassette *cassette)
{
    size_t count, unused = 0;
    const struct cassette_exchange *exchanges = cassette_exchanges(cassette, &count);
    const char *misses = cassette_misses(cassette);
    for (size_t i = 0; i < count; i++) unused += !exchanges[i].is_used;
    result->requests += cassette_requests(cassette);
    if (unused == 0 && !misses[0]) return;
    result->failures++;
    result->has_other_requests = true;
    report(result, "  sync %zu: requests\n", number);
    for (size_t i = 0; i < count; i++)
        if (!exchanges[i].is_used)
            report(result, "    - " STR_FMT " " STR_FMT "  (line %u, never asked for)\n", STR_ARG(exchanges[i].method),
                   STR_ARG(exchanges[i].url), exchanges[i].line);
    struct str rest = str_from(misses), line;
    while (str_next(&rest, '\n', &line)) {
        bool is_request = line.size && line.data[0] != ' ';
        report(result, "    %s" STR_FMT "\n", is_request ? "+ " : "  ", STR_ARG(line));
    }
}

void case_compare(const struct node *sync, size_t number, const struct cassette *cassette, struct arena *arena,
                  struct case_outcome *outcome, struct case_result *result)
{
    const struct node *rows = node_get(sync, "rows"), *state = node_get(sync, "state"), *rejects = node_get(sync, "rejects");
    compare_requests(result, number, cassette);
    if (cassette_misses(cassette)[0]) return; /* all that follows is its consequence */
    outcome->failures_fit = compare_failures(result, number, node_get(sync, "error"), outcome);
    outcome->rows_fit = rows && compare_rows(result, arena, number, rows, outcome);
    outcome->state_fit = state && compare_lines(result, arena, number, "state", node_text(state), outcome->state);
    outcome->rejects_fit = (!rejects && outcome->rejects.size == 0) ||
                           compare_lines(result, arena, number, "rejects", node_text(rejects), outcome->rejects);
}
