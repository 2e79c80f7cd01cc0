/* live_row: see live_row.h. Numbers stand in columns that fit 80 characters with a name of 30; what does not fit goes to a line
 * of its own. */
#include "cli/live_row.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/time.h"
#include "base/utf8.h"
#include "cli/print.h"
#include "net/client.h"
#include "os/clock.h"

enum { LINE_MAX_BYTES = 4096, NAME_MAX_COLUMNS = 32, FIRST_RATE_MS = 500 };

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

void live_row_read(const struct progress *progress, const struct stream_progress *stream, struct clock *clock,
                   struct live_row *row)
{
    *row = (struct live_row){.pool_left = -1};
    int64_t now_ms = clock_now_ms(clock);
    int64_t elapsed_ms = now_ms - atomic_load(&stream->started_ms);
    copy(row->pipeline, sizeof row->pipeline, progress->pipeline);
    copy(row->stream, sizeof row->stream, stream->name);
    copy(row->note, sizeof row->note, atomic_load(&stream->note));
    row->rows = atomic_load(&stream->records);
    row->rows_per_second = elapsed_ms > FIRST_RATE_MS ? row->rows * 1000 / (uint64_t)elapsed_ms : 0;
    row->bytes = atomic_load(&stream->bytes);
    const struct client_counters *http = progress->http;
    if (!http) return;
    row->pool_left = __atomic_load_n(&http->pool_left, __ATOMIC_RELAXED);
    int64_t until_ms = __atomic_load_n(&http->waiting_until_ms, __ATOMIC_RELAXED);
    const char *what = __atomic_load_n(&http->waiting_for, __ATOMIC_RELAXED);
    if (!what || until_ms <= now_ms) return;
    copy(row->waits_for, sizeof row->waits_for, what);
    row->waits_until = clock_wall_us(clock) + (until_ms - now_ms) * 1000;
}

static int64_t number_of(const struct cJSON *event, const char *key, int64_t fallback)
{
    double value;
    return json_number(json_get(event, key), &value) && value > -1e15 && value < 1e15 ? (int64_t)value : fallback;
}

static uint64_t count_of(const struct cJSON *event, const char *key)
{
    int64_t value = number_of(event, key, 0);
    return value > 0 ? (uint64_t)value : 0;
}

bool live_row_from_json(const struct cJSON *event, struct live_row *row)
{
    const char *pipeline = json_string(json_get(event, "pipeline"));
    const char *stream = json_string(json_get(event, "stream"));
    const char *until = json_string(json_get(event, "waits_until"));
    if (!pipeline || !stream) return false;
    *row = (struct live_row){
        .pool_left = number_of(event, "pool_left", -1),
        .rows = count_of(event, "rows"),
        .rows_per_second = count_of(event, "rows_per_second"),
        .bytes = count_of(event, "bytes"),
    };
    copy(row->pipeline, sizeof row->pipeline, pipeline);
    copy(row->stream, sizeof row->stream, stream);
    copy(row->note, sizeof row->note, json_string(json_get(event, "note")));
    if (until && time_parse_format(str_from(until), "iso8601", &row->waits_until))
        copy(row->waits_for, sizeof row->waits_for, json_string(json_get(event, "waits_for")));
    return true;
}

void live_row_to_json(const struct live_row *row, struct buf *out)
{
    char until[TIME_TEXT_MAX];
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    json_member(&json, "event"), json_cstr(&json, "progress");
    json_member(&json, "pipeline"), json_cstr(&json, row->pipeline);
    json_member(&json, "stream"), json_cstr(&json, row->stream);
    json_member(&json, "rows"), json_int(&json, (int64_t)row->rows);
    json_member(&json, "rows_per_second"), json_int(&json, (int64_t)row->rows_per_second);
    json_member(&json, "bytes"), json_int(&json, (int64_t)row->bytes);
    if (row->note[0]) json_member(&json, "note"), json_cstr(&json, row->note);
    if (row->waits_for[0]) {
        time_write_iso(row->waits_until, until);
        json_member(&json, "waits_for"), json_cstr(&json, row->waits_for);
        json_member(&json, "waits_until"), json_cstr(&json, until);
    }
    if (row->pool_left >= 0) json_member(&json, "pool_left"), json_int(&json, row->pool_left);
    json_close(&json, '}');
}

/* "waits until 19:47:21Z (37 s): Retry-After; rate limit: 17 left"; whole dates where the hour alone would
 * mislead. */
static void describe_pipeline(const struct live_row *row, int64_t wall_us, struct buf *out)
{
    char until[TIME_TEXT_MAX], span[TIME_TEXT_MAX];
    bool waits = row->waits_for[0] && row->waits_until > wall_us;
    if (waits) {
        int64_t seconds = (row->waits_until + 999999) / 1000000;
        int64_t left_ms = (row->waits_until - wall_us) / 1000;
        time_write_iso(seconds * 1000000, until);
        time_write_span(left_ms < 1000 ? left_ms : left_ms / 1000 * 1000, span);
        const char *clock_time = left_ms < (int64_t)12 * 3600 * 1000 && strlen(until) > 11 ? until + 11 : until;
        buf_printf(out, "waits until %s (%s): %s", clock_time, span, row->waits_for);
    }
    if (row->pool_left < 0) return;
    char left[32];
    print_grouped((uint64_t)row->pool_left, left);
    buf_printf(out, "%srate limit: %s left", waits ? "; " : "", left);
}

static void describe_counts(const struct live_row *row, struct buf *out)
{
    char rows[32], rate[32], bytes[32];
    print_grouped(row->rows, rows);
    print_grouped(row->rows_per_second, rate);
    print_bytes(row->bytes, bytes);
    buf_printf(out, "%11s rows %8s/s %10s", rows, rate, bytes);
}

void live_row_describe(const struct live_row *row, int64_t wall_us, struct buf *out)
{
    char rows[32], rate[32], bytes[32];
    print_grouped(row->rows, rows);
    print_grouped(row->rows_per_second, rate);
    print_bytes(row->bytes, bytes);
    buf_printf(out, "%s.%s: %s rows, %s/s, %s", row->pipeline, row->stream, rows, rate, bytes);
    if (row->note[0]) buf_printf(out, "; %s", row->note);
    struct buf rest = BUF_INIT(LINE_MAX_BYTES);
    describe_pipeline(row, wall_us, &rest);
    if (rest.size) buf_printf(out, "; %s", buf_text(&rest));
    buf_release(&rest);
}

/* Columns of a text, each character taken as one wide. */
static size_t columns_of(struct str text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.size; i++) columns += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return columns;
}

/* Appends the line cut to the width, control characters as '.', and its end. */
static void end_line(struct buf *line, const struct live_layout *layout, struct buf *out)
{
    struct str rest = buf_str(line);
    bool fits = columns_of(rest) <= layout->width;
    for (size_t column = 0; rest.size && column + !fits < layout->width; column++) {
        size_t length = utf8_length(rest);
        size_t step = length ? length : 1;
        if (length == 0 || (unsigned char)rest.data[0] < 0x20 || rest.data[0] == 0x7f)
            buf_append_char(out, '.');
        else
            buf_append(out, rest.data, length);
        rest = (struct str){rest.data + step, rest.size - step};
    }
    if (!fits) buf_append_text(out, "\xe2\x80\xa6");
    buf_append_char(out, '\n');
    buf_clear(line);
}

static void name_of(const struct live_row *row, bool names_pipeline, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", names_pipeline ? row->pipeline : "", names_pipeline ? "." : "", row->stream);
}

struct live_layout live_layout(const struct live_row *rows, size_t count, size_t width)
{
    struct live_layout layout = {.width = width};
    for (size_t i = 1; i < count; i++) layout.names_pipeline |= strcmp(rows[i].pipeline, rows[0].pipeline) != 0;
    for (size_t i = 0; i < count; i++) {
        char name[160];
        name_of(&rows[i], layout.names_pipeline, name, sizeof name);
        size_t columns = columns_of(str_from(name));
        if (columns > layout.name_width) layout.name_width = columns;
    }
    if (layout.name_width > NAME_MAX_COLUMNS) layout.name_width = NAME_MAX_COLUMNS;
    return layout;
}

size_t live_row_draw(const struct live_row *row, const struct live_layout *layout, struct buf *out)
{
    char name[160];
    size_t lines = 1;
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    name_of(row, layout->names_pipeline, name, sizeof name);
    size_t columns = columns_of(str_from(name));
    buf_printf(&line, "%s%*s ", name, columns < layout->name_width ? (int)(layout->name_width - columns) : 0, "");
    describe_counts(row, &line);
    if (row->note[0] && columns_of(buf_str(&line)) + 2 + columns_of(str_from(row->note)) > layout->width) {
        end_line(&line, layout, out);
        lines++;
    }
    if (row->note[0]) buf_printf(&line, "  %s", row->note);
    end_line(&line, layout, out);
    buf_release(&line);
    return lines;
}

size_t live_row_draw_pipeline(const struct live_row *row, const struct live_layout *layout, int64_t wall_us, struct buf *out)
{
    struct buf rest = BUF_INIT(LINE_MAX_BYTES), line = BUF_INIT(LINE_MAX_BYTES);
    describe_pipeline(row, wall_us, &rest);
    size_t lines = rest.size ? 1 : 0;
    if (lines) {
        buf_printf(&line, "  %s%s%s", layout->names_pipeline ? row->pipeline : "", layout->names_pipeline ? ": " : "",
                   buf_text(&rest));
        end_line(&line, layout, out);
    }
    buf_release(&rest);
    buf_release(&line);
    return lines;
}
