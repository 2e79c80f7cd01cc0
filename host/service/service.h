/* service: one node of `sluice serve`: looks at what is due, takes jobs, runs them, tries again what may heal, and goes on
 * where one that died left off.
 *
 * One thread does all of it, in turns: it waits for what its syncs tell, for the next instant of a schedule, for a signal, or
 * for service_wake. Nothing is held in memory that the store, sluice.yaml or the destinations do not know better, so the
 * process may be killed at any instant: its syncs die with it, and the next one (or another node, when the lease is over)
 * queues them again; each goes on from its last committed rows.
 *
 * Asked to stop (cancel), it starts nothing any more, stops its syncs at their next checkpoint and is gone within
 * SERVICE_DRAIN_MS; what did not end by itself is queued for whoever comes next. */
#ifndef SLUICE_SERVICE_SERVICE_H
#define SLUICE_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct cancel;
struct clock;
struct log;
struct secrets;
struct signals;
struct service;

enum { SERVICE_DRAIN_MS = 9000, SERVICE_CANCEL_MS = 20000 };

/* What it points to outlives the service. */
struct service_options {
    const char *file;         /* sluice.yaml */
    const char *state_folder; /* NULL: the default */
    const char *store;        /* NULL: as sluice.yaml says, else service.db in the state folder */
    const char *listen;       /* HOST:PORT of the page and the API; NULL: as sluice.yaml says */
    const char *only;         /* a pipeline: its jobs only, no schedules, no API; NULL: everything */
    struct secrets *secrets;
    struct clock *clock;
    struct cancel *cancel;
    struct signals *signals; /* SIGHUP reads sluice.yaml anew */
    struct log *log;
};

/* Reads sluice.yaml (mistakes: the first one, CONFIG), opens the store and joins, and listens. */
int service_open(const struct service_options *options, struct service **out, struct err *err) MUST_USE;
/* Works until `cancel` fires. */
void service_run(struct service *service);
void service_close(struct service *service); /* leaves; NULL is fine */

/* For `sluice run --queued`, with `only`: asks for a job, and does a node's work until it has ended: this node takes it, unless
 * one was asked for already that another has. CANCELLED when it was stopped first. */
struct arena;
struct job;
struct job_event;
struct job_request;
int service_run_job(struct service *service, const struct job_request *request, struct arena *arena, struct job **ended,
                    struct err *err) MUST_USE;
/* What a job told, in order. */
int service_events(struct service *service, int64_t job, struct arena *arena, struct job_event **events, size_t *count,
                   struct err *err) MUST_USE;

/* The store that `sluice serve` with these options would use, in `out`, for commands that only look at it. */
int service_store_url(const struct service_options *options, struct arena *arena, const char **out, struct err *err) MUST_USE;

#endif
