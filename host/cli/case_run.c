/* case_run: how it works: the case's configuration becomes a project of one pipeline, whose syncs are prepared and run by
 * sync/ as always; only the cassette and the writer are others. What is expected is compared by content, so white space and the
 * order of a row's fields do not matter. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/time.h"
#include "cli/case.h"
#include "net/cassette.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/secret.h"
#include "sync/sync.h"
#include "writer/memory/memory.h"

static const char DEFAULT_NOW[] = "2024-06-01T00:00:00Z";
enum { TEXT_MAX = 64 * 1024 * 1024 };

struct run {
    const struct case_file *file;
    struct arena *arena;
    struct secrets *secrets;
    struct memory *memory;
    struct tokens tokens; /* what logins have brought, as the state directory keeps them */
    struct cancel *cancel;
    struct log *log;
    struct pipeline pipeline;
    const struct project *project;
    struct case_result *result;
    struct problems *problems;
    struct err err; /* of the sync in hand: the first failure */
    const char *err_stream;
};

/* --- the project of a case ----------------------------------------------------------------------- */

static struct node text_node(const char *key, const char *text)
{
    return (struct node){.kind = NODE_STRING, .key = str_from(key), .text = str_from(text)};
}

static struct node map_node(const char *key, struct node *children, size_t count)
{
    return (struct node){.kind = NODE_MAP, .key = str_from(key), .children = children, .count = count};
}

static void make_project(struct run *run, const char *connector)
{
    struct arena *arena = run->arena;
    const struct node *more = node_get(run->file->root, "pipeline"), *config = node_get(run->file->root, "config");
    size_t extra = node_is(more, NODE_MAP) ? more->count : 0, used = 0;
    struct node *keys = arena_array(arena, struct node, extra + 3);
    keys[used++] = text_node("connector", connector);
    keys[used++] = text_node("destination", "memory");
    if (config) keys[used++] = *config;
    for (size_t i = 0; i < extra; i++) keys[used++] = more->children[i];
    struct node *destination = arena_array(arena, struct node, 2);
    destination[0] = text_node("type", "csv"); /* any: the pipeline's writer is replaced */
    destination[1] = text_node("path", ".");
    struct node *named = arena_array(arena, struct node, 4);
    named[0] = map_node("memory", destination, 2);
    named[1] = map_node("case", keys, used);
    named[2] = map_node("destinations", &named[0], 1);
    named[3] = map_node("pipelines", &named[1], 1);
    struct node root = map_node("", &named[2], 2);
    struct node *kept = arena_new(arena, struct node);
    *kept = root;
    project_read(kept, "case", "case", false, run->secrets, arena, &run->project, run->problems);
    if (!run->project) return;
    run->pipeline = *project_pipeline(run->project, "case");
    run->pipeline.writer = &WRITER_MEMORY;
}

/* --- what came of a sync ------------------------------------------------------------------------- */

void case_append_block(const char *key, struct str text, size_t indent, struct buf *out)
{
    struct str line;
    buf_printf(out, "%*s%s: |\n", (int)indent, "", key);
    while (str_next(&text, '\n', &line)) {
        if (line.size) buf_printf(out, "%*s", (int)indent + 2, "");
        buf_append_str(out, line);
        buf_append_char(out, '\n');
    }
}

void case_describe_rows(const struct memory *memory, struct arena *arena, struct str *rows)
{
    struct buf out = BUF_INIT(TEXT_MAX), lines = BUF_INIT(TEXT_MAX);
    for (size_t t = 0; t < memory_table_count(memory); t++) {
        const struct memory_table *table = memory_table(memory, t);
        buf_clear(&lines);
        for (size_t r = 0; r < table->rows.count; r++) {
            buf_append_text(&lines, table->rows.list[r].json);
            buf_append_char(&lines, '\n');
        }
        if (table->rows.count) case_append_block(table->stream, buf_str(&lines), 2, &out);
    }
    *rows = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    buf_release(&lines);
}

/* What a case says of a state is what a sync can change: whose values the cursor has is in the declaration beside it. */
static bool is_told(const struct state_entry *entry)
{
    return entry->value && strcmp(entry->kind, "cursor_field") != 0;
}

void case_describe_state(const struct memory *memory, struct arena *arena, struct str *state)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    const struct state *flow;
    for (size_t f = 0; (flow = memory_state(memory, f)) != NULL; f++)
        for (size_t i = 0; i < flow->count; i++) {
            const struct state_entry *entry = &flow->entries[i];
            if (!is_told(entry)) continue;
            buf_printf(&out, "%s%s%s%s %s ", entry->stream[0] ? entry->stream : "-", entry->slice[0] ? "[" : "", entry->slice,
                       entry->slice[0] ? "]" : "", entry->kind);
            buf_append_text(&out, entry->value);
            buf_append_char(&out, '\n');
        }
    *state = arena_copy(arena, buf_str(&out));
    buf_release(&out);
}

static void on_event(void *context, const struct sync_event *event)
{
    struct run *run = context;
    const struct err *failed = event->stream ? &event->stream->err : event->err;
    bool is_end = event->kind == EVENT_STREAM_ENDED || event->kind == EVENT_SYNC_ENDED;
    if (!is_end || !failed || !failed->class || run->err.class) return;
    err_copy(&run->err, failed);
    run->err_stream = event->stream ? arena_strdup(run->arena, event->stream->name) : NULL;
}

/* --- what was expected --------------------------------------------------------------------------- */

static void report(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);
static void report(struct run *run, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buf_append_text(&run->result->report, text);
}

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

struct lines {
    struct str *list, *canonical;
    bool *is_met;
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
    lines.is_met = arena_array(arena, bool, max);
    for (rest = text; str_next(&rest, '\n', &line);) {
        if (str_trim(line).size == 0) continue;
        lines.list[lines.count] = str_trim(line);
        lines.canonical[lines.count++] = canonical(line, arena);
    }
    return lines;
}

/* Lines with '-' were expected and did not come, those with '+' came. In any order. */
static void compare_lines(struct run *run, size_t sync, const char *what, struct str wanted_text, struct str got_text)
{
    struct lines wanted = split(wanted_text, run->arena), got = split(got_text, run->arena);
    size_t differences = 0;
    for (size_t w = 0; w < wanted.count; w++) {
        for (size_t g = 0; g < got.count && !wanted.is_met[w]; g++)
            if (!got.is_met[g] && cassette_fits(wanted.canonical[w], got.canonical[g])) wanted.is_met[w] = got.is_met[g] = true;
        differences += !wanted.is_met[w];
    }
    for (size_t g = 0; g < got.count; g++) differences += !got.is_met[g];
    if (differences == 0) return;
    run->result->failures++;
    report(run, "  sync %zu: %s\n", sync, what);
    for (size_t w = 0; w < wanted.count; w++)
        if (!wanted.is_met[w]) report(run, "    - " STR_FMT "\n", STR_ARG(wanted.list[w]));
    for (size_t g = 0; g < got.count; g++)
        if (!got.is_met[g]) report(run, "    + " STR_FMT "\n", STR_ARG(got.list[g]));
}

static struct str rows_of(const struct memory *memory, const char *stream, struct arena *arena)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    for (size_t t = 0; t < memory_table_count(memory); t++) {
        const struct memory_table *table = memory_table(memory, t);
        for (size_t r = 0; r < table->rows.count && strcmp(table->stream, stream) == 0; r++)
            buf_append_text(&out, table->rows.list[r].json), buf_append_char(&out, '\n');
    }
    struct str text = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return text;
}

static void compare_rows(struct run *run, size_t sync, const struct node *rows)
{
    char what[256];
    for (size_t i = 0; i < rows->count; i++) {
        const char *stream = arena_text(run->arena, rows->children[i].key);
        snprintf(what, sizeof what, "rows of %s", stream);
        compare_lines(run, sync, what, node_text(&rows->children[i]), rows_of(run->memory, stream, run->arena));
    }
    for (size_t t = 0; t < memory_table_count(run->memory); t++) {
        const char *stream = memory_table(run->memory, t)->stream;
        snprintf(what, sizeof what, "rows of %s, of which the case says nothing", stream);
        if (!node_get(rows, stream)) compare_lines(run, sync, what, (struct str){0}, rows_of(run->memory, stream, run->arena));
    }
}

static bool compare_error(struct run *run, size_t sync, const struct node *wanted)
{
    const char *class = node_cstr(node_get(wanted, "class"), NULL), *stream = node_cstr(node_get(wanted, "stream"), NULL);
    const char *message = node_cstr(node_get(wanted, "message"), NULL);
    const char *got = run->err.class ? err_class_info(run->err.class)->name : NULL;
    bool is_same = !class == !got && (!class || strcmp(class, got) == 0);
    if (is_same && got && stream) is_same = run->err_stream && strcmp(stream, run->err_stream) == 0;
    if (is_same && got && message) is_same = cassette_fits(str_from(message), str_from(run->err.message));
    if (is_same) return true;
    run->result->failures++;
    report(run, "  sync %zu: error\n", sync);
    report(run, "    - %s%s%s%s%s\n", class ? class : "none", stream ? " of " : "", stream ? stream : "", message ? ": " : "",
           message ? message : "");
    report(run, "    + %s%s%s%s%s\n", got ? got : "none", got && run->err_stream ? " of " : "",
           got && run->err_stream ? run->err_stream : "", got ? ": " : "", got ? run->err.message : "");
    return false;
}

static void compare_requests(struct run *run, size_t sync, struct cassette *cassette)
{
    size_t count, unused = 0;
    const struct cassette_exchange *exchanges = cassette_exchanges(cassette, &count);
    const char *misses = cassette_misses(cassette);
    for (size_t i = 0; i < count; i++) unused += !exchanges[i].is_used;
    run->result->requests += cassette_requests(cassette);
    if (unused == 0 && !misses[0]) return;
    run->result->failures++;
    run->result->has_other_requests = true;
    report(run, "  sync %zu: requests\n", sync);
    for (size_t i = 0; i < count; i++)
        if (!exchanges[i].is_used)
            report(run, "    - " STR_FMT " " STR_FMT "  (line %u, never asked for)\n", STR_ARG(exchanges[i].method),
                   STR_ARG(exchanges[i].url), exchanges[i].line);
    struct str rest = str_from(misses), line;
    while (str_next(&rest, '\n', &line)) {
        bool is_request = line.size && line.data[0] != ' ';
        report(run, "    %s" STR_FMT "\n", is_request ? "+ " : "  ", STR_ARG(line));
    }
}

static void compare(struct run *run, size_t index, struct cassette *cassette, struct case_outcome *outcome)
{
    const struct node *sync = &run->file->syncs->children[index];
    const struct node *rows = node_get(sync, "rows"), *state = node_get(sync, "state"), *rejects = node_get(sync, "rejects");
    compare_requests(run, index + 1, cassette);
    if (cassette_misses(cassette)[0]) return; /* all that follows is its consequence */
    outcome->error_fits = compare_error(run, index + 1, node_get(sync, "error"));
    if (rows) compare_rows(run, index + 1, rows);
    if (state) compare_lines(run, index + 1, "state", node_text(state), outcome->state);
    if (rejects || outcome->rejects.size) compare_lines(run, index + 1, "rejects", node_text(rejects), outcome->rejects);
}

/* --- a sync -------------------------------------------------------------------------------------- */

static struct cassette *open_cassette(struct run *run, const struct node *sync)
{
    struct cassette *cassette = NULL;
    struct err err = ERR_INIT;
    enum time_zone_mark mark;
    int64_t now_us = 0;
    const struct node *exchanges = node_get(sync, "exchanges"), *file = node_get(sync, "cassette");
    const char *now = node_cstr(node_get(sync, "now"), node_cstr(node_get(run->file->root, "now"), DEFAULT_NOW));
    (void)time_parse_iso(str_from(now), &now_us, &mark); /* was checked */
    if (exchanges) {
        cassette_read(node_text(exchanges), run->file->path, exchanges->line + 1, now_us, &cassette, run->problems);
        return cassette;
    }
    const char *path = fs_join(run->arena, fs_folder_of(run->arena, run->file->path), node_cstr(file, ""));
    if (cassette_load(path, now_us, &cassette, run->problems, &err) != 0) problems_add(run->problems, file, "%s", err.message);
    return cassette;
}

static void run_sync(struct run *run, size_t index, struct cassette *cassette)
{
    struct sync_prepared *prepared = NULL;
    struct err err = ERR_INIT;
    struct case_outcome *outcome = &run->result->outcomes[index];
    const struct observer observer = {on_event, run};
    const struct sync_options options = {.project = run->project,
                                         .pipeline = &run->pipeline,
                                         .secrets = run->secrets,
                                         .clock = clock_system(),
                                         .cassette = cassette,
                                         .memory = run->memory,
                                         .tokens = &run->tokens,
                                         .cancel = run->cancel,
                                         .log = run->log};
    run->err = ERR_INIT;
    run->err_stream = NULL;
    memory_clear_rejects(run->memory);
    if (sync_prepare(&options, &prepared, run->problems, &err) != 0)
        err_copy(&run->err, &err);
    else if (prepared)
        (void)sync_run(prepared, &observer, &err);
    if (run->problems->count == 0) {
        case_describe_rows(run->memory, run->arena, &outcome->rows);
        case_describe_state(run->memory, run->arena, &outcome->state);
        outcome->rejects = arena_copy(run->arena, str_from(memory_rejects(run->memory)));
        if (run->err.class) {
            outcome->error_class = str_from(err_class_info(run->err.class)->name);
            outcome->error_stream = str_from(run->err_stream);
            outcome->error_message = arena_copy(run->arena, str_from(run->err.message));
        }
        compare(run, index, cassette, outcome);
        run->result->sync_count = index + 1;
    }
    sync_prepared_free(prepared);
}

void case_run(const struct case_file *file, const char *connector, struct log *log, struct arena *arena,
              struct case_result *result, struct problems *problems)
{
    struct run run = {.file = file, .arena = arena, .log = log, .result = result, .problems = problems};
    size_t count = file->syncs->count;
    struct cassette **cassettes = arena_array(arena, struct cassette *, count + 1);
    *result = (struct case_result){.report = BUF_INIT(TEXT_MAX)};
    result->outcomes = arena_array(arena, struct case_outcome, count + 1);
    run.secrets = secrets_new();
    run.memory = memory_new();
    run.tokens = TOKENS_INIT;
    run.cancel = cancel_new(NULL);
    make_project(&run, connector);
    for (size_t i = 0; i < count; i++) cassettes[i] = open_cassette(&run, &file->syncs->children[i]);
    for (size_t i = 0; i < count && problems->count == 0; i++) run_sync(&run, i, cassettes[i]);
    for (size_t i = 0; i < count; i++) cassette_free(cassettes[i]);
    cancel_free(run.cancel);
    tokens_release(&run.tokens);
    memory_free(run.memory);
    secrets_free(run.secrets);
}
