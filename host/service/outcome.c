/* outcome: see outcome.h. */
#include "service/outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "service/child.h"

static const char *text_of(const struct cJSON *json, const char *key)
{
    const char *text = json_string(json_get(json, key));
    return text ? text : "";
}

static uint64_t count_of(const struct cJSON *json, const char *key)
{
    double number;
    return json_number(json_get(json, key), &number) && number > 0 ? (uint64_t)number : 0;
}

static void take_error(struct outcome *outcome, const struct cJSON *event)
{
    const struct cJSON *error = json_get(event, "error");
    const struct err_class_info *class = err_class_named(text_of(error, "class"));
    if (!error || !class) return;
    outcome->heals = outcome->heals || class->heals;
    if (outcome->error_class[0]) return;
    const char *stream = text_of(event, "stream");
    snprintf(outcome->error_class, sizeof outcome->error_class, "%s", class->name);
    snprintf(outcome->error, sizeof outcome->error, "%.100s%s%.1024s", stream, stream[0] ? ": " : "",
             text_of(error, "message"));
    snprintf(outcome->hint, sizeof outcome->hint, "%s", text_of(error, "hint"));
}

static enum line_kind kind_of(struct outcome *outcome, const struct cJSON *json)
{
    const char *event = text_of(json, "event"), *level = text_of(json, "level");
    if (strcmp(event, "progress") == 0) {
        snprintf(outcome->stream, sizeof outcome->stream, "%s", text_of(json, "stream"));
        return LINE_PROGRESS;
    }
    if (strcmp(level, "warn") == 0 || strcmp(level, "error") == 0) return LINE_KEPT;
    return event[0] && strcmp(event, "load") != 0 ? LINE_KEPT : LINE_DROPPED;
}

enum line_kind outcome_take(struct outcome *outcome, struct str line)
{
    struct err ignored = ERR_INIT;
    struct cJSON *json;
    double resume_at;
    if (json_parse(line, CHILD_LINE_MAX, &json, &ignored) != 0) return LINE_DROPPED;
    if (strcmp(text_of(json, "event"), "stream_ended") == 0) {
        outcome->records += count_of(json, "emitted");
        outcome->written += count_of(json, "written");
        outcome->rejected += count_of(json, "rejected");
    }
    if (json_number(json_get(json, "resume_at"), &resume_at)) outcome->resume_at_ms = (int64_t)resume_at * 1000;
    take_error(outcome, json);
    enum line_kind kind = kind_of(outcome, json);
    json_free(json);
    return kind;
}

bool outcome_stream(struct str line, struct outcome_stream *out)
{
    struct err ignored = ERR_INIT;
    struct cJSON *json;
    if (json_parse(line, CHILD_LINE_MAX, &json, &ignored) != 0) return false;
    bool is_one = strcmp(text_of(json, "event"), "stream_ended") == 0;
    const char *columns = text_of(json, "new_columns");
    uint64_t overflowed = count_of(json, "overflowed");
    snprintf(out->stream, sizeof out->stream, "%s", text_of(json, "stream"));
    out->went_well = strcmp(text_of(json, "status"), "done") == 0;
    int size = snprintf(out->changes, sizeof out->changes, "%s%s", columns[0] ? "new columns: " : "", columns);
    if (overflowed && size >= 0 && (size_t)size < sizeof out->changes)
        snprintf(out->changes + size, sizeof out->changes - (size_t)size, "%s%llu values of another type than their column",
                 size ? "; " : "", (unsigned long long)overflowed);
    json_free(json);
    return is_one;
}

void outcome_close(struct outcome *outcome, const struct process_end *end)
{
    char text[PROCESS_END_TEXT_MAX];
    if (!end->by_signal) return;
    outcome->heals =
        true; /* killed from outside: memory ran out, or somebody did it; the next try goes on from what is stored */
    if (outcome->error_class[0]) return;
    snprintf(outcome->error_class, sizeof outcome->error_class, "transient");
    snprintf(outcome->error, sizeof outcome->error, "the sync's process ended by %s", process_end_text(end, text));
    snprintf(outcome->hint, sizeof outcome->hint, "when it was the kernel for lack of memory, `dmesg` says so");
}

int64_t outcome_retry_ms(const struct outcome *outcome, const struct retry_rule *rule, int attempt, uint64_t seed,
                         int64_t now_ms)
{
    if (!outcome->heals || attempt >= rule->tries) return 0;
    int64_t wait = rule->first_ms;
    for (int i = 1; i < attempt && wait < rule->longest_ms; i++) wait *= 2;
    if (wait > rule->longest_ms) wait = rule->longest_ms;
    wait -= (int64_t)(seed % 1000) * wait / 5000;
    if (outcome->resume_at_ms - now_ms > wait) wait = outcome->resume_at_ms - now_ms;
    return wait > 0 ? wait : 1;
}
