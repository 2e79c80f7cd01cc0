/* metrics: what Prometheus asks for: this node's counters, and what the store knows of each pipeline. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "service/hooks.h"
#include "service/tally.h"
#include "service/view.h"
#include "service/web/route.h"

struct freshness {
    const char *pipeline;
    bool is_paused, is_queued, is_failing;
    int64_t succeeded_ms; /* 0: never */
    struct stream_record *streams;
    size_t stream_count;
};

static int look_at(struct store *store, const char *pipeline, struct arena *arena, struct freshness *out, struct err *err)
{
    const struct job_filter newest = {.pipeline = pipeline, .limit = 1};
    const struct job_filter good = {.pipeline = pipeline, .status = "succeeded", .limit = 1};
    struct pipeline_record record;
    struct job *jobs;
    size_t count;
    *out = (struct freshness){.pipeline = pipeline};
    int rc = store_pipeline(store, pipeline, &record, err);
    if (rc == 0) rc = store_jobs(store, &newest, arena, &jobs, &count, err);
    if (rc) return rc;
    out->is_paused = record.is_paused;
    out->is_queued = count && jobs[0].started_ms == 0 && jobs[0].ended_ms == 0;
    out->is_failing = count && jobs[0].error != NULL;
    rc = store_jobs(store, &good, arena, &jobs, &count, err);
    if (rc == 0 && count) out->succeeded_ms = jobs[0].ended_ms;
    return rc ? rc : store_streams(store, pipeline, arena, &out->streams, &out->stream_count, err);
}

static int look_at_all(struct api_call *call, struct freshness **out, size_t *count, struct err *err)
{
    int rc = 0;
    const char **names = roster_names(call->settings->roster, &call->request->arena, count);
    *out = arena_array(&call->request->arena, struct freshness, *count + 1);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        rc = look_at(call->settings->store, names[i], &call->request->arena, &(*out)[i], err);
    return rc;
}

static void write_flag(struct buf *out, const char *name, const char *help, const struct freshness *list, size_t count,
                       bool (*flag)(const struct freshness *freshness))
{
    measure_begin(out, name, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        measure_name(out, name, list[i].pipeline, NULL);
        buf_printf(out, " %d\n", flag(&list[i]));
    }
}

static bool paused(const struct freshness *freshness)
{
    return freshness->is_paused;
}

static bool queued(const struct freshness *freshness)
{
    return freshness->is_queued;
}

static bool failing(const struct freshness *freshness)
{
    return freshness->is_failing;
}

static void write_successes(struct buf *out, const struct freshness *list, size_t count)
{
    static const char NAME[] = "sluice_last_success_timestamp_seconds";
    measure_begin(out, NAME, "gauge", "When a pipeline's newest sync that went through ended, on any node.");
    for (size_t i = 0; i < count; i++) {
        if (list[i].succeeded_ms == 0) continue;
        measure_name(out, NAME, list[i].pipeline, NULL);
        buf_printf(out, " %" PRId64 ".%03d\n", list[i].succeeded_ms / 1000, (int)(list[i].succeeded_ms % 1000));
    }
}

static void write_streams(struct buf *out, const struct freshness *list, size_t count)
{
    static const char NAME[] = "sluice_stream_last_success_timestamp_seconds";
    measure_begin(out, NAME, "gauge", "When a stream's newest sync that went through ended, on any node.");
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < list[i].stream_count; s++) {
            const struct stream_record *stream = &list[i].streams[s];
            if (stream->succeeded_ms == 0) continue;
            measure_stream(out, NAME, list[i].pipeline, stream->stream);
            buf_printf(out, " %" PRId64 ".%03d\n", stream->succeeded_ms / 1000, (int)(stream->succeeded_ms % 1000));
        }
}

static uint64_t open_descriptors(void)
{
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct buf *out)
{
    measure_begin(out, "sluice_build_info", "gauge", "Which sluice this is.");
    buf_append_text(out, "sluice_build_info{version=\"" SLUICE_VERSION "\"} 1\n");
    measure_begin(out, "process_resident_memory_bytes", "gauge", "Memory of the service itself.");
    buf_printf(out, "process_resident_memory_bytes %" PRIu64 "\n", resident_bytes());
    measure_begin(out, "process_open_fds", "gauge", "Open file descriptors of the service itself.");
    buf_printf(out, "process_open_fds %" PRIu64 "\n", open_descriptors());
}

int answer_metrics(struct api_call *call, struct err *err)
{
    struct freshness *list;
    size_t count;
    struct buf *out = &call->request->answer.body;
    int rc = look_at_all(call, &list, &count, err);
    if (rc) return rc;
    call->request->answer.type = "text/plain; version=0.0.4; charset=utf-8";
    write_process(out);
    tally_write(call->settings->tally, out);
    hooks_write_metrics(call->settings->hooks, out);
    write_successes(out, list, count);
    write_streams(out, list, count);
    write_flag(out, "sluice_pipeline_paused", "1 while its schedule starts nothing.", list, count, paused);
    write_flag(out, "sluice_pipeline_failing", "1 when its newest sync failed.", list, count, failing);
    write_flag(out, "sluice_pipeline_waiting", "1 while a sync waits for its first turn.", list, count, queued);
    return 0;
}
