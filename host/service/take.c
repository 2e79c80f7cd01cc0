/* take: jobs that wait are taken and started, and those whose end was asked for are stopped. See service.h. */
#include <string.h>

#include "os/log.h"
#include "service/hooks.h"
#include "service/limits.h"
#include "service/service_parts.h"
#include "service/web/front.h"

/* In one turn: what became due meanwhile is to be seen, too. More at the same time would not start sooner. */
enum { STARTS_MAX = 16 };

/* The claim_policy's context. */
struct taking {
    struct service *service;
    struct limits_in_use *limits;
    size_t started;
};

static void note_running(void *context, const char *pipeline)
{
    limits_note(((struct taking *)context)->limits, pipeline);
}

static bool may_start(void *context, const char *pipeline)
{
    struct taking *taking = context;
    if (taking->started == STARTS_MAX || !limits_allow(taking->limits, pipeline)) return false;
    taking->started++;
    return true;
}

/* A destination's name and what it keeps here: another path is another place. */
static const char *place_of(void *context, const char *pipeline)
{
    struct service *service = ((struct taking *)context)->service;
    const struct roster_pipeline *entry = roster_find(service->roster, pipeline);
    const struct writer_type *writer = entry ? entry->pipeline->writer : NULL;
    const char *place = writer && writer->place ? writer->place(entry->pipeline->destination_node) : NULL;
    return place ? arena_printf(&service->turn, "%s %s", entry->pipeline->destination, place) : NULL;
}

static void tell_elsewhere(void *context, const char *pipeline, const char *host)
{
    struct service *service = ((struct taking *)context)->service;
    if (map_get(&service->told, str_from(pipeline))) return;
    map_set(&service->told, str_from(pipeline), service);
    log_info(service->options.log,
             "%s waits for a service on machine '%s', which has the files of its destination; to share them, put the path on a "
             "network file system and declare `shared: true`",
             pipeline, host);
}

static struct retry_rule retry_rule(const struct service *service)
{
    const struct service_settings *settings = &roster_project(service->roster)->service;
    return (struct retry_rule){settings->retry_tries, settings->retry_first_ms, settings->retry_longest_ms};
}

static bool is_continuous(struct service *service, const struct job *job)
{
    const struct roster_pipeline *entry = roster_find(service->roster, job->pipeline);
    return entry && strcmp(job->trigger, "schedule") == 0 && entry->cadences.count == 1 &&
           entry->cadences.list[0].schedule.kind == SCHEDULE_CONTINUOUS;
}

void service_take_jobs(struct service *service)
{
    struct err err = ERR_INIT;
    struct job *jobs;
    size_t count, runs = runner_count(service->runner);
    struct taking taking = {service, limits_begin(service->roster, service->options.only, runs, &service->turn), 0};
    const struct claim_policy policy = {.runs = note_running,
                                        .may_start = may_start,
                                        .place = service_has_others(service) ? place_of : NULL,
                                        .is_elsewhere = tell_elsewhere,
                                        .context = &taking};
    int rc = store_claim(service->store, service->node, &policy, &service->turn, &jobs, &count, &err);
    if (service_note_store(service, rc, &err) != 0) return;
    const struct retry_rule rule = retry_rule(service);
    for (size_t i = 0; i < count; i++) {
        if (service->hooks) hooks_load_begins(service->hooks, jobs[i].pipeline);
        runner_start(service->runner, &jobs[i], is_continuous(service, &jobs[i]), &rule);
    }
    runner_started(service->runner);
    if (count == STARTS_MAX) service->looks = true;
    if (count && service->front) front_poke(service->front);
}

void service_stop_cancelled(struct service *service)
{
    struct err err = ERR_INIT;
    int64_t *jobs;
    size_t count;
    if (runner_count(service->runner) == 0) return;
    int rc = store_cancelled(service->store, service->node, &service->turn, &jobs, &count, &err);
    for (size_t i = 0; rc == 0 && i < count; i++) runner_stop(service->runner, jobs[i], STOP_CANCELLED, SERVICE_CANCEL_MS);
    service_note_store(service, rc, &err);
}
