/* logs: what the service's syncs told, from its store; with --follow as it is told. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "service/service.h"
#include "service/store.h"

enum {
    LINES_DEFAULT = 100,
    LINES_MAX = 100000,
    LOOK_AGAIN_MS = 1000,
    EVENT_MAX_BYTES = 256 * 1024,
    LINE_MAX_BYTES = 512 * 1024
};

static int64_t number_of(const struct cJSON *event, const char *key)
{
    double value = 0;
    return json_number(json_get(event, key), &value) ? (int64_t)value : 0;
}

static void append_stream_end(struct buf *out, const struct cJSON *event)
{
    char text[32];
    const struct cJSON *error = json_get(event, "error");
    const char *status = json_string(json_get(event, "status")), *hint = json_string(json_get(error, "hint"));
    print_grouped((uint64_t)number_of(event, "written"), text);
    buf_printf(out, "%s: %s rows written", status ? status : "ended", text);
    if (number_of(event, "rejected")) {
        print_grouped((uint64_t)number_of(event, "rejected"), text);
        buf_printf(out, ", %s rejected", text);
    }
    const char *class = json_string(json_get(error, "class")), *message = json_string(json_get(error, "message"));
    if (class && message) buf_printf(out, "; %s: %s%s%s", class, message, hint ? "; " : "", hint ? hint : "");
}

/* An event in words; one that is not known here as it is. */
static void append_words(struct buf *out, const char *json, const struct cJSON *event)
{
    const char *kind = json_string(json_get(event, "event")), *stream = json_string(json_get(event, "stream"));
    const char *message = json_string(json_get(event, "message"));
    if (stream) buf_printf(out, "%s ", stream);
    if (kind && strcmp(kind, "sync_started") == 0) {
        buf_append_text(out, "the sync begins");
    } else if (kind && strcmp(kind, "sync_ended") == 0) {
        char span[TIME_TEXT_MAX];
        time_write_span(number_of(event, "elapsed_ms"), span);
        buf_printf(out, "the sync ended after %s, exit code %lld", span, (long long)number_of(event, "exit_code"));
    } else if (kind && strcmp(kind, "stream_started") == 0) {
        const char *mode = json_string(json_get(event, "mode"));
        buf_printf(out, "begins: %s", mode ? mode : "");
    } else if (kind && strcmp(kind, "stream_ended") == 0) {
        append_stream_end(out, event);
    } else {
        buf_append_text(out, message ? message : json);
    }
}

static void print_line(const struct log_line *line, bool as_json)
{
    char at[TIME_TEXT_MAX];
    struct buf out = BUF_INIT(LINE_MAX_BYTES);
    struct cJSON *event = NULL;
    struct err ignored = ERR_INIT;
    time_write_iso(line->at_ms * 1000, at);
    if (as_json) {
        struct json_writer json = JSON_WRITER(&out);
        json_open(&json, '{');
        json_member(&json, "at"), json_cstr(&json, at);
        json_member(&json, "pipeline"), json_cstr(&json, line->pipeline);
        json_member(&json, "job"), json_int(&json, line->job);
        json_member(&json, "data"), json_raw(&json, str_from(line->json));
        json_close(&json, '}');
    } else if (json_parse(str_from(line->json), EVENT_MAX_BYTES, &event, &ignored) == 0) {
        buf_printf(&out, "%s  %s #%lld  ", at, line->pipeline, (long long)line->job);
        append_words(&out, line->json, event);
    }
    printf("%s\n", buf_text(&out));
    json_free(event);
    buf_release(&out);
}

/* What there is, and with --follow what comes, until it is stopped. */
static int show(struct cli_context *cli, const struct arguments *arguments, struct store *store, struct log_filter *filter,
                struct err *err)
{
    bool follows = argument_is_set(arguments, "--follow"), as_json = argument_is_set(arguments, "--json");
    for (;;) {
        struct arena arena = ARENA_INIT(0);
        struct log_line *lines;
        size_t count;
        int rc = store_lines(store, filter, &arena, &lines, &count, err);
        for (size_t i = 0; i < count; i++) print_line(&lines[i], as_json);
        if (count)
            filter->after =
                (struct log_line){lines[count - 1].at_ms, lines[count - 1].job, lines[count - 1].number, NULL, NULL};
        if (count == 0 && filter->after.at_ms == 0) filter->after.at_ms = 1; /* nothing was told yet: everything is new */
        arena_release(&arena);
        fflush(stdout);
        if (rc || !follows) return rc;
        if (!clock_sleep_ms(cli->clock, LOOK_AGAIN_MS, cli->cancel)) return 0;
    }
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    int64_t job = 0, limit = LINES_DEFAULT;
    if (!argument_number(arguments, "--job", 1, INT64_MAX, &job) ||
        !argument_number(arguments, "--lines", 1, LINES_MAX, &limit))
        return 2;
    int code = cli_open(&cli, arguments, CLI_SERVICE, NULL);
    const struct pipeline *known;
    if (code == 0 && arguments->word_count) code = cli_find_pipeline(&cli, arguments->words[0], &known);
    const struct service_options options = {.file = cli.file,
                                            .state_folder = argument_value(arguments, "--state-dir", NULL),
                                            .store = argument_value(arguments, "--store", NULL)};
    struct sql_settings settings = {.cancel = cli.cancel, .secrets = cli.secrets};
    struct log_filter filter = {
        .pipeline = arguments->word_count ? arguments->words[0] : NULL, .job = job, .limit = (size_t)limit};
    if (code == 0) {
        int rc = service_store_url(&options, &cli.arena, &settings.url, &err);
        if (rc == 0) rc = store_open(&settings, &store, &err);
        if (rc == 0) rc = show(&cli, arguments, store, &filter, &err);
        if (rc) code = cli_failure(&cli, NULL, &err);
    }
    store_close(store);
    cli_close(&cli);
    return code;
}

/* -f is what people type to follow a log; the file has only its long name here. */
static const struct cli_option OPTIONS[] = {
    {"--file", 0, "FILE", false, "configuration to use (default: sluice.yaml)"},
    OPTION_STORE,
    {"--job", 0, "NUMBER", false, "only of this job"},
    {"--lines", 'n', "NUMBER", false, "the newest so many (default: 100)"},
    {"--follow", 'f', NULL, false, "go on with what is told from now on, until it is stopped"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_STATE_DIR,
};

const struct command COMMAND_LOGS = {
    .name = "logs",
    .usage = "[PIPELINE]",
    .summary = "what the service's syncs told",
    .details = "Reads the service's store (see `sluice serve`); the service need not run. Times are in UTC.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
