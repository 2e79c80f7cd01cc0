/* How it works: the load's batches are sorted into sets before BEGIN: per table those that become visible now (direct) and
 * those that wait (side). The transaction then does, in this order: slices that restart, rows, merges, held slices, rejects,
 * ledger, state. Whatever it counts is kept apart until it is committed, since it may run more than once.
 *
 * While the flow is building nothing is direct. A load that ends the building (complete, or an early publishing checkpoint)
 * marks the head, so that a run that dies between here and the publication is finished by the next one. */
#include "writer/postgres/load.h"

#include "base/time.h"
#include "os/clock.h"
#include "os/log.h"
#include "writer/postgres/evolve.h"
#include "writer/postgres/merge.h"
#include "writer/postgres/publish.h"
#include "writer/postgres/replace.h"
#include "writer/postgres/rows.h"
#include "writer/postgres/stage.h"
#include "writer/postgres/statestore.h"
#include "writer/postgres/table.h"
#include "writer/postgres/transact.h"
#include "writer/postgres/truncate.h"
#include "writer/postgres/usage.h"

enum { EARLY_PUBLISH_AFTER_MS = 10 * 60 * 1000, FAILED_LOAD_REJECTS = 100 };

static const struct pg_limits LOAD_LIMITS = {.lock_ms = 10000, .statement_ms = 30 * 60 * 1000, .work_mem_mib = 64};

enum route { ROUTE_DIRECT, ROUTE_SIDE, ROUTES };

struct load_work {
    const struct load *load;
    bool is_building;
    bool may_publish_early;         /* if nothing is held after this load */
    struct row_set (*sets)[ROUTES]; /* per table */
    const char *restarted;          /* array literals of slice ids; NULL: none */
    const char *abandoned;
    const char *published;
    const char *settled;          /* all three */
    struct ledger_counts *deltas; /* per table, of the newest attempt */
    uint64_t next_seq;
};

bool pgw_flow_is_building(const struct writer *writer)
{
    if (writer->is_building) return true;
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        if (table->at[PLACE_BUILD].exists || (pgw_table_uses_build(table) && schema_count(table->spec->schema) > 0))
            return true;
    }
    return false;
}

void pgw_report_counts(struct table *table, const struct ledger_counts *delta, struct load_counts *counts)
{
    struct ledger_counts shown = *delta;
    /* Rows of an earlier run that turn out not to be written now must not make this run's count negative. */
    int64_t excess = -(table->reported + shown.written);
    int64_t *const others[] = {&shown.deduplicated, &shown.unchanged, &shown.discarded};
    if (excess > 0) shown.written += excess;
    for (size_t i = 0; excess > 0 && i < ARRAY_SIZE(others); i++) {
        int64_t part = *others[i] < excess ? *others[i] : excess;
        *others[i] -= part;
        excess -= part;
    }
    table->reported += shown.written;
    if (!counts) return;
    counts->written += (uint64_t)shown.written;
    counts->unchanged += (uint64_t)shown.unchanged;
    counts->deduplicated += (uint64_t)shown.deduplicated;
    counts->rejected += (uint64_t)shown.rejected;
    counts->discarded += (uint64_t)shown.discarded;
    counts->deleted += (uint64_t)shown.deleted;
}

/* --- sorting -------------------------------------------------------------------------------------------------------------- */

static const struct load_slice *slice_of(const struct load *load, uint32_t slice)
{
    for (size_t i = 0; i < load->slice_count; i++)
        if (load->slices[i].slice == slice) return &load->slices[i];
    return NULL;
}

static bool is_direct(const struct load_work *work, const struct load_slice *slice)
{
    return !work->is_building && (work->load->complete || slice->outcome == SLICE_PUBLISH);
}

static const char *slice_array(const struct load *load, struct arena *arena, unsigned outcomes)
{
    struct buf text = BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < load->slice_count; i++)
        if (outcomes >> load->slices[i].outcome & 1u) pg_array_add(&text, load->slices[i].id);
    char *array = NULL;
    if (text.size) {
        pg_array_end(&text);
        array = arena_strdup(arena, buf_text(&text));
    }
    buf_release(&text);
    return array;
}

static int sort_rows(struct writer *writer, struct load_work *work, struct arena *arena, struct err *err)
{
    const struct load *load = work->load;
    work->sets = arena_alloc(arena, sizeof(*work->sets) * writer->table_count);
    work->deltas = arena_array(arena, struct ledger_counts, writer->table_count);
    work->restarted = slice_array(load, arena, 1u << SLICE_RESTART);
    work->published = slice_array(load, arena, 1u << SLICE_PUBLISH);
    work->abandoned = slice_array(load, arena, 1u << SLICE_ABANDON);
    work->settled = slice_array(load, arena, 1u << SLICE_PUBLISH | 1u << SLICE_RESTART | 1u << SLICE_ABANDON);
    work->next_seq = writer->next_seq;
    for (size_t i = 0; i < load->batch_count; i++) {
        struct batch *batch = load->batches[i];
        const struct load_slice *slice = slice_of(load, batch->slice);
        if (batch->stream >= writer->table_count || !slice)
            return err_set(err, ERR_BUG, "a batch of flow '%s' names an unknown stream or slice", writer->spec.flow);
        struct row_set *set = &work->sets[batch->stream][is_direct(work, slice) ? ROUTE_DIRECT : ROUTE_SIDE];
        if (!set->batches) {
            set->batches = arena_array(arena, struct batch *, load->batch_count);
            set->slices = arena_array(arena, const char *, load->batch_count);
        }
        set->batches[set->count] = batch;
        set->slices[set->count++] = slice->id;
        set->rows += batch->rows;
        uint64_t next = writer->seq_base + batch->first_sequence + batch->rows;
        if (next > work->next_seq) work->next_seq = next;
    }
    return 0;
}

static int prepare_tables(struct writer *writer, const struct load_work *work, struct arena *arena, struct err *err)
{
    uint32_t *counts = arena_array(arena, uint32_t, writer->table_count);
    bool(*needs)[PLACES] = arena_alloc(arena, sizeof(*needs) * writer->table_count);
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        counts[t] = schema_count(table->spec->schema);
        if (work->sets[t][ROUTE_SIDE].rows) needs[t][pgw_table_uses_build(table) ? PLACE_BUILD : PLACE_STAGE] = true;
    }
    return pgw_evolve(writer, counts, needs, err);
}

/* --- the transaction ------------------------------------------------------------------------------------------------------ */

static int restart_slices(struct writer *writer, struct transaction *tx, struct load_work *work, struct err *err)
{
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < writer->table_count; t++) {
        uint64_t restarted = 0, abandoned = 0;
        struct rows_copied lost;
        if ((rc = pgw_stage_check(writer, tx, &writer->tables[t], work->restarted, work->abandoned, &lost, err)) != 0)
            return rc;
        if ((rc = pgw_stage_count(tx, &writer->tables[t], &lost, -1, err)) != 0) return rc;
        if (work->abandoned) rc = pgw_stage_abandon(tx, &writer->tables[t], work->abandoned, &abandoned, err);
        if (rc == 0 && work->restarted && writer->has_held)
            rc = pgw_stage_restart(writer, tx, &writer->tables[t], work->restarted, &restarted, err);
        work->deltas[t].written -= (int64_t)(restarted + abandoned + lost.rows);
        work->deltas[t].discarded += (int64_t)(restarted + abandoned + lost.rows);
    }
    return rc;
}

static int write_direct_append(struct writer *writer, struct transaction *tx, struct load_work *work, size_t t, bool has_stage,
                               const char *slices, struct reject_list *rejects, struct err *err)
{
    const struct table *table = &writer->tables[t];
    struct buf name = BUF_INIT(1024);
    struct rows_copied copied;
    uint64_t staged;
    int rc = 0;
    pgw_relation_quote(&table->at[PLACE_TARGET], &name);
    rc = pgw_replace_delete(tx, table, work->load, err);
    if (rc == 0 && has_stage)
        rc = pgw_stage_append(tx, table, PLACE_STAGE, slices, &staged, err); /* counted as written when they were staged */
    if (rc == 0)
        rc = pgw_rows_copy(writer, tx, table, buf_text(&name), false, &work->sets[t][ROUTE_DIRECT], rejects, &copied, err);
    if (rc == 0) work->deltas[t].written += (int64_t)copied.rows;
    buf_release(&name);
    return rc;
}

static int mark_replaced(struct transaction *tx, const struct table *table, const struct load *load, const char *source,
                         struct ledger_counts *delta, struct err *err)
{
    int64_t removed = 0;
    int rc = pgw_replace_mark(tx, table, load, source, &removed, err);
    delta->deleted += removed;
    delta->removed += removed;
    return rc;
}

static int write_direct_merge(struct writer *writer, struct transaction *tx, struct load_work *work, size_t t, bool has_stage,
                              const char *slices, struct reject_list *rejects, struct err *err)
{
    const struct table *table = &writer->tables[t];
    struct ledger_counts *delta = &work->deltas[t];
    struct buf name = BUF_INIT(1024);
    struct merge_counts merged;
    struct rows_copied copied = {0};
    uint64_t collected = 0;
    bool is_from_stage = has_stage && !slices; /* all of it goes: the load's rows join it there */
    int rc = 0;
    if (is_from_stage)
        pgw_relation_quote(&table->at[PLACE_STAGE], &name);
    else
        rc = pgw_merge_begin(tx, table, &name, err);
    if (rc == 0 && has_stage && !is_from_stage) rc = pgw_stage_collect(tx, table, slices, buf_text(&name), &collected, err);
    if (rc == 0)
        rc = pgw_rows_copy(writer, tx, table, buf_text(&name), true, &work->sets[t][ROUTE_DIRECT], rejects, &copied, err);
    PG_FAULT_POINT(tx->pg, "pg.merge.before");
    if (rc == 0 && (is_from_stage || collected || copied.all)) {
        rc = pgw_merge_rows(tx, table, buf_text(&name), &merged, err);
        if (rc == 0) {
            /* What comes from the stage was counted as written when it was staged. */
            delta->written += (int64_t)merged.written - (int64_t)(merged.rows - copied.rows);
            delta->unchanged += (int64_t)merged.unchanged;
            delta->deduplicated += (int64_t)merged.deduplicated;
            delta->deleted += (int64_t)merged.deleted;
            delta->removed += (int64_t)merged.removed;
        }
    }
    if (rc == 0) rc = mark_replaced(tx, table, work->load, buf_text(&name), delta, err);
    buf_release(&name);
    return rc;
}

static int write_table(struct writer *writer, struct transaction *tx, struct load_work *work, size_t t,
                       struct reject_list *rejects, struct err *err)
{
    const struct table *table = &writer->tables[t];
    struct row_set *side = &work->sets[t][ROUTE_SIDE];
    int rc = 0;
    if (side->rows) {
        struct buf name = BUF_INIT(1024);
        struct rows_copied copied = {0};
        uint64_t gone = 0, skipped = 0;
        bool is_build = pgw_table_uses_build(table);
        pgw_relation_quote(&table->at[is_build ? PLACE_BUILD : PLACE_STAGE], &name);
        rc = is_build ? pgw_truncate_build(tx, table, side, &gone, &skipped, err) : pgw_truncate_stage(tx, table, side, err);
        if (rc == 0) rc = pgw_rows_copy(writer, tx, table, buf_text(&name), true, side, rejects, &copied, err);
        if (rc == 0 && !is_build) rc = pgw_stage_count(tx, table, &copied, 1, err);
        work->deltas[t].written += (int64_t)copied.rows - (int64_t)gone;
        work->deltas[t].deduplicated += (int64_t)(gone + skipped);
        buf_release(&name);
    }
    if (rc == 0 && !work->is_building) rc = pgw_usage_note(tx, &writer->tables[t], err);
    if (rc != 0 || work->is_building) return rc;
    const char *slices = work->load->complete ? NULL : work->published;
    bool has_stage = table->at[PLACE_STAGE].exists && writer->has_held && (work->load->complete || slices);
    if (!has_stage && work->sets[t][ROUTE_DIRECT].rows == 0)
        return table->spec->mode == WRITE_APPEND ? pgw_replace_delete(tx, table, work->load, err)
                                                 : mark_replaced(tx, table, work->load, NULL, &work->deltas[t], err);
    rc = (table->spec->mode == WRITE_APPEND_DEDUP ? write_direct_merge : write_direct_append)(writer, tx, work, t, has_stage,
                                                                                              slices, rejects, err);
    PG_FAULT_POINT(tx->pg, "pg.stage.published");
    return rc == 0 && has_stage ? pgw_stage_delete(tx, table, slices, err) : rc;
}

/* The books of the slices: what was settled is no longer held, what waits is. */
static int keep_held(struct writer *writer, struct transaction *tx, const struct load_work *work, struct err *err)
{
    const struct load *load = work->load;
    int rc = 0;
    if (writer->has_held && (load->complete || work->settled))
        rc = pgw_stage_settle(writer, tx, load->complete ? NULL : work->settled, err);
    for (size_t i = 0; rc == 0 && i < load->batch_count; i++) {
        const struct load_slice *slice = slice_of(load, load->batches[i]->slice);
        bool is_first = true;
        if (load->complete || slice->outcome == SLICE_PUBLISH || load->batches[i]->rows == 0) continue;
        for (size_t j = 0; is_first && j < i; j++)
            is_first = load->batches[j]->slice != load->batches[i]->slice || load->batches[j]->rows == 0;
        if (is_first) rc = pgw_stage_hold(writer, tx, slice->id, writer->seq_base + load->batches[i]->first_sequence, err);
    }
    return rc;
}

static int keep_books(struct writer *writer, struct transaction *tx, struct load_work *work, const struct reject_list *found,
                      struct err *err)
{
    const struct load *load = work->load;
    int rc;
    if ((rc = pgw_ledger_add_rejects(writer, tx->pg, tx->load_id, load->rejects, load->reject_count, err)) != 0) return rc;
    if ((rc = pgw_ledger_add_rejects(writer, tx->pg, tx->load_id, found->items, found->count, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.load.rejects");
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct load_counts *given = &load->counts[t];
        struct ledger_counts all = work->deltas[t];
        all.emitted += (int64_t)given->emitted;
        all.deduplicated += (int64_t)given->deduplicated;
        all.rejected += (int64_t)given->rejected;
        all.discarded += (int64_t)given->discarded;
        all.repaired += (int64_t)given->repaired;
        all.nulled += (int64_t)given->nulled;
        all.overflowed += (int64_t)given->overflowed;
        all.bytes += (int64_t)given->bytes;
        bool is_empty = memcmp(&all, &(struct ledger_counts){0}, sizeof(all)) == 0;
        if (is_empty && t > 0) continue; /* each load has at least the row of its root stream */
        rc = pgw_ledger_add_load(writer, tx->pg, tx->load_id, writer->tables[t].spec->stream, "load", &all, NULL, err);
        if (rc != 0) return rc;
    }
    PG_FAULT_POINT(tx->pg, "pg.load.ledger");
    rc = pgw_state_save(writer, tx, load->state, work->is_building, err);
    if (rc == 0) rc = pgw_state_sweep(writer, tx, load->sweep, work->is_building, err);
    PG_FAULT_POINT(tx->pg, "pg.load.state");
    return rc;
}

static int load_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    struct load_work *work = context;
    struct reject_list rejects = {0};
    int rc;
    memset(work->deltas, 0, sizeof(*work->deltas) * writer->table_count);
    pgw_usage_begin(writer);
    if ((rc = pgw_stage_drop_others(writer, tx, err)) != 0) return rc;
    if ((rc = restart_slices(writer, tx, work, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.load.restarted");
    for (size_t t = 0; t < writer->table_count; t++) {
        size_t before = rejects.count;
        if ((rc = write_table(writer, tx, work, t, &rejects, err)) != 0) return rc;
        for (size_t i = before; i < rejects.count; i++) work->deltas[t].rejected += rejects.items[i].row_was_dropped;
        PG_FAULT_POINT(tx->pg, "pg.load.rows");
    }
    if ((rc = keep_held(writer, tx, work, err)) != 0) return rc;
    PG_FAULT_POINT(tx->pg, "pg.load.held");
    if ((rc = keep_books(writer, tx, work, &rejects, err)) != 0) return rc;
    tx->next_seq = work->next_seq;
    tx->is_building = work->is_building;
    tx->is_publishing = work->is_building && (work->load->complete || (work->may_publish_early && !tx->has_held));
    return 0;
}

/* A publishing checkpoint of a new table: at once when there is nothing to do but a rename, else after a while. */
static bool may_publish_early(const struct writer *writer, const struct load *load)
{
    bool is_append = true;
    for (size_t t = 0; t < writer->table_count; t++) {
        const struct table *table = &writer->tables[t];
        if (table->spec->mode == WRITE_OVERWRITE) return false;
        if (pgw_table_uses_build(table) && table->spec->mode != WRITE_APPEND) is_append = false;
    }
    for (size_t i = 0; i < load->slice_count; i++)
        if (load->slices[i].outcome != SLICE_PUBLISH) return false;
    int64_t age_ms = clock_now_ms(writer->destination->clock) - writer->building_since_ms;
    return load->slice_count > 0 && (is_append || load->is_prompt || age_ms >= EARLY_PUBLISH_AFTER_MS);
}

int pgw_load_commit(struct writer *writer, const struct load *load, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct load_work work = {.load = load, .is_building = pgw_flow_is_building(writer)};
    int rc;
    if (work.is_building && writer->building_since_ms == 0)
        writer->building_since_ms = clock_now_ms(writer->destination->clock);
    work.may_publish_early = work.is_building && may_publish_early(writer, load);
    if ((rc = sort_rows(writer, &work, &arena, err)) != 0) goto out;
    if ((rc = prepare_tables(writer, &work, &arena, err)) != 0) goto out;
    if ((rc = pgw_transact(writer, &LOAD_LIMITS, load_body, &work, err)) != 0) {
        if (rc != ERR_HELD && rc != ERR_CANCELLED) err_context(err, "could not commit a load of flow '%s'", writer->spec.flow);
        goto out;
    }
    writer->has_others = false;
    PG_FAULT_POINT(writer->pg, "pg.load.committed");
    for (size_t t = 0; t < writer->table_count; t++) pgw_report_counts(&writer->tables[t], &work.deltas[t], &load->counts[t]);
    pgw_usage_noted(writer);
    if (writer->is_publishing) rc = pgw_publish_flow(writer, load->counts, err);
out:
    arena_release(&arena);
    return rc;
}

static int publish_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    (void)writer, (void)context, (void)err;
    tx->is_publishing = true;
    return 0;
}

int pgw_load_publish_built(struct writer *writer, int64_t wait_ms, struct load_counts *counts, struct err *err)
{
    char wait[TIME_TEXT_MAX];
    bool has_build = false;
    for (size_t t = 0; t < writer->table_count; t++) {
        if (writer->tables[t].spec->mode == WRITE_OVERWRITE) return 0;
        has_build = has_build || writer->tables[t].at[PLACE_BUILD].exists;
    }
    if (!has_build || !writer->is_building || writer->has_held) return 0;
    time_write_span(wait_ms / 1000 * 1000, wait);
    log_info(writer->destination->log, "publishing what there is of flow '%s', as the source makes us wait for %s",
             writer->spec.flow, wait);
    int rc = pgw_transact(writer, &LOAD_LIMITS, publish_body, NULL, err);
    return rc == 0 ? pgw_publish_flow(writer, counts, err) : rc;
}

/* --- a load that is given up ---------------------------------------------------------------------------------------------- */

struct failed_load {
    const struct load *load;
    const char *reason;
};

static int fail_body(struct writer *writer, struct transaction *tx, void *context, struct err *err)
{
    const struct failed_load *failed = context;
    const struct load *load = failed->load;
    size_t count = load->reject_count < FAILED_LOAD_REJECTS ? load->reject_count : FAILED_LOAD_REJECTS;
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < writer->table_count; t++)
        rc = pgw_ledger_add_load(writer, tx->pg, tx->load_id, writer->tables[t].spec->stream, "failed",
                                 &(struct ledger_counts){0}, failed->reason, err);
    if (rc != 0 || count == 0) return rc;
    return pgw_ledger_add_rejects(writer, tx->pg, tx->load_id, load->rejects + load->reject_count - count, count, err);
}

int pgw_load_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err)
{
    struct failed_load failed = {load, reason};
    return pgw_transact(writer, &LOAD_LIMITS, fail_body, &failed, err);
}
