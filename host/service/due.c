/* due: which pipelines' schedules have come, as jobs in the queue. See service.h. */
#include "base/buf.h"
#include "base/json.h"
#include "service/hooks.h"
#include "service/service_parts.h"

enum { AGAIN_MS = 10000 /* between the beginnings of two runs of a continuous pipeline, at least */ };

static const char *due_streams(struct service *service, const struct due *due)
{
    if (due->is_whole) return NULL;
    struct buf text = BUF_INIT(1024 * 1024);
    struct json_writer json = JSON_WRITER(&text);
    json_open(&json, '[');
    for (size_t i = 0; i < due->stream_count; i++) json_cstr(&json, due->streams[i]);
    json_close(&json, ']');
    const char *streams = arena_text(&service->turn, buf_str(&text));
    buf_release(&text);
    return streams;
}

/* When its next run is, by the records: `now_ms` or later; INT64_MAX when never. */
static int64_t next_run_ms(struct service *service, const struct roster_pipeline *entry, int64_t now)
{
    int64_t *last_ms = arena_array(&service->turn, int64_t, entry->cadences.count), at_ms;
    for (size_t i = 0; i < entry->cadences.count; i++) last_ms[i] = entry->records[i].last_ms;
    return cadences_next(&entry->cadences, last_ms, now, &at_ms) ? at_ms : INT64_MAX;
}

static int queue_due(struct service *service, struct roster_pipeline *entry, int64_t at_ms, struct err *err)
{
    struct due due;
    int64_t *last_ms = arena_array(&service->turn, int64_t, entry->cadences.count), job;
    for (size_t i = 0; i < entry->cadences.count; i++) last_ms[i] = entry->records[i].last_ms;
    cadences_due(&entry->cadences, last_ms, at_ms, &service->turn, &due);
    if (due.cadence_count == 0) return 0;
    struct cadence_record *moved = arena_array(&service->turn, struct cadence_record, due.cadence_count);
    for (size_t i = 0; i < due.cadence_count; i++) moved[i] = entry->records[due.cadences[i]];
    int rc = store_schedule(service->store, entry->pipeline->name, due_streams(service, &due), moved, due.cadence_count, at_ms,
                            &job, err);
    if (rc == 0 && job) service->looks = true;
    return rc;
}

/* Until when a pipeline that runs without a pause gets one, lest one that ends at once is started as fast as we can. */
static int64_t rests_until_ms(const struct roster_pipeline *entry)
{
    int64_t until_ms = 0;
    for (size_t i = 0; i < entry->cadences.count; i++)
        if (entry->cadences.list[i].schedule.kind == SCHEDULE_CONTINUOUS && entry->records[i].last_ms + AGAIN_MS > until_ms)
            until_ms = entry->records[i].last_ms + AGAIN_MS;
    return until_ms;
}

/* A pipeline whose sync runs here waits for its end; one that is busy elsewhere, or paused, is asked about again. */
static int look_at(struct service *service, struct roster_pipeline *entry, int64_t at_ms, struct err *err)
{
    struct pipeline_record record;
    const char *name = entry->pipeline->name;
    if (service_has_others(service) && hooks_replace_schedule(entry)) {
        entry->look_ms = INT64_MAX;
        return 0;
    }
    int rc = store_cadences(service->store, name, entry->records, entry->cadences.count, err);
    if (rc) return rc;
    entry->is_known = true;
    entry->look_ms = next_run_ms(service, entry, at_ms);
    if (entry->look_ms < rests_until_ms(entry)) entry->look_ms = rests_until_ms(entry);
    if (entry->look_ms > at_ms) return 0;
    entry->look_ms = at_ms + SERVICE_TURN_MS;
    if ((rc = store_pipeline(service->store, name, &record, err)) != 0 || record.is_paused || record.job) return rc;
    return queue_due(service, entry, at_ms, err);
}

void service_look_at_schedules(struct service *service)
{
    struct err err = ERR_INIT;
    size_t count;
    int rc = 0;
    int64_t at_ms = service_now_ms(service);
    struct roster_pipeline *list = roster_list(service->roster, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if ((list[i].is_known && list[i].look_ms > at_ms) || runner_has(service->runner, list[i].pipeline->name)) continue;
        rc = look_at(service, &list[i], at_ms, &err);
    }
    service_note_store(service, rc, &err);
}
