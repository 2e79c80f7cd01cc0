/* discover: the streams of a pipeline: their fields, keys, cursors and modes, as this pipeline will sync them. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "net/client.h"
#include "os/secret.h"
#include "sync/sample.h"

static void key_text(const struct schema *schema, struct buf *out)
{
    for (uint32_t i = 0; i < schema_count(schema); i++)
        if (schema_column(schema, i)->key) buf_printf(out, "%s%s", out->size ? ", " : "", schema_column(schema, i)->name);
}

static void add_row(struct text_table *text, const struct stream_plan *stream, const struct table_spec *table)
{
    struct buf key = BUF_INIT(4096);
    key_text(table->schema, &key);
    text_table_add(text, stream->stream->name);
    text_table_add(text, stream->mode);
    text_table_add(text, buf_text(&key));
    text_table_add(text, table->cursor);
    text_table_add(text, table->name);
    const struct stream_description *from = stream->stream->root ? stream->stream->root : stream->stream->parent.stream;
    text_table_add(text, from ? from->name : "");
    text_table_number(text, schema_count(table->schema));
    buf_release(&key);
}

static void print_text(const struct sync_plan *plan)
{
    static const char *const HEADER[] = {"stream", "mode", "key", "cursor", "table", "from", "fields"};
    static const size_t MAY_BE_EMPTY[] = {5};
    struct text_table table;
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, "llllllr");
    for (size_t f = 0; f < plan->count; f++)
        for (size_t i = 0; i < plan->flows[f].stream_count; i++)
            add_row(&table, &plan->flows[f].streams[i], &plan->flows[f].tables[i]);
    text_table_hide_empty(&table, MAY_BE_EMPTY, ARRAY_SIZE(MAY_BE_EMPTY));
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static void write_stream(struct json_writer *json, const struct flow_plan *flow, size_t index)
{
    const struct stream_description *stream = flow->streams[index].stream;
    const struct table_spec *table = &flow->tables[index];
    json_open(json, '{');
    json_member(json, "stream"), json_cstr(json, stream->name);
    if (stream->root) json_member(json, "exploded_from"), json_cstr(json, stream->root->name);
    if (stream->parent.stream) json_member(json, "parent"), json_cstr(json, stream->parent.stream->name);
    json_member(json, "sync_mode"), json_cstr(json, sync_mode_name(flow->sync_mode));
    json_member(json, "write_mode"), json_cstr(json, write_mode_name(table->mode));
    json_member(json, "table"), json_cstr(json, table->name);
    json_member(json, "cursor"), json_cstr(json, table->cursor);
    json_member(json, "infers_fields"), json_bool(json, stream->infer);
    json_member(json, "fields");
    json_open(json, '[');
    for (uint32_t c = 0; c < schema_count(table->schema); c++) {
        const struct column *column = schema_column(table->schema, c);
        json_open(json, '{');
        json_member(json, "name"), json_cstr(json, column->name);
        json_member(json, "type"), json_cstr(json, type_name(column->type));
        json_member(json, "key"), json_bool(json, column->key);
        json_member(json, "declared"), json_bool(json, column->declared);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

/* A source may have named a field like anything. */
static void print_json(const struct sync_plan *plan, const struct secrets *secrets)
{
    struct buf out = BUF_INIT(16 * 1024 * 1024), clean = BUF_INIT(32 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t f = 0; f < plan->count; f++)
        for (size_t i = 0; i < plan->flows[f].stream_count; i++) write_stream(&json, &plan->flows[f], i);
    json_close(&json, ']');
    secrets_redact(secrets, buf_str(&out), &clean);
    printf("%s\n", buf_text(&clean));
    buf_release(&out);
    buf_release(&clean);
}

/* A page of each stream: what it has beyond the declared fields joins its schema. */
static int read_samples(struct cli_context *cli, struct sync_prepared *prepared)
{
    struct client *client = NULL;
    struct err err = ERR_INIT;
    int code = 0;
    if (sync_client(prepared, cli->cancel, &client, &err) != 0) return cli_failure(cli, cli->pipeline->name, &err);
    for (size_t i = 0; i < prepared->plan.count && code == 0; i++) {
        struct sample sample = {0};
        char where[256];
        snprintf(where, sizeof where, "%s.%s", cli->pipeline->name, prepared->plan.flows[i].stream->name);
        if (sample_read(prepared, &prepared->plan.flows[i], client, cli->cancel, &sample, &err) != 0)
            code = cli_failure(cli, where, &err);
        sample_release(&sample);
    }
    client_free(client);
    return code;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0 && argument_is_set(arguments, "--sample"))
        code = cli_save_recording(&cli, arguments, read_samples(&cli, prepared));
    if (code == 0) {
        if (argument_is_set(arguments, "--json"))
            print_json(&prepared->plan, cli.secrets);
        else
            print_text(&prepared->plan);
    }
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    OPTION_STREAM,
    {"--sample", 0, NULL, false, "read a page of each stream, and list the fields that it has and nobody declared, too"},
    OPTION_RECORD,
    OPTION_REPLAY,
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_REFRESH,
    OPTION_STATE_DIR,
};

const struct command COMMAND_DISCOVER = {
    .name = "discover",
    .usage = "[PIPELINE]",
    .summary = "list a pipeline's streams with fields, keys, cursors and modes",
    .details = "Reads sluice.yaml and the connector, and writes nothing. The source is only asked for fields or streams that "
               "it lists,\n"
               "and with --sample for a page of each stream.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
