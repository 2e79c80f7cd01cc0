/* status: the pipelines as the service sees them: what they did last, what they do now, what is next. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/print.h"
#include "os/clock.h"
#include "service/roster.h"
#include "service/service.h"
#include "service/store.h"
#include "service/view.h"

static const struct job *newest(const struct pipeline_view *view)
{
    return view->job_count ? &view->jobs[0] : NULL;
}

/* "3m ago", "in 12m", "now". */
static const char *distance(int64_t at_ms, int64_t now_ms, struct arena *arena)
{
    char text[TIME_TEXT_MAX];
    if (at_ms == 0) return "";
    int64_t away = at_ms > now_ms ? at_ms - now_ms : now_ms - at_ms;
    if (at_ms <= now_ms && away < 1000) return "now";
    time_write_span(away / 1000 * 1000, text);
    return arena_printf(arena, at_ms > now_ms ? "in %s" : "%s ago", text);
}

static const char *duration(const struct job *job, int64_t now_ms, struct arena *arena)
{
    char text[TIME_TEXT_MAX];
    if (!job || !job->started_ms) return "";
    time_write_span((job->ended_ms ? job->ended_ms : now_ms) - job->started_ms, text);
    return arena_strdup(arena, text);
}

static const char *next_text(const struct pipeline_view *view, int64_t now_ms, struct arena *arena)
{
    const struct job *job = newest(view);
    if (job && strcmp(job->status, "queued") == 0) return distance(job->not_before_ms, now_ms, arena);
    if (job && strcmp(job->status, "running") == 0) return "";
    return view->next_ms && view->next_ms <= now_ms ? "due" : distance(view->next_ms, now_ms, arena);
}

static void print_text(const struct pipeline_view *views, size_t count, int64_t now_ms, struct arena *arena)
{
    static const char *const HEADER[] = {"pipeline", "schedule", "status", "last", "took",
                                         "records",  "written",  "next",   "error"};
    struct text_table table;
    text_table_init(&table, ARRAY_SIZE(HEADER), HEADER, "records written");
    table.max_width = 60;
    for (size_t i = 0; i < count; i++) {
        const struct job *job = newest(&views[i]);
        text_table_add(&table, views[i].entry->pipeline->name);
        text_table_add(&table, view_schedule(&views[i]));
        text_table_add(&table, view_status(&views[i]));
        text_table_add(&table, job ? distance(job->ended_ms ? job->ended_ms : job->started_ms, now_ms, arena) : "");
        text_table_add(&table, duration(job, now_ms, arena));
        text_table_number(&table, job ? job->records : 0);
        text_table_number(&table, job ? job->written : 0);
        text_table_add(&table, next_text(&views[i], now_ms, arena));
        text_table_add(&table, job ? job->error : NULL);
    }
    text_table_print(&table, stdout);
    text_table_release(&table);
}

static void print_json(const struct pipeline_view *views, size_t count)
{
    struct buf text = BUF_INIT(64 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&text);
    json_open(&json, '[');
    for (size_t i = 0; i < count; i++) view_write_pipeline(&json, &views[i]);
    json_close(&json, ']');
    printf("%s\n", buf_text(&text));
    buf_release(&text);
}

/* What the service's monitors found; nothing when all is well. */
static int print_alerts(struct cli_context *cli, struct store *store, struct err *err)
{
    struct alert *alerts;
    size_t count;
    int rc = store_alerts(store, &cli->arena, &alerts, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (alerts[i].ended_ms == 0)
            printf("%s%s: %s: %s\n", i ? "" : "\n", alerts[i].kind, alerts[i].pipeline, alerts[i].text);
    return rc;
}

static int look_at_all(struct cli_context *cli, const struct arguments *arguments, struct roster *roster, struct store *store,
                       struct err *err)
{
    size_t count;
    int64_t now_ms;
    struct roster_pipeline *list = roster_list(roster, &count);
    struct pipeline_view *views = arena_array(&cli->arena, struct pipeline_view, count + 1);
    int rc = store_now(store, &now_ms, err);
    for (size_t i = 0; rc == 0 && i < count; i++) rc = view_pipeline(store, &list[i], now_ms, 1, &cli->arena, &views[i], err);
    if (rc) return rc;
    if (argument_is_set(arguments, "--json"))
        print_json(views, count);
    else
        print_text(views, count, now_ms, &cli->arena);
    return argument_is_set(arguments, "--json") ? 0 : print_alerts(cli, store, err);
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct err err = ERR_INIT;
    struct problems problems;
    struct store *store = NULL;
    int code = cli_open(&cli, arguments, CLI_SERVICE, NULL), rc = 0;
    const struct service_options options = {.file = cli.file,
                                            .state_folder = argument_value(arguments, "--state-dir", NULL),
                                            .store = argument_value(arguments, "--store", NULL)};
    struct sql_settings settings = {.cancel = cli.cancel, .secrets = cli.secrets};
    struct roster *roster = roster_new(cli.file);
    if (code == 0 && !roster_read(roster, true, &problems)) code = cli_problems(&cli, &problems);
    if (code == 0) {
        rc = service_store_url(&options, &cli.arena, &settings.url, &err);
        if (rc == 0) rc = store_open(&settings, &store, &err);
        if (rc == 0) rc = look_at_all(&cli, arguments, roster, store, &err);
        if (rc) code = cli_failure(&cli, NULL, &err);
    }
    store_close(store);
    roster_free(roster);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE, OPTION_STORE, OPTION_JSON, OPTION_LOG_FORMAT, OPTION_STATE_DIR,
};

const struct command COMMAND_STATUS = {
    .name = "status",
    .usage = "",
    .summary = "what the service's pipelines did last, do now, and do next",
    .details = "Reads the service's store (see `sluice serve`); the service need not run.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .max_words = 0,
    .run = run,
};
