/* store: what the service remembers: which pipelines are paused, up to when their schedules were seen, the queue of jobs, how
 * each went, and which node has it. A file of SQLite for one node, a PostgreSQL database for several; the same statements.
 *
 * A *job* is one sync that was asked for, by the schedule or by somebody: queued, then running, then succeeded, failed or
 * cancelled. What fails and may heal is queued again, for later, as the same job. A pipeline has at most one job that is queued
 * or running; the database sees to it. So what comes due while its pipeline is busy is one run, later.
 *
 * A *node* is one `sluice serve`. Taking a job is a lease on the database's clock, renewed with each beat. The jobs of a node
 * that does not renew are queued again by any other when the lease is over; those of a process of this machine that is gone, by
 * a node that starts or beats here, at once. The number of the claim fences: who was overtaken cannot end a job any more. (That
 * two syncs never write one stream does not rest on this: the destination has a lease of its own, COMMIT protocol.)
 *
 * Nothing of it is needed to go on correctly: a sync's state is at its destination. A store that is lost costs the history.
 *
 * Times are milliseconds since 1970 by the database's clock. Thread-safe: one connection, one lock. Errors as in sql.h; a lost
 * connection is opened anew by the next call. */
#ifndef SLUICE_SERVICE_STORE_H
#define SLUICE_SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "os/process.h"
#include "service/sql.h"

struct store;

enum { STORE_LEASE_MS = 30000, STORE_EVENTS_PER_JOB = 1000 };

/* Opens it and brings its tables up to date. CONFIG when a newer sluice made them. */
int store_open(const struct sql_settings *settings, struct store **out, struct err *err) MUST_USE;
void store_close(struct store *store); /* NULL is fine */
int store_now(struct store *store, int64_t *now_ms, struct err *err) MUST_USE;

/* --- nodes --------------------------------------------------------------------------------------------------------------- */

/* Enters the node and queues again what processes of this machine left that are gone. `*left`: how many. */
int store_join(struct store *store, const char *node, const struct process_identity *identity, uint64_t *left,
               struct err *err) MUST_USE;
/* Renews the leases of the node's jobs, and queues again those of nodes that did not and of processes of this machine that are
 * gone. `*left`: how many. */
int store_beat(struct store *store, const char *node, uint64_t *left, struct err *err) MUST_USE;
/* The node goes: what it still has is queued again. */
int store_leave(struct store *store, const char *node, struct err *err) MUST_USE;

/* --- pipelines ----------------------------------------------------------------------------------------------------------- */

struct pipeline_record {
    bool is_paused;
    int64_t job;          /* queued or running; 0: none */
    int64_t succeeded_ms; /* when its newest job that went well ended; 0: never */
};

int store_pipeline(struct store *store, const char *pipeline, struct pipeline_record *out, struct err *err) MUST_USE;
int store_pause(struct store *store, const char *pipeline, bool paused, struct err *err) MUST_USE;

/* A schedule of a pipeline, and up to when its runs have been queued. */
struct cadence_record {
    const char *stream; /* "": the pipeline's own */
    bool runs_at_once;  /* what is not known yet counts as last run at 0, not now */
    int64_t last_ms;
};
/* Fills in last_ms, entering those that are new. */
int store_cadences(struct store *store, const char *pipeline, struct cadence_record *cadences, size_t count,
                   struct err *err) MUST_USE;
/* The same for who only looks: nothing is entered, and what is new counts as last run at 0. */
int store_cadences_seen(struct store *store, const char *pipeline, struct cadence_record *cadences, size_t count,
                        struct err *err) MUST_USE;
/* Queues a scheduled job and says of those cadences that they were last run at `now_ms`; neither, with `*job` 0, when another
 * node was faster, or the pipeline is paused or busy. `streams`: a JSON list, NULL for all. */
int store_schedule(struct store *store, const char *pipeline, const char *streams, const struct cadence_record *due,
                   size_t count, int64_t now_ms, int64_t *job, struct err *err) MUST_USE;

/* --- jobs ---------------------------------------------------------------------------------------------------------------- */

struct job {
    int64_t id, claim;
    const char *pipeline;
    const char *trigger;                /* schedule | request */
    const char *status;                 /* queued | running | succeeded | failed | cancelled */
    const char *streams;                /* JSON list; NULL: all */
    bool is_full_refresh, is_cancelled; /* cancelled: somebody asked for its end */
    const char *node;                   /* that has it or had it last; NULL: none */
    int attempt;                        /* starts at 1 with its first run; 0 before */
    int exit_code;                      /* of the last attempt; -1: none ended */
    const char *error_class, *error, *hint;
    int64_t requested_ms, not_before_ms, started_ms, ended_ms; /* 0: not yet */
    uint64_t records, written, rejected;                       /* of the last attempt */
};

struct job_request {
    const char *pipeline, *trigger, *streams;
    bool is_full_refresh;
    const char *idempotency_key; /* the same key gives the same job; NULL: none */
    const char *for_node;        /* no other one takes it, as long as that one lives; NULL: any */
};

/* Queues a job. When the pipeline has one already, or the key is known, `*job` is that one and `*is_new` false. */
int store_request(struct store *store, const struct job_request *request, int64_t *job, bool *is_new, struct err *err) MUST_USE;

/* Whom a node may start: told of all that run, on any node, then asked for each that waits, the longest waiting first. */
struct claim_policy {
    void (*runs)(void *context, const char *pipeline);
    bool (*may_start)(void *context, const char *pipeline);
    /* What binds a pipeline to one machine, the first that took a job of it: "staging ./files"; NULL: nothing. A NULL function:
     * there is only one machine. */
    const char *(*place)(void *context, const char *pipeline);
    void (*is_elsewhere)(void *context, const char *pipeline, const char *host); /* a job waits for that machine */
    void *context;
};
int store_claim(struct store *store, const char *node, const struct claim_policy *policy, struct arena *arena,
                struct job **jobs, size_t *count, struct err *err) MUST_USE;

/* How an attempt ended. A status of "queued" puts it back, not to be taken for `retry_ms`. False in `*is_ours` when another
 * node has taken the job meanwhile: nothing was changed then. */
struct job_end {
    const char *status;
    int exit_code;
    const char *error_class, *error, *hint; /* NULL: none */
    uint64_t records, written, rejected;
    bool is_interrupted; /* it was stopped for no fault of its own: this was no try */
    int64_t retry_ms;
};
int store_end(struct store *store, const struct job *job, const struct job_end *end, bool *is_ours, struct err *err) MUST_USE;

/* Asks for a job's end: one that is queued ends at once, one that runs is ended by its node (store_cancelled). False when there
 * is none of that number that is queued or running. */
int store_cancel(struct store *store, int64_t job, bool *found, struct err *err) MUST_USE;
/* The node's jobs whose end was asked for. */
int store_cancelled(struct store *store, const char *node, struct arena *arena, int64_t **jobs, size_t *count,
                    struct err *err) MUST_USE;

/* --- tokens of logins ---------------------------------------------------------------------------------------------------- */

/* What is kept of a credential, sealed (vault.h), and who may change it: `holder`, a name drawn at random, for STORE_HOLD_MS.
 */
enum { STORE_HOLD_MS = 120000 };

/* False in *is_held while another has it, who lives as far as anyone can tell. */
int store_hold_token(struct store *store, const char *credential, const char *holder, bool *is_held, struct err *err) MUST_USE;
int store_let_token_go(struct store *store, const char *credential, const char *holder, struct err *err) MUST_USE;
int store_read_token(struct store *store, const char *credential, struct arena *arena, const char **sealed,
                     struct err *err) MUST_USE; /* "": none */
/* False in *is_held, and nothing changed, when another has taken it meanwhile. */
int store_write_token(struct store *store, const char *credential, const char *holder, const char *sealed, bool *is_held,
                      struct err *err) MUST_USE;

/* --- what happened ------------------------------------------------------------------------------------------------------- */

/* Keeps an event of a job, a JSON object; of a job with more than STORE_EVENTS_PER_JOB the oldest go. */
int store_event(struct store *store, int64_t job, struct str json, struct err *err) MUST_USE;

struct job_filter {
    const char *pipeline, *status; /* NULL: any */
    int64_t before;                /* only ids below; 0: any */
    size_t limit;
};
/* The newest first. */
int store_jobs(struct store *store, const struct job_filter *filter, struct arena *arena, struct job **jobs, size_t *count,
               struct err *err) MUST_USE;
int store_job(struct store *store, int64_t id, struct arena *arena, struct job **out,
              struct err *err) MUST_USE; /* NULL: none */

struct job_event {
    int64_t number, at_ms;
    const char *json;
};
int store_events(struct store *store, int64_t job, int64_t after, size_t limit, struct arena *arena, struct job_event **events,
                 size_t *count, struct err *err) MUST_USE;

/* Events of many jobs, by time. */
struct log_line {
    int64_t at_ms, job, number;
    const char *pipeline, *json;
};
struct log_filter {
    const char *pipeline;  /* NULL: any */
    int64_t job;           /* 0: any */
    struct log_line after; /* only what came behind it; at_ms 0: the newest there are */
    size_t limit;
};
int store_lines(struct store *store, const struct log_filter *filter, struct arena *arena, struct log_line **lines,
                size_t *count, struct err *err) MUST_USE; /* the oldest first */

/* How far a stream of a running job is: the newest replaces the one before, and an ended job has none. `number` is 0. */
int store_progress(struct store *store, int64_t job, const char *stream, struct str json, struct err *err) MUST_USE;
int store_progress_of(struct store *store, int64_t job, struct arena *arena, struct job_event **list, size_t *count,
                      struct err *err) MUST_USE;

/* --- what is watched ----------------------------------------------------------------------------------------------------- */

/* A node's part of a rate limit, in millionths; see pools.h. */
enum { POOL_NAME_SIZE = 33 };
struct pool_lease {
    char pool[POOL_NAME_SIZE];
    bool is_used;  /* false: the part is given back */
    int64_t share; /* what it is; then what it is from now on */
    int64_t spent; /* what we have used beyond it, which others cannot have for `spent_ms` */
    int64_t spent_ms;
    int64_t paused_ms; /* how long nothing may be sent, as the source told us; then as it told anybody; 0: it may */
};
/* Told of parts that become smaller, before anybody else can know; says what was spent until then. */
struct pool_policy {
    void (*lower)(void *context, struct pool_lease *lease);
    void *context;
};
/* Renews the node's parts for STORE_LEASE_MS: all parts of a limit together are never more than all of it. */
int store_lease_pools(struct store *store, const char *node, struct pool_lease *leases, size_t count,
                      const struct pool_policy *policy, struct err *err) MUST_USE;

/* A column that the service's syncs do not store. */
enum { STORE_BLOCKS_MAX = 100 }; /* of a pipeline */
struct column_block {
    const char *stream, *column;
    const char *reason; /* for people; may be NULL */
    int64_t since_ms;
};
/* *is_full: there are as many as there may be, and nothing was changed. */
int store_block(struct store *store, const char *pipeline, const struct column_block *block, bool *is_full,
                struct err *err) MUST_USE;
int store_unblock(struct store *store, const char *pipeline, const char *stream, const char *column, struct err *err) MUST_USE;
int store_blocks(struct store *store, const char *pipeline, struct arena *arena, struct column_block **blocks, size_t *count,
                 struct err *err) MUST_USE;

/* How a stream of a sync ended. */
struct stream_end {
    const char *stream;
    bool went_well;
    const char *changes; /* what is new in its schema, for people: "new columns: a, b"; "": nothing */
};
int store_stream_ended(struct store *store, const char *pipeline, const struct stream_end *end, struct err *err) MUST_USE;

/* Of a stream, by all syncs there were: when one of it ended, one ended well, and one brought changes of its schema; 0: never.
 */
struct stream_record {
    const char *stream, *changes;
    int64_t seen_ms, succeeded_ms, changed_ms;
};
int store_streams(struct store *store, const char *pipeline, struct arena *arena, struct stream_record **streams, size_t *count,
                  struct err *err) MUST_USE;

/* What monitors go by: of the jobs of a pipeline, rows by UTC day, [0] being the day before the one of `today_ms`, its begin.
 */
struct job_facts {
    int64_t first_ms, succeeded_ms;
    int64_t alive_ms;           /* when the one that runs was last heard of; 0: none runs */
    const char *status, *error; /* of the newest that ended; NULL: none */
    uint64_t rejected;
};
int store_facts(struct store *store, const char *pipeline, int64_t today_ms, uint64_t *written, size_t days,
                struct arena *arena, struct job_facts *facts, struct err *err) MUST_USE;

/* Something that is not as it should be, or was until `ended_ms`. told_ms: when whoever is to know was last told; 0: not yet.
 */
struct alert {
    const char *pipeline, *kind, *text;
    int64_t since_ms, ended_ms, told_ms;
};
/* True for one node in each span: who looks now. */
int store_take_watch(struct store *store, int64_t span_ms, bool *is_ours, struct err *err) MUST_USE;
/* Is it so (`text`), or not any more (NULL)? */
int store_note_alert(struct store *store, const char *pipeline, const char *kind, const char *text, struct err *err) MUST_USE;
/* All that are, and those that ended and whose end was not told yet. */
int store_alerts(struct store *store, struct arena *arena, struct alert **alerts, size_t *count, struct err *err) MUST_USE;
/* It was told; one that has ended is forgotten. */
int store_alert_told(struct store *store, const struct alert *alert, struct err *err) MUST_USE;

/* Forgets jobs that ended longer ago than that. */
int store_trim(struct store *store, int64_t older_ms, struct err *err) MUST_USE;

#endif
