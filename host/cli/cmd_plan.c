/* plan: what the next run of a pipeline would do, without doing it. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "sync/outlook.h"
#include "writer/writer.h"

enum { JSON_MAX = 64 * 1024 * 1024 };

/* --- for people ---------------------------------------------------------------------------------------------------------- */

static void print_reading(const struct flow_outlook *flow)
{
    const struct flow_plan *plan = flow->plan;
    bool is_full = plan->sync_mode == SYNC_FULL_REFRESH;
    if (flow->cursor)
        printf("  state    cursor %s\n", flow->cursor);
    else if (flow->parts)
        printf("  state    of %s parts\n", flow->parts);
    else
        printf("  state    %s\n", flow->has_token ? "a token of the source" : "nothing is remembered");
    printf("  reads    ");
    if (flow->goes_on) printf("what an interrupted sync left: %zu of %zu windows, ", flow->windows - flow->done, flow->windows);
    if (is_full && !flow->goes_on)
        printf("everything");
    else if (flow->has_token)
        printf("what changed since that");
    else if (flow->windows == 0 && !flow->partitions && !flow->parent)
        printf("nothing: the source can have nothing new");
    else
        printf("%s%s%s%s", flow->from[0] ? "from " : "from the beginning", flow->from, flow->to[0] ? " to " : "", flow->to);
    if (flow->windows > 1 && !flow->goes_on) printf(", in %zu windows", flow->windows);
    if (flow->partitions) printf(", in %zu parts", flow->partitions);
    if (flow->parent) printf(", once for each record of %s", flow->parent);
    printf("\n  requests at least %llu%s\n", (unsigned long long)flow->requests,
           flow->parent ? ", and one for each of those" : "");
    if (flow->request) printf("           %s\n", flow->request);
    if (flow->after)
        printf("  then     cursor %s at most\n", flow->after);
    else if (plan->keep_cursor)
        printf("  then     cursor: the newest that comes\n");
}

static void print_target(const struct stream_plan *stream, const struct table_spec *table, const struct target_look *look)
{
    printf("  target   %s -> %s: %s", stream->stream->name, look->target, look->exists ? "is there" : "is new");
    char rows[32];
    if (look->rows > 0) {
        print_grouped((uint64_t)look->rows, rows);
        printf(", about %s rows", rows);
    }
    printf("%s\n", table->mode == WRITE_OVERWRITE && look->exists ? ", and is replaced as a whole" : "");
    struct str rest = str_from(look->changes), statement;
    while (str_next(&rest, ';', &statement))
        if (str_trim(statement).size) printf("           " STR_FMT "\n", STR_ARG(str_trim(statement)));
}

static void print_text(const struct outlook *outlook)
{
    for (size_t f = 0; f < outlook->count; f++) {
        const struct flow_outlook *flow = &outlook->flows[f];
        const char *name = flow->plan->stream->name;
        printf("%s%s (%s)\n", f ? "\n" : "", name, flow->plan->stream_count ? flow->plan->streams[0].mode : "");
        if (!flow->refusal.class) print_reading(flow);
        for (size_t t = 0; t < flow->plan->stream_count; t++)
            print_target(&flow->plan->streams[t], &flow->plan->tables[t], &flow->looks[t]);
    }
}

/* --- for programs -------------------------------------------------------------------------------------------------------- */

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    if (!text || !text[0]) return;
    json_member(json, name);
    json_cstr(json, text);
}

static void write_number(struct json_writer *json, const char *name, uint64_t number)
{
    json_member(json, name);
    json_int(json, (int64_t)number);
}

static void write_refusal(struct json_writer *json, const struct err *refusal)
{
    if (!refusal->class) return;
    json_member(json, "refused");
    json_open(json, '{');
    write_text(json, "class", err_class_info(refusal->class)->name);
    write_text(json, "message", refusal->message);
    write_text(json, "hint", refusal->hint);
    json_close(json, '}');
}

static void write_target(struct json_writer *json, const struct flow_outlook *flow, size_t index)
{
    const struct target_look *look = &flow->looks[index];
    json_open(json, '{');
    write_text(json, "stream", flow->plan->streams[index].stream->name);
    write_text(json, "write_mode", write_mode_name(flow->plan->tables[index].mode));
    write_text(json, "target", look->target);
    json_member(json, "exists"), json_bool(json, look->exists);
    if (look->rows >= 0) write_number(json, "rows", (uint64_t)look->rows);
    write_text(json, "changes", look->changes);
    write_refusal(json, &look->refusal);
    json_close(json, '}');
}

static void write_flow(struct json_writer *json, const struct flow_outlook *flow)
{
    json_open(json, '{');
    write_text(json, "stream", flow->plan->stream->name);
    write_text(json, "sync_mode", sync_mode_name(flow->plan->sync_mode));
    write_text(json, "cursor", flow->cursor);
    json_member(json, "goes_on"), json_bool(json, flow->goes_on);
    write_text(json, "from", flow->from);
    write_text(json, "to", flow->to);
    write_number(json, "windows", flow->windows);
    write_number(json, "windows_done", flow->done);
    if (flow->partitions) write_number(json, "partitions", flow->partitions);
    write_text(json, "parent", flow->parent);
    write_number(json, "requests_at_least", flow->requests);
    write_text(json, "request", flow->request);
    write_text(json, "cursor_at_most", flow->after);
    write_refusal(json, &flow->refusal);
    json_member(json, "targets");
    json_open(json, '[');
    for (size_t t = 0; t < flow->plan->stream_count; t++) write_target(json, flow, t);
    json_close(json, ']');
    json_close(json, '}');
}

static void print_json(const struct outlook *outlook)
{
    struct buf out = BUF_INIT(JSON_MAX);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t f = 0; f < outlook->count; f++) write_flow(&json, &outlook->flows[f]);
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

/* What would be refused, as a run would say it. Returns its exit code: 8 where they differ, or only some are refused. */
static int say_refusals(const struct cli_context *cli, const struct outlook *outlook)
{
    int code = -1;
    for (size_t f = 0; f < outlook->count; f++) {
        const struct flow_outlook *flow = &outlook->flows[f];
        const struct err *refusal = &flow->refusal;
        for (size_t t = 0; t < flow->plan->stream_count && !refusal->class; t++) refusal = &flow->looks[t].refusal;
        const char *where = arena_printf((struct arena *)&cli->arena, "%s.%s", cli->pipeline->name, flow->plan->stream->name);
        int own = refusal->class ? cli_failure(cli, where, refusal) : 0;
        code = code == -1 || code == own ? own : 8;
    }
    return code == -1 ? 0 : code;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct outlook outlook = {0};
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0 && outlook_make(prepared, &arena, &outlook, &err) != 0)
        code = cli_failure(&cli, cli.pipeline->name, &err);
    else if (code == 0) {
        if (argument_is_set(arguments, "--json"))
            print_json(&outlook);
        else
            print_text(&outlook);
        code = say_refusals(&cli, &outlook);
    }
    sync_prepared_free(prepared);
    arena_release(&arena);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--full-refresh", 0, NULL, false, "as if the run was asked to read everything again"},
    {"--from", 0, "VALUE", false, "as if the run was asked to read this range of the cursor again"},
    {"--to", 0, "VALUE", false, "where that range ends (default: now)"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_REFRESH,
    OPTION_STATE_DIR,
};

const struct command COMMAND_PLAN = {
    .name = "plan",
    .usage = "[PIPELINE]",
    .summary = "what the next run would read, write and change, without doing it",
    .details =
        "Per stream: the state, what is read from where, the least number of requests, the tables with the statements that\n"
        "would be run on them, and what would be refused (with the exit code of that run). Writes nothing, takes no\n"
        "lease, and asks the source for nothing but lists of streams and fields, where it has to.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
