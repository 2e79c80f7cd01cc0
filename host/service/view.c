/* view: see view.h. */
#include "service/view.h"

#include <string.h>

#include "base/time.h"

static int64_t next_run(const struct roster_pipeline *entry, const struct cadence_record *records, int64_t now_ms,
                        struct arena *arena)
{
    int64_t *last_ms = arena_array(arena, int64_t, entry->cadences.count), at_ms;
    for (size_t i = 0; i < entry->cadences.count; i++) last_ms[i] = records[i].last_ms;
    return cadences_next(&entry->cadences, last_ms, now_ms, &at_ms) ? at_ms : 0;
}

int view_pipeline(struct store *store, const struct roster_pipeline *entry, int64_t now_ms, size_t jobs, struct arena *arena,
                  struct pipeline_view *view, struct err *err)
{
    const char *name = entry->pipeline->name;
    const struct job_filter newest = {.pipeline = name, .limit = jobs};
    size_t count = entry->cadences.count;
    struct job *list;
    struct cadence_record *records = arena_array(arena, struct cadence_record, count);
    for (size_t i = 0; i < count; i++)
        records[i] =
            (struct cadence_record){.stream = entry->records[i].stream, .runs_at_once = entry->records[i].runs_at_once};
    *view = (struct pipeline_view){.entry = entry};
    int rc = store_pipeline(store, name, &view->record, err);
    if (rc == 0) rc = store_cadences_seen(store, name, records, count, err);
    if (rc == 0) rc = store_jobs(store, &newest, arena, &list, &view->job_count, err);
    if (rc) return rc;
    view->jobs = list;
    view->next_ms = view->record.is_paused ? 0 : next_run(entry, records, now_ms, arena);
    return 0;
}

const char *view_schedule(const struct pipeline_view *view)
{
    const struct schedule *schedule = &view->entry->cadences.list[0].schedule;
    return view->entry->pipeline->webhook && schedule->kind == SCHEDULE_MANUAL ? "when events come" : schedule->text;
}

const char *view_status(const struct pipeline_view *view)
{
    if (view->record.is_paused && !view->record.job) return "paused";
    if (view->job_count == 0) return "never ran";
    const struct job *job = &view->jobs[0];
    return strcmp(job->status, "queued") == 0 && job->attempt > 0 ? "retrying" : job->status;
}

void view_write_time(struct json_writer *json, const char *name, int64_t at_ms)
{
    char at[TIME_TEXT_MAX];
    if (at_ms == 0) return;
    json_member(json, name);
    json_text(json, (struct str){at, time_write_iso(at_ms * 1000, at)});
}

static void write_text(struct json_writer *json, const char *name, const char *text)
{
    if (!text) return;
    json_member(json, name);
    json_cstr(json, text);
}

void view_write_job(struct json_writer *json, const struct job *job)
{
    json_open(json, '{');
    json_member(json, "id"), json_int(json, job->id);
    write_text(json, "pipeline", job->pipeline);
    write_text(json, "trigger", job->trigger);
    write_text(json, "status", job->status);
    if (job->streams) json_member(json, "streams"), json_raw(json, str_from(job->streams));
    json_member(json, "full_refresh"), json_bool(json, job->is_full_refresh);
    json_member(json, "attempt"), json_int(json, job->attempt);
    write_text(json, "node", job->node);
    view_write_time(json, "requested_at", job->requested_ms);
    if (strcmp(job->status, "queued") == 0) view_write_time(json, "not_before", job->not_before_ms);
    view_write_time(json, "started_at", job->started_ms);
    view_write_time(json, "ended_at", job->ended_ms);
    json_member(json, "records"), json_int(json, (int64_t)job->records);
    json_member(json, "written"), json_int(json, (int64_t)job->written);
    json_member(json, "rejected"), json_int(json, (int64_t)job->rejected);
    if (job->exit_code >= 0) json_member(json, "exit_code"), json_int(json, job->exit_code);
    if (job->error) {
        json_member(json, "error"), json_open(json, '{');
        json_member(json, "class"), json_cstr(json, job->error_class ? job->error_class : "bug");
        json_member(json, "message"), json_cstr(json, job->error);
        write_text(json, "hint", job->hint);
        json_close(json, '}');
    }
    json_close(json, '}');
}

void view_write_pipeline(struct json_writer *json, const struct pipeline_view *view)
{
    const struct pipeline *pipeline = view->entry->pipeline;
    json_open(json, '{');
    write_text(json, "name", pipeline->name);
    write_text(json, "connector", pipeline->webhook ? "webhook" : pipeline->connector);
    write_text(json, "destination", pipeline->destination);
    write_text(json, "schedule", view_schedule(view));
    write_text(json, "status", view_status(view));
    json_member(json, "paused"), json_bool(json, view->record.is_paused);
    view_write_time(json, "next_at", view->next_ms);
    view_write_time(json, "succeeded_at", view->record.succeeded_ms);
    if (view->job_count) json_member(json, "job"), view_write_job(json, &view->jobs[0]);
    if (view->job_count > 1) {
        json_member(json, "history"), json_open(json, '[');
        for (size_t i = 0; i < view->job_count; i++) view_write_job(json, &view->jobs[i]);
        json_close(json, ']');
    }
    json_close(json, '}');
}
