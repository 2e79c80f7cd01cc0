/* summary: see summary.h. One way in: an event's JSON, which is the same for our own events and those of children. */
#include "cli/summary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/print.h"

enum { EVENT_MAX = 64 * 1024 };

static uint64_t number_of(const struct cJSON *event, const char *key)
{
    double value = 0;
    return json_number(json_get(event, key), &value) && value > 0 ? (uint64_t)value : 0;
}

static const char *text_of(struct summary *summary, const struct cJSON *event, const char *key)
{
    const char *text = json_string(json_get(event, key));
    return arena_strdup(&summary->arena, text ? text : "");
}

void summary_add_json(struct summary *summary, struct str line)
{
    struct cJSON *event;
    struct err err = ERR_INIT;
    if (json_parse(line, EVENT_MAX, &event, &err) != 0) return;
    const char *kind = json_string(json_get(event, "event"));
    if (kind && strcmp(kind, "stream_ended") == 0) {
        if (summary->count == summary->capacity) {
            summary->capacity = summary->capacity ? summary->capacity * 2 : 16;
            summary->rows = mem_resize(summary->rows, summary->capacity * sizeof *summary->rows);
        }
        const struct cJSON *error = json_get(event, "error");
        summary->rows[summary->count++] = (struct summary_row){
            .pipeline = text_of(summary, event, "pipeline"),
            .stream = text_of(summary, event, "stream"),
            .mode = text_of(summary, event, "mode"),
            .status = text_of(summary, event, "status"),
            .cursor = text_of(summary, event, "cursor"),
            .target = text_of(summary, event, "target"),
            .error_class = error ? text_of(summary, error, "class") : NULL,
            .error = error ? text_of(summary, error, "message") : NULL,
            .hint = error ? text_of(summary, error, "hint") : NULL,
            .emitted = number_of(event, "emitted"),
            .written = number_of(event, "written"),
            .unchanged = number_of(event, "unchanged"),
            .deduplicated = number_of(event, "deduplicated"),
            .rejected = number_of(event, "rejected"),
            .deleted = number_of(event, "deleted"),
            .elapsed_ms = (int64_t)number_of(event, "stream_ms"),
        };
    }
    json_free(event);
}

static bool has_one_pipeline(const struct summary *summary)
{
    for (size_t i = 1; i < summary->count; i++)
        if (strcmp(summary->rows[i].pipeline, summary->rows[0].pipeline) != 0) return false;
    return true;
}

void summary_print(const struct summary *summary, FILE *to)
{
    static const char *const HEADER[] = {"pipeline",  "stream",       "mode",     "status", "records", "written",
                                         "unchanged", "deduplicated", "rejected", "time",   "cursor"};
    /* By number: what is left out when it says nothing, and, in this order, when the terminal is too narrow. */
    static const size_t MAY_BE_EMPTY[] = {6, 7, 8, 10};
    static const size_t LEAST_MISSED[] = {0, 2, 7, 6, 10};
    if (summary->count == 0) return;
    struct text_table table;
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, "llllrrrrrrl");
    for (size_t i = 0; i < summary->count; i++) {
        const struct summary_row *row = &summary->rows[i];
        char span[TIME_TEXT_MAX];
        time_write_span(row->elapsed_ms, span);
        const char *texts[] = {row->pipeline, row->stream, row->mode, row->status};
        const uint64_t numbers[] = {row->emitted, row->written, row->unchanged, row->deduplicated, row->rejected};
        for (size_t t = 0; t < ARRAY_SIZE(texts); t++) text_table_add(&table, texts[t]);
        for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) text_table_number(&table, numbers[n]);
        text_table_add(&table, span);
        text_table_add(&table, row->cursor);
    }
    text_table_hide_empty(&table, MAY_BE_EMPTY, ARRAY_SIZE(MAY_BE_EMPTY));
    size_t kept = has_one_pipeline(summary) ? 0 : 1;
    if (isatty(fileno(to)) == 1)
        text_table_fit(&table, terminal_width(fileno(to)), LEAST_MISSED + kept, ARRAY_SIZE(LEAST_MISSED) - kept);
    text_table_print(&table, to);
    text_table_release(&table);
}

static void write_error(struct json_writer *json, const struct summary_row *row)
{
    json_member(json, "error");
    if (!row->error) {
        json_cstr(json, NULL);
        return;
    }
    json_open(json, '{');
    json_member(json, "class"), json_cstr(json, row->error_class);
    json_member(json, "message"), json_cstr(json, row->error);
    json_member(json, "hint"), json_cstr(json, row->hint);
    json_close(json, '}');
}

void summary_print_json(const struct summary *summary, FILE *to)
{
    struct buf out = BUF_INIT(16 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t i = 0; i < summary->count; i++) {
        const struct summary_row *row = &summary->rows[i];
        const struct {
            const char *key, *value;
        } texts[] = {{"pipeline", row->pipeline}, {"stream", row->stream}, {"mode", row->mode},
                     {"status", row->status},     {"target", row->target}, {"cursor", row->cursor[0] ? row->cursor : NULL}};
        const struct {
            const char *key;
            uint64_t value;
        } numbers[] = {{"emitted", row->emitted},
                       {"written", row->written},
                       {"unchanged", row->unchanged},
                       {"deduplicated", row->deduplicated},
                       {"rejected", row->rejected},
                       {"deleted", row->deleted},
                       {"elapsed_ms", (uint64_t)row->elapsed_ms}};
        json_open(&json, '{');
        for (size_t t = 0; t < ARRAY_SIZE(texts); t++) json_member(&json, texts[t].key), json_cstr(&json, texts[t].value);
        write_error(&json, row);
        for (size_t n = 0; n < ARRAY_SIZE(numbers); n++)
            json_member(&json, numbers[n].key), json_int(&json, (int64_t)numbers[n].value);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    fprintf(to, "%s\n", buf_text(&out));
    buf_release(&out);
}

void summary_release(struct summary *summary)
{
    free(summary->rows);
    arena_release(&summary->arena);
}
