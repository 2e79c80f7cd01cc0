/* Why the advisory lock comes first: it makes a new transaction of the flow wait until an older one (of a connection we lost,
 * or of an owner we replaced) is decided, before anything is read. */
#include "writer/postgres/transact.h"

#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "writer/postgres/lease.h"

enum { RETRY_FOR_MS = 60000, STOPPING_RETRY_FOR_MS = 5000, RETRY_BASE_MS = 50, RETRY_MAX_MS = 5000 };

int pgw_writer_connect(struct writer *writer, struct err *err)
{
    if (pg_is_alive(writer->pg)) return 0;
    pg_close(writer->pg);
    return pgw_connection_take(writer->destination, &writer->pg, err);
}

bool pgw_transact_wait(struct writer *writer, unsigned attempt, int64_t since_ms)
{
    struct clock *clock = writer->destination->clock;
    struct cancel *cancel = writer->settings.cancel;
    int64_t limit_ms = cancel_stopping(cancel) ? STOPPING_RETRY_FOR_MS : RETRY_FOR_MS;
    if (cancel_aborted(cancel) || clock_now_ms(clock) - since_ms >= limit_ms) return false;
    int64_t most_ms = RETRY_BASE_MS << (attempt < 10 ? attempt : 10);
    if (most_ms > RETRY_MAX_MS) most_ms = RETRY_MAX_MS;
    uint64_t random = ((uint64_t)clock_wall_us(clock) ^ (uint64_t)writer->lock_key) * 0x9e3779b97f4a7c15u >> 33;
    int64_t wait_ms = most_ms / 2 + (int64_t)(random % (uint64_t)(most_ms / 2 + 1));
    /* While stopping the token has fired already; the commit in hand is still worth its few seconds. */
    clock_sleep_ms(clock, wait_ms, cancel_stopping(cancel) ? NULL : cancel);
    return !cancel_aborted(cancel);
}

static int take_flow_lock(struct writer *writer, struct err *err)
{
    char key[PG_INT_TEXT];
    return pg_query(writer->pg, "SELECT pg_advisory_xact_lock($1)", PG_PARAMS(pg_int_text(writer->lock_key, key)), NULL, err);
}

static int read_head(struct writer *writer, struct transaction *tx, struct err *err)
{
    struct pg_result *head;
    char fence[PG_INT_TEXT];
    int rc = pg_query(writer->pg,
                      "SELECT commit_id, nextval('_sluice.load_ids'), (extract(epoch FROM now()) * 1000000)::bigint "
                      "FROM _sluice.heads WHERE pipeline = $1 AND flow = $2 AND fence = $3 AND run = $4",
                      PG_PARAMS(writer->spec.pipeline, writer->spec.flow, pg_int_text(writer->destination->fence, fence),
                                writer->destination->run),
                      &head, err);
    if (rc != 0) return rc;
    if (pg_rows(head) != 1 || pg_int(head, 0, 0) != writer->commit_id) {
        rc = pgw_lease_lost(writer->destination, err);
    } else {
        tx->load_id = pg_int(head, 0, 1);
        tx->now_us = pg_int(head, 0, 2);
    }
    pg_free(head);
    return rc;
}

static int move_head(struct writer *writer, const struct transaction *tx, struct err *err)
{
    uint64_t changed = 0;
    char fence[PG_INT_TEXT], commit[PG_INT_TEXT], load[PG_INT_TEXT], seq[PG_INT_TEXT];
    int rc = pg_change(
        writer->pg,
        "UPDATE _sluice.heads SET commit_id = commit_id + 1, load_id = $6, next_seq = $7, building = $8, publishing = $9, "
        "updated_at = now() "
        "WHERE pipeline = $1 AND flow = $2 AND fence = $3 AND run = $4 AND commit_id = $5",
        PG_PARAMS(writer->spec.pipeline, writer->spec.flow, pg_int_text(writer->destination->fence, fence),
                  writer->destination->run, pg_int_text(writer->commit_id, commit), pg_int_text(tx->load_id, load),
                  pg_int_text((int64_t)tx->next_seq, seq), tx->is_building ? "t" : "f", tx->is_publishing ? "t" : "f"),
        &changed, err);
    if (rc == 0 && changed != 1) rc = pgw_lease_lost(writer->destination, err);
    return rc;
}

/* One try. *is_unknown: COMMIT was sent, and nobody said what became of it. */
static int attempt(struct writer *writer, const struct pg_limits *limits, struct transaction *tx, transact_body *body,
                   void *context, bool *is_unknown, struct err *err)
{
    int rc;
    *is_unknown = false;
    if ((rc = pgw_writer_connect(writer, err)) != 0) return rc;
    tx->pg = writer->pg;
    PG_FAULT_POINT(writer->pg, "pg.begin.before");
    if ((rc = pg_begin(writer->pg, limits, err)) != 0) return rc;
    PG_FAULT_POINT(writer->pg, "pg.begin.after");
    if ((rc = take_flow_lock(writer, err)) != 0) return rc;
    PG_FAULT_POINT(writer->pg, "pg.lock.after");
    if ((rc = read_head(writer, tx, err)) != 0) return rc;
    if ((rc = body(writer, tx, context, err)) != 0) return rc;
    PG_FAULT_POINT(writer->pg, "pg.head.before");
    if ((rc = move_head(writer, tx, err)) != 0) return rc;
    return pg_commit(writer->pg, is_unknown, err);
}

/* Asks the head, once, what became of a COMMIT. */
static int ask_head(struct writer *writer, bool *happened, struct err *err)
{
    struct pg_result *head = NULL;
    int rc;
    if ((rc = pgw_writer_connect(writer, err)) != 0) return rc;
    PG_FAULT_POINT(writer->pg, "pg.resolve.before");
    if ((rc = pg_begin(writer->pg, &(struct pg_limits){.lock_ms = 10000, .statement_ms = 30000}, err)) != 0) return rc;
    if ((rc = take_flow_lock(writer, err)) != 0) return rc;
    rc = pg_query(writer->pg, "SELECT fence, run, commit_id FROM _sluice.heads WHERE pipeline = $1 AND flow = $2 FOR UPDATE",
                  PG_PARAMS(writer->spec.pipeline, writer->spec.flow), &head, err);
    if (rc != 0) return rc;
    bool is_ours = pg_rows(head) == 1 && pg_int(head, 0, 0) == writer->destination->fence &&
                   strcmp(pg_cell(head, 0, 1), writer->destination->run) == 0;
    int64_t commit_id = is_ours ? pg_int(head, 0, 2) : -1;
    pg_free(head);
    PG_FAULT_POINT(writer->pg, "pg.resolve.after");
    *happened = commit_id == writer->commit_id + 1;
    if (!*happened && commit_id != writer->commit_id) return pgw_lease_lost(writer->destination, err);
    return 0;
}

static int resolve(struct writer *writer, bool *happened, struct err *err)
{
    int64_t since_ms = clock_now_ms(writer->destination->clock);
    for (unsigned tries = 0;; tries++) {
        int rc = ask_head(writer, happened, err);
        pg_rollback(writer->pg);
        if (rc == 0 || rc == ERR_HELD || rc == ERR_CANCELLED) return rc;
        if (!pgw_transact_wait(writer, tries, since_ms))
            return err_context(err, "could not find out whether the load was committed");
    }
}

/* May the same again work? */
static bool is_worth_retrying(const struct writer *writer, int rc)
{
    if (rc != ERR_DESTINATION) return false;
    if (!pg_usable(writer->pg)) return true;
    enum pg_failure failure = pg_failure(writer->pg);
    return failure == PG_RETRY || failure == PG_LOST;
}

int pgw_transact(struct writer *writer, const struct pg_limits *limits, transact_body *body, void *context, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    int64_t since_ms = clock_now_ms(writer->destination->clock);
    bool is_careful = false, is_unknown, happened = false;
    int rc;
    struct transaction tx;
    for (unsigned tries = 0;; tries++) {
        struct err failure = ERR_INIT;
        arena_clear(&arena);
        tx = (struct transaction){.arena = &arena,
                                  .is_careful = is_careful,
                                  .next_seq = writer->next_seq,
                                  .is_building = writer->is_building,
                                  .is_publishing = writer->is_publishing,
                                  .has_held = writer->has_held};
        rc = attempt(writer, limits, &tx, body, context, &is_unknown, &failure);
        if (is_unknown) {
            log_warn(writer->destination->log, "the reply to COMMIT was lost (%s): asking again", failure.message);
            if ((rc = resolve(writer, &happened, err)) != 0) break;
            if (happened) break;
            continue; /* it did not happen: redo */
        }
        if (rc == 0) break;
        bool again = is_worth_retrying(writer, rc);
        /* A refused value: once more, looking for its row. */
        bool look = rc == ERR_DESTINATION && !again && !is_careful && pg_failure(writer->pg) == PG_VALUE;
        if (writer->pg) pg_rollback(writer->pg);
        is_careful = is_careful || look;
        if (look) continue;
        if (again) log_debug(writer->destination->log, "trying again: %s", failure.message);
        if (!again || !pgw_transact_wait(writer, tries, since_ms)) {
            rc = cancel_aborted(writer->settings.cancel) ? err_set(err, ERR_CANCELLED, "aborted before the load was committed")
                                                         : err_copy(err, &failure);
            break;
        }
    }
    if (rc == 0) {
        writer->commit_id++;
        writer->next_seq = tx.next_seq;
        writer->is_building = tx.is_building;
        writer->is_publishing = tx.is_publishing;
        writer->has_held = tx.has_held;
    }
    arena_release(&arena);
    return rc;
}
