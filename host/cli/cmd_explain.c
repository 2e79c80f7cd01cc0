/* explain: where the time of a run went, and what it waited for. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "cli/runs.h"
#include "sync/progress.h"

enum { LINE_MAX = 256 * 1024 };

/* What to do about what took the most of a stream's time. */
static const char *const ADVICE[SPENT_COUNT] = {
    [SPENT_SOURCE] = "the source's answers: larger pages, `pages.parallel` or windows (`step`) with a higher `concurrency` ask "
                     "for more at a time",
    [SPENT_WAITS + WAIT_RATE_LIMIT] =
        "the rate limit: raise `rate_limit` in the pipeline if the source's plan allows more, or load fewer streams",
    [SPENT_WAITS + WAIT_RETRY_AFTER] = "the source asked to wait (Retry-After): a lower `rate_limit` avoids being told so",
    [SPENT_WAITS + WAIT_BACKOFF] =
        "pauses before failed requests were sent again: look at the source's status, and at -v for what failed",
    [SPENT_WAITS + WAIT_BREAKER] = "the circuit breaker: the source failed request after request",
    [SPENT_WAITS + WAIT_JOB] = "jobs at the source, which were waited for",
    [SPENT_DECODE] = "reading and typing records: a Lua function per record is the usual reason; declare it instead (filter, "
                     "rename, flatten)",
    [SPENT_COMMIT] =
        "the destination: look at its disk and its load; fewer, larger commits (`commit.bytes`) and fewer columns help",
};

struct stream_time {
    const char *name;
    double total_ms, spent_ms[SPENT_COUNT];
};

static double number_of(const struct cJSON *json)
{
    double value = 0;
    return json_number(json, &value) ? value : 0;
}

static void read_stream(const struct cJSON *event, struct arena *arena, struct stream_time *stream)
{
    const char *name = json_string(json_get(event, "stream"));
    *stream = (struct stream_time){.name = arena_strdup(arena, name ? name : ""),
                                   .total_ms = number_of(json_get(event, "stream_ms"))};
    for (enum spent spent = 0; spent < SPENT_COUNT; spent++)
        stream->spent_ms[spent] = number_of(json_get(json_get(event, "spent_ms"), spent_name(spent)));
}

static const char *span(double ms, struct arena *arena)
{
    char text[TIME_TEXT_MAX];
    if (ms < 1) return "";
    time_write_span((int64_t)ms, text);
    return arena_strdup(arena, text);
}

/* What held the stream back the most. The reader is held back by the slower of those behind it. */
static enum spent most_of(const struct stream_time *stream)
{
    enum spent most = SPENT_SOURCE;
    for (enum spent spent = SPENT_WAITS; spent < SPENT_COUNT; spent++)
        if (stream->spent_ms[spent] > stream->spent_ms[most]) most = spent;
    if (stream->spent_ms[SPENT_BEHIND] <= stream->spent_ms[most]) return most;
    return stream->spent_ms[SPENT_DECODE] > stream->spent_ms[SPENT_COMMIT] ? SPENT_DECODE : SPENT_COMMIT;
}

/* One that is exploded from another has no time of its own. */
static bool has_time(const struct stream_time *stream)
{
    double sum = 0;
    for (enum spent spent = 0; spent < SPENT_COUNT; spent++) sum += stream->spent_ms[spent];
    return sum > 0;
}

static void print_advice(const struct stream_time *streams, size_t count)
{
    for (enum spent spent = 0; spent < SPENT_COUNT; spent++) {
        size_t found = 0;
        for (size_t s = 0; s < count; s++)
            if (has_time(&streams[s]) && most_of(&streams[s]) == spent) printf("%s%s", found++ ? ", " : "", streams[s].name);
        if (found) printf(": most by %s\n", ADVICE[spent]);
    }
}

static void print_streams(const struct stream_time *streams, size_t count, struct arena *arena)
{
    static const enum spent ORDER[] = {SPENT_SOURCE,
                                       SPENT_WAITS + WAIT_RATE_LIMIT,
                                       SPENT_WAITS + WAIT_RETRY_AFTER,
                                       SPENT_WAITS + WAIT_BACKOFF,
                                       SPENT_WAITS + WAIT_BREAKER,
                                       SPENT_WAITS + WAIT_JOB,
                                       SPENT_BEHIND,
                                       SPENT_DECODE,
                                       SPENT_COMMIT};
    const char *header[2 + ARRAY_SIZE(ORDER)] = {"stream", "time"};
    size_t hidden[ARRAY_SIZE(ORDER)];
    struct text_table table;
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
        header[2 + i] = ORDER[i] == SPENT_BEHIND ? "held back" : spent_name(ORDER[i]);
        hidden[i] = 2 + i;
    }
    text_table_init(&table, ARRAY_SIZE(header), header, "lrrrrrrrrrr");
    for (size_t s = 0; s < count; s++) {
        text_table_add(&table, streams[s].name);
        text_table_add(&table, span(streams[s].total_ms, arena));
        for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) text_table_add(&table, span(streams[s].spent_ms[ORDER[i]], arena));
    }
    text_table_hide_empty(&table, hidden, ARRAY_SIZE(hidden));
    text_table_print(&table, stdout);
    text_table_release(&table);
    print_advice(streams, count);
}

static void print_end(const struct cJSON *event)
{
    char elapsed[TIME_TEXT_MAX];
    const char *at = json_string(json_get(event, "at"));
    time_write_span((int64_t)number_of(json_get(event, "elapsed_ms")), elapsed);
    printf("\nended %s with exit code %.0f after %s, with %.0f requests and %.0f retries\n", at ? at : "",
           number_of(json_get(event, "exit_code")), elapsed, number_of(json_get(event, "requests")),
           number_of(json_get(event, "retries")));
    double resume_at = number_of(json_get(event, "resume_at"));
    char until[TIME_TEXT_MAX];
    if (resume_at > 0)
        printf("nothing is to be had before %.*s\n", (int)time_write_iso((int64_t)resume_at * 1000000, until), until);
}

static void explain(struct str events, struct arena *arena)
{
    struct str line;
    size_t count = 0, room = 1;
    for (size_t i = 0; i < events.size; i++) room += events.data[i] == '\n';
    struct stream_time *streams = arena_array(arena, struct stream_time, room);
    struct cJSON *end = NULL, *json;
    struct err ignored = ERR_INIT;
    while (str_next(&events, '\n', &line)) {
        if (json_parse(line, LINE_MAX, &json, &ignored) != 0) continue;
        const char *kind = json_string(json_get(json, "event"));
        bool is_end = kind && strcmp(kind, "sync_ended") == 0;
        if (kind && strcmp(kind, "stream_ended") == 0) read_stream(json, arena, &streams[count++]);
        if (is_end) json_free(end);
        if (is_end)
            end = json;
        else
            json_free(json);
    }
    print_streams(streams, count, arena);
    if (end) print_end(end);
    json_free(end);
}

static int show(struct cli_context *cli, const struct arguments *arguments, struct arena *arena, struct err *err)
{
    const char *folder = argument_value(arguments, "--state-dir", NULL), *name = argument_value(arguments, "--run", NULL);
    const char *const *names;
    size_t count;
    int rc = runs_list(folder, cli->pipeline->name, arena, &names, &count, err);
    if (rc) return rc;
    if (argument_is_set(arguments, "--list")) {
        for (size_t i = 0; i < count; i++) printf("%s\n", names[i]);
        return 0;
    }
    if (!name && count == 0) {
        err_set(err, ERR_CONFIG, "no run of pipeline '%s' is kept on this machine", cli->pipeline->name);
        return err_hint(err, "sluice run %s; runs are kept in the state directory (--state-dir)", cli->pipeline->name);
    }
    struct buf events = BUF_INIT(RUN_MAX_BYTES);
    rc = runs_read(folder, cli->pipeline->name, name ? name : names[0], &events, err);
    if (rc == 0 && argument_is_set(arguments, "--json"))
        fwrite(events.data, 1, events.size, stdout);
    else if (rc == 0)
        explain(buf_str(&events), arena);
    buf_release(&events);
    return rc;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count ? arguments->words[0] : NULL);
    if (code == 0 && show(&cli, arguments, &arena, &err) != 0) code = cli_failure(&cli, cli.pipeline->name, &err);
    arena_release(&arena);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    {"--run", 0, "NAME", false, "which run, as --list names it (default: the last one)"},
    {"--list", 0, NULL, false, "the runs that are kept, the newest first"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_STATE_DIR,
};

const struct command COMMAND_EXPLAIN = {
    .name = "explain",
    .usage = "[PIPELINE]",
    .summary = "where the time of a run went, and what it waited for",
    .details =
        "Per stream: how long it waited for the source's answers, for rate limits and retries, how long it was held back by\n"
        "what comes behind (reading records, the destination), and what to do about the largest part. Several slices add\n"
        "up. The last 20 runs of a pipeline are kept in the state directory of the machine they ran on.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
