/* flow: opening and closing a flow. Opening is where an interrupted run is put right, in this order: finish the renames of
 * committed loads; fence the flow with a commit of our own (from then on no earlier owner can commit); only then remove what no
 * commit names, since until the fence an earlier owner might still have made it true. */
#include <inttypes.h>
#include <unistd.h>

#include "base/fault.h"
#include "os/fs.h"
#include "os/log.h"
#include "writer/csv/csv.h"
#include "writer/csv/rejects.h"
#include "writer/csv/stage.h"

enum {
    FOLDER_MODE = 0750,
    FENCE_TRIES = 10, /* an earlier owner may get a last commit in before our fence; it cannot do so for ever */
    FOLD_CHAIN = 100,
    FOLD_CHAIN_MAX = 5000,
};

bool csv_fold_is_due(size_t chain, uint64_t chain_bytes, uint64_t first_bytes)
{
    return chain >= FOLD_CHAIN && (chain_bytes >= first_bytes / 4 || chain >= FOLD_CHAIN_MAX);
}

struct csv_commit *csv_flow_commit_new(const struct writer *writer, enum csv_commit_kind kind)
{
    const struct destination *destination = writer->destination;
    const struct csv_commit_header header = {
        .number = writer->last + 1,
        .kind = kind,
        .fence = destination->lease.fence,
        .run = destination->lease.run,
        .pipeline = destination->pipeline,
        .flow = writer->flow,
        .connector = writer->connector,
        .at_us = clock_wall_us(destination->clock),
    };
    return csv_commit_new(&header);
}

void csv_flow_advance(struct writer *writer, const struct csv_commit *commit)
{
    writer->last++;
    writer->chain++;
    writer->chain_bytes += csv_commit_bytes(commit);
}

struct csv_segment *csv_flow_add_segment(struct writer *writer)
{
    if (writer->segment_count == writer->segment_capacity) {
        writer->segment_capacity = writer->segment_capacity ? writer->segment_capacity * 2 : 16;
        writer->segments = mem_resize(writer->segments, writer->segment_capacity * sizeof(*writer->segments));
    }
    struct csv_segment *segment = &writer->segments[writer->segment_count++];
    *segment = (struct csv_segment){0};
    return segment;
}

struct csv_spool *csv_flow_add_spool(struct writer *writer, size_t stream, const char *slice)
{
    if (writer->spool_count == writer->spool_capacity) {
        writer->spool_capacity = writer->spool_capacity ? writer->spool_capacity * 2 : 4;
        writer->spools = mem_resize(writer->spools, writer->spool_capacity * sizeof(struct csv_spool *));
    }
    return writer->spools[writer->spool_count++] = csv_spool_new(stream, slice);
}

const struct csv_columns *csv_flow_columns(struct writer *writer, const struct csv_stream *stream, uint32_t count)
{
    /* Almost always the newest set of this stream, so that nothing is built. */
    for (const struct csv_columns *columns = writer->columns; columns; columns = columns->next) {
        if (columns->count != count || strcmp(columns->stream, stream->spec.stream) != 0) continue;
        bool same = true;
        for (uint32_t i = 0; i < count && same; i++) {
            const struct column *column = schema_column(stream->spec.schema, i);
            same = strcmp(column->name, columns->names[i]) == 0 && column->type == (enum type)columns->types[i] &&
                   column->key == columns->keys[i];
        }
        if (same) return columns;
    }
    struct csv_columns *made = csv_columns_of(stream->spec.schema, stream->spec.stream, count, &writer->arena);
    made->next = writer->columns;
    writer->columns = made;
    return made;
}

int csv_publish_named(const struct csv_paths *paths, const struct csv_image *image, struct err *err)
{
    int rc = 0;
    struct arena arena = ARENA_INIT(0);
    for (size_t i = 0; rc == 0 && i < image->published_count; i++)
        rc = csv_folder_publish(csv_stream_folder(paths, image->published[i].stream, &arena), image->published[i].load_id, err);
    arena_release(&arena);
    return rc;
}

/* Removes the hidden folders that no commit names, and refuses loads that our commits know nothing of. */
static int clean_stream(const struct writer *writer, const struct csv_stream *stream, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries = NULL;
    size_t count = 0;
    uint64_t number;
    int rc = 0;
    if (fs_kind(stream->folder) != FS_MISSING) rc = fs_list(stream->folder, CSV_LIST_MAX, &arena, &entries, &count, err);
    if (rc != 0) rc = csv_fs_error(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *name = entries[i].name;
        if (name[0] == '.' && csv_number_read(name + 1, &number)) {
            if (fs_remove_tree(stream->folder, name, err) != 0) rc = csv_fs_error(err);
        } else if (csv_number_read(name, &number) && number > writer->last) {
            err_set(err, ERR_SCHEMA, "'%s/%s' is a load that the commits in '%s' do not know", stream->folder, name,
                    writer->paths.commits);
            rc = err_hint(err, "the state was lost or belongs to another folder: restore it, or move the stream's loads away");
        }
    }
    arena_release(&arena);
    return rc == 0 ? 0 : err->class;
}

static int taken_over(const struct writer *writer, struct err *err)
{
    err_set(err, ERR_HELD, "flow '%s' was taken over by another sync", writer->flow);
    return err_hint(err, "let the other sync finish, then run this one again");
}

static int append_snapshot(struct writer *writer, const struct csv_image *image, struct err *err)
{
    struct csv_commit *commit = csv_flow_commit_new(writer, CSV_COMMIT_SNAPSHOT);
    csv_commit_image(commit, image);
    FAULT_POINT("csv.snapshot.before");
    int rc = csv_commit_append(commit, writer->paths.commits, NULL, err);
    if (rc == 0) {
        csv_flow_advance(writer, commit);
        writer->chain = 1;
        writer->chain_bytes = 0;
        writer->first_bytes = csv_commit_bytes(commit);
        FAULT_POINT("csv.snapshot.after");
        rc = csv_commits_fold(writer->paths.commits, writer->last, err);
    }
    csv_commit_free(commit);
    return rc;
}

int csv_flow_fold(struct writer *writer, struct err *err)
{
    if (!csv_fold_is_due(writer->chain, writer->chain_bytes, writer->first_bytes)) return 0;
    struct arena arena = ARENA_INIT(0);
    struct csv_image image;
    int rc = csv_commits_read(writer->paths.commits, &arena, &image, err);
    if (rc == 0 && image.last != writer->last) rc = taken_over(writer, err);
    if (rc == 0) rc = append_snapshot(writer, &image, err);
    if (rc == 0) rc = csv_rejects_clean(writer, err);
    arena_release(&arena);
    return rc;
}

/* Reads the commits and puts one of ours behind them. */
static int fence(struct writer *writer, struct arena *arena, struct csv_image *image, struct err *err)
{
    const struct csv_lease *lease = &writer->destination->lease;
    int rc = ERR_HELD;
    for (int i = 0; i < FENCE_TRIES && rc == ERR_HELD; i++) {
        struct err attempt = ERR_INIT;
        arena_clear(arena);
        if ((rc = csv_commits_read(writer->paths.commits, arena, image, err)) != 0) return rc;
        if (image->fence > lease->fence || (image->fence == lease->fence && strcmp(image->run, lease->run) != 0))
            return taken_over(writer, err);
        writer->last = image->last;
        writer->chain = image->chain;
        writer->chain_bytes = image->chain_bytes;
        writer->first_bytes = image->first_bytes;
        if ((rc = csv_publish_named(&writer->paths, image, err)) != 0) return rc;
        FAULT_POINT("csv.fence.before");
        if (image->last > 0 && image->fence == lease->fence) return 0;
        if (csv_fold_is_due(image->chain, image->chain_bytes, image->first_bytes)) {
            rc = append_snapshot(writer, image, &attempt);
        } else {
            struct csv_commit *commit = csv_flow_commit_new(writer, CSV_COMMIT_DELTA);
            rc = csv_commit_append(commit, writer->paths.commits, NULL, &attempt);
            if (rc == 0) csv_flow_advance(writer, commit);
            csv_commit_free(commit);
        }
        if (rc != 0 && rc != ERR_HELD) return err_copy(err, &attempt);
    }
    return rc == 0 ? 0 : taken_over(writer, err);
}

static int adopt_stream(struct writer *writer, struct csv_stream *stream, const struct csv_image *image, struct err *err)
{
    const struct csv_table *stored = csv_image_table(image, stream->spec.stream);
    stream->table = (struct csv_table){.stream = stream->spec.stream, .mode = stream->spec.mode};
    if (stored) {
        bool is_held = false;
        for (size_t i = 0; i < image->segment_count && !is_held; i++)
            is_held = !image->segments[i].gone && strcmp(image->segments[i].stream, stream->spec.stream) == 0;
        if (is_held && stored->mode != stream->spec.mode) {
            err_set(err, ERR_SCHEMA, "stream '%s' is to be written with %s, but rows of an interrupted sync wait for %s",
                    stream->spec.stream, write_mode_name(stream->spec.mode), write_mode_name(stored->mode));
            return err_hint(err, "let it finish with %s, or drop what it holds with `sluice state reset`",
                            write_mode_name(stored->mode));
        }
        stream->table.has_rows = stored->has_rows;
        stream->table.rows = stored->rows;
        stream->table_is_stored = stored->mode == stream->spec.mode;
    }
    const char *known = NULL;
    for (size_t i = 0; i < image->state.count; i++) {
        const struct state_entry *entry = &image->state.entries[i];
        if (!entry->slice[0] && strcmp(entry->kind, CSV_KNOWN_KIND) == 0 && strcmp(entry->stream, stream->spec.stream) == 0)
            known = entry->value;
    }
    if (known && !csv_known_read(known, stream->spec.schema)) {
        err_set(err, ERR_SCHEMA, "the columns that stream '%s' is known to have do not fit its schema", stream->spec.stream);
        return err_hint(err, "start the stream anew with `sluice state reset`");
    }
    if (known) stream->known_columns = schema_count(stream->spec.schema);
    return clean_stream(writer, stream, err);
}

static void adopt_segments(struct writer *writer, const struct csv_image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct csv_segment *held = &image->segments[i];
        if (held->gone) continue;
        struct csv_segment *segment = csv_flow_add_segment(writer);
        *segment = *held;
        segment->stream = mem_strdup(held->stream);
        segment->slice = mem_strdup(held->slice);
        segment->part = arena_strdup(&writer->arena, held->part);
        segment->columns = csv_columns_find(writer->columns, held->stream, held->columns->id);
        if (segment->columns) continue;
        struct csv_columns *copy = csv_columns_copy(held->columns, &writer->arena);
        copy->next = writer->columns;
        segment->columns = writer->columns = copy;
    }
}

static struct writer *writer_new(struct destination *destination, const struct flow_spec *spec)
{
    struct writer *writer = mem_zero(1, sizeof(*writer));
    struct arena *arena = &writer->arena;
    writer->destination = destination;
    writer->flow = arena_strdup(arena, spec->flow);
    writer->connector = arena_strdup(arena, spec->connector ? spec->connector : "");
    writer->resumable = spec->resumable;
    csv_paths_of(destination->root, destination->pipeline, spec->flow, arena, &writer->paths);
    writer->stream_count = spec->table_count;
    writer->streams = arena_array(arena, struct csv_stream, spec->table_count + 1);
    for (size_t i = 0; i < spec->table_count; i++) {
        struct csv_stream *stream = &writer->streams[i];
        stream->spec = spec->tables[i];
        stream->spec.stream = arena_strdup(arena, spec->tables[i].stream);
        stream->spec.cursor = arena_strdup(arena, spec->tables[i].cursor);
        const char **set = arena_array(arena, const char *, stream->spec.set_count + 1);
        for (size_t s = 0; s < stream->spec.set_count; s++) set[s] = arena_strdup(arena, spec->tables[i].set[s]);
        stream->spec.set = set;
        stream->folder = csv_stream_folder(&writer->paths, stream->spec.stream, arena);
    }
    return writer;
}

int csv_flow_open(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err)
{
    if (!destination->holds_lease) return err_set(err, ERR_BUG, "flow '%s' was opened without the lease", spec->flow);
    struct writer *writer = writer_new(destination, spec);
    struct arena arena = ARENA_INIT(0);
    struct csv_image image;
    int rc = fs_make_folders(writer->paths.commits, FOLDER_MODE, err);
    if (rc != 0) rc = csv_fs_error(err);
    if (rc == 0) rc = fence(writer, &arena, &image, err);
    if (rc == 0) rc = FAULT_FAILS("csv.fence.after", err);
    if (rc == 0) rc = csv_commits_fold(writer->paths.commits, 0, err); /* no number is below 0: what a crash left unlinked */
    if (rc == 0) adopt_segments(writer, &image);
    for (size_t i = 0; rc == 0 && i < writer->stream_count; i++) rc = adopt_stream(writer, &writer->streams[i], &image, err);
    if (rc == 0) rc = csv_stage_sweep(&writer->paths, destination->lease.run, writer->segments, writer->segment_count, err);
    if (rc == 0) rc = csv_rejects_clean(writer, err);
    arena_release(&arena);
    if (rc != 0) {
        csv_flow_close(writer);
        return err->class;
    }
    if (writer->segment_count > 0)
        log_info(destination->log, "%s: goes on with rows held by an interrupted sync (%zu pieces)", spec->flow,
                 writer->segment_count);
    *out = writer;
    return 0;
}

int csv_flow_load_state(struct writer *writer, struct state *state, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct csv_image image;
    int rc = csv_commits_read(writer->paths.commits, &arena, &image, err);
    if (rc == 0) state_apply(state, &image.state);
    arena_release(&arena);
    return rc;
}

const char *csv_flow_note(const struct writer *writer)
{
    return writer->segment_count + writer->spool_count > 0 ? "holding rows in the stage, publishes when they are complete"
                                                           : NULL;
}

void csv_flow_close(struct writer *writer)
{
    if (!writer) return;
    for (size_t i = 0; i < writer->segment_count; i++) {
        free((char *)(uintptr_t)writer->segments[i].stream);
        free((char *)(uintptr_t)writer->segments[i].slice);
    }
    free(writer->segments);
    for (size_t i = 0; i < writer->spool_count; i++) {
        /* A commit that failed half way may stand and name these; if it does not, the next start removes them. */
        if (!writer->broken) csv_spool_discard(writer->spools[i]);
        csv_spool_free(writer->spools[i]);
    }
    free(writer->spools);
    csv_buffer_release(&writer->lines);
    arena_release(&writer->arena);
    free(writer);
}
