/* api_jobs: jobs, what they told, and watching them. See route.h. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/number.h"
#include "os/clock.h"
#include "service/view.h"
#include "service/web/route.h"

enum { LIST_MAX = 1000, WATCHED_JOBS = 200, EVENTS_A_TURN = 200 };

/* The job that the path names; 404 and *out NULL when there is none. */
static int find_job(struct api_call *call, struct job **out, struct err *err)
{
    int64_t id;
    *out = NULL;
    if (!number_to_int64(str_from(call->names[0]), &id) || id <= 0) return api_missing(call, "job", call->names[0]);
    int rc = store_job(call->settings->store, id, &call->request->arena, out, err);
    return rc || *out ? rc : api_missing(call, "job", call->names[0]);
}

int answer_jobs(struct api_call *call, struct err *err)
{
    static const char *const STATUSES[] = {"queued", "running", "succeeded", "failed", "cancelled"};
    int64_t limit, before = 0;
    struct job *jobs;
    size_t count, known = 0;
    struct job_filter filter = {.pipeline = web_parameter(call->request, "pipeline"),
                                .status = web_parameter(call->request, "status")};
    while (filter.status && known < ARRAY_SIZE(STATUSES) && strcmp(STATUSES[known], filter.status) != 0) known++;
    if (known == ARRAY_SIZE(STATUSES)) return err_set(err, ERR_CONFIG, "no job has the status '%.50s'", filter.status);
    int rc = api_number(call, "limit", 100, 1, LIST_MAX, &limit, err);
    if (rc == 0) rc = api_number(call, "before", 0, 0, INT64_MAX, &before, err);
    filter.limit = (size_t)limit;
    filter.before = before;
    if (rc == 0) rc = store_jobs(call->settings->store, &filter, &call->request->arena, &jobs, &count, err);
    if (rc) return rc;
    json_open(&call->json, '{');
    json_member(&call->json, "jobs"), json_open(&call->json, '[');
    for (size_t i = 0; i < count; i++) view_write_job(&call->json, &jobs[i]);
    json_close(&call->json, ']');
    if (count == filter.limit) json_member(&call->json, "next"), json_int(&call->json, jobs[count - 1].id);
    json_close(&call->json, '}');
    return 0;
}

int answer_job(struct api_call *call, struct err *err)
{
    struct job *job;
    int rc = find_job(call, &job, err);
    if (rc == 0 && job) view_write_job(&call->json, job);
    return rc;
}

int answer_progress(struct api_call *call, struct err *err)
{
    struct job *job;
    struct job_event *list;
    size_t count;
    int rc = find_job(call, &job, err);
    if (rc || !job) return rc;
    rc = store_progress_of(call->settings->store, job->id, &call->request->arena, &list, &count, err);
    if (rc) return rc;
    json_open(&call->json, '{');
    json_member(&call->json, "streams"), json_open(&call->json, '[');
    for (size_t i = 0; i < count; i++) json_raw(&call->json, str_from(list[i].json));
    json_close(&call->json, ']');
    json_close(&call->json, '}');
    return 0;
}

int answer_alerts(struct api_call *call, struct err *err)
{
    struct alert *alerts;
    size_t count;
    int rc = store_alerts(call->settings->store, &call->request->arena, &alerts, &count, err);
    if (rc) return rc;
    json_open(&call->json, '{');
    json_member(&call->json, "alerts"), json_open(&call->json, '[');
    for (size_t i = 0; i < count; i++) {
        if (alerts[i].ended_ms) continue;
        json_open(&call->json, '{');
        json_member(&call->json, "pipeline"), json_cstr(&call->json, alerts[i].pipeline);
        json_member(&call->json, "kind"), json_cstr(&call->json, alerts[i].kind);
        json_member(&call->json, "text"), json_cstr(&call->json, alerts[i].text);
        view_write_time(&call->json, "since", alerts[i].since_ms);
        json_close(&call->json, '}');
    }
    json_close(&call->json, ']');
    json_close(&call->json, '}');
    return 0;
}

int answer_cancel(struct api_call *call, struct err *err)
{
    static const char *const NO_KEYS[] = {NULL};
    struct cJSON *body;
    struct job *job;
    bool found;
    int rc = api_body(call, NO_KEYS, &body, err);
    if (rc == 0) rc = find_job(call, &job, err);
    if (rc || !job) return rc;
    if ((rc = store_cancel(call->settings->store, job->id, &found, err)) != 0) return rc;
    if (!found) {
        web_problem(call->request, 409, "ended", "the job has ended", NULL);
        return 0;
    }
    call->settings->changed(call->settings->context);
    return answer_job(call, err);
}

/* --- events of a job ----------------------------------------------------------------------------------------------------- */

static void write_event(struct json_writer *json, const struct job_event *event)
{
    json_open(json, '{');
    json_member(json, "number"), json_int(json, event->number);
    view_write_time(json, "at", event->at_ms);
    json_member(json, "data"), json_raw(json, str_from(event->json));
    json_close(json, '}');
}

/* "id: 3\nevent: NAME\ndata: ", to be followed by JSON, which has no line ends, and "\n\n". */
static void begin_message(struct buf *out, const char *name, int64_t id)
{
    if (id) buf_printf(out, "id: %lld\n", (long long)id);
    buf_printf(out, "event: %s\ndata: ", name);
}

struct job_flow {
    struct store *store;
    int64_t job, after;
    int64_t progress_ms; /* the newest that was told */
};

static void tell_progress(struct job_flow *flow, struct arena *arena, struct buf *out)
{
    struct err ignored = ERR_INIT; /* the next turn asks again */
    struct job_event *list;
    size_t count;
    int64_t newest_ms = flow->progress_ms;
    if (store_progress_of(flow->store, flow->job, arena, &list, &count, &ignored) != 0) return;
    for (size_t i = 0; i < count; i++) {
        if (list[i].at_ms <= flow->progress_ms) continue;
        begin_message(out, "progress", 0);
        buf_append_text(out, list[i].json);
        buf_append_text(out, "\n\n");
        if (list[i].at_ms > newest_ms) newest_ms = list[i].at_ms;
    }
    flow->progress_ms = newest_ms;
}

static bool tell_events(void *context, struct buf *out)
{
    struct job_flow *flow = context;
    struct arena arena = ARENA_INIT(0);
    struct err ignored = ERR_INIT; /* the next turn asks again */
    struct job_event *events;
    struct job *job = NULL;
    size_t count = 0;
    bool goes_on = true;
    int rc = store_job(flow->store, flow->job, &arena, &job, &ignored);
    if (rc == 0) rc = store_events(flow->store, flow->job, flow->after, EVENTS_A_TURN, &arena, &events, &count, &ignored);
    for (size_t i = 0; i < count; i++) {
        begin_message(out, "told", events[i].number);
        struct json_writer json = JSON_WRITER(out);
        write_event(&json, &events[i]);
        buf_append_text(out, "\n\n");
        flow->after = events[i].number;
    }
    if (rc == 0 && job) tell_progress(flow, &arena, out);
    if (rc == 0 && count < EVENTS_A_TURN && (!job || job->ended_ms)) {
        begin_message(out, "end", 0);
        struct json_writer json = JSON_WRITER(out);
        if (job)
            view_write_job(&json, job);
        else
            json_cstr(&json, NULL);
        buf_append_text(out, "\n\n");
        goes_on = false;
    }
    arena_release(&arena);
    return goes_on;
}

static void start_flow(struct api_call *call, const struct web_flow *flow)
{
    call->request->answer.type = "text/event-stream";
    call->request->answer.flow = *flow;
    web_add_header(call->request, "Cache-Control", "no-store");
}

static int stream_events(struct api_call *call, int64_t job, int64_t after)
{
    const char *seen = web_header(call->request, "Last-Event-ID");
    struct job_flow *flow = mem_zero(1, sizeof *flow);
    *flow = (struct job_flow){.store = call->settings->store, .job = job, .after = after};
    if (seen && number_to_int64(str_from(seen), &after) && after > flow->after) flow->after = after;
    start_flow(call, &(struct web_flow){.more = tell_events, .close = free, .context = flow});
    return 0;
}

int answer_events(struct api_call *call, struct err *err)
{
    const char *accept = web_header(call->request, "Accept");
    int64_t after, limit;
    struct job *job;
    struct job_event *events;
    size_t count;
    int rc = api_number(call, "after", 0, 0, INT64_MAX, &after, err);
    if (rc == 0) rc = api_number(call, "limit", LIST_MAX, 1, LIST_MAX, &limit, err);
    if (rc == 0) rc = find_job(call, &job, err);
    if (rc || !job) return rc;
    if (accept && strstr(accept, "text/event-stream")) return stream_events(call, job->id, after);
    rc = store_events(call->settings->store, job->id, after, (size_t)limit, &call->request->arena, &events, &count, err);
    if (rc) return rc;
    json_open(&call->json, '{');
    json_member(&call->json, "events"), json_open(&call->json, '[');
    for (size_t i = 0; i < count; i++) write_event(&call->json, &events[i]);
    json_close(&call->json, ']');
    json_close(&call->json, '}');
    return 0;
}

/* --- watching all jobs --------------------------------------------------------------------------------------------------- */

/* What was last told of the newest jobs, by a hash over what is shown. */
struct watch_flow {
    struct store *store;
    struct {
        int64_t id;
        uint64_t shown;
    } seen[WATCHED_JOBS];
    bool has_begun;
};

static uint64_t shown_before(const struct watch_flow *flow, int64_t id)
{
    for (size_t i = 0; i < WATCHED_JOBS; i++)
        if (flow->seen[i].id == id) return flow->seen[i].shown;
    return 0;
}

static bool tell_jobs(void *context, struct buf *out)
{
    struct watch_flow *flow = context, before = *flow;
    struct arena arena = ARENA_INIT(0);
    struct err ignored = ERR_INIT; /* the next turn asks again */
    const struct job_filter newest = {.limit = WATCHED_JOBS};
    struct buf text = BUF_INIT(64 * 1024);
    struct job *jobs;
    size_t count = 0;
    if (store_jobs(flow->store, &newest, &arena, &jobs, &count, &ignored) != 0) count = 0;
    for (size_t i = count; i-- > 0;) {
        buf_clear(&text);
        struct json_writer json = JSON_WRITER(&text);
        view_write_job(&json, &jobs[i]);
        uint64_t shown = hash_bytes(buf_str(&text));
        flow->seen[i].id = jobs[i].id;
        flow->seen[i].shown = shown;
        if (!before.has_begun || shown_before(&before, jobs[i].id) == shown) continue;
        begin_message(out, "job", 0);
        buf_append_str(out, buf_str(&text));
        buf_append_text(out, "\n\n");
    }
    if (!before.has_begun) buf_append_text(out, "event: ready\ndata: {}\n\n");
    flow->has_begun = true;
    buf_release(&text);
    arena_release(&arena);
    return true;
}

int answer_watch(struct api_call *call, struct err *err)
{
    (void)err;
    struct watch_flow *flow = mem_zero(1, sizeof *flow);
    flow->store = call->settings->store;
    start_flow(call, &(struct web_flow){.more = tell_jobs, .close = free, .context = flow});
    return 0;
}
