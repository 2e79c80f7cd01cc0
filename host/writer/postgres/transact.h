/* transact: runs one transaction of a flow, so that it happens exactly once. COMMIT.md rules 6 and 8.
 *
 * BEGIN; the flow's advisory lock; the head, which must be ours and where we left it; the caller's body; the head moves on by
 * one, touching exactly one row; COMMIT alone. Lost races (deadlocks, lock timeouts) and lost connections are tried again for
 * 60 s with jitter, from BEGIN, so a body must not change anything outside of the transaction. When COMMIT's reply is lost, the
 * head tells on a new connection whether it happened.
 *
 *     rc = pgw_transact(writer, &LOAD_LIMITS, load_body, &load_context, err);      // 0: it is known to be committed */
#ifndef SLUICE_WRITER_POSTGRES_TRANSACT_H
#define SLUICE_WRITER_POSTGRES_TRANSACT_H

#include "writer/postgres/internal.h"

struct transaction {
    struct pg *pg;
    struct arena *arena; /* of this attempt */
    int64_t load_id;
    int64_t now_us;     /* now() of the transaction */
    bool is_careful;    /* a value was refused before: look for it */
    uint64_t next_seq;  /* written to the head; as the writer has it unless the body changes it */
    bool is_building;   /* the same */
    bool is_publishing; /* the same */
    bool has_held;      /* the writer's after a commit */
};

typedef int transact_body(struct writer *writer, struct transaction *tx, void *context, struct err *err);

/* HELD: fenced by a newer owner. DESTINATION: tried in vain. Others: as the body gave them. */
int pgw_transact(struct writer *writer, const struct pg_limits *limits, transact_body *body, void *context,
                 struct err *err) MUST_USE;

/* Makes sure of a usable connection. */
int pgw_writer_connect(struct writer *writer, struct err *err) MUST_USE;

/* Waits before try `attempt` (0, 1, ..); false when `since_ms` is too long ago to try again, or the sync is aborted. */
bool pgw_transact_wait(struct writer *writer, unsigned attempt, int64_t since_ms);

#endif
