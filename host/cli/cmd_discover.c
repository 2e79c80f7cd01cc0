/* discover: the streams of a pipeline: their fields, keys, cursors and modes, as this pipeline will sync them. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"

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
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void print_json(const struct sync_plan *plan)
{
    struct buf out = BUF_INIT(16 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t f = 0; f < plan->count; f++)
        for (size_t i = 0; i < plan->flows[f].stream_count; i++) write_stream(&json, &plan->flows[f], i);
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0) {
        if (argument_is_set(arguments, "--json"))
            print_json(&prepared->plan);
        else
            print_text(&prepared->plan);
    }
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {OPTION_FILE,    OPTION_STREAM,  OPTION_JSON,     OPTION_LOG_FORMAT,
                                            OPTION_VERBOSE, OPTION_REFRESH, OPTION_STATE_DIR};

const struct command COMMAND_DISCOVER = {
    .name = "discover",
    .usage = "[PIPELINE]",
    .summary = "list a pipeline's streams with fields, keys, cursors and modes",
    .details = "Reads sluice.yaml and the connector; sends nothing to the source and writes nothing.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
