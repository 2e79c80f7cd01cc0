/* CSV by RFC 4180: quotes are doubled inside of quotes, a quoted cell may hold line ends. Lines end with LF or CRLF.
 *
 * A row becomes an object; the names are written once, as they go into each. A row whose cells are not as many as the columns,
 * or that has text behind a closing quote, becomes a text that says so: it is no object, and goes to the rejects with that
 * reason. A row that has not come to its end yet is taken back, and read again when more is there. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "rest/format/format.h"

enum { SHOWN_ROW_BYTES = 2000, BOM_BYTES = 3 };

struct csv {
    const struct format *format;
    struct format_out *out;
    struct arena arena;
    struct str *names; /* `"name":`, escaped, once the header row is known */
    size_t count;
    uint64_t line; /* of the row in hand, from 1 */
    bool is_begun;
};

/* A row on its way. */
struct row {
    const char *at, *end;
    bool is_end;     /* nothing follows `end` */
    bool is_broken;  /* text behind a closing quote */
    bool has_more;   /* a delimiter was read: another cell follows */
    uint64_t breaks; /* lines it goes over, beyond its first */
};

/* A cell: its bytes with quotes still doubled. */
struct cell {
    struct str text;
    bool is_quoted, has_quotes;
};

static void name_column(struct csv *state, size_t at, const struct cell *name);

static void *open_csv(const struct format *format, struct format_out *out)
{
    struct csv *state = mem_zero(1, sizeof *state);
    state->format = format;
    state->out = out;
    state->line = 1;
    if (!format->columns) return state;
    state->count = format->column_count;
    state->names = arena_array(&state->arena, struct str, state->count + 1);
    for (size_t i = 0; i < state->count; i++) name_column(state, i, &(struct cell){.text = str_from(format->columns[i])});
    return state;
}

static void close_csv(void *context)
{
    struct csv *state = context;
    arena_release(&state->arena);
    free(state);
}

/* ---- cells ----------------------------------------------------------------------------------------------------------------
 */

/* Where the row's line ends at `at`: bytes of the line end there; 0: it does not. */
static size_t line_end(const struct row *row, const char *at)
{
    if (*at == '\n') return 1;
    if (*at != '\r') return 0;
    if (at + 1 == row->end) return row->is_end; /* else the next bytes will tell */
    return at[1] == '\n' ? 2 : 0;
}

/* Passes what closes a cell: a delimiter, or the row's end. False when more bytes are needed to know. */
static bool close_cell(const struct csv *state, struct row *row)
{
    row->has_more = false;
    if (row->at == row->end) return row->is_end;
    if (*row->at == '\r' && row->at + 1 == row->end && !row->is_end) return false;
    if (*row->at == state->format->delimiter) {
        row->has_more = true;
        row->at++;
    } else {
        row->at += line_end(row, row->at);
    }
    return true;
}

static bool is_cell_end(const struct csv *state, const struct row *row, const char *at)
{
    return *at == state->format->delimiter || line_end(row, at) > 0 || (*at == '\r' && at + 1 == row->end);
}

static bool read_quoted(const struct csv *state, struct row *row, struct cell *cell)
{
    const char *start = ++row->at;
    for (;;) {
        const char *quote = memchr(row->at, state->format->quote, (size_t)(row->end - row->at));
        if (!quote || (quote + 1 == row->end && !row->is_end)) return false;
        for (const char *c = row->at; c < quote; c++) row->breaks += *c == '\n';
        row->at = quote + 1;
        if (row->at == row->end || *row->at != state->format->quote) {
            *cell = (struct cell){{start, (size_t)(quote - start)}, true, cell->has_quotes};
            break;
        }
        cell->has_quotes = true;
        row->at++;
    }
    while (row->at < row->end && !is_cell_end(state, row, row->at)) row->is_broken = true, row->at++;
    return close_cell(state, row);
}

/* The next cell; false when the row has not come to its end yet. */
static bool read_cell(const struct csv *state, struct row *row, struct cell *cell)
{
    *cell = (struct cell){0};
    if (row->at < row->end && *row->at == state->format->quote) return read_quoted(state, row, cell);
    const char *start = row->at;
    while (row->at < row->end && !is_cell_end(state, row, row->at)) row->at++;
    cell->text = (struct str){start, (size_t)(row->at - start)};
    return close_cell(state, row);
}

/* Writes a cell's text without doubled quotes and, if that is wanted, without NULs. */
static void write_text(const struct csv *state, struct format_out *out, const struct cell *cell)
{
    char quote = state->format->quote;
    const char *at = cell->text.data, *end = at + cell->text.size;
    if (!cell->has_quotes && !(state->format->strip_nul && memchr(at, '\0', cell->text.size))) {
        format_out_string_part(out, cell->text);
        return;
    }
    while (at < end) {
        const char *run = at;
        while (at < end && !(cell->has_quotes && *at == quote) && !(state->format->strip_nul && !*at)) at++;
        bool is_quote = at < end && *at == quote && cell->has_quotes;
        format_out_string_part(out, (struct str){run, (size_t)(at - run) + is_quote});
        at += is_quote ? 2 : 1;
    }
}

static void name_column(struct csv *state, size_t at, const struct cell *name)
{
    struct format_out quoted;
    format_out_init(&quoted, NULL, "\"", "");
    write_text(state, &quoted, name);
    format_out_text(&quoted, STR("\":"));
    state->names[at] = arena_copy(&state->arena, (struct str){quoted.block->data, quoted.block->size});
    format_out_release(&quoted);
}

static bool is_null(const struct csv *state, const struct cell *cell)
{
    return cell->text.size == 0 || (state->format->null_text && str_equal(cell->text, str_from(state->format->null_text)));
}

static void write_cell(struct csv *state, size_t column, const struct cell *cell)
{
    if (column >= state->count) return;
    if (column) format_out_char(state->out, ',');
    format_out_text(state->out, state->names[column]);
    if (is_null(state, cell)) {
        format_out_text(state->out, STR("null"));
        return;
    }
    format_out_char(state->out, '"');
    write_text(state, state->out, cell);
    format_out_char(state->out, '"');
}

/* ---- rows -----------------------------------------------------------------------------------------------------------------
 */

/* Puts a text in the row's place that says what is wrong with it. */
static void replace_row(struct csv *state, const struct row *row, struct str text, size_t cells)
{
    struct format_out *out = state->out;
    char problem[128];
    int size =
        row->is_broken
            ? snprintf(problem, sizeof problem, "line %llu: text behind a closing quote: ", (unsigned long long)state->line)
            : snprintf(problem, sizeof problem, "line %llu: %zu cells for %zu columns: ", (unsigned long long)state->line,
                       cells, state->count);
    format_out_back(out);
    format_out_begin(out);
    format_out_char(out, '"');
    format_out_text(out, (struct str){problem, (size_t)size});
    if (text.size > SHOWN_ROW_BYTES) text.size = SHOWN_ROW_BYTES;
    format_out_string_part(out, text);
    format_out_char(out, '"');
}

static int take_header(struct csv *state, struct row *row, bool *taken, struct err *err)
{
    const char *start = row->at;
    struct cell cell;
    size_t count = 0;
    do {
        *taken = read_cell(state, row, &cell);
        count++;
    } while (*taken && row->has_more);
    if (!*taken) return 0;
    if (count > FORMAT_MAX_COLUMNS)
        return err_set(err, ERR_DATA, "line 1: %zu columns, at most %d can be taken", count, FORMAT_MAX_COLUMNS);
    state->names = arena_array(&state->arena, struct str, count);
    row->at = start;
    row->breaks = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(read_cell(state, row, &cell));
        name_column(state, i, &cell);
        for (size_t j = 0; j < i; j++)
            if (str_equal(state->names[i], state->names[j]))
                return err_set(err, ERR_DATA, "line 1: columns %zu and %zu are both named '" STR_FMT "'", j + 1, i + 1,
                               STR_ARG(cell.text));
    }
    state->count = count;
    return 0;
}

/* Reads one row; false when it has not come to its end yet. A line without anything is no row, unless a row is one cell. */
static bool take_row(struct csv *state, struct row *row)
{
    const char *start = row->at;
    size_t cells = 0;
    struct cell cell;
    format_out_begin(state->out);
    format_out_char(state->out, '{');
    do {
        if (!read_cell(state, row, &cell)) {
            format_out_back(state->out);
            return false;
        }
        write_cell(state, cells++, &cell);
    } while (row->has_more);
    if (cells == 1 && state->count != 1 && cell.text.size == 0 && !cell.is_quoted) {
        format_out_back(state->out);
        return true;
    }
    if (cells != state->count || row->is_broken) {
        struct str text = {start, (size_t)(row->at - start)};
        replace_row(state, row, str_trim(text), cells);
    } else {
        format_out_char(state->out, '}');
    }
    format_out_record(state->out);
    return true;
}

static int take_csv(void *context, struct str text, bool is_end, size_t *taken, struct err *err)
{
    struct csv *state = context;
    struct row row = {.at = text.data, .end = text.data + text.size, .is_end = is_end};
    *taken = 0;
    if (!state->is_begun && text.size < BOM_BYTES && !is_end) return 0;
    if (!state->is_begun && str_starts(text, STR("\xef\xbb\xbf"))) row.at += BOM_BYTES;
    state->is_begun = true;
    while (row.at < row.end && !state->out->too_large) {
        const char *start = row.at;
        bool is_taken = true;
        row.is_broken = false;
        row.breaks = 0;
        if (!state->names) {
            int rc = take_header(state, &row, &is_taken, err);
            if (rc != 0) return rc;
        } else {
            is_taken = take_row(state, &row);
        }
        if (!is_taken) {
            row.at = start;
            break;
        }
        state->line += 1 + row.breaks;
    }
    *taken = (size_t)(row.at - text.data);
    if (!is_end || row.at == row.end || state->out->too_large) return 0;
    return err_set(err, ERR_TRANSIENT, "line %llu: the body ends inside of a quoted cell of this row",
                   (unsigned long long)state->line);
}

const struct format_type FORMAT_TYPE_CSV = {open_csv, take_csv, close_csv};
