/* schema: how a pipeline's tables came to be as they are. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/past.h"
#include "cli/print.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 100000, JSON_MAX = 256 * 1024 * 1024 };

static void print_json(const struct past_change *list, size_t count)
{
    struct buf out = BUF_INIT(JSON_MAX);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(&json, '{');
        json_member(&json, "at"), json_cstr(&json, list[i].at);
        json_member(&json, "stream"), json_cstr(&json, list[i].stream);
        json_member(&json, "table"), json_cstr(&json, list[i].table);
        json_member(&json, "change"), json_cstr(&json, list[i].change);
        if (*list[i].column) {
            json_member(&json, "column"), json_cstr(&json, list[i].column);
            json_member(&json, "type"), json_cstr(&json, list[i].type);
            json_member(&json, "field"), json_cstr(&json, list[i].field);
        }
        json_close(&json, '}');
    }
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

static void print_text(const struct past_change *list, size_t count)
{
    static const char *const HEADER[] = {"at", "table", "change", "column", "type", "field"};
    static const size_t FIELD[] = {5};
    struct text_table table;
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, NULL);
    table.max_width = 63;
    for (size_t i = 0; i < count; i++) {
        const struct past_change *change = &list[i];
        struct buf at = BUF_INIT(64);
        buf_printf(&at, "%.19sZ", change->at);
        const char *cells[] = {buf_text(&at),  change->table, change->change,
                               change->column, change->type,  strcmp(change->field, change->column) == 0 ? "" : change->field};
        for (size_t c = 0; c < ARRAY_SIZE(cells); c++) text_table_add(&table, cells[c]);
        buf_release(&at);
    }
    text_table_hide_empty(&table, FIELD, ARRAY_SIZE(FIELD));
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static int show(const struct cli_context *cli, struct destination *destination, const struct past_filter *filter, bool as_json,
                struct err *err)
{
    const struct writer_type *writer = cli->pipeline->writer;
    struct arena arena = ARENA_INIT(0);
    struct past_change *list;
    size_t count = 0;
    if (!writer->changes)
        return err_set(err, ERR_CONFIG, "destination '%s' (%s) keeps no history of its tables", cli->pipeline->destination,
                       writer->title);
    int rc = writer->changes(destination, filter, &arena, &list, &count, err);
    if (rc == 0 && as_json)
        print_json(list, count);
    else if (rc == 0 && count)
        print_text(list, count);
    else if (rc == 0)
        fprintf(stderr, "it has made no table yet\n");
    arena_release(&arena);
    return rc;
}

static int run(const struct arguments *arguments)
{
    return past_run(arguments, LIMIT_DEFAULT, LIMIT_MAX, show);
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE, OPTION_ONE_STREAM, {"--limit", 'n', "NUMBER", false, "the newest so many (default: 100)"},
    OPTION_JSON, OPTION_LOG_FORMAT, OPTION_VERBOSE,
};

const struct command COMMAND_SCHEMA = {
    .name = "schema",
    .usage = "[PIPELINE]",
    .summary = "how a pipeline's tables came to be as they are",
    .details =
        "Every table and column that a sync of the pipeline has made, the newest first, with the field it is of where that "
        "has\n"
        "another name. Columns are never dropped or narrowed, so this is all that ever happened. PostgreSQL destinations keep\n"
        "it.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
