/* schedule: when pipelines run by themselves, as the service will start them. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "os/clock.h"
#include "os/zone.h"
#include "service/cadence.h"

enum { JSON_MAX = 64 * 1024 * 1024, COUNT_MAX = 1000, COUNT_OF_ONE = 5 };

/* What is asked for. */
struct question {
    int64_t from_ms;
    size_t count; /* of runs per pipeline */
};

/* One run to come. */
struct coming {
    int64_t at_ms;
    const struct zone *zone;
    const char *const *streams; /* NULL: every stream */
    size_t stream_count;
};

static int read_question(const struct cli_context *cli, const struct arguments *arguments, struct question *question)
{
    struct err err = ERR_INIT;
    const char *from = argument_value(arguments, "--from", NULL), *count = argument_value(arguments, "--count", NULL);
    int64_t from_us = clock_wall_us(cli->clock), number = arguments->word_count ? COUNT_OF_ONE : 1;
    enum time_zone_mark mark;
    if (from && !time_parse_iso(str_from(from), &from_us, &mark)) {
        err_set(&err, ERR_CONFIG, "--from: '%s' is not a time", from);
        err_hint(&err, "write it as 2026-01-31T08:00:00Z");
    } else if (count && (!number_to_int64(str_from(count), &number) || number < 1 || number > COUNT_MAX)) {
        err_set(&err, ERR_CONFIG, "--count: expected a number from 1 to %d, got '%s'", COUNT_MAX, count);
    }
    *question = (struct question){from_us / 1000, (size_t)number};
    return err.class ? cli_failure(cli, NULL, &err) : 0;
}

/* Those that runs can be foretold of: a continuous one runs whenever it has ended. */
static struct cadences timed_cadences(const struct cadences *all, struct arena *arena)
{
    struct cadence *list = arena_array(arena, struct cadence, all->count);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].schedule.kind != SCHEDULE_CONTINUOUS) list[count++] = all->list[i];
    return (struct cadences){list, count};
}

static bool has_continuous(const struct cadences *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].schedule.kind == SCHEDULE_CONTINUOUS) return true;
    return false;
}

/* The streams of a run: none named where it is every one of the pipeline. */
static void name_streams(const struct cadences *timed, const struct due *due, bool is_all, struct arena *arena,
                         struct coming *coming)
{
    coming->streams = due->streams;
    coming->stream_count = due->stream_count;
    if (!due->is_whole || is_all) return;
    size_t count = 0;
    for (size_t i = 0; i < timed->count; i++) count += timed->list[i].stream_count;
    const char **streams = arena_array(arena, const char *, count + 1);
    coming->streams = streams;
    coming->stream_count = 0;
    for (size_t i = 0; i < timed->count; i++)
        for (size_t s = 0; s < timed->list[i].stream_count; s++) streams[coming->stream_count++] = timed->list[i].streams[s];
}

/* The next runs, as if each was started when it is due and took no time. */
static size_t foretell(const struct cadences *all, const struct question *question, struct arena *arena, struct coming *out)
{
    const struct cadences timed = timed_cadences(all, arena);
    int64_t *last_ms = arena_array(arena, int64_t, timed.count + 1), now_ms = question->from_ms;
    for (size_t i = 0; i < timed.count; i++) last_ms[i] = now_ms;
    size_t count = 0;
    while (count < question->count && cadences_next(&timed, last_ms, now_ms, &now_ms)) {
        struct due due;
        struct coming *coming = &out[count++];
        cadences_due(&timed, last_ms, now_ms, arena, &due);
        *coming = (struct coming){.at_ms = now_ms, .zone = timed.list[due.cadences[0]].schedule.zone};
        name_streams(&timed, &due, timed.count == all->count, arena, coming);
        for (size_t i = 0; i < due.cadence_count; i++) last_ms[due.cadences[i]] = now_ms;
    }
    return count;
}

/* --- for people ---------------------------------------------------------------------------------------------------------- */

static const char *stream_list(const struct coming *coming, struct arena *arena)
{
    if (!coming->streams) return "every stream";
    const char *text = coming->stream_count ? coming->streams[0] : "";
    for (size_t i = 1; i < coming->stream_count; i++) text = arena_printf(arena, "%s, %s", text, coming->streams[i]);
    return text;
}

static void print_text(const char *pipeline, const struct cadences *all, const struct coming *runs, size_t count,
                       struct arena *arena)
{
    static const char *const HEADER[] = {"runs at", "utc", "streams"};
    struct text_table table;
    for (size_t i = 0; i < all->count; i++) {
        const struct cadence *cadence = &all->list[i];
        printf("%s%s%s: %s", pipeline, cadence->stream ? "." : "", cadence->stream ? cadence->stream : "",
               cadence->schedule.text);
        if (cadence->schedule.zone != zone_utc()) printf(", %s", zone_name(cadence->schedule.zone));
        printf("\n");
    }
    if (count == 0) {
        if (!has_continuous(all)) printf("  never runs by itself\n");
        return;
    }
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, "");
    for (size_t i = 0; i < count; i++) {
        char local[TIME_TEXT_MAX], utc[TIME_TEXT_MAX];
        zone_write_iso(runs[i].zone, runs[i].at_ms, local);
        time_write_iso(runs[i].at_ms * 1000, utc);
        text_table_add(&table, arena_strdup(arena, local));
        text_table_add(&table, arena_strdup(arena, utc));
        text_table_add(&table, stream_list(&runs[i], arena));
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

/* --- for programs -------------------------------------------------------------------------------------------------------- */

static void write_cadence(struct json_writer *json, const struct cadence *cadence)
{
    json_open(json, '{');
    json_member(json, "stream"), json_cstr(json, cadence->stream);
    json_member(json, "schedule"), json_cstr(json, cadence->schedule.text);
    json_member(json, "timezone"), json_cstr(json, zone_name(cadence->schedule.zone));
    json_member(json, "jitter_ms"), json_int(json, cadence->schedule.jitter_ms);
    json_close(json, '}');
}

static void write_run(struct json_writer *json, const struct coming *run)
{
    char text[TIME_TEXT_MAX];
    json_open(json, '{');
    time_write_iso(run->at_ms * 1000, text);
    json_member(json, "at"), json_cstr(json, text);
    zone_write_iso(run->zone, run->at_ms, text);
    json_member(json, "local"), json_cstr(json, text);
    json_member(json, "timezone"), json_cstr(json, zone_name(run->zone));
    if (run->streams) {
        json_member(json, "streams");
        json_open(json, '[');
        for (size_t i = 0; i < run->stream_count; i++) json_cstr(json, run->streams[i]);
        json_close(json, ']');
    }
    json_close(json, '}');
}

static void write_pipeline(struct json_writer *json, const char *pipeline, const struct cadences *all,
                           const struct coming *runs, size_t count)
{
    json_open(json, '{');
    json_member(json, "pipeline"), json_cstr(json, pipeline);
    json_member(json, "schedules");
    json_open(json, '[');
    for (size_t i = 0; i < all->count; i++) write_cadence(json, &all->list[i]);
    json_close(json, ']');
    json_member(json, "runs");
    json_open(json, '[');
    for (size_t i = 0; i < count; i++) write_run(json, &runs[i]);
    json_close(json, ']');
    json_close(json, '}');
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

/* One pipeline: as text at once, as JSON (when `json` is given) into the list. */
static int show(struct cli_context *cli, const struct pipeline *pipeline, const struct question *question,
                struct json_writer *json)
{
    struct cadences cadences = {0};
    struct problems problems = PROBLEMS_INIT(&cli->arena);
    cadences_read(pipeline, &cli->arena, &cadences, &problems);
    if (problems.count) return cli_problems(cli, &problems);
    struct coming *runs = arena_array(&cli->arena, struct coming, question->count);
    size_t count = foretell(&cadences, question, &cli->arena, runs);
    if (json)
        write_pipeline(json, pipeline->name, &cadences, runs, count);
    else
        print_text(pipeline->name, &cadences, runs, count, &cli->arena);
    return 0;
}

static int show_all(struct cli_context *cli, const struct question *question, struct json_writer *json)
{
    int worst = 0;
    for (size_t i = 0; i < cli->project->pipeline_count; i++) {
        if (i && !json) printf("\n");
        int own = show(cli, &cli->project->pipelines[i], question, json);
        worst = worst ? worst : own;
    }
    return worst;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct question question = {0};
    struct buf out = BUF_INIT(JSON_MAX);
    struct json_writer list = JSON_WRITER(&out), *json = argument_is_set(arguments, "--json") ? &list : NULL;
    json_open(&list, '[');
    int code = cli_open(&cli, arguments, CLI_SERVICE, NULL);
    if (code == 0 && arguments->word_count) code = cli_find_pipeline(&cli, arguments->words[0], &cli.pipeline);
    if (code == 0) code = read_question(&cli, arguments, &question);
    if (code == 0) code = cli.pipeline ? show(&cli, cli.pipeline, &question, json) : show_all(&cli, &question, json);
    json_close(&list, ']');
    if (json && code == 0) printf("%s\n", buf_text(&out));
    buf_release(&out);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    {"--count", 0, "NUMBER", false, "how many runs of each pipeline, up to 1000 (default: 1; 5 of a pipeline that is named)"},
    {"--from", 0, "TIME", false, "the runs after this time (default: now)"},
    OPTION_JSON,
    OPTION_LOG_FORMAT,
};

const struct command COMMAND_SCHEDULE = {
    .name = "schedule",
    .usage = "[PIPELINE]",
    .summary = "when pipelines run by themselves",
    .details =
        "The next runs by the key `schedule` of a pipeline and of its streams, in the schedule's time zone and in UTC, and\n"
        "the streams of each. What is computed here is what the service does: the same on every machine.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 1,
    .run = run,
};
