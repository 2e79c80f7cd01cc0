/* preview: the first records of each stream as a table. Reads one page per stream through the same path as a sync, writes
 * nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "data/block.h"
#include "net/cassette.h"
#include "net/client.h"
#include "os/clock.h"
#include "os/secret.h"
#include "rest/propose/propose.h"
#include "sync/sample.h"

enum { DEFAULT_RECORDS = 10, MAX_RECORDS = 1000 };

enum { CELL_MAX = 32 * 1024 * 1024 };

struct preview {
    struct cli_context *cli;
    struct sync_prepared *prepared;
    struct client *client;
    bool as_json, detects;
    size_t records;
    const char *streams[ARGUMENTS_MAX]; /* --stream: of a flow only these are shown; none: all */
    size_t stream_count;
    size_t *asked_by; /* per exchange of the cassette: for which stream it was, from 1; 0: not yet asked for */
    size_t exchange_count, stream;
};

/* What the source sent is shown without the secrets it may have echoed; what holds one becomes a text. */
static void append_value(const struct value *value, enum type type, const struct secrets *secrets, bool as_json,
                         struct buf *out)
{
    struct buf plain = BUF_INIT(CELL_MAX), clean = BUF_INIT(CELL_MAX);
    value_to_text(value, type, &plain);
    secrets_redact(secrets, buf_str(&plain), &clean);
    if (!as_json)
        buf_append_str(out, buf_str(&clean));
    else if (str_equal(buf_str(&clean), buf_str(&plain)))
        value_to_json(value, type, out);
    else
        buf_append_json_string(out, buf_str(&clean));
    buf_release(&plain);
    buf_release(&clean);
}

static const char *clean_name(const struct column *column, const struct secrets *secrets, struct arena *arena)
{
    struct buf clean = BUF_INIT(CELL_MAX);
    secrets_redact(secrets, str_from(column->name), &clean);
    const char *name = arena_text(arena, buf_str(&clean));
    buf_release(&clean);
    return name;
}

static bool is_shown(const struct batch *batch, size_t stream, size_t row)
{
    return batch->stream == stream && !row_is_mark(batch->operations[row]);
}

static void print_table(const struct decoded *decoded, size_t stream, const struct schema *schema,
                        const struct secrets *secrets, size_t records)
{
    uint32_t columns = schema_count(schema);
    struct arena arena = ARENA_INIT(0);
    const char **header = arena_array(&arena, const char *, columns + 1);
    char *right = arena_alloc(&arena, columns + 1);
    for (uint32_t c = 0; c < columns; c++) {
        const struct column *column = schema_column(schema, c);
        header[c] = clean_name(column, secrets, &arena);
        right[c] = column->type == TYPE_INTEGER || column->type == TYPE_DECIMAL || column->type == TYPE_FLOAT ? 'r' : 'l';
    }
    struct text_table table;
    struct buf cell = BUF_INIT(CELL_MAX);
    text_table_init(&table, columns, header, right);
    for (size_t b = 0; b < decoded->batch_count && records > 0; b++) {
        const struct batch *batch = decoded->batches[b];
        for (size_t r = 0; r < batch->rows && records > 0; r++) {
            if (!is_shown(batch, stream, r)) continue;
            records--;
            for (uint32_t c = 0; c < columns; c++) {
                buf_clear(&cell);
                if (c < batch->columns)
                    append_value(&batch_row(batch, r)[c], schema_column(schema, c)->type, secrets, false, &cell);
                text_table_add(&table, buf_text(&cell));
            }
        }
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
    buf_release(&cell);
    arena_release(&arena);
}

static void print_json(const struct decoded *decoded, size_t stream, const struct schema *schema, const struct secrets *secrets,
                       size_t records)
{
    struct arena arena = ARENA_INIT(0);
    struct buf line = BUF_INIT(CELL_MAX);
    for (size_t b = 0; b < decoded->batch_count && records > 0; b++) {
        const struct batch *batch = decoded->batches[b];
        for (size_t r = 0; r < batch->rows && records > 0; r++) {
            if (!is_shown(batch, stream, r)) continue;
            records--;
            buf_clear(&line);
            buf_append_char(&line, '{');
            for (uint32_t c = 0; c < batch->columns; c++) {
                if (c) buf_append_char(&line, ',');
                buf_append_json_string(&line, str_from(clean_name(schema_column(schema, c), secrets, &arena)));
                buf_append_char(&line, ':');
                append_value(&batch_row(batch, r)[c], schema_column(schema, c)->type, secrets, true, &line);
            }
            buf_append_char(&line, '}');
            printf("%s\n", buf_text(&line));
            arena_clear(&arena);
        }
    }
    buf_release(&line);
    arena_release(&arena);
}

static void print_rejects(const struct decode_counts *counts)
{
    if (counts->rejected || counts->nulled)
        printf("\n%llu records rejected, %llu values did not fit their type\n", (unsigned long long)counts->rejected,
               (unsigned long long)counts->nulled);
}

/* The columns the records came to, as a connector would declare them. */
static void print_schema(const struct schema *schema, const struct secrets *secrets)
{
    struct arena arena = ARENA_INIT(0);
    uint32_t columns = schema_count(schema);
    printf("\nschema:");
    for (uint32_t c = 0; c < columns; c++) {
        const struct column *column = schema_column(schema, c);
        printf("%s %s %s%s%s", c ? "," : "", clean_name(column, secrets, &arena), type_name(column->type),
               column->key ? " key" : "", column->declared ? "" : " (inferred)");
    }
    printf("\n");
    arena_release(&arena);
}

/* A stream of the flow: the root has the page's records, an exploded one what their elements came to. */
static void print_stream(const struct preview *preview, const struct flow_plan *flow, size_t index, const struct sample *sample)
{
    const struct decoded *decoded = &sample->decoded;
    const struct stream_description *stream = flow->streams[index].stream;
    const struct decode_counts *counts = &decoded->counts;
    size_t records = decoded->records;
    for (size_t i = 0; i < decoded->exploded_count; i++) {
        if (decoded->exploded[i].stream != index) continue;
        counts = &decoded->exploded[i].counts;
        records = counts->emitted;
    }
    if (preview->as_json) {
        print_json(decoded, index, flow->tables[index].schema, preview->cli->secrets, preview->records);
        return;
    }
    printf("%s: %zu records %s%s%s\n\n", stream->name, records, stream->root ? "in those of " : "on the first page",
           stream->root ? stream->root->name : "",
           !stream->root && (sample->is_empty || sample->page.last) ? ", the last one" : "");
    print_table(decoded, index, flow->tables[index].schema, preview->cli->secrets, preview->records);
    print_schema(flow->tables[index].schema, preview->cli->secrets);
    print_rejects(counts);
    printf("\n");
}

static void print_sample(const struct preview *preview, const struct flow_plan *flow, const struct sample *sample)
{
    for (size_t i = 0; i < flow->stream_count; i++) {
        bool is_asked = preview->stream_count == 0;
        for (size_t s = 0; s < preview->stream_count && !is_asked; s++)
            is_asked = strcmp(preview->streams[s], flow->tables[i].stream) == 0;
        if (is_asked) print_stream(preview, flow, i, sample);
    }
}

/* The requests since the last stream: what each asked for, and what came. */
static void print_requests(struct preview *preview)
{
    size_t count;
    const struct cassette_exchange *exchanges = cassette_exchanges(preview->cli->cassette, &count);
    bool records = cassette_is_recorder(preview->cli->cassette);
    preview->asked_by = mem_resize(preview->asked_by, (count + 1) * sizeof *preview->asked_by);
    for (; preview->exchange_count < count; preview->exchange_count++) preview->asked_by[preview->exchange_count] = 0;
    preview->stream++;
    for (size_t i = 0; i < count; i++) {
        const struct cassette_exchange *exchange = &exchanges[i];
        if (preview->asked_by[i] || (!records && !exchange->is_used)) continue;
        preview->asked_by[i] = preview->stream;
        if (preview->as_json || preview->detects) continue;
        struct buf line = BUF_INIT(CELL_MAX);
        secrets_redact(preview->cli->secrets, exchange->url, &line);
        char size[32];
        print_bytes(exchange->answer_body.size, size);
        printf("> " STR_FMT " %s\n", STR_ARG(exchange->method), buf_text(&line));
        if (exchange->status)
            printf("< %d, %s\n", exchange->status, size);
        else
            printf("! " STR_FMT "\n", STR_ARG(exchange->broken));
        buf_release(&line);
    }
}

static const char *link_of(const struct cassette_exchange *exchange, struct arena *arena)
{
    for (size_t i = 0; i < exchange->answer_header_count; i++)
        if (str_equal_nocase(exchange->answer_headers[i].name, STR("link")))
            return arena_text(arena, exchange->answer_headers[i].value);
    return NULL;
}

/* What the answers show of the stream, as it might be declared: the first one with records. */
static void print_detected(const struct preview *preview, const char *stream)
{
    struct arena arena = ARENA_INIT(0);
    size_t count;
    const struct cassette_exchange *exchanges = cassette_exchanges(preview->cli->cassette, &count);
    bool is_found = false;
    struct proposed_stream proposed = {0};
    for (size_t i = 0; i < count && !is_found; i++) {
        if (exchanges[i].status != 200 || preview->asked_by[i] != preview->stream) continue;
        const struct proposed_exchange exchange = {.method = arena_text(&arena, exchanges[i].method),
                                                   .url = arena_text(&arena, exchanges[i].url),
                                                   .answer = exchanges[i].answer_body,
                                                   .link = link_of(&exchanges[i], &arena)};
        proposed = (struct proposed_stream){0};
        is_found = propose_from_exchange(&exchange, stream, &arena, &proposed);
    }
    struct buf lua = BUF_INIT(CELL_MAX), clean = BUF_INIT(CELL_MAX);
    if (is_found) proposed_stream_to_lua(&proposed, &lua);
    secrets_redact(preview->cli->secrets, buf_str(&lua), &clean);
    if (is_found)
        printf("    -- what was seen of '%s'; what is declared, and right, stays\n%s\n", stream, buf_text(&clean));
    else
        printf("    -- no answer of '%s' is JSON that holds a list of records\n\n", stream);
    buf_release(&lua);
    buf_release(&clean);
    arena_release(&arena);
}

static int preview_stream(struct preview *preview, struct flow_plan *flow, struct err *err)
{
    struct sample sample = {0};
    int rc = sample_read(preview->prepared, flow, preview->client, preview->cli->cancel, &sample, err);
    print_requests(preview);
    if (rc == 0 && !preview->detects) print_sample(preview, flow, &sample);
    if (rc == 0 && preview->detects) print_detected(preview, flow->stream->name);
    sample_release(&sample);
    return rc;
}

static int preview_all(struct preview *preview)
{
    struct err err = ERR_INIT;
    if (sync_client(preview->prepared, preview->cli->cancel, &preview->client, &err) != 0)
        return cli_failure(preview->cli, preview->cli->pipeline->name, &err);
    int code = 0;
    for (size_t i = 0; i < preview->prepared->plan.count && !code; i++) {
        struct flow_plan *flow = &preview->prepared->plan.flows[i];
        char where[256];
        snprintf(where, sizeof where, "%s.%s", preview->cli->pipeline->name, flow->stream->name);
        if (preview_stream(preview, flow, &err) != 0) code = cli_failure(preview->cli, where, &err);
    }
    client_free(preview->client);
    free(preview->asked_by);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    int64_t records = DEFAULT_RECORDS;
    if (!argument_number(arguments, "--records", 1, MAX_RECORDS, &records)) return 2;
    if (argument_is_set(arguments, "--detect") && argument_is_set(arguments, "--json")) {
        fprintf(stderr, "sluice preview: --detect and --json exclude each other\n");
        return 2;
    }
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0 && !cli.cassette) cli.cassette = cassette_new_recorder(clock_wall_us(cli.clock)); /* to show what was sent */
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        struct preview preview = {.cli = &cli,
                                  .prepared = prepared,
                                  .as_json = argument_is_set(arguments, "--json"),
                                  .records = (size_t)records,
                                  .detects = argument_is_set(arguments, "--detect")};
        preview.stream_count = argument_values(arguments, "--stream", preview.streams, ARGUMENTS_MAX);
        code = cli_save_recording(&cli, arguments, preview_all(&preview));
    }
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--records", 'n', "N", false, "records to show of each stream (default: 10)"},
    {"--detect", 0, NULL, false, "show what the source's answers say of key, pages, cursor and fields, as Lua to declare"},
    OPTION_RECORD,
    OPTION_REPLAY,
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_REFRESH,
    OPTION_STATE_DIR,
};

const struct command COMMAND_PREVIEW = {
    .name = "preview",
    .usage = "[PIPELINE]",
    .summary = "show the first records of each stream; writes nothing",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
