/* load: one commit of rows. First everything is decided (which rows become visible, which wait, which go) and the files are
 * written (rows.h), then the commit is made, then the visible world is brought in line with it. Nothing of the writer changes
 * before the commit, but for what is spooled.
 *
 * A load that only spools rows makes no commit: it has nothing to say that a later run could use. Its counts go with the next
 * one, and its rows are counted when they are published or settled, so the books never hold rows that a crash took. */
#include <unistd.h>

#include "base/fault.h"
#include "os/fs.h"
#include "writer/csv/rejects.h"
#include "writer/csv/rows.h"

enum { FAIL_REJECTS = 100 };

/* --- the commit ------------------------------------------------------------------------------------------------------- */

static void describe_rows(struct csv_work *work)
{
    struct writer *writer = work->writer;
    for (size_t i = 0; i < work->held_count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i && is_new; j++) is_new = work->held[j].columns != work->held[i].columns;
        if (is_new) csv_commit_columns(work->commit, work->held[i].columns);
    }
    for (size_t i = 0; i < work->held_count; i++) csv_commit_segment(work->commit, &work->held[i]);
    for (size_t i = 0; i < writer->segment_count; i++) {
        if (work->segment_fates[i] == CSV_SETTLE)
            csv_commit_settled(work->commit, &writer->segments[i]);
        else if (work->segment_fates[i] != CSV_KEEP)
            csv_commit_gone(work->commit, &writer->segments[i]);
    }
}

/* The stream as a table after this load. */
static struct csv_table table_after(const struct csv_work *work, size_t index)
{
    const struct csv_stream *stream = &work->writer->streams[index];
    struct csv_table table = stream->table;
    if (work->load->complete && stream->spec.mode == WRITE_OVERWRITE) {
        table.has_rows = true;
        table.rows = csv_folder_rows(work->folders[index]);
    }
    return table;
}

/* Rows of the stream in spools that this load makes durable. */
static uint64_t rows_from_spools(const struct csv_work *work, size_t index)
{
    const struct writer *writer = work->writer;
    uint64_t rows = 0;
    for (size_t i = 0; i < writer->spool_count; i++)
        if (writer->spools[i]->stream == index && work->spool_fates[i] != CSV_KEEP && work->spool_fates[i] != CSV_DROP)
            rows += writer->spools[i]->uncounted;
    return rows;
}

/* What the books get with this load: its own counts, with the rows that spools give instead of those that they took. */
static struct load_counts counts_to_store(const struct csv_work *work, size_t index)
{
    const struct load_counts *waiting = &work->writer->streams[index].uncounted;
    struct load_counts counts = work->load->counts[index];
    uint64_t rows = rows_from_spools(work, index);
    counts.emitted += waiting->emitted + rows - work->spooled[index];
    counts.written += waiting->written + rows - work->spooled[index] + work->written[index];
    counts.deleted += waiting->deleted + work->deleted[index];
    counts.repaired += waiting->repaired + work->repaired[index];
    counts.unchanged += waiting->unchanged;
    counts.deduplicated += waiting->deduplicated;
    counts.rejected += waiting->rejected;
    counts.discarded += waiting->discarded;
    counts.nulled += waiting->nulled;
    counts.overflowed += waiting->overflowed;
    counts.bytes += waiting->bytes;
    return counts;
}

/* Rows that were counted as written when they were staged, and that this load drops. */
static uint64_t rows_dropped(const struct csv_work *work, const char *stream)
{
    const struct writer *writer = work->writer;
    uint64_t rows = 0;
    for (size_t i = 0; i < writer->segment_count; i++)
        if (work->segment_fates[i] == CSV_DROP && strcmp(writer->segments[i].stream, stream) == 0)
            rows += writer->segments[i].rows - writer->segments[i].marks;
    return rows;
}

/* Of streams that are no longer chosen; the others' counts say it themselves. */
static void describe_dropped(struct csv_work *work)
{
    const struct writer *writer = work->writer;
    for (size_t i = 0; i < writer->segment_count; i++) {
        const char *stream = writer->segments[i].stream;
        bool is_new = work->segment_fates[i] == CSV_DROP;
        for (size_t j = 0; j < i && is_new; j++)
            is_new = work->segment_fates[j] != CSV_DROP || strcmp(writer->segments[j].stream, stream) != 0;
        for (size_t j = 0; j < writer->stream_count && is_new; j++)
            is_new = strcmp(writer->streams[j].spec.stream, stream) != 0;
        if (!is_new) continue;
        uint64_t rows = rows_dropped(work, stream);
        csv_commit_counts(work->commit, stream, &(struct load_counts){.written = 0 - rows, .discarded = rows});
    }
}

static void describe_stream(struct csv_work *work, size_t index)
{
    const struct csv_stream *stream = &work->writer->streams[index];
    struct load_counts counts = counts_to_store(work, index);
    uint64_t dropped = rows_dropped(work, stream->spec.stream);
    counts.written -= dropped; /* below zero when it was more than this load wrote */
    counts.discarded += dropped;
    struct csv_table table = table_after(work, index);
    if (!stream->table_is_stored || table.rows != stream->table.rows || table.has_rows != stream->table.has_rows)
        csv_commit_table(work->commit, &table);
    if (work->folders[index])
        csv_commit_load(work->commit, stream->spec.stream, work->number, csv_folder_rows(work->folders[index]));
    csv_commit_counts(work->commit, stream->spec.stream, &counts);
    if (work->widths[index] > stream->known_columns) {
        struct state known = STATE_INIT(&work->arena);
        state_set(&known, stream->spec.stream, "", CSV_KNOWN_KIND,
                  csv_known_write(stream->spec.schema, work->widths[index], &work->arena));
        csv_commit_state(work->commit, &known);
    }
}

static void report_counts(const struct csv_work *work)
{
    for (size_t i = 0; i < work->writer->stream_count; i++) {
        work->load->counts[i].written += work->written[i];
        work->load->counts[i].deleted += work->deleted[i];
        work->load->counts[i].repaired += work->repaired[i];
    }
}

/* The spools whose rows were published, became segments, or go. */
static void end_spools(const struct csv_work *work)
{
    struct writer *writer = work->writer;
    size_t kept = 0;
    for (size_t i = 0; i < writer->spool_count; i++) {
        struct csv_spool *spool = writer->spools[i];
        if (work->spool_fates[i] == CSV_KEEP) {
            writer->spools[kept++] = spool;
            continue;
        }
        if (work->spool_fates[i] != CSV_SETTLE) csv_spool_discard(spool);
        csv_spool_free(spool);
    }
    writer->spool_count = kept;
}

/* The commit stands: the writer takes over what it says, and the folders become visible. */
static int settle(struct csv_work *work, struct err *err)
{
    struct writer *writer = work->writer;
    size_t kept = 0, gone = 0;
    int rc = 0;
    csv_flow_advance(writer, work->commit);
    for (size_t i = 0; i < writer->stream_count; i++) {
        struct csv_stream *stream = &writer->streams[i];
        stream->table = table_after(work, i);
        stream->table_is_stored = true;
        if (work->widths[i] > stream->known_columns) stream->known_columns = work->widths[i];
        stream->uncounted = (struct load_counts){0};
        if (rc == 0 && work->folders[i]) rc = csv_folder_publish(stream->folder, work->number, err);
    }
    for (size_t i = 0; i < writer->segment_count; i++) {
        struct csv_segment *segment = &writer->segments[i];
        if (work->segment_fates[i] == CSV_KEEP || work->segment_fates[i] == CSV_SETTLE) {
            segment->settled |= work->segment_fates[i] == CSV_SETTLE;
            writer->segments[kept++] = *segment;
            continue;
        }
        gone++;
        csv_stage_remove_part(&writer->paths, segment);
        free((char *)(uintptr_t)segment->stream);
        free((char *)(uintptr_t)segment->slice);
    }
    writer->segment_count = kept;
    for (size_t i = 0; i < work->held_count; i++) {
        struct csv_segment *segment = csv_flow_add_segment(writer);
        *segment = work->held[i];
        segment->stream = mem_strdup(work->held[i].stream);
        segment->slice = mem_strdup(work->held[i].slice);
        segment->part = arena_strdup(&writer->arena, work->held[i].part);
    }
    if (rc == 0 && gone > 0)
        rc = csv_stage_sweep(&writer->paths, writer->destination->lease.run, writer->segments, writer->segment_count, err);
    report_counts(work);
    end_spools(work);
    return rc;
}

static bool is_empty(const struct csv_work *work)
{
    const struct load *load = work->load;
    bool nothing = load->batch_count == 0 && load->reject_count == 0 && (!load->state || load->state->count == 0);
    for (size_t i = 0; i < work->writer->stream_count && nothing; i++) nothing = load->counts[i].emitted == 0;
    for (size_t i = 0; i < work->writer->segment_count && nothing; i++) nothing = work->segment_fates[i] == CSV_KEEP;
    for (size_t i = 0; i < work->writer->spool_count && nothing; i++) nothing = work->spool_fates[i] == CSV_KEEP;
    for (size_t i = 0; i < work->writer->stream_count && nothing && load->complete; i++)
        nothing = work->writer->streams[i].spec.mode != WRITE_OVERWRITE;
    return nothing;
}

/* Did the load only add to spools? */
static bool only_spooled(const struct csv_work *work)
{
    const struct load *load = work->load;
    bool only =
        !load->complete && work->held_count == 0 && load->reject_count == 0 && (!load->state || load->state->count == 0);
    for (size_t i = 0; i < work->writer->segment_count && only; i++) only = work->segment_fates[i] == CSV_KEEP;
    for (size_t i = 0; i < work->writer->spool_count && only; i++) only = work->spool_fates[i] == CSV_KEEP;
    for (size_t i = 0; i < work->writer->stream_count && only; i++) only = work->folders[i] == NULL;
    return only;
}

/* The three last values of every row: when, deleted?, which load. */
static struct str make_suffix(struct csv_work *work, bool is_deleted)
{
    static const uint8_t types[] = {TYPE_TIMESTAMP, TYPE_BOOLEAN, TYPE_INTEGER};
    const struct value values[] = {
        {.kind = VALUE_TIMESTAMP, .i = clock_wall_us(work->writer->destination->clock)},
        {.kind = VALUE_BOOLEAN, .i = is_deleted},
        {.kind = VALUE_INTEGER, .i = (int64_t)work->number},
    };
    struct csv_buffer line = {0};
    struct csv_notes notes = {0};
    csv_append(&line, STR(","));
    csv_encode_row(&line, values, 3, 3, types, CSV_NULL_EMPTY, STR("\n"), &notes);
    struct str suffix = arena_copy(&work->arena, (struct str){line.data, line.size});
    csv_buffer_release(&line);
    return suffix;
}

static void work_init(struct csv_work *work, struct writer *writer, const struct load *load)
{
    *work = (struct csv_work){.writer = writer, .load = load, .number = writer->last + 1, .stage = {.fd = -1}};
    work->folders = arena_array(&work->arena, struct csv_folder *, writer->stream_count + 1);
    work->written = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->deleted = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->repaired = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->spooled = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->live_suffix = make_suffix(work, false);
    work->deleted_suffix = make_suffix(work, true);
}

static void work_release(struct csv_work *work, bool keep_files)
{
    for (size_t i = 0; i < work->writer->stream_count; i++) csv_folder_free(work->folders[i], keep_files);
    csv_stage_release(&work->stage);
    if (work->has_stage && !keep_files) unlink(work->stage.path); /* else the next start removes it: no commit names it */
    csv_commit_free(work->commit);
    map_release(&work->outcomes);
    arena_release(&work->arena);
}

static int refuse_broken(const struct writer *writer, struct err *err)
{
    return err_set(err, ERR_DESTINATION, "flow '%s' cannot go on: an earlier commit failed half way", writer->flow);
}

static void sweep_some(struct csv_work *work, const struct state *state, struct state *gone)
{
    const struct state_sweep *sweep = work->load->sweep;
    for (size_t i = 0; state && i < state->count; i++) {
        const struct state_entry *entry = &state->entries[i];
        bool is_kind = strcmp(entry->stream, sweep->stream) == 0 && strcmp(entry->kind, sweep->kind) == 0;
        const char *now = work->load->state ? state_get(work->load->state, entry->stream, entry->slice, entry->kind) : NULL;
        const char *value = now ? now : entry->value;
        bool stays = value && sweep->keep && strncmp(value, sweep->keep, strlen(sweep->keep)) == 0;
        if (is_kind && !stays) state_set(gone, entry->stream, entry->slice, entry->kind, NULL);
    }
}

/* What the plan that ends leaves behind of others: found in the commits, and in what this load adds. */
static int sweep_state(struct csv_work *work, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct csv_image image;
    struct state gone = STATE_INIT(&arena);
    int rc = csv_commits_read(work->writer->paths.commits, &arena, &image, err);
    if (rc == 0) {
        sweep_some(work, &image.state, &gone);
        sweep_some(work, work->load->state, &gone);
        csv_commit_state(work->commit, &gone);
    }
    arena_release(&arena);
    return rc;
}

int csv_flow_commit(struct writer *writer, const struct load *load, struct err *err)
{
    struct csv_work work;
    if (writer->broken) return refuse_broken(writer, err);
    work_init(&work, writer, load);
    csv_rows_decide(&work);
    int rc = 0;
    bool keep_files = false;
    if (is_empty(&work)) goto out;
    rc = csv_rows_write(&work, err);
    if (rc == 0) rc = csv_rejects_write(writer, load, work.number, 0, err);
    if (rc != 0) {
        writer->lines.size = 0;
        for (size_t i = 0; i < writer->stream_count; i++) writer->broken = writer->broken || work.spooled[i] > 0;
        goto out;
    }
    if (only_spooled(&work)) {
        for (size_t i = 0; i < writer->stream_count; i++) writer->streams[i].uncounted = counts_to_store(&work, i);
        report_counts(&work);
        goto out;
    }
    work.commit = csv_flow_commit_new(writer, CSV_COMMIT_DELTA);
    describe_rows(&work);
    for (size_t i = 0; i < writer->stream_count; i++) describe_stream(&work, i);
    describe_dropped(&work);
    if (load->state) csv_commit_state(work.commit, load->state);
    if (load->sweep && (rc = sweep_state(&work, err)) != 0) goto out;
    FAULT_POINT("csv.load.before");
    rc = csv_commit_append(work.commit, writer->paths.commits, &keep_files, err);
    FAULT_POINT("csv.load.committed");
    if (rc == 0) rc = settle(&work, err);
    FAULT_POINT("csv.load.settled");
    if (rc == 0) rc = csv_flow_fold(writer, err);
    writer->broken = rc != 0;
out:
    work_release(&work, keep_files);
    return rc;
}

int csv_flow_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err)
{
    struct csv_work work;
    size_t first = load->reject_count > FAIL_REJECTS ? load->reject_count - FAIL_REJECTS : 0;
    if (writer->broken) return refuse_broken(writer, err);
    work_init(&work, writer, load);
    int rc = csv_rejects_write(writer, load, work.number, first, err);
    if (rc == 0) {
        work.commit = csv_flow_commit_new(writer, CSV_COMMIT_FAILED);
        csv_commit_reason(work.commit, reason);
        for (size_t i = 0; i < writer->stream_count; i++)
            csv_commit_counts(work.commit, writer->streams[i].spec.stream, &load->counts[i]);
        rc = csv_commit_append(work.commit, writer->paths.commits, NULL, err);
        if (rc == 0) csv_flow_advance(writer, work.commit);
        writer->broken = rc != 0;
    }
    work_release(&work, true);
    return rc;
}
