/* report: see report.h. */
#include "cli/report.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/print.h"

static const char *class_name(enum err_class class)
{
    return err_class_info(class)->name;
}

static void report_error(struct log *log, const char *where, const struct cJSON *error, bool interrupted)
{
    const char *class = json_string(json_get(error, "class"));
    const char *message = json_string(json_get(error, "message"));
    const char *hint = json_string(json_get(error, "hint"));
    if (!class || !message) return;
    if (interrupted && strcmp(class, class_name(ERR_CANCELLED)) == 0) return;
    log_error(log, "%s: %s: %s%s%s", class, where, message, hint && hint[0] ? "; " : "", hint ? hint : "");
}

/* Counts of a stream that its user should hear of, since the rows do not show them. */
static const struct {
    const char *key, *one, *many, *what;
} LOSSES[] = {
    {"rejected", "record was", "records were",
     "rejected; the reasons are in _sluice.rejects, of CSV files in .sluice/PIPELINE/STREAM/rejects"},
    {"nulled", "value", "values", "did not fit the declared type and became null"},
    {"overflowed", "value", "values", "did not fit the column's type and went to _sluice_overflow"},
    {"repaired", "text", "texts", "had bytes that are no UTF-8, now U+FFFD"},
};

static uint64_t count_of(const struct cJSON *event, const char *key)
{
    double value = 0;
    return json_number(json_get(event, key), &value) && value > 0 ? (uint64_t)value : 0;
}

static void report_stream(struct log *log, const char *where, const struct cJSON *event)
{
    const char *status = json_string(json_get(event, "status"));
    char text[32];
    uint64_t records = count_of(event, "emitted");
    print_grouped(records, text);
    log_info(log, "%s: %s record%s, %s", where, text, records == 1 ? "" : "s", status ? status : "ended");
    for (size_t i = 0; i < ARRAY_SIZE(LOSSES); i++) {
        uint64_t lost = count_of(event, LOSSES[i].key);
        if (lost == 0) continue;
        print_grouped(lost, text);
        log_warn(log, "%s: %s %s %s", where, text, lost == 1 ? LOSSES[i].one : LOSSES[i].many, LOSSES[i].what);
    }
}

void report_event(struct log *log, const char *pipeline, const struct cJSON *event, bool interrupted)
{
    char where[512];
    const char *stream = json_string(json_get(event, "stream"));
    const char *kind = json_string(json_get(event, "event"));
    const struct cJSON *error = json_get(event, "error");
    snprintf(where, sizeof where, "%s%s%s", pipeline, stream ? "." : "", stream ? stream : "");
    const char *status = json_string(json_get(event, "status"));
    if (error && status && strcmp(status, "skipped") == 0)
        log_warn(log, "%s: skipped: %s", where, json_string(json_get(error, "message")));
    else if (error)
        report_error(log, where, error, interrupted);
    else if (kind && strcmp(kind, "stream_ended") == 0)
        report_stream(log, where, event);
}

void report_interrupted(struct log *log, const char *pipeline)
{
    log_error(log, "%s: %s%sinterrupted; the next run goes on from the last committed rows", class_name(ERR_CANCELLED),
              pipeline ? pipeline : "", pipeline ? ": " : "");
}
