/* print: see print.h. */
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "os/secret.h"

void text_table_init(struct text_table *table, size_t columns, const char *const *header, const char *right_aligned)
{
    *table = (struct text_table){.columns = columns, .max_width = 40};
    table->is_right = arena_array(&table->arena, bool, columns);
    table->is_hidden = arena_array(&table->arena, bool, columns);
    for (size_t i = 0; i < columns; i++) table->is_right[i] = right_aligned && right_aligned[i] == 'r';
    for (size_t i = 0; i < columns; i++) text_table_add(table, header[i]);
}

/* How many columns a terminal gives the text, taking every character as one wide. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* A copy that a terminal shows on one line, at most `width` columns. */
static char *printable(struct arena *arena, const char *text, size_t width)
{
    struct buf out = BUF_INIT(64 * 1024);
    struct str rest = str_from(text);
    for (size_t shown = 0; rest.size; shown++) {
        size_t length = utf8_length(rest);
        if (shown + 1 == width && rest.size > length) {
            buf_append_text(&out, "\xe2\x80\xa6");
            break;
        }
        unsigned char c = (unsigned char)rest.data[0];
        if (length == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && (unsigned char)rest.data[1] < 0xa0))
            buf_append_char(&out, '.');
        else
            buf_append(&out, rest.data, length);
        size_t step = length ? length : 1;
        rest = (struct str){rest.data + step, rest.size - step};
    }
    char *copy = arena_text(arena, buf_str(&out));
    buf_release(&out);
    return copy;
}

void print_plain(FILE *to, const char *text, size_t width)
{
    struct arena arena = ARENA_INIT(0);
    fprintf(to, "%s\n", printable(&arena, text, width));
    arena_release(&arena);
}

void text_table_add(struct text_table *table, const char *cell)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 64;
        table->cells = mem_resize(table->cells, table->capacity * sizeof *table->cells);
    }
    table->cells[table->count++] = printable(&table->arena, cell ? cell : "", table->max_width);
}

void text_table_number(struct text_table *table, uint64_t number)
{
    char text[32];
    print_grouped(number, text);
    text_table_add(table, text);
}

static size_t *widths_of(struct text_table *table)
{
    size_t *widths = arena_array(&table->arena, size_t, table->columns);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = text_width(table->cells[i]);
        if (width > widths[i % table->columns]) widths[i % table->columns] = width;
    }
    return widths;
}

void text_table_hide_empty(struct text_table *table, const size_t *columns, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        bool is_empty = true;
        for (size_t i = table->columns + columns[c]; i < table->count; i += table->columns)
            is_empty = is_empty && (table->cells[i][0] == '\0' || strcmp(table->cells[i], "0") == 0);
        table->is_hidden[columns[c]] = is_empty;
    }
}

void text_table_fit(struct text_table *table, size_t width, const size_t *columns, size_t count)
{
    const size_t *widths = widths_of(table);
    size_t total = 0;
    for (size_t i = 0; i < table->columns; i++) total += table->is_hidden[i] ? 0 : widths[i] + 2;
    for (size_t c = 0; c < count && total > width + 2; c++) {
        if (!table->is_hidden[columns[c]]) total -= widths[columns[c]] + 2;
        table->is_hidden[columns[c]] = true;
    }
}

void text_table_print(struct text_table *table, FILE *to)
{
    const size_t *widths = widths_of(table);
    size_t last = table->columns;
    while (last > 1 && table->is_hidden[last - 1]) last--;
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        if (table->is_hidden[column]) continue;
        int padding = (int)(widths[column] - text_width(table->cells[i]));
        bool is_last = column + 1 == last;
        if (table->is_right[column])
            fprintf(to, "%*s%s", padding, "", table->cells[i]);
        else
            fprintf(to, "%s%*s", table->cells[i], is_last ? 0 : padding, "");
        fputs(is_last ? "\n" : "  ", to);
    }
}

void text_table_release(struct text_table *table)
{
    free(table->cells);
    arena_release(&table->arena);
}

size_t terminal_width(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

size_t print_grouped(uint64_t number, char out[32])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    size_t at = 0;
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return at;
}

size_t print_bytes(uint64_t bytes, char out[32])
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < ARRAY_SIZE(UNITS)) value /= 1024, unit++;
    return (size_t)snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, UNITS[unit]);
}

static void print_line(struct buf *line, struct secrets *secrets)
{
    struct buf clean = BUF_INIT(64 * 1024);
    secrets_redact(secrets, buf_str(line), &clean);
    for (size_t i = 0; i < clean.size; i++)
        if ((unsigned char)clean.data[i] < 0x20) clean.data[i] = ' ';
    fprintf(stderr, "%s\n", buf_text(&clean));
    buf_release(&clean);
    buf_clear(line);
}

int print_failure(const char *where, const struct err *err, struct secrets *secrets)
{
    const struct err_class_info *info = err_class_info(err->class);
    const char *hint = err_hint_text(err);
    struct buf line = BUF_INIT(16 * 1024);
    buf_printf(&line, "error: %s: %s%s%s%s%s", info->name, where ? where : "", where ? ": " : "", err->message,
               hint[0] ? "; " : "", hint);
    print_line(&line, secrets);
    buf_release(&line);
    return info->exit_code;
}

int print_problems(const struct problems *problems, struct secrets *secrets)
{
    struct buf line = BUF_INIT(16 * 1024);
    for (size_t i = 0; i < problems_listed(problems); i++) {
        const struct problem *problem = &problems->list[i];
        buf_append_text(&line, "error: config: ");
        problem_describe(problem, &line);
        if (problem->hint) buf_printf(&line, "; %s", problem->hint);
        print_line(&line, secrets);
    }
    if (problems->count > PROBLEMS_MAX) fprintf(stderr, "... and %zu more\n", problems->count - PROBLEMS_MAX);
    buf_release(&line);
    return problems->count ? 2 : 0;
}
