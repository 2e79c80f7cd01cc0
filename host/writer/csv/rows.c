/* rows: see rows.h. */
#include "writer/csv/rows.h"

#include "os/compress.h"
#include "os/fs.h"
#include "os/log.h"

static const struct load_slice *slice_of(const struct csv_work *work, uint32_t slice)
{
    size_t i = 0;
    while (i < work->load->slice_count && work->load->slices[i].slice != slice) i++;
    CHECK(i < work->load->slice_count); /* every slice with rows in a load is named by it */
    return &work->load->slices[i];
}

static bool may_publish(const struct csv_work *work, size_t stream, enum slice_outcome outcome)
{
    return work->load->complete || (outcome == SLICE_PUBLISH && work->writer->streams[stream].spec.mode != WRITE_OVERWRITE);
}

static enum csv_fate segment_fate(const struct csv_work *work, const struct csv_segment *segment, size_t *stream)
{
    const struct writer *writer = work->writer;
    const struct load_slice *slice = map_get(&work->outcomes, str_from(segment->slice));
    for (*stream = 0; *stream < writer->stream_count; ++*stream)
        if (strcmp(writer->streams[*stream].spec.stream, segment->stream) == 0) break;
    if (slice && (slice->outcome == SLICE_ABANDON || (slice->outcome == SLICE_RESTART && !segment->settled))) return CSV_DROP;
    if (*stream == writer->stream_count)
        return work->load->complete ? CSV_DROP : CSV_KEEP; /* a stream that is no longer chosen */
    if (may_publish(work, *stream, slice ? slice->outcome : SLICE_HOLD)) return CSV_PUBLISH;
    return slice && slice->outcome == SLICE_PUBLISH && !segment->settled ? CSV_SETTLE : CSV_KEEP;
}

static enum csv_fate spool_fate(const struct csv_work *work, const struct csv_spool *spool)
{
    const struct load_slice *slice = map_get(&work->outcomes, str_from(spool->slice));
    enum slice_outcome outcome = slice ? slice->outcome : SLICE_HOLD;
    if (outcome == SLICE_ABANDON || outcome == SLICE_RESTART) return CSV_DROP;
    if (may_publish(work, spool->stream, outcome)) return CSV_PUBLISH;
    return outcome == SLICE_PUBLISH ? CSV_SETTLE : CSV_KEEP;
}

void csv_rows_decide(struct csv_work *work)
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
        if (work->segment_fates[i] == CSV_DROP && stream == writer->stream_count)
            log_warn(writer->destination->log, "%s: %llu rows held for the stream '%s', which is no longer chosen, are dropped",
                     writer->flow, (unsigned long long)writer->segments[i].rows, writer->segments[i].stream);
    }
    work->spool_fates = arena_array(&work->arena, uint8_t, writer->spool_count + load->batch_count + 1);
    for (size_t i = 0; i < writer->spool_count; i++) work->spool_fates[i] = (uint8_t)spool_fate(work, writer->spools[i]);
    work->batch_fates = arena_array(&work->arena, uint8_t, load->batch_count + 1);
    work->widths = arena_array(&work->arena, uint32_t, writer->stream_count + 1);
    for (size_t i = 0; i < load->batch_count; i++) {
        const struct batch *batch = load->batches[i];
        CHECK(batch->stream < writer->stream_count);
        bool visible = may_publish(work, batch->stream, slice_of(work, batch->slice)->outcome);
        work->batch_fates[i] = visible ? CSV_PUBLISH : CSV_KEEP;
        if (batch->columns > work->widths[batch->stream]) work->widths[batch->stream] = batch->columns;
    }
    for (size_t i = 0; i < writer->spool_count; i++) {
        const struct csv_spool *spool = writer->spools[i];
        uint32_t *width = &work->widths[spool->stream];
        for (size_t j = 0; j < spool->part_count && work->spool_fates[i] != CSV_KEEP; j++)
            if (spool->parts[j].columns->count > *width) *width = spool->parts[j].columns->count;
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

/* Are marks written? Where sets are replaced it is of use to say that one is empty, where rows go, that all are gone. */
static bool says_marks(const struct csv_work *work, const struct batch *batch)
{
    const struct table_spec *spec = &work->writer->streams[batch->stream].spec;
    return spec->mode == WRITE_APPEND_DEDUP || (spec->mode == WRITE_OVERWRITE && !spec->set_count);
}

static uint64_t count_lines(const struct csv_work *work, const struct batch *batch)
{
    return says_marks(work, batch) ? batch->rows : batch->rows - batch->marks;
}

static int open_folder(struct csv_work *work, size_t index, struct err *err)
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
        .keeps_first = stream->spec.keeps_first && stream->spec.mode == WRITE_APPEND_DEDUP,
        .set = stream->spec.set,
        .set_count = stream->spec.mode == WRITE_APPEND_DEDUP ? stream->spec.set_count : 0,
        .mode = stream->spec.mode,
        .slices = work->load->slices,
        .slice_count = stream->spec.mode != WRITE_OVERWRITE ? work->load->slice_count : 0,
    };
    return csv_folder_begin(&spec, &work->folders[index], err);
}

/* Of lines that wait in the buffer. */
struct line_counts {
    uint64_t all;
    uint64_t marks; /* of these: no rows (row_is_mark) */
};

/* Where the rows of a batch go. */
struct target {
    struct csv_folder *folder;
    struct csv_spool *spool;
    struct csv_segment *segment; /* in the stage */
};

static int write_spool(struct csv_work *work, struct csv_spool *spool, const struct csv_columns *columns, struct str lines,
                       const struct line_counts *counts, struct err *err)
{
    struct writer *writer = work->writer;
    const struct destination *destination = writer->destination;
    const struct csv_spool_place place = {.folder = fs_join(&work->arena, writer->paths.data, writer->paths.stage),
                                          .run = destination->lease.run,
                                          .format = &destination->format};
    work->spooled[spool->stream] += counts->all - counts->marks;
    int rc = csv_spool_write(spool, &place, &writer->spool_number, columns, lines, counts->all, err);
    spool->uncounted -= rc == 0 ? counts->marks : 0;
    return rc;
}

static int hand_on(struct csv_work *work, const struct target *target, const struct csv_columns *columns,
                   struct line_counts *counts, struct err *err)
{
    struct csv_buffer *lines = &work->writer->lines;
    struct str text = {lines->data, lines->size};
    const struct line_counts now = *counts;
    lines->size = 0;
    *counts = (struct line_counts){0};
    if (now.all == 0) return 0;
    if (target->folder) return csv_folder_write(target->folder, columns, text, now.all, true, err);
    if (target->spool) return write_spool(work, target->spool, columns, text, &now, err);
    target->segment->bytes += text.size;
    target->segment->rows += now.all;
    target->segment->marks += now.marks;
    target->segment->crc = crc32_add(target->segment->crc, text.data, text.size);
    return csv_stage_write(&work->stage, text, err);
}

static int write_batch(struct csv_work *work, const struct batch *batch, const struct target *target,
                       const struct csv_columns *columns, struct err *err)
{
    const struct csv_format *format = &work->writer->destination->format;
    struct csv_buffer *lines = &work->writer->lines;
    struct csv_notes notes = {0};
    struct line_counts counts = {0};
    int rc;
    for (size_t i = 0; i < batch->rows; i++) {
        bool is_deleted = batch->operations[i] == ROW_DELETE, is_mark = row_is_mark(batch->operations[i]);
        if (is_mark && !says_marks(work, batch)) continue;
        csv_encode_row(lines, batch->values + i * batch->columns, batch->columns, columns->count, columns->types,
                       format->null_token, is_deleted || is_mark ? work->deleted_suffix : work->live_suffix, &notes);
        counts.all++;
        counts.marks += is_mark;
        work->deleted[batch->stream] += is_deleted;
        if (lines->size < CSV_BUFFER_FULL) continue;
        if ((rc = hand_on(work, target, columns, &counts, err)) != 0) return rc;
    }
    if (notes.saw_missing) {
        lines->size = 0;
        err_set(err, ERR_SCHEMA, "stream '%s' sends partial records, and CSV cannot say which values to keep",
                work->writer->streams[batch->stream].spec.stream);
        return err_hint(err, "write this stream to PostgreSQL");
    }
    work->written[batch->stream] += batch->rows - batch->marks;
    work->repaired[batch->stream] += notes.repaired;
    return hand_on(work, target, columns, &counts, err);
}

static struct csv_segment *add_held(struct csv_work *work, const struct csv_segment *segment)
{
    if (work->held_count == work->held_capacity) {
        size_t capacity = work->held_capacity ? work->held_capacity * 2 : 16;
        struct csv_segment *held = arena_array(&work->arena, struct csv_segment, capacity);
        if (work->held_count) memcpy(held, work->held, work->held_count * sizeof(*held));
        work->held = held;
        work->held_capacity = capacity;
    }
    struct csv_segment *added = &work->held[work->held_count];
    *added = *segment;
    added->file = work->number;
    added->index = work->held_count++;
    return added;
}

/* The run in the stage that this batch continues, or a new one. */
static struct csv_segment *held_run(struct csv_work *work, const struct batch *batch, const struct csv_columns *columns)
{
    const char *stream = work->writer->streams[batch->stream].spec.stream;
    const struct load_slice *slice = slice_of(work, batch->slice);
    struct csv_segment *newest = work->held_count ? &work->held[work->held_count - 1] : NULL;
    if (newest && newest->columns == columns && strcmp(newest->slice, slice->id) == 0 && strcmp(newest->stream, stream) == 0)
        return newest;
    const struct csv_segment run = {.stream = stream,
                                    .slice = slice->id,
                                    .columns = columns,
                                    .offset = work->stage.size,
                                    .settled = slice->outcome == SLICE_PUBLISH};
    return add_held(work, &run);
}

/* The spool of a batch's slice; NULL: there is none. */
static struct csv_spool *spool_of(const struct csv_work *work, const struct batch *batch)
{
    const struct writer *writer = work->writer;
    const char *slice = slice_of(work, batch->slice)->id;
    for (size_t i = 0; i < writer->spool_count; i++)
        if (writer->spools[i]->stream == batch->stream && strcmp(writer->spools[i]->slice, slice) == 0)
            return work->spool_fates[i] == CSV_DROP ? NULL : writer->spools[i];
    return NULL;
}

/* Where a batch waits: with its slice; in a new spool when an interruption would drop it anyway; else in the stage. */
static int find_place(struct csv_work *work, const struct batch *batch, const struct csv_columns *columns,
                      struct target *target, struct err *err)
{
    struct writer *writer = work->writer;
    const struct load_slice *slice = slice_of(work, batch->slice);
    *target = (struct target){.spool = spool_of(work, batch)};
    if (target->spool) return 0;
    if (!writer->resumable && slice->outcome == SLICE_HOLD) {
        target->spool = csv_flow_add_spool(writer, batch->stream, slice->id);
        return 0;
    }
    if (!work->has_stage) {
        work->has_stage = true;
        int rc = csv_stage_open(&work->stage, &writer->paths, work->number, &work->arena, err);
        if (rc != 0) return rc;
    }
    target->segment = held_run(work, batch, columns);
    return 0;
}

static int hold_rows(struct csv_work *work, struct err *err)
{
    const struct load *load = work->load;
    int rc = 0;
    for (size_t i = 0; i < load->batch_count; i++) {
        const struct batch *batch = load->batches[i];
        if (work->batch_fates[i] != CSV_KEEP || count_lines(work, batch) == 0) continue;
        const struct csv_columns *columns =
            csv_flow_columns(work->writer, &work->writer->streams[batch->stream], work->widths[batch->stream]);
        struct target target;
        if ((rc = find_place(work, batch, columns, &target, err)) != 0) return rc;
        if ((rc = write_batch(work, batch, &target, columns, err)) != 0) return rc;
    }
    return work->has_stage ? csv_stage_finish(&work->stage, err) : 0;
}

/* What was spooled of a slice that is done, while others of its stream are not: from now on commits speak of its parts. */
static int settle_spools(struct csv_work *work, struct err *err)
{
    const struct writer *writer = work->writer;
    bool settled_any = false;
    for (size_t i = 0; i < writer->spool_count; i++) {
        struct csv_spool *spool = writer->spools[i];
        if (work->spool_fates[i] != CSV_SETTLE) continue;
        int rc = csv_spool_finish(spool, err);
        if (rc != 0) return rc;
        for (size_t j = 0; j < spool->part_count; j++) {
            const struct csv_part *part = &spool->parts[j];
            struct csv_segment segment = {.part = arena_text(&work->arena, fs_base_name(part->path)),
                                          .stream = writer->streams[spool->stream].spec.stream,
                                          .slice = spool->slice,
                                          .columns = part->columns,
                                          .bytes = part->result.stored_bytes,
                                          .raw_bytes = part->result.raw_bytes,
                                          .rows = part->rows,
                                          .settled = true};
            snprintf(segment.sha256, sizeof(segment.sha256), "%s", part->result.sha256);
            add_held(work, &segment);
            settled_any = true;
        }
    }
    if (!settled_any) return 0;
    int rc = fs_sync_folder(fs_join(&work->arena, writer->paths.data, writer->paths.stage), err);
    return rc == 0 ? 0 : csv_fs_error(err);
}

/* Adds the visible rows of slices with a spool to it, and puts its parts into the load. */
static int publish_spools(struct csv_work *work, size_t index, struct err *err)
{
    struct writer *writer = work->writer;
    int rc;
    for (size_t i = 0; i < work->load->batch_count; i++) {
        const struct batch *batch = work->load->batches[i];
        if (work->batch_fates[i] != CSV_PUBLISH || batch->stream != index || count_lines(work, batch) == 0) continue;
        const struct target target = {.spool = spool_of(work, batch)};
        if (!target.spool) continue;
        const struct csv_columns *columns = csv_flow_columns(writer, &writer->streams[index], work->widths[index]);
        if ((rc = write_batch(work, batch, &target, columns, err)) != 0) return rc;
    }
    for (size_t i = 0; i < writer->spool_count; i++) {
        struct csv_spool *spool = writer->spools[i];
        if (work->spool_fates[i] != CSV_PUBLISH || spool->stream != index) continue;
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        if ((rc = csv_spool_finish(spool, err)) != 0) return rc;
        for (size_t j = 0; j < spool->part_count; j++)
            if ((rc = csv_folder_adopt(work->folders[index], &spool->parts[j], err)) != 0) return rc;
    }
    return 0;
}

/* Does the load say what is no longer there, the whole table or ranges of it? */
static bool replaces_some(const struct csv_work *work, const struct csv_stream *stream)
{
    if (stream->spec.mode == WRITE_OVERWRITE) return work->load->complete;
    bool replaces = false;
    for (size_t i = 0; i < work->load->slice_count; i++) replaces = replaces || load_slice_replaces(&work->load->slices[i]);
    return replaces;
}

/* A stream's load: what was held of it first, then what came now. */
static int publish_rows(struct csv_work *work, size_t index, struct err *err)
{
    struct writer *writer = work->writer;
    const struct csv_stream *stream = &writer->streams[index];
    int rc;
    for (size_t i = 0; i < writer->segment_count; i++) {
        const struct csv_segment *segment = &writer->segments[i];
        if (work->segment_fates[i] != CSV_PUBLISH || strcmp(segment->stream, stream->spec.stream) != 0) continue;
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        if ((rc = csv_stage_publish(&writer->paths, segment, work->folders[index], err)) != 0) return rc;
    }
    if ((rc = publish_spools(work, index, err)) != 0) return rc;
    for (size_t i = 0; i < work->load->batch_count; i++) {
        const struct batch *batch = work->load->batches[i];
        if (work->batch_fates[i] != CSV_PUBLISH || batch->stream != index || count_lines(work, batch) == 0) continue;
        if (spool_of(work, batch)) continue; /* went with it */
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        const struct target target = {.folder = work->folders[index]};
        if ((rc = write_batch(work, batch, &target, csv_flow_columns(writer, stream, work->widths[index]), err)) != 0)
            return rc;
    }
    if (replaces_some(work, stream) && !work->folders[index]) { /* nothing at all: a header alone says that it is empty now */
        const struct csv_columns *columns = csv_flow_columns(writer, stream, schema_count(stream->spec.schema));
        if ((rc = open_folder(work, index, err)) != 0) return rc;
        if ((rc = csv_folder_write(work->folders[index], columns, STR(""), 0, true, err)) != 0) return rc;
    }
    return work->folders[index] ? csv_folder_finish(work->folders[index], err) : 0;
}

/* Overwrite may not lose more than the allowed share of what the last one had. */
static int check_shrink(const struct csv_work *work, size_t index, struct err *err)
{
    const struct writer *writer = work->writer;
    const struct csv_stream *stream = &writer->streams[index];
    uint64_t rows = 0;
    if (!work->load->complete || stream->spec.mode != WRITE_OVERWRITE) return 0;
    if (!stream->table.has_rows || stream->table.rows == 0 || stream->spec.shrink_limit >= 1) return 0;
    for (size_t i = 0; i < writer->segment_count; i++)
        if (work->segment_fates[i] == CSV_PUBLISH && strcmp(writer->segments[i].stream, stream->spec.stream) == 0)
            rows += writer->segments[i].rows;
    for (size_t i = 0; i < writer->spool_count; i++)
        if (work->spool_fates[i] == CSV_PUBLISH && writer->spools[i]->stream == index)
            rows += csv_spool_rows(writer->spools[i]);
    for (size_t i = 0; i < work->load->batch_count; i++)
        if (work->load->batches[i]->stream == index) rows += count_lines(work, work->load->batches[i]);
    double least = (double)stream->table.rows * (1 - stream->spec.shrink_limit);
    if (rows > 0 && (double)rows >= least) return 0;
    err_set(err, ERR_SCHEMA, "stream '%s' has %llu rows now, the last overwrite had %llu: refused to lose so many",
            stream->spec.stream, (unsigned long long)rows, (unsigned long long)stream->table.rows);
    return err_hint(err, "if this is right, raise the stream's `shrink_limit` for one run");
}

int csv_rows_write(struct csv_work *work, struct err *err)
{
    int rc;
    for (size_t i = 0; i < work->writer->stream_count; i++)
        if ((rc = check_shrink(work, i, err)) != 0) return rc;
    if ((rc = hold_rows(work, err)) != 0 || (rc = settle_spools(work, err)) != 0) return rc;
    for (size_t i = 0; i < work->writer->stream_count; i++)
        if ((rc = publish_rows(work, i, err)) != 0) return rc;
    return 0;
}
