/* usage: monthly active rows of each table, by both readings that vendors bill by. */
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
#include "writer/writer.h"

enum { JSON_MAX = 64 * 1024 * 1024 };

/* What is shown, while destinations are asked one after the other. */
struct report {
    const char *month; /* "2026-11-01" */
    bool as_json;
    struct text_table table;
    struct buf text;
    struct json_writer json;
};

static void report_begin(struct report *report)
{
    static const char *const HEADER[] = {"destination", "table", "active rows", "changes", "written by"};
    report->text = BUF_INIT(JSON_MAX);
    report->json = JSON_WRITER(&report->text);
    if (report->as_json)
        json_open(&report->json, '[');
    else
        text_table_init(&report->table, ARRAY_SIZE(HEADER), HEADER, "active rows changes");
}

static void report_row(struct report *report, const char *destination, const struct usage_row *row)
{
    struct json_writer *json = &report->json;
    if (!report->as_json) {
        text_table_add(&report->table, destination);
        text_table_add(&report->table, row->table);
        if (row->active < 0)
            text_table_add(&report->table, "not known");
        else
            text_table_number(&report->table, (uint64_t)row->active);
        text_table_number(&report->table, (uint64_t)row->changes);
        text_table_add(&report->table, row->pipelines);
        return;
    }
    json_open(json, '{');
    json_member(json, "month"), json_text(json, (struct str){report->month, strlen("2026-11")});
    json_member(json, "destination"), json_cstr(json, destination);
    json_member(json, "table"), json_cstr(json, row->table);
    json_member(json, "pipelines"), json_cstr(json, row->pipelines);
    json_member(json, "active_rows");
    if (row->active < 0)
        json_raw(json, STR("null"));
    else
        json_int(json, row->active);
    json_member(json, "changes"), json_int(json, row->changes);
    json_close(json, '}');
}

static void report_end(struct report *report)
{
    if (report->as_json) {
        json_close(&report->json, ']');
        printf("%s\n", buf_text(&report->text));
    } else {
        text_table_print(&report->table, stdout);
        text_table_release(&report->table);
    }
    buf_release(&report->text);
}

static int ask(struct cli_context *cli, struct report *report, struct err *err)
{
    const struct pipeline *pipeline = cli->pipeline;
    struct destination *destination;
    struct usage_row *rows;
    size_t count;
    if (!pipeline->writer->usage) {
        log_info(cli->log, "destination '%s' (%s) does not count rows", pipeline->destination, pipeline->writer->name);
        return 0;
    }
    int rc = cli_look(cli, &destination, err);
    if (rc) return rc;
    rc = pipeline->writer->usage(destination, report->month, &cli->arena, &rows, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) report_row(report, pipeline->destination, &rows[i]);
    pipeline->writer->close(destination);
    return rc;
}

static int ask_for(const struct arguments *arguments, const char *pipeline, struct report *report)
{
    struct cli_context cli;
    struct err err = ERR_INIT;
    int code = cli_open(&cli, arguments, CLI_PIPELINE, pipeline);
    if (code == 0 && ask(&cli, report, &err) != 0) code = cli_failure(&cli, cli.pipeline->destination, &err);
    cli_close(&cli);
    return code;
}

/* The first pipeline of each destination stands for all. */
static bool is_first_of(const struct project *project, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(project->pipelines[i].destination, project->pipelines[at].destination) == 0) return false;
    return true;
}

/* "2026-11" as the first of its days; false when it is none. */
static bool read_month(const char *text, int64_t now_us, char month[sizeof "2026-11-01"])
{
    char iso[TIME_TEXT_MAX];
    int64_t days;
    time_write_iso(now_us, iso);
    if (strlen(text) != strlen("2026-11") && text[0]) return false;
    snprintf(month, sizeof "2026-11-01", "%.7s-01", text[0] ? text : iso);
    return time_parse_date(str_from(month), &days);
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    char month[sizeof "2026-11-01"];
    struct report report = {.month = month, .as_json = argument_is_set(arguments, "--json")};
    const char *wanted = argument_value(arguments, "--month", "");
    int code = cli_open(&cli, arguments, CLI_PROJECT, NULL);
    if (code == 0 && !read_month(wanted, clock_wall_us(cli.clock), month)) {
        fprintf(stderr, "sluice usage: '%s' is no month; write it like 2026-11\n", wanted);
        code = 2;
    }
    if (code == 0) {
        report_begin(&report);
        for (size_t i = 0; code == 0 && i < cli.project->pipeline_count; i++)
            if (is_first_of(cli.project, i)) code = ask_for(arguments, cli.project->pipelines[i].name, &report);
        report_end(&report);
    }
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE, {"--month", 0, "YYYY-MM", false, "of UTC; default: this one"}, OPTION_JSON, OPTION_LOG_FORMAT, OPTION_VERBOSE,
};

const struct command COMMAND_USAGE = {
    .name = "usage",
    .usage = "",
    .summary = "how many rows of each table were active in a month",
    .details =
        "Every table of the destinations that was written to, whichever pipeline it was. Active rows: those that were\n"
        "inserted, changed or deleted, each counted once, by its key; rows without a key are each their own. Changes: every\n"
        "time counts. A row that came again as it was is neither. A table that is overwritten is written anew by each sync:\n"
        "its active rows are those that it has, its changes the rows that were written.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .run = run,
};
