/* parsed: see parsed.h. */
#include "rest/format/parsed.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "data/batch.h"
#include "rest/description.h"
#include "rest/functions.h"

struct parsed {
    const struct format *format;
    struct budget *budget;
    struct parsing parsing;
    struct native_input input; /* the body */
    struct native_page page;   /* whose bytes were given last */
    uint64_t taken, given;     /* bytes */
    uint64_t pages;
    bool is_open, has_ended; /* the plugin's session; the body, as the plugin knows */
    bool is_over;
};

struct parsed *parsed_new(const struct format *format, struct budget *budget, const struct parsing *parsing,
                          const struct native_input *input)
{
    struct parsed *parsed = mem_zero(1, sizeof *parsed);
    *parsed = (struct parsed){.format = format, .budget = budget, .parsing = *parsing, .input = *input};
    return parsed;
}

void parsed_free(struct parsed *parsed)
{
    if (parsed) native_page_release(&parsed->page);
    free(parsed);
}

/* native_input.read, counted. */
static int read_counted(void *context, struct str *piece, struct err *err)
{
    struct parsed *parsed = context;
    int rc = parsed->input.read(parsed->input.context, piece, err);
    if (rc) return rc;
    parsed->taken += piece->size;
    parsed->has_ended = piece->size == 0;
    return 0;
}

static int open_session(struct parsed *parsed, struct err *err)
{
    const struct parsing *parsing = &parsed->parsing;
    struct buf tables = BUF_INIT(NATIVE_MAX_LINES);
    native_tables_of(parsing->stream, &tables);
    const struct native_slice slice = {
        .stream = parsing->stream->name, .tables = buf_str(&tables), .now_us = parsing->now_us, .parses = true};
    int rc = parsing->functions->parse(parsing->functions->context, parsed->format, &slice, err);
    buf_release(&tables);
    parsed->is_open = rc == 0;
    return rc;
}

static int refuse(const struct parsed *parsed, struct err *err, const char *what)
{
    err_set(err, ERR_CONNECTOR, "parser '%s': %s", parsed->format->plugin, what);
    return err_hint(err, "correct the plugin; sluice/plugin.h says what is due where");
}

/* Is every value that should be a JSON text one? Once it is in a line, nobody could tell it from a text. */
static bool has_sound_json(const struct native_page *page)
{
    const struct native_value *values = (const struct native_value *)(const void *)page->values.data;
    const size_t count = page->values.size / sizeof *values;
    for (size_t i = 0; i < count; i++) {
        struct str text;
        struct json_value json;
        if (values[i].kind != VALUE_JSON || !native_text(&values[i], page->texts, &text)) continue;
        if (!native_json(&values[i], text, TYPE_JSON, NULL, &json)) return false;
    }
    return true;
}

/* The page's bytes or rows as lines. */
static int lines_of(struct parsed *parsed, struct arena *arena, struct str *lines, struct err *err)
{
    const struct native_page *page = &parsed->page;
    if (page->is_bytes) {
        *lines = page->texts;
        return 0;
    }
    for (size_t i = 0; i < page->operations.size; i++)
        if (page->operations.data[i] != ROW_UPSERT)
            return refuse(parsed, err, "it emits SLUICE_DELETE or SLUICE_TRUNCATE: what a body holds are records");
    if (!has_sound_json(page)) return refuse(parsed, err, "it emits a SLUICE_JSON that is no JSON");
    return native_to_lines(page, parsed->parsing.stream, arena, lines, err);
}

/* After a page: `moved` says that it took something, be it the end, or gave something. */
static int check(const struct parsed *parsed, bool moved, struct err *err)
{
    if (!parsed->page.has_more && !parsed->has_ended)
        return refuse(parsed, err, "it ended before it had seen the body's end: sluice_input tells by giving nothing");
    if (parsed->page.has_more && !moved) return refuse(parsed, err, "it neither takes nor gives anything, and does not end");
    if (parsed->pages > parsed->taken + PARSED_GRACE_PAGES)
        return refuse(parsed, err, "it makes more pages than the body has bytes");
    if (parsed->given <= PARSED_GRACE_BYTES || parsed->given / PARSED_MAX_RATIO <= parsed->taken) return 0;
    err_set(err, ERR_DATA, "parser '%s': far more records than a body of %llu bytes holds", parsed->format->plugin,
            (unsigned long long)parsed->taken);
    return err_hint(err, "a parser gives up to %d bytes of JSON for each one it takes", PARSED_MAX_RATIO);
}

int parsed_next(struct parsed *parsed, struct arena *arena, struct str *lines, struct err *err)
{
    const struct functions *functions = parsed->parsing.functions;
    const struct native_input input = {read_counted, parsed};
    const uint64_t taken = parsed->taken;
    const bool had_ended = parsed->has_ended;
    native_page_release(&parsed->page);
    if (parsed->is_over) return 0;
    int rc = parsed->is_open ? 0 : open_session(parsed, err);
    if (rc == 0) rc = functions->parsed(functions->context, &input, parsed->budget, &parsed->page, err);
    if (rc == 0) rc = lines_of(parsed, arena, lines, err);
    if (rc) return rc;
    parsed->pages++;
    parsed->given += lines->size;
    parsed->is_over = !parsed->page.has_more;
    rc = check(parsed, lines->size || parsed->taken != taken || parsed->has_ended != had_ended, err);
    return rc ? rc : 1;
}
