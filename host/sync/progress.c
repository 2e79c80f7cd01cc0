/* progress: see progress.h. */
#include "sync/progress.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "net/client.h"

const char *stream_status_name(enum stream_status status)
{
    static const char *const NAMES[] = {"waiting", "running", "done", "stopped", "failed", "skipped"};
    return NAMES[status];
}

static void write_counts(struct json_writer *json, const struct load_counts *counts)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"emitted", counts->emitted},           {"written", counts->written},   {"unchanged", counts->unchanged},
        {"deduplicated", counts->deduplicated}, {"rejected", counts->rejected}, {"discarded", counts->discarded},
        {"deleted", counts->deleted},           {"repaired", counts->repaired}, {"nulled", counts->nulled},
        {"overflowed", counts->overflowed},     {"bytes", counts->bytes},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_member(json, rows[i].name);
        json_int(json, (int64_t)rows[i].value);
    }
}

static void write_error(struct json_writer *json, const struct err *err)
{
    if (!err || !err->class) return;
    json_member(json, "error");
    json_open(json, '{');
    json_member(json, "class");
    json_cstr(json, err_class_info(err->class)->name);
    json_member(json, "message");
    json_cstr(json, err->message);
    json_member(json, "hint");
    json_cstr(json, err_hint_text(err));
    json_close(json, '}');
}

static void write_stream(struct json_writer *json, const struct stream_progress *stream)
{
    json_member(json, "stream");
    json_cstr(json, stream->name);
    json_member(json, "mode");
    json_cstr(json, stream->mode);
    json_member(json, "status");
    json_cstr(json, stream_status_name((enum stream_status)atomic_load(&stream->status)));
    json_member(json, "pages");
    json_int(json, (int64_t)atomic_load(&stream->pages));
    json_member(json, "loads");
    json_int(json, (int64_t)atomic_load(&stream->loads));
}

const char *spent_name(enum spent spent)
{
    static const char *const NAMES[] = {
        [SPENT_SOURCE] = "source", [SPENT_BEHIND] = "behind", [SPENT_DECODE] = "decode", [SPENT_COMMIT] = "commit"};
    return spent < SPENT_WAITS ? NAMES[spent] : WAIT_NAMES[spent - SPENT_WAITS];
}

static void write_spent(struct json_writer *json, const struct stream_progress *stream)
{
    json_member(json, "spent_ms");
    json_open(json, '{');
    for (enum spent spent = 0; spent < SPENT_COUNT; spent++) {
        int64_t ms = atomic_load(&stream->spent_ms[spent]);
        if (ms == 0) continue;
        json_member(json, spent_name(spent));
        json_int(json, ms);
    }
    json_close(json, '}');
}

static void write_sync_end(struct json_writer *json, const struct sync_event *event)
{
    json_member(json, "exit_code");
    json_int(json, event->exit_code);
    if (event->resume_at) {
        json_member(json, "resume_at");
        json_int(json, event->resume_at);
    }
    const struct client_counters *http = event->progress->http;
    if (http) {
        json_member(json, "requests");
        json_int(json, (int64_t)http->requests);
        json_member(json, "retries");
        json_int(json, (int64_t)http->retries);
    }
    write_error(json, event->err);
}

void sync_event_to_json(const struct sync_event *event, struct buf *out)
{
    static const char *const NAMES[] = {"sync_started", "stream_started", "load", "stream_ended", "sync_ended"};
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    json_member(&json, "event");
    json_cstr(&json, NAMES[event->kind]);
    json_member(&json, "pipeline");
    json_cstr(&json, event->progress->pipeline);
    if (event->stream) write_stream(&json, event->stream);
    if (event->kind == EVENT_LOAD) write_counts(&json, event->load);
    if (event->kind == EVENT_STREAM_ENDED) {
        write_counts(&json, &event->stream->totals);
        if (event->stream->cursor[0]) {
            json_member(&json, "cursor");
            json_cstr(&json, event->stream->cursor);
        }
        json_member(&json, "target");
        json_cstr(&json, event->stream->target);
        json_member(&json, "stream_ms");
        json_int(&json, atomic_load(&event->stream->ended_ms) - atomic_load(&event->stream->started_ms));
        write_spent(&json, event->stream);
        if (event->stream->new_columns[0]) {
            json_member(&json, "new_columns");
            json_cstr(&json, event->stream->new_columns);
        }
        if (event->stream->more_left) {
            json_member(&json, "more_left");
            json_bool(&json, true);
        }
        if (!event->stream->shares_err) write_error(&json, &event->stream->err);
    }
    if (event->kind == EVENT_SYNC_ENDED) write_sync_end(&json, event);
    char at[TIME_TEXT_MAX];
    json_member(&json, "at");
    json_text(&json, (struct str){at, time_write_iso(event->at_us / 1000 * 1000, at)});
    json_member(&json, "elapsed_ms");
    json_int(&json, event->elapsed_ms);
    json_close(&json, '}');
}
