/* state: what a pipeline remembers, shown, set, and reset. The destination owns it; changing it takes the pipeline's lease. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "sync/coverage.h"

static void show_text(const struct flow_state *flows, size_t count, struct arena *arena)
{
    static const char *const HEADER[] = {"stream", "slice", "kind", "value", "target"};
    struct text_table table;
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, NULL);
    table.max_width = 60;
    for (size_t f = 0; f < count; f++) {
        const char *target = flows[f].target;
        if (flows[f].is_pending) target = arena_printf(arena, "%s (not published yet)", target);
        for (size_t i = 0; i < flows[f].state.count; i++) {
            const struct state_entry *entry = &flows[f].state.entries[i];
            const char *cells[] = {entry->stream, entry->slice, entry->kind, entry->value, target};
            for (size_t c = 0; c < ARRAY_SIZE(cells); c++) text_table_add(&table, cells[c]);
        }
    }
    if (table.count > ARRAY_SIZE(HEADER))
        text_table_print(&table, stdout);
    else
        fprintf(stderr, "nothing is remembered: the next run starts from the beginning\n");
    text_table_release(&table);
}

static void show_json(const struct flow_state *flows, size_t count)
{
    struct buf out = BUF_INIT(64 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t f = 0; f < count; f++) {
        for (size_t i = 0; i < flows[f].state.count; i++) {
            const struct state_entry *entry = &flows[f].state.entries[i];
            json_open(&json, '{');
            json_member(&json, "flow"), json_cstr(&json, flows[f].flow);
            json_member(&json, "stream"), json_cstr(&json, entry->stream);
            json_member(&json, "slice"), json_cstr(&json, entry->slice);
            json_member(&json, "kind"), json_cstr(&json, entry->kind);
            json_member(&json, "value"), json_cstr(&json, entry->value);
            json_member(&json, "target"), json_cstr(&json, flows[f].target);
            json_member(&json, "published"), json_bool(&json, !flows[f].is_pending);
            json_close(&json, '}');
        }
    }
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

static int show(const struct sync_prepared *prepared, struct destination *destination, bool as_json, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct flow_state *flows;
    size_t count;
    int rc = prepared->options.pipeline->writer->state_read(destination, &arena, &flows, &count, err);
    if (rc == 0 && as_json) show_json(flows, count);
    if (rc == 0 && !as_json) show_text(flows, count, &arena);
    arena_release(&arena);
    return rc;
}

/* A cursor that is set is for all streams that the pipeline loads. */
static int set_coverage(const struct writer_type *writer, struct destination *destination, const struct flow_plan *flow,
                        struct err *err)
{
    const struct stream_description *root = flow->stream;
    const struct state_entry entry = {root->name, "", COVERAGE_KIND, coverage_mark(root, flow->loads_root)};
    int rc = writer->state_write(destination, root->name, &entry, err);
    for (size_t i = flow->loads_root ? 1 : 0; rc == 0 && i < flow->stream_count; i++) {
        const struct stream_description *stream = flow->streams[i].stream;
        const struct state_entry exploded = {stream->name, "", COVERAGE_KIND, coverage_mark(stream, true)};
        rc = writer->state_write(destination, root->name, &exploded, err);
    }
    return rc;
}

static int read_cursor(const struct flow_plan *flow, const char *value, struct arena *arena, struct str *canonical,
                       struct err *err)
{
    const struct cursor_description *cursor = &flow->stream->cursor;
    if (!flow->stream->has_cursor || !cursor->field) {
        err_set(err, ERR_CONFIG, "stream '%s' has no cursor to set", flow->stream->name);
        return err_hint(err, "only streams that are incremental by a field remember one");
    }
    if (window_canonical(cursor->window.type, str_from(value), arena, canonical)) return 0;
    err_set(err, ERR_CONFIG, "'%s' is not a %s, which the cursor '%s' is", value, type_name(cursor->window.type),
            cursor->field);
    return err_hint(err, "write it like `sluice state show` does");
}

/* What the last run left unfinished goes, since its plan was made from the old cursor; a token would go before the new one. */
static int write_cursor(const struct writer_type *writer, struct destination *destination, const struct flow_plan *flow,
                        const char *canonical, struct err *err)
{
    const char *name = flow->stream->name;
    const struct state_entry plan = {name, "", "plan_mode", NULL}, token = {name, "", "token", NULL};
    const struct state_entry cursor = {name, "", "cursor", canonical};
    const struct state_entry field = {name, "", "cursor_field", flow->stream->cursor.field};
    int rc = writer->state_write(destination, name, &plan, err);
    if (rc == 0) rc = writer->state_write(destination, name, &token, err);
    if (rc == 0) rc = set_coverage(writer, destination, flow, err);
    if (rc == 0) rc = writer->state_write(destination, name, &field, err);
    if (rc == 0) rc = writer->state_write(destination, name, &cursor, err);
    if (rc == 0) fprintf(stderr, "%s: the next run reads from %s\n", name, canonical);
    return rc;
}

static int set(const struct sync_prepared *prepared, struct destination *destination, const struct flow_plan *flow,
               const char *value, struct err *err)
{
    const struct writer_type *writer = prepared->options.pipeline->writer;
    struct arena arena = ARENA_INIT(0);
    struct str canonical;
    int rc = read_cursor(flow, value, &arena, &canonical, err);
    if (rc == 0) rc = writer->acquire(destination, err);
    if (rc == 0) {
        rc = write_cursor(writer, destination, flow, canonical.data, err);
        writer->release(destination);
    }
    arena_release(&arena);
    return rc;
}

/* The stream's cursor; that of an unpublished build is the newer one. NULL: none. */
static const char *stored_cursor(const struct flow_state *flows, size_t count, const char *stream)
{
    const char *cursor = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *found = strcmp(flows[i].flow, stream) == 0 ? state_get(&flows[i].state, stream, "", "cursor") : NULL;
        if (found && (!cursor || flows[i].is_pending)) cursor = found;
    }
    return cursor;
}

/* Sets the cursors that are newer than `to` back to it. */
static int rewind_all(const struct sync_prepared *prepared, struct destination *destination, const char *to, struct err *err)
{
    const struct writer_type *writer = prepared->options.pipeline->writer;
    struct arena arena = ARENA_INIT(0);
    struct flow_state *flows;
    size_t count;
    int rc = writer->acquire(destination, err);
    if (rc) return rc;
    rc = writer->state_read(destination, &arena, &flows, &count, err);
    for (size_t i = 0; rc == 0 && i < prepared->plan.count; i++) {
        const struct flow_plan *flow = &prepared->plan.flows[i];
        const char *stored = stored_cursor(flows, count, flow->stream->name);
        struct str canonical;
        if (!stored) {
            fprintf(stderr, "%s: has no cursor to set back\n", flow->stream->name);
            continue;
        }
        rc = read_cursor(flow, to, &arena, &canonical, err);
        if (rc == 0 && cursor_compare(canonical, str_from(stored), flow->stream->cursor.window.type) >= 0)
            fprintf(stderr, "%s: is at %s, which is not after %s\n", flow->stream->name, stored, canonical.data);
        else if (rc == 0)
            rc = write_cursor(writer, destination, flow, canonical.data, err);
    }
    writer->release(destination);
    arena_release(&arena);
    return rc;
}

static int reset(const struct sync_prepared *prepared, struct destination *destination, struct err *err)
{
    const struct writer_type *writer = prepared->options.pipeline->writer;
    int rc = writer->acquire(destination, err);
    if (rc) return rc;
    for (size_t i = 0; i < prepared->plan.count && rc == 0; i++) {
        const struct state_entry everything = {.kind = NULL};
        rc = writer->state_write(destination, prepared->plan.flows[i].stream->name, &everything, err);
        if (rc == 0) fprintf(stderr, "%s: starts from the beginning with the next run\n", prepared->plan.flows[i].stream->name);
    }
    writer->release(destination);
    return rc;
}

static int act(const struct arguments *arguments, const struct sync_prepared *prepared, struct err *err)
{
    const char *what = arguments->words[0];
    struct destination *destination;
    int rc = sync_destination(prepared, prepared->options.cancel, &destination, err);
    if (rc) return rc;
    if (strcmp(what, "show") == 0)
        rc = show(prepared, destination, argument_is_set(arguments, "--json"), err);
    else if (strcmp(what, "set") == 0)
        rc = set(prepared, destination, &prepared->plan.flows[0], arguments->words[2], err);
    else if (strcmp(what, "rewind") == 0)
        rc = rewind_all(prepared, destination, argument_value(arguments, "--to", ""), err);
    else
        rc = reset(prepared, destination, err);
    prepared->options.pipeline->writer->close(destination);
    return rc;
}

/* The words must fit the verb before anything is opened. */
static int check_words(const struct arguments *arguments)
{
    const char *what = arguments->words[0];
    const char *streams[ARGUMENTS_MAX];
    size_t stream_count = argument_values(arguments, "--stream", streams, ARGUMENTS_MAX);
    bool all = argument_is_set(arguments, "--all");
    if (strcmp(what, "show") == 0 && arguments->word_count <= 2) return 0;
    bool rewinds = strcmp(what, "rewind") == 0, has_to = argument_is_set(arguments, "--to");
    if ((strcmp(what, "reset") == 0 || rewinds) && arguments->word_count <= 2 && rewinds == has_to) {
        if ((stream_count > 0) != all) return 0;
        fprintf(stderr,
                all ? "sluice state %s: --all is every stream; leave out --stream\n"
                    : "sluice state %s: say which --stream, or --all\n",
                what);
        return 2;
    }
    if (strcmp(what, "set") == 0 && arguments->word_count == 3) {
        if (stream_count == 1) return 0;
        fprintf(stderr, "sluice state set: say which --stream%s\n", stream_count ? ", one at a time" : "");
        return 2;
    }
    fprintf(stderr, "sluice state: use `show [PIPELINE]`, `set PIPELINE CURSOR --stream NAME`, `rewind [PIPELINE] --to CURSOR "
                    "--stream NAME`, "
                    "or `reset [PIPELINE] --stream NAME`\n");
    return 2;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct err err = ERR_INIT;
    int code = check_words(arguments);
    if (code) return code;
    code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count > 1 ? arguments->words[1] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0 && act(arguments, prepared, &err) != 0) code = cli_failure(&cli, cli.pipeline->name, &err);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--all", 0, NULL, false, "reset, rewind: every stream of the pipeline"},
    {"--to", 0, "CURSOR", false, "rewind: where the next run begins; a stream that is not that far stays"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
};

const struct command COMMAND_STATE = {
    .name = "state",
    .usage = "show [PIPELINE] | set PIPELINE CURSOR --stream NAME | rewind [PIPELINE] --to CURSOR --stream NAME | "
             "reset [PIPELINE] --stream NAME",
    .summary = "show, set or reset what a pipeline remembers",
    .details = "The destination owns the state; rows are never touched by these commands. `set` moves a stream's cursor, "
               "`rewind` only\n"
               "backwards, `reset` lets it start from the beginning. All are refused while a sync holds the pipeline.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .min_words = 1,
    .max_words = 3,
    .run = run,
};
