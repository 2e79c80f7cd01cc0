/* runner: the syncs of this node that run. Each is a child (child.h) with its job (store.h); what it tells is kept with the
 * job, and told to whoever watches.
 *
 * A sync is asked to stop in three steps, so that it can commit what it has: SIGTERM (it stops at its next checkpoint), a
 * second SIGTERM (now, still consistent), SIGKILL. One thread uses a runner. */
#ifndef SLUICE_SERVICE_RUNNER_H
#define SLUICE_SERVICE_RUNNER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "service/outcome.h"
#include "service/store.h"

struct clock;
struct log;
struct runner;
struct tally;

/* What it points to outlives the runner. */
struct runner_settings {
    const char *file;         /* sluice.yaml */
    const char *state_folder; /* NULL: the default */
    struct store *store;
    struct tally *tally;
    void (*told)(void *context, const struct job *job, struct str line); /* an event that is kept; NULL is fine */
    void (*ended)(void *context, const struct job *job, bool went_well); /* a try of it; NULL is fine */
    void *context;
    struct clock *clock;
    struct log *log;
};

/* Why a sync is asked to stop. */
enum stop_reason {
    STOP_CANCELLED, /* somebody asked for the job's end */
    STOP_DRAINED,   /* the service ends: the job is for the next one, or for another node */
    STOP_LOST,      /* the node could not renew its lease */
};

struct runner *runner_new(const struct runner_settings *settings);
void runner_free(struct runner *runner); /* kills what still runs; NULL is fine */

/* Begins to start a claimed job, with what is copied of it; runner_started, before anything else, waits until all run that were
 * begun: they start at the same time. `is_continuous`: it goes on until it is stopped. A job that cannot be started ends as
 * failed. */
void runner_start(struct runner *runner, const struct job *job, bool is_continuous, const struct retry_rule *rule);
void runner_started(struct runner *runner);

size_t runner_count(const struct runner *runner);
bool runner_has(const struct runner *runner, const char *pipeline);
/* Asks one to stop, or all (id 0), to be gone after `grace_ms`. The reason given first counts. */
void runner_stop(struct runner *runner, int64_t job, enum stop_reason reason, int64_t grace_ms);

/* Appends what to poll for to `polls` (room for runner_count), and reads what came by it. */
void runner_polls(struct runner *runner, struct pollfd *polls);
/* `polls` as runner_polls left it, after poll(). Takes what was told, ends what has ended, and takes the steps of stopping that
 * are due. Gives how many ended. */
size_t runner_turn(struct runner *runner, const struct pollfd *polls);
/* Milliseconds until the next step of a stop; -1: none. */
int64_t runner_wait_ms(const struct runner *runner);

#endif
