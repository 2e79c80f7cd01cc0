/* context: what all flows of one sync share. Filled by sync.c before the first flow starts; read-only afterwards, but for what
 * is thread-safe by itself. */
#ifndef SLUICE_SYNC_CONTEXT_H
#define SLUICE_SYNC_CONTEXT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

#include "connector/connector.h"
#include "net/client.h"
#include "rest/config.h"
#include "rest/description.h"
#include "rest/request.h"
#include "sync/progress.h"
#include "sync/project.h"

struct sync_context {
    const struct pipeline *pipeline;
    const struct description *description;
    const struct config *config;
    const struct connector_sources *sources;
    const struct connector_options *connector_options;
    const struct guard *own; /* the connector's own hosts: where secrets may go */
    struct client *client;
    struct retry_policy retry;
    const struct writer_type *writer;
    struct destination *destination;
    struct budget *budget;
    struct secrets *secrets;
    const char *state_folder; /* as given; NULL: the default */
    struct clock *clock;
    struct clock *source_clock; /* of requests and waits on the source: a replay's is its own */
    struct log *log;
    struct cancel *cancel;   /* ABORT: everything ends now */
    struct cancel *reading;  /* below it. ABORT: nothing more is read, what is covered is still committed */
    struct parents *parents; /* listings that streams of this sync share */
    struct progress *progress;
    const struct observer *observer;
    pthread_mutex_t *observer_lock;
    sem_t *slots;       /* slices at once, over all flows */
    bool continuous;    /* native streams wait for what comes later, until the sync is asked to stop */
    int64_t started_us; /* frozen: the upper end of what is read */
    int64_t started_ms; /* monotonic */
};

/* The part of a request's source that is the same for all slices of a stream. */
static inline struct request_source sync_source(const struct sync_context *sync, const struct stream_description *stream)
{
    return (struct request_source){
        .description = sync->description,
        .request = &stream->request,
        .stream = stream,
        .config = sync->config,
        .own = sync->own,
        .now_us = sync->started_us,
    };
}

#endif
