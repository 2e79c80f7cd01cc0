/* load: one commit of rows. First everything is decided (which rows become visible, which wait, which go), then files are
 * written, then the commit is made, then the visible world is brought in line with it. Nothing of the writer changes before the
 * commit. */
#include <unistd.h>

#include "base/map.h"
#include "os/compress.h"
#include "os/fs.h"
#include "os/log.h"
#include "writer/csv/csv.h"
#include "writer/csv/stage.h"

enum { FOLDER_MODE = 0750, FILE_MODE = 0640, REJECTS_MAX_BYTES = 256 << 20, FAIL_REJECTS = 100 };

enum fate { KEEP, SETTLE, PUBLISH, DROP }; /* SETTLE: kept, and from now on safe from a restart */

/* A load on its way. */
struct work {
    struct writer *writer;
    const struct load *load;
    struct arena arena;
    uint64_t number;             /* of the commit, and of the load */
    struct map outcomes;         /* slice id -> struct load_slice */
    uint8_t *segment_fates;      /* enum fate, by segment of the writer */
    uint8_t *batch_fates;        /* KEEP or PUBLISH, by batch */
    uint32_t *widths;            /* by stream: columns of its rows in this load */
    struct csv_folder **folders; /* by stream */
    struct csv_stage stage;
    bool has_stage;
    struct csv_segment *held; /* new ones, in order */
    size_t held_count, held_capacity;
    uint64_t *written, *deleted, *repaired; /* by stream */
    struct str live_suffix, deleted_suffix; /* the system columns of a row of this load */
    struct csv_commit *commit;
};

static const struct load_slice *slice_of(const struct work *work, uint32_t slice)
{
    size_t i = 0;
    while (i < work->load->slice_count && work->load->slices[i].slice != slice) i++;
    CHECK(i < work->load->slice_count); /* every slice with rows in a load is named by it */
    return &work->load->slices[i];
}

static bool may_publish(const struct work *work, size_t stream, enum slice_outcome outcome)
{
    return work->load->complete || (outcome == SLICE_PUBLISH && work->writer->streams[stream].spec.mode != WRITE_OVERWRITE);
}

static enum fate segment_fate(const struct work *work, const struct csv_segment *segment, size_t *stream)
{
    const struct writer *writer = work->writer;
    const struct load_slice *slice = map_get(&work->outcomes, str_from(segment->slice));
    for (*stream = 0; *stream < writer->stream_count; ++*stream)
        if (strcmp(writer->streams[*stream].spec.stream, segment->stream) == 0) break;
    if (slice && (slice->outcome == SLICE_ABANDON || (slice->outcome == SLICE_RESTART && !segment->settled))) return DROP;
    if (*stream == writer->stream_count) return work->load->complete ? DROP : KEEP; /* a stream that is no longer chosen */
    if (may_publish(work, *stream, slice ? slice->outcome : SLICE_HOLD)) return PUBLISH;
    return slice && slice->outcome == SLICE_PUBLISH && !segment->settled ? SETTLE : KEEP;
}

static void decide(struct work *work)
{
    struct writer *writer = work->writer;
    const struct load *load = work->load;
    for (size_t i = 0; i < load->slice_count; i++) {
        /* A slice of an abandoned plan may stand beside one of the same id: what was held of the id goes. */
        struct str id = str_from(load->slices[i].id);
        const struct load_slice *earlier = map_get(&work->outcomes, id);
        if (!earlier || earlier->outcome != SLICE_ABANDON) map_set(&work->outcomes, id, (void *)(uintptr_t)&load->slices[i]);
    }
    work->segment_fates = arena_array(&work->arena, uint8_t, writer->segment_count + 1);
    for (size_t i = 0; i < writer->segment_count; i++) {
        size_t stream;
        work->segment_fates[i] = (uint8_t)segment_fate(work, &writer->segments[i], &stream);
        if (work->segment_fates[i] == DROP && stream == writer->stream_count)
            log_warn(writer->destination->log, "%s: %llu rows held for the stream '%s', which is no longer chosen, are dropped",
                     writer->flow, (unsigned long long)writer->segments[i].rows, writer->segments[i].stream);
    }
    work->batch_fates = arena_array(&work->arena, uint8_t, load->batch_count + 1);
    work->widths = arena_array(&work->arena, uint32_t, writer->stream_count + 1);
    for (size_t i = 0; i < load->batch_count; i++) {
        const struct batch *batch = load->batches[i];
        CHECK(batch->stream < writer->stream_count);
        bool visible = may_publish(work, batch->stream, slice_of(work, batch->slice)->outcome);
        work->batch_fates[i] = visible ? PUBLISH : KEEP;
        if (batch->columns > work->widths[batch->stream]) work->widths[batch->stream] = batch->columns;
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

/* The three last values of every row: when, deleted?, which load. */
static struct str make_suffix(struct work *work, bool is_deleted)
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

static int open_folder(struct work *work, size_t index, struct err *err)
{
    struct csv_stream *stream = &work->writer->streams[index];
    const struct destination *destination = work->writer->destination;
    if (work->folders[index]) return 0;
    const struct csv_folder_spec spec = {
        .stream_folder = stream->folder,
        .load_id = work->number,
        .format = &destination->format,
        .pipeline = destination->pipeline,
        .stream = stream->spec.stream,
        .table = stream->spec.name,
        .connector = work->writer->connector,
        .cursor = stream->spec.cursor,
        .mode = stream->spec.mode,
    };
    return csv_folder_begin(&spec, &work->folders[index], err);
}

/* Where the rows of a batch go. */
struct target {
    struct csv_folder *folder; /* NULL: the stage */
    struct csv_segment *segment;
};

static int hand_on(struct work *work, const struct target *target, const struct csv_columns *columns, uint64_t rows,
                   struct err *err)
{
    struct csv_buffer *lines = &work->writer->lines;
    struct str text = {lines->data, lines->size};
    lines->size = 0;
    if (rows == 0) return 0;
    if (target->folder) return csv_folder_write(target->folder, columns, text, rows, true, err);
    target->segment->bytes += text.size;
    target->segment->rows += rows;
    target->segment->crc = crc32_add(target->segment->crc, text.data, text.size);
    return csv_stage_write(&work->stage, text, err);
}

static int write_batch(struct work *work, const struct batch *batch, const struct target *target,
                       const struct csv_columns *columns, struct err *err)
{
    const struct csv_format *format = &work->writer->destination->format;
    struct csv_buffer *lines = &work->writer->lines;
    struct csv_notes notes = {0};
    uint64_t rows = 0;
    int rc;
    for (size_t i = 0; i < batch->rows; i++) {
        bool is_deleted = batch->operations[i] == ROW_DELETE;
        csv_encode_row(lines, batch->values + i * batch->columns, batch->columns, columns->count, columns->types,
                       format->null_token, is_deleted ? work->deleted_suffix : work->live_suffix, &notes);
        rows++;
        work->deleted[batch->stream] += is_deleted;
        if (lines->size < CSV_BUFFER_FULL) continue;
        if ((rc = hand_on(work, target, columns, rows, err)) != 0) return rc;
        rows = 0;
    }
    if (notes.saw_missing) {
        lines->size = 0;
        err_set(err, ERR_SCHEMA, "stream '%s' sends partial records, and CSV cannot say which values to keep",
                work->writer->streams[batch->stream].spec.stream);
        return err_hint(err, "write this stream to PostgreSQL");
    }
    work->written[batch->stream] += batch->rows;
    work->repaired[batch->stream] += notes.repaired;
    return hand_on(work, target, columns, rows, err);
}

/* The run in the stage that this batch continues, or a new one. */
static struct csv_segment *held_segment(struct work *work, const struct batch *batch, const struct csv_columns *columns)
{
    const char *stream = work->writer->streams[batch->stream].spec.stream;
    const struct load_slice *of = slice_of(work, batch->slice);
    const char *slice = of->id;
    struct csv_segment *newest = work->held_count ? &work->held[work->held_count - 1] : NULL;
    if (newest && newest->columns == columns && strcmp(newest->slice, slice) == 0 && strcmp(newest->stream, stream) == 0)
        return newest;
    newest = &work->held[work->held_count];
    *newest = (struct csv_segment){.file = work->number,
                                   .index = work->held_count,
                                   .stream = stream,
                                   .slice = slice,
                                   .columns = columns,
                                   .offset = work->stage.size,
                                   .settled = of->outcome == SLICE_PUBLISH};
    work->held_count++;
    return newest;
}

static int hold_rows(struct work *work, struct err *err)
{
    const struct load *load = work->load;
    int rc = 0;
    work->held = arena_array(&work->arena, struct csv_segment, load->batch_count + 1);
    for (size_t i = 0; i < load->batch_count; i++) {
        const struct batch *batch = load->batches[i];
        if (work->batch_fates[i] != KEEP || batch->rows == 0) continue;
        if (!work->has_stage) {
            work->has_stage = true;
            if ((rc = csv_stage_open(&work->stage, &work->writer->paths, work->number, &work->arena, err)) != 0) return rc;
        }
        const struct csv_columns *columns =
            csv_flow_columns(work->writer, &work->writer->streams[batch->stream], work->widths[batch->stream]);
        const struct target target = {.segment = held_segment(work, batch, columns)};
        if ((rc = write_batch(work, batch, &target, columns, err)) != 0) return rc;
    }
    return work->has_stage ? csv_stage_finish(&work->stage, err) : 0;
}

/* A stream's load: what was held of it first, then what came now. */
static int publish_rows(struct work *work, size_t index, struct err *err)
{
    struct writer *writer = work->writer;
    const struct csv_stream *stream = &writer->streams[index];
    int rc;
    for (size_t i = 0; i < writer->segment_count; i++) {
        const struct csv_segment *segment = &writer->segments[i];
        if (work->segment_fates[i] != PUBLISH || strcmp(segment->stream, stream->spec.stream) != 0) continue;
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        if ((rc = csv_stage_copy(&writer->paths, segment, work->folders[index], err)) != 0) return rc;
    }
    for (size_t i = 0; i < work->load->batch_count; i++) {
        const struct batch *batch = work->load->batches[i];
        if (work->batch_fates[i] != PUBLISH || batch->stream != index || batch->rows == 0) continue;
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        const struct target target = {.folder = work->folders[index]};
        if ((rc = write_batch(work, batch, &target, csv_flow_columns(writer, stream, work->widths[index]), err)) != 0)
            return rc;
    }
    bool replaces = work->load->complete && stream->spec.mode == WRITE_OVERWRITE;
    if (replaces && !work->folders[index]) { /* nothing at all: a header alone says that the table is empty now */
        const struct csv_columns *columns = csv_flow_columns(writer, stream, schema_count(stream->spec.schema));
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        if ((rc = csv_folder_write(work->folders[index], columns, STR(""), 0, true, err)) != 0) return rc;
    }
    return work->folders[index] ? csv_folder_finish(work->folders[index], err) : 0;
}

/* Overwrite may not lose more than the allowed share of what the last one had. */
static int check_shrink(const struct work *work, size_t index, struct err *err)
{
    const struct writer *writer = work->writer;
    const struct csv_stream *stream = &writer->streams[index];
    uint64_t rows = 0;
    if (!work->load->complete || stream->spec.mode != WRITE_OVERWRITE) return 0;
    if (!stream->table.has_rows || stream->table.rows == 0 || stream->spec.shrink_limit >= 1) return 0;
    for (size_t i = 0; i < writer->segment_count; i++)
        if (work->segment_fates[i] == PUBLISH && strcmp(writer->segments[i].stream, stream->spec.stream) == 0)
            rows += writer->segments[i].rows;
    for (size_t i = 0; i < work->load->batch_count; i++)
        if (work->load->batches[i]->stream == index) rows += work->load->batches[i]->rows;
    double least = (double)stream->table.rows * (1 - stream->spec.shrink_limit);
    if (rows > 0 && (double)rows >= least) return 0;
    err_set(err, ERR_SCHEMA, "stream '%s' has %llu rows now, the last overwrite had %llu: refused to lose so many",
            stream->spec.stream, (unsigned long long)rows, (unsigned long long)stream->table.rows);
    return err_hint(err, "if this is right, raise the stream's `shrink_limit` for one run");
}

/* --- rejects ---------------------------------------------------------------------------------------------------------- */

static void reject_line(struct buf *out, const struct reject *reject)
{
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    json_member(&json, "stream");
    json_cstr(&json, reject->stream);
    json_member(&json, "field");
    json_cstr(&json, reject->field);
    json_member(&json, "reason");
    json_cstr(&json, reject->reason);
    json_member(&json, "detail");
    json_cstr(&json, reject->detail);
    json_member(&json, "row_was_dropped");
    json_bool(&json, reject->row_was_dropped);
    json_member(&json, "record");
    json_text(&json, reject->record);
    json_close(&json, '}');
    buf_append_char(out, '\n');
}

static int write_rejects(struct work *work, size_t first, struct err *err)
{
    const struct load *load = work->load;
    char number[CSV_NUMBER_SIZE];
    if (first >= load->reject_count) return 0;
    const char *folder = work->writer->paths.rejects;
    const char *path = arena_printf(&work->arena, "%s/%s.ndjson", folder, csv_number_text(work->number, number));
    struct buf text = BUF_INIT(REJECTS_MAX_BYTES);
    for (size_t i = first; i < load->reject_count; i++) reject_line(&text, &load->rejects[i]);
    int rc = text.failed ? err_set(err, ERR_DESTINATION, "the rejects of one load are over %d bytes", REJECTS_MAX_BYTES) : 0;
    if (rc == 0) rc = fs_make_folders(folder, FOLDER_MODE, err);
    if (rc == 0) rc = fs_write_file(path, FILE_MODE, buf_str(&text), err);
    buf_release(&text);
    return rc == 0 ? 0 : csv_fs_error(err);
}

/* --- the commit ------------------------------------------------------------------------------------------------------- */

static void describe_rows(struct work *work)
{
    struct writer *writer = work->writer;
    for (size_t i = 0; i < work->held_count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i && is_new; j++) is_new = work->held[j].columns != work->held[i].columns;
        if (is_new) csv_commit_columns(work->commit, work->held[i].columns);
    }
    for (size_t i = 0; i < work->held_count; i++) csv_commit_segment(work->commit, &work->held[i]);
    for (size_t i = 0; i < writer->segment_count; i++) {
        if (work->segment_fates[i] == SETTLE)
            csv_commit_settled(work->commit, &writer->segments[i]);
        else if (work->segment_fates[i] != KEEP)
            csv_commit_gone(work->commit, &writer->segments[i]);
    }
}

/* The stream as a table after this load. */
static struct csv_table table_after(const struct work *work, size_t index)
{
    const struct csv_stream *stream = &work->writer->streams[index];
    struct csv_table table = stream->table;
    if (work->load->complete && stream->spec.mode == WRITE_OVERWRITE) {
        table.has_rows = true;
        table.rows = csv_folder_rows(work->folders[index]);
    }
    return table;
}

static void describe_stream(struct work *work, size_t index)
{
    const struct csv_stream *stream = &work->writer->streams[index];
    struct load_counts counts = work->load->counts[index];
    struct csv_table table = table_after(work, index);
    if (!stream->table_is_stored || table.rows != stream->table.rows || table.has_rows != stream->table.has_rows)
        csv_commit_table(work->commit, &table);
    if (work->folders[index])
        csv_commit_load(work->commit, stream->spec.stream, work->number, csv_folder_rows(work->folders[index]));
    counts.written += work->written[index];
    counts.deleted += work->deleted[index];
    counts.repaired += work->repaired[index];
    csv_commit_counts(work->commit, stream->spec.stream, &counts);
    if (work->widths[index] > stream->known_columns) {
        struct state known = STATE_INIT(&work->arena);
        state_set(&known, stream->spec.stream, "", CSV_KNOWN_KIND,
                  csv_known_write(stream->spec.schema, work->widths[index], &work->arena));
        csv_commit_state(work->commit, &known);
    }
}

/* The commit stands: the writer takes over what it says, and the folders become visible. */
static int settle(struct work *work, struct err *err)
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
        work->load->counts[i].written += work->written[i];
        work->load->counts[i].deleted += work->deleted[i];
        work->load->counts[i].repaired += work->repaired[i];
        if (rc == 0 && work->folders[i]) rc = csv_folder_publish(stream->folder, work->number, err);
    }
    for (size_t i = 0; i < writer->segment_count; i++) {
        struct csv_segment *segment = &writer->segments[i];
        if (work->segment_fates[i] == KEEP || work->segment_fates[i] == SETTLE) {
            segment->settled |= work->segment_fates[i] == SETTLE;
            writer->segments[kept++] = *segment;
            continue;
        }
        gone++;
        free((char *)(uintptr_t)segment->stream);
        free((char *)(uintptr_t)segment->slice);
    }
    writer->segment_count = kept;
    for (size_t i = 0; i < work->held_count; i++) {
        struct csv_segment *segment = csv_flow_add_segment(writer);
        *segment = work->held[i];
        segment->stream = mem_strdup(work->held[i].stream);
        segment->slice = mem_strdup(work->held[i].slice);
    }
    if (rc == 0 && gone > 0) rc = csv_stage_sweep(&writer->paths, writer->segments, writer->segment_count, err);
    return rc;
}

static bool is_empty(const struct work *work)
{
    const struct load *load = work->load;
    bool nothing = load->batch_count == 0 && load->reject_count == 0 && (!load->state || load->state->count == 0);
    for (size_t i = 0; i < work->writer->stream_count && nothing; i++) nothing = load->counts[i].emitted == 0;
    for (size_t i = 0; i < work->writer->segment_count && nothing; i++) nothing = work->segment_fates[i] == KEEP;
    for (size_t i = 0; i < work->writer->stream_count && nothing && load->complete; i++)
        nothing = work->writer->streams[i].spec.mode != WRITE_OVERWRITE;
    return nothing;
}

static void work_init(struct work *work, struct writer *writer, const struct load *load)
{
    *work = (struct work){.writer = writer, .load = load, .number = writer->last + 1, .stage = {.fd = -1}};
    work->folders = arena_array(&work->arena, struct csv_folder *, writer->stream_count + 1);
    work->written = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->deleted = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->repaired = arena_array(&work->arena, uint64_t, writer->stream_count + 1);
    work->live_suffix = make_suffix(work, false);
    work->deleted_suffix = make_suffix(work, true);
}

static void work_release(struct work *work, bool keep_files)
{
    for (size_t i = 0; i < work->writer->stream_count; i++) csv_folder_free(work->folders[i], keep_files);
    csv_stage_release(&work->stage);
    if (work->has_stage && !keep_files) unlink(work->stage.path); /* else the next start removes it: no commit names it */
    csv_commit_free(work->commit);
    map_release(&work->outcomes);
    arena_release(&work->arena);
}

static int write_files(struct work *work, struct err *err)
{
    int rc;
    for (size_t i = 0; i < work->writer->stream_count; i++)
        if ((rc = check_shrink(work, i, err)) != 0) return rc;
    if ((rc = hold_rows(work, err)) != 0) return rc;
    for (size_t i = 0; i < work->writer->stream_count; i++)
        if ((rc = publish_rows(work, i, err)) != 0) return rc;
    return write_rejects(work, 0, err);
}

static int refuse_broken(const struct writer *writer, struct err *err)
{
    return err_set(err, ERR_DESTINATION, "flow '%s' cannot go on: an earlier commit failed half way", writer->flow);
}

int csv_flow_commit(struct writer *writer, const struct load *load, struct err *err)
{
    struct work work;
    if (writer->broken) return refuse_broken(writer, err);
    work_init(&work, writer, load);
    decide(&work);
    int rc = 0;
    bool keep_files = false;
    if (is_empty(&work)) goto out;
    if ((rc = write_files(&work, err)) != 0) {
        writer->lines.size = 0;
        goto out;
    }
    work.commit = csv_flow_commit_new(writer, CSV_COMMIT_DELTA);
    describe_rows(&work);
    for (size_t i = 0; i < writer->stream_count; i++) describe_stream(&work, i);
    if (load->state) csv_commit_state(work.commit, load->state);
    rc = csv_commit_append(work.commit, writer->paths.commits, &keep_files, err);
    if (rc == 0) rc = settle(&work, err);
    if (rc == 0) rc = csv_flow_fold(writer, err);
    writer->broken = rc != 0;
out:
    work_release(&work, keep_files);
    return rc;
}

int csv_flow_fail(struct writer *writer, const struct load *load, const char *reason, struct err *err)
{
    struct work work;
    if (writer->broken) return refuse_broken(writer, err);
    work_init(&work, writer, load);
    int rc = write_rejects(&work, load->reject_count > FAIL_REJECTS ? load->reject_count - FAIL_REJECTS : 0, err);
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
