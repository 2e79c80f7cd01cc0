/* store_internal: what the parts of the store share. */
#ifndef SLUICE_SERVICE_STORE_INTERNAL_H
#define SLUICE_SERVICE_STORE_INTERNAL_H

#include <pthread.h>

#include "service/store.h"

/* Who waits for the store, on its own stack. */
struct store_turn {
    pthread_cond_t comes;
    bool is_here;
    struct store_turn *next;
};

struct store {
    pthread_mutex_t lock; /* of these three: */
    bool is_taken;
    struct store_turn *first, *last;
    struct sql_settings settings;
    struct sql *sql; /* NULL: to be opened anew */
};

/* Takes the store and a connection that works, in the order of asking: who asks often does not keep the others away. After 0,
 * store_give follows. */
int store_take(struct store *store, struct err *err) MUST_USE;
void store_give(struct store *store);

/* Likewise with a transaction around; store_finish commits when `rc` is 0, and gives `rc` or why it could not. */
int store_begin(struct store *store, struct err *err) MUST_USE;
int store_finish(struct store *store, int rc, struct err *err) MUST_USE;

/* The columns of a process_identity, and whether those from `column` on are of a process of this machine that is gone. */
#define IDENTITY_COLUMNS "host, boot_id, pid_namespace, pid, start_ticks"
bool store_row_is_dead(const struct sql_rows *rows, size_t row, size_t column);

/* The columns of a job, for job_read. */
#define JOB_COLUMNS                                                                                                            \
    "id, claim, pipeline, trigger, status, streams, full_refresh, cancelled, node, attempt, exit_code, error_class, error, "   \
    "hint, requested_ms, not_before_ms, started_ms, ended_ms, records, written, rejected"
void job_read(const struct sql_rows *rows, size_t row, struct arena *arena, struct job *job);
/* All rows. */
struct job *jobs_read(const struct sql_rows *rows, struct arena *arena);

#endif
