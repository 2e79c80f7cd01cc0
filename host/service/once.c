/* once: one job, by a process that is a node for as long as it takes. See service.h. */
#include "os/cancel.h"
#include "os/log.h"
#include "service/service_parts.h"

/* Has it ended? A store that is away is asked again. */
static bool has_ended(struct service *service, int64_t id)
{
    struct err err = ERR_INIT;
    struct job *job = NULL;
    int rc = store_job(service->store, id, &service->turn, &job, &err);
    return service_note_store(service, rc, &err) == 0 && job && job->ended_ms > 0;
}

int service_run_job(struct service *service, const struct job_request *request, struct arena *arena, struct job **ended,
                    struct err *err)
{
    struct cancel *cancel = service->options.cancel;
    int64_t id;
    bool is_new;
    int rc = store_request(service->store, request, &id, &is_new, err);
    if (rc) return rc;
    if (!is_new)
        log_info(service->options.log, "%s: job %lld was asked for already; waiting for its end", request->pipeline,
                 (long long)id);
    service->looks = true;
    while (!cancel_stopping(cancel)) {
        service_turn(service);
        if (has_ended(service, id)) return store_job(service->store, id, arena, ended, err);
        service_wait(service, false);
    }
    service_drain(service);
    if (has_ended(service, id)) return store_job(service->store, id, arena, ended, err);
    err_set(err, ERR_CANCELLED, "stopped before job %lld ended", (long long)id);
    return err_hint(err, "it stays in the queue; whoever takes it goes on from what was committed");
}

int service_events(struct service *service, int64_t job, struct arena *arena, struct job_event **events, size_t *count,
                   struct err *err)
{
    return store_events(service->store, job, 0, STORE_EVENTS_PER_JOB, arena, events, count, err);
}
