/* case_run: how it works: the case's configuration becomes a project of one pipeline, whose syncs are prepared and run by
 * sync/ as always; only the cassette and the writer are others. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/json_layout.h"
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
enum { TEXT_MAX = 64 * 1024 * 1024, FAILURES_MAX = 1000 };

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
    size_t index; /* of the sync in hand */
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

const struct pipeline *case_pipeline(const struct case_file *file, const char *connector, struct secrets *secrets,
                                     struct arena *arena, const struct project **project, struct problems *problems)
{
    const struct node *more = node_get(file->root, "pipeline"), *config = node_get(file->root, "config");
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
    project_read(kept, "case", "case", false, secrets, arena, project, problems);
    return *project ? project_pipeline(*project, "case") : NULL;
}

/* --- what came of a sync ------------------------------------------------------------------------- */

static void describe_tables(const struct memory *memory, struct arena *arena, struct case_outcome *outcome)
{
    size_t count = memory_table_count(memory);
    struct buf lines = BUF_INIT(TEXT_MAX);
    outcome->tables = arena_array(arena, struct case_table, count + 1);
    for (size_t t = 0; t < count; t++) {
        const struct memory_table *table = memory_table(memory, t);
        buf_clear(&lines);
        for (size_t r = 0; r < table->rows.count; r++) {
            json_layout(str_from(table->rows.list[r].json), TEXT_MAX, &lines);
            buf_append_char(&lines, '\n');
        }
        outcome->tables[outcome->table_count++] =
            (struct case_table){arena_strdup(arena, table->stream), arena_copy(arena, buf_str(&lines))};
    }
    buf_release(&lines);
}

/* What a case says of a state is what a sync can change: whose values the cursor has is in the declaration beside it. */
static bool is_told(const struct state_entry *entry)
{
    return entry->value && strcmp(entry->kind, "cursor_field") != 0;
}

static struct str describe_state(const struct memory *memory, struct arena *arena)
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
    struct str state = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return state;
}

/* A sync of one stream, of several, or none yet, failed with this. */
static void note_failure(struct run *run, const struct err *failed, const char *stream)
{
    struct case_outcome *outcome = &run->result->outcomes[run->index];
    if (outcome->failure_count == FAILURES_MAX) return;
    if (!outcome->failures) outcome->failures = arena_array(run->arena, struct case_failure, FAILURES_MAX);
    outcome->failures[outcome->failure_count++] =
        (struct case_failure){err_class_info(failed->class)->name, stream ? arena_strdup(run->arena, stream) : NULL,
                              arena_strdup(run->arena, failed->message)};
}

/* What ended the sync as a whole counts when no stream tells of it. */
static void on_event(void *context, const struct sync_event *event)
{
    struct run *run = context;
    const struct stream_progress *stream = event->stream;
    if (event->kind == EVENT_STREAM_ENDED && stream->err.class && !stream->shares_err)
        note_failure(run, &stream->err, stream->name);
    if (event->kind == EVENT_SYNC_ENDED && event->err->class && run->result->outcomes[run->index].failure_count == 0)
        note_failure(run, event->err, NULL);
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
    run->index = index;
    memory_clear_rejects(run->memory);
    if (sync_prepare(&options, &prepared, run->problems, &err) != 0)
        note_failure(run, &err, NULL);
    else if (prepared)
        (void)sync_run(prepared, &observer, &err);
    if (run->problems->count == 0) {
        describe_tables(run->memory, run->arena, outcome);
        outcome->state = describe_state(run->memory, run->arena);
        outcome->rejects = arena_copy(run->arena, str_from(memory_rejects(run->memory)));
        case_compare(&run->file->syncs->children[index], index + 1, cassette, run->arena, outcome, run->result);
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
    const struct pipeline *pipeline = case_pipeline(file, connector, run.secrets, arena, &run.project, problems);
    if (pipeline) run.pipeline = *pipeline;
    run.pipeline.writer = &WRITER_MEMORY;
    for (size_t i = 0; i < count; i++) cassettes[i] = open_cassette(&run, &file->syncs->children[i]);
    for (size_t i = 0; i < count && problems->count == 0; i++) run_sync(&run, i, cassettes[i]);
    for (size_t i = 0; i < count; i++) cassette_free(cassettes[i]);
    cancel_free(run.cancel);
    tokens_release(&run.tokens);
    memory_free(run.memory);
    secrets_free(run.secrets);
}
