/* service_parts: what the files of the service share. service.c opens it and does a turn after the other, due.c looks at
 * schedules, take.c takes jobs, and once.c runs one. */
#ifndef SLUICE_SERVICE_SERVICE_PARTS_H
#define SLUICE_SERVICE_SERVICE_PARTS_H

#include "base/arena.h"
#include "base/map.h"
#include "os/clock.h"
#include "service/roster.h"
#include "service/runner.h"
#include "service/service.h"
#include "service/store.h"

enum {
    SERVICE_TURN_MS = 1000, /* other nodes' requests and cancellations are looked for so often, and changes of sluice.yaml */
    SERVICE_NODE_MAX = 400,
};

struct front;
struct hooks;
struct statsd;
struct watch;

struct service {
    struct service_options options;
    struct roster *roster;
    struct store *store;
    struct runner *runner;
    struct tally *tally;
    struct front *front;
    struct statsd *statsd; /* NULL: sluice.yaml says nothing of it */
    struct watch *watch;   /* NULL with options.only */
    struct hooks *hooks;   /* NULL with options.only */
    struct pools *pools;   /* NULL: no other node may be there */
    char *store_url;
    int wake_fd;       /* the API was asked for something */
    struct arena turn; /* cleared with each */
    char node[SERVICE_NODE_MAX];
    int64_t beat_ms, trim_ms, poll_ms; /* monotonic: when it is time again */
    int64_t lease_ms;                  /* until then the leases hold, as far as we know */
    int64_t skew_ms;                   /* the store's clock is ahead of ours by so much */
    bool is_store_away;
    bool looks;      /* there may be jobs to take */
    struct map told; /* pipelines whose jobs wait for another machine, which was said: name -> anything */
};

/* Takes note of whether the store could be reached; gives `rc`. What runs goes on while it is away; only when the leases are
 * over may another node have taken it. */
int service_note_store(struct service *service, int rc, const struct err *err);

void service_look_at_schedules(struct service *service); /* due.c: queues what is due */
void service_take_jobs(struct service *service);         /* take.c: starts what waits, as far as limits allow */
void service_stop_cancelled(struct service *service);    /* take.c */

/* One turn: leases, sluice.yaml, what is due, what may be taken; then waits for what comes next, and reads it. */
void service_turn(struct service *service);
void service_wait(struct service *service, bool drains);
/* Stops what runs at its next checkpoint, and waits for its end. */
void service_drain(struct service *service);

/* May other nodes share the store? */
static inline bool service_has_others(const struct service *service)
{
    return sql_url_is_postgres(service->store_url);
}

static inline int64_t service_now_ms(const struct service *service) /* by the store's clock */
{
    return clock_wall_us(service->options.clock) / 1000 + service->skew_ms;
}

#endif
