/* case_record: how it works: the pipeline of sluice.yaml gives credentials, network and configuration, the case which streams
 * are read; the writer is that of cases, so that nothing is loaded anywhere, and one sync goes on from the state of the one
 * before it. What the case expects is not written here: whoever asked replays the case and updates it, so that it holds what
 * its own text gives. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/case.h"
#include "cli/context.h"
#include "net/cassette.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/secret.h"
#include "rest/config.h"
#include "writer/memory/memory.h"

struct recording {
    const struct arguments *arguments;
    struct cli_context cli;
    const char *path, *connector;
    bool is_new;
    struct case_file file;
    struct case_result result;
    struct pipeline pipeline;
    struct memory *memory;
    size_t requests;
};

/* The values that are given as lines of the case. Secrets are made up, or those that the case had. */
static void write_config(struct recording *recording, const struct sync_prepared *prepared)
{
    const struct node *given = recording->cli.pipeline->config, *had = node_get(recording->file.root, "config");
    struct buf lines = BUF_INIT(CASE_MAX_BYTES), shown = BUF_INIT(CASE_MAX_BYTES);
    for (size_t i = 0; node_is(given, NODE_MAP) && i < given->count; i++) {
        const struct node *value = &given->children[i], *made_up = node_get(had, value->key.data);
        const struct config_entry *entry = config_table_find(prepared->config->table, value->key);
        if (!entry || !node_is_scalar(value)) continue;
        buf_clear(&shown);
        if (!entry->secret)
            secrets_redact(recording->cli.secrets, value->text, &shown);
        else if (node_is_scalar(made_up))
            buf_append_str(&shown, made_up->text);
        else
            buf_printf(&shown, "made-up-" STR_FMT, STR_ARG(value->key));
        buf_printf(&lines, "  " STR_FMT ": ", STR_ARG(value->key));
        buf_append_json_string(&lines, buf_str(&shown));
        buf_append_char(&lines, '\n');
    }
    struct str text = buf_str(&lines);
    recording->result.config =
        str_from(arena_printf(&recording->cli.arena, "config:%s\n" STR_FMT, text.size ? "" : " {}", STR_ARG(text)));
    buf_release(&lines);
    buf_release(&shown);
}

static void note_exchanges(struct recording *recording, struct cassette *cassette, struct case_outcome *outcome)
{
    struct buf text = BUF_INIT(2 * (size_t)CASSETTE_MAX_BYTES);
    char now[TIME_TEXT_MAX];
    time_write_iso(cassette_now_us(cassette), now);
    cassette_write(cassette, recording->cli.secrets, false, &text);
    outcome->now = arena_strdup(&recording->cli.arena, now);
    outcome->exchanges = arena_copy(&recording->cli.arena, str_trim(buf_str(&text)));
    buf_release(&text);
}

/* Into the case, or into the file that it names. */
static int keep(struct recording *recording, size_t index, struct cassette *cassette, struct err *err)
{
    struct case_outcome *outcome = &recording->result.outcomes[index];
    const struct node *sync = recording->is_new ? NULL : &recording->file.syncs->children[index];
    const struct node *file = node_get(sync, "cassette");
    outcome->rows_fit = outcome->state_fit = outcome->rejects_fit = outcome->failures_fit = true;
    recording->requests += cassette_requests(cassette);
    if (!file) {
        note_exchanges(recording, cassette, outcome);
        return 0;
    }
    struct arena *arena = &recording->cli.arena;
    const char *path = fs_join(arena, fs_folder_of(arena, recording->path), node_cstr(file, ""));
    return cassette_save(cassette, recording->cli.secrets, path, err);
}

static int refuse(const struct recording *recording, const struct sync_prepared *prepared, const struct cassette *cassette,
                  struct err *err)
{
    if (prepared->sources.is_native) {
        err_set(err, ERR_CONFIG, "cannot record '%s': it is a native plugin", prepared->sources.name);
        return err_hint(err, "cases are for connectors that are read by requests");
    }
    if (cancel_stopping(recording->cli.cancel)) return err_set(err, ERR_CANCELLED, "stopped; the case is as it was");
    if (cassette_requests(cassette) > 0) return 0;
    return err_set(err, ERR_CONFIG, "a sync of pipeline '%s' asks for nothing", recording->cli.pipeline->name);
}

static void on_event(void *context, const struct sync_event *event)
{
    const struct recording *recording = context;
    const struct stream_progress *stream = event->stream;
    if (event->kind == EVENT_STREAM_ENDED && stream->err.class && !stream->shares_err)
        log_warn(recording->cli.log, "%s: %s; the case will expect it", stream->name, stream->err.message);
}

static int record_sync(struct recording *recording, size_t index)
{
    struct cli_context *cli = &recording->cli;
    struct err err = ERR_INIT;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    struct sync_prepared *prepared = NULL;
    struct cassette *cassette = cassette_new_recorder(clock_wall_us(cli->clock));
    const struct observer observer = {on_event, recording};
    const struct sync_options options = {.project = cli->project,
                                         .pipeline = &recording->pipeline,
                                         .state_folder = argument_value(recording->arguments, "--state-dir", NULL),
                                         .secrets = cli->secrets,
                                         .clock = cli->clock,
                                         .cassette = cassette,
                                         .memory = recording->memory,
                                         .cancel = cli->cancel,
                                         .log = cli->log,
                                         .goes_on = index > 0,
                                         .refresh = true};
    int rc = sync_prepare(&options, &prepared, &problems, &err), code = 0;
    if (rc == 0 && problems.count) code = cli_problems(cli, &problems);
    if (prepared) {
        struct err failed = ERR_INIT; /* what the case is to expect, if anything was asked */
        (void)sync_run(prepared, &observer, &failed);
        rc = refuse(recording, prepared, cassette, &err);
        if (rc && failed.class && cassette_requests(cassette) == 0) err = failed;
        if (rc == 0 && index == 0) write_config(recording, prepared);
        if (rc == 0) rc = keep(recording, index, cassette, &err);
    }
    if (rc) code = cli_failure(cli, cli->pipeline->name, &err);
    sync_prepared_free(prepared);
    cassette_free(cassette);
    return code;
}

/* A case of one sync, of the streams that the pipeline reads. */
static void write_new(const struct recording *recording, struct buf *out)
{
    static const char *const KEYS[] = {"defaults", "streams"};
    const struct node *pipeline = recording->cli.pipeline->node;
    const struct case_outcome *outcome = &recording->result.outcomes[0];
    struct str rest = outcome->exchanges, line;
    bool has_keys = false;
    buf_append_str(out, recording->result.config);
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        const struct node *value = node_get(pipeline, KEYS[i]);
        if (!value) continue;
        buf_printf(out, "%s  %s: ", has_keys ? "" : "pipeline:\n", KEYS[i]);
        node_to_json(value, out);
        buf_append_char(out, '\n');
        has_keys = true;
    }
    buf_printf(out, "syncs:\n  - now: %s\n    exchanges: |\n", outcome->now);
    while (str_next(&rest, '\n', &line)) {
        if (line.size) buf_append_text(out, "      ");
        buf_append_str(out, line);
        buf_append_char(out, '\n');
    }
}

static int write_case(struct recording *recording)
{
    struct cli_context *cli = &recording->cli;
    struct err err = ERR_INIT, unreadable = ERR_INIT;
    struct buf text = BUF_INIT(4 * (size_t)CASSETTE_MAX_BYTES);
    const struct node *read;
    bool is_written = true;
    if (recording->is_new)
        write_new(recording, &text);
    else
        is_written = case_update(&recording->file, &recording->result, &text);
    int rc = 0;
    if (!is_written) {
        rc = err_set(&err, ERR_CONFIG, "cannot write into '%s': several keys of a sync stand in one line", recording->path);
        err_hint(&err, "give each key a line of its own");
    } else if (text.size > CASE_MAX_BYTES ||
               node_from_yaml(buf_str(&text), recording->path, &cli->arena, &read, &unreadable) != 0) {
        rc = err_set(&err, ERR_CONFIG, "cannot write what came into '%s': %s", recording->path,
                     unreadable.class ? unreadable.message : "it is too much");
        err_hint(&err, "let the sync name a file, `cassette: FILE`, or read less: fewer streams, `max_pages`");
    } else {
        rc = fs_make_folders(fs_folder_of(&cli->arena, recording->path), 0755, &err);
        if (rc == 0) rc = fs_write_file(recording->path, 0644, buf_str(&text), &err);
    }
    buf_release(&text);
    return rc ? cli_failure(cli, NULL, &err) : 0;
}

/* The streams, their settings and limits as the case says. */
static int take_case(struct recording *recording)
{
    struct cli_context *cli = &recording->cli;
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    const struct project *project;
    const struct pipeline *pipeline = NULL;
    case_read(recording->path, &cli->arena, &recording->file, &problems);
    if (problems.count == 0)
        pipeline = case_pipeline(&recording->file, recording->connector, cli->secrets, &cli->arena, &project, &problems);
    if (problems.count) return cli_problems(cli, &problems);
    recording->pipeline.defaults = pipeline->defaults;
    recording->pipeline.chooses_streams = pipeline->chooses_streams;
    recording->pipeline.streams = pipeline->streams;
    recording->pipeline.stream_count = pipeline->stream_count;
    if (pipeline->rate_limit) recording->pipeline.rate_limit = pipeline->rate_limit;
    return 0;
}

int case_record(const struct arguments *arguments, const char *connector, const char *path)
{
    struct recording recording = {
        .arguments = arguments, .path = path, .connector = connector, .is_new = fs_kind(path) == FS_MISSING};
    struct cli_context *cli = &recording.cli;
    int code = cli_open(cli, arguments, CLI_PIPELINE, argument_value(arguments, "--record", ""));
    if (code == 0) {
        recording.pipeline = *cli->pipeline;
        recording.pipeline.connector = connector;
        recording.pipeline.writer = &WRITER_MEMORY;
        recording.memory = memory_new();
    }
    if (code == 0 && !recording.is_new) code = take_case(&recording);
    size_t count = recording.file.syncs ? recording.file.syncs->count : 1;
    recording.result.outcomes = arena_array(&cli->arena, struct case_outcome, count);
    for (; code == 0 && recording.result.sync_count < count; recording.result.sync_count++)
        code = record_sync(&recording, recording.result.sync_count);
    if (code == 0) code = write_case(&recording);
    if (code == 0) printf("recorded %zu request%s in %s\n", recording.requests, recording.requests == 1 ? "" : "s", path);
    memory_free(recording.memory);
    cli_close(cli);
    return code;
}
