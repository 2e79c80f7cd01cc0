/* rejects: what could not be taken of a pipeline's records, and why. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/past.h"
#include "cli/print.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 10000, RECORD_MAX_BYTES = 1 << 20 };

#define INDENT "    "

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static void print_json(const struct past_reject *list, size_t count)
{
    struct buf out = BUF_INIT(RECORD_MAX_BYTES);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) {
        const struct reject *reject = &list[i].reject;
        json_open(&json, '{');
        json_member(&json, "at"), json_cstr(&json, list[i].at);
        json_member(&json, "load"), json_int(&json, list[i].load);
        json_member(&json, "stream"), json_cstr(&json, reject->stream);
        json_member(&json, "field"), json_cstr(&json, or_null(reject->field));
        json_member(&json, "reason"), json_cstr(&json, reject->reason);
        json_member(&json, "detail"), json_cstr(&json, or_null(reject->detail));
        json_member(&json, "row_was_dropped"), json_bool(&json, reject->row_was_dropped);
        json_member(&json, "record"), json_text(&json, reject->record);
        json_close(&json, '}');
        fwrite(out.data, 1, out.size, stdout); /* one at a time: a record may have 64 KiB */
        buf_clear(&out);
    }
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

static void print_text(const struct past_reject *list, size_t count)
{
    size_t width = terminal_width(STDOUT_FILENO) - strlen(INDENT);
    for (size_t i = 0; i < count; i++) {
        const struct reject *reject = &list[i].reject;
        struct buf head = BUF_INIT(RECORD_MAX_BYTES);
        if (list[i].at) buf_printf(&head, "%.19sZ  ", list[i].at);
        buf_append_text(&head, reject->stream);
        if (or_null(reject->field)) buf_printf(&head, ".%s", reject->field);
        buf_printf(&head, "  %s, %s", reject->reason, reject->row_was_dropped ? "the row was dropped" : "set to null");
        print_plain(stdout, buf_text(&head), SIZE_MAX);
        buf_release(&head);
        if (or_null(reject->detail)) fputs(INDENT, stdout), print_plain(stdout, reject->detail, SIZE_MAX);
        if (reject->record.size) fputs(INDENT, stdout), print_plain(stdout, reject->record.data, width);
    }
}

static int show(const struct cli_context *cli, struct destination *destination, const struct past_filter *filter, bool as_json,
                struct err *err)
{
    const struct writer_type *writer = cli->pipeline->writer;
    struct arena arena = ARENA_INIT(0);
    struct past_reject *list;
    size_t count = 0;
    if (!writer->rejects)
        return err_set(err, ERR_CONFIG, "destination '%s' (%s) keeps no rejects", cli->pipeline->destination, writer->title);
    int rc = writer->rejects(destination, filter, &arena, &list, &count, err);
    if (rc == 0 && as_json)
        print_json(list, count);
    else if (rc == 0 && count)
        print_text(list, count);
    else if (rc == 0)
        fprintf(stderr, "nothing was rejected\n");
    arena_release(&arena);
    return rc;
}

static int run(const struct arguments *arguments)
{
    return past_run(arguments, LIMIT_DEFAULT, LIMIT_MAX, show);
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE, OPTION_ONE_STREAM, {"--limit", 'n', "NUMBER", false, "the newest so many (default: 20)"},
    OPTION_JSON, OPTION_LOG_FORMAT, OPTION_VERBOSE,
};

const struct command COMMAND_REJECTS = {
    .name = "rejects",
    .usage = "[PIPELINE]",
    .summary = "what could not be taken of a pipeline's records, and why",
    .details =
        "Asks the destination, which keeps each of them with the load it came with (in `_sluice.rejects`, or in files beside\n"
        "the CSV destination's commits): the newest first, each record as it was, up to 64 KiB, without secrets and blocked\n"
        "columns. Only a value was set to null, or the row was dropped: `on_mismatch` of the stream says which.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
