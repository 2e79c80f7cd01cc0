/* csv: the destination of the CSV writer and its table of functions. A destination is a folder; holding it means holding the
 * lease file of one pipeline below it. */
#include "writer/csv/csv.h"

#include <unistd.h>

#include "os/fs.h"
#include "os/log.h"
#include "writer/csv/rejects.h"
#include "writer/types.h"

enum { FOLDER_MODE = 0750, FILE_MODE = 0640 };

/* A part also closes with its load, and a load is never older than a commit: the ten minutes need no clock of their own. */
static const struct option OPTIONS[] = {
    {"path", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL,
     "the folder the files are written below, relative to sluice.yaml; made when missing"},
    {"compression", OPTION_ENUM, 0, "gzip", "none|gzip|zstd", NULL, "of each part file"},
    {"null", OPTION_ENUM, 0, "empty", "empty|backslash_n", NULL,
     "how null is written: nothing between the commas, or \\N unquoted (what Redshift wants)"},
    {"part_size", OPTION_SIZE, 0, "128MB", NULL, NULL, "compressed size at which a part file closes and the next begins"},
    {"shared", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "the path is one folder on every node of the service (a network file system); else the first that writes it keeps it"},
};

static const struct option_table OPTION_TABLE_CSV = OPTION_TABLE("a csv destination", OPTIONS);

static void csv_close(struct destination *destination);

static const char *csv_place(const struct node *config)
{
    return option_boolean(&OPTION_TABLE_CSV, config, "shared") ? NULL : option_text(&OPTION_TABLE_CSV, config, "path");
}

static int csv_open(const struct destination_options *options, struct destination **out, struct err *err)
{
    struct destination *destination = mem_zero(1, sizeof(*destination));
    struct arena *arena = &destination->arena;
    const char *path = option_text(&OPTION_TABLE_CSV, options->config, "path");
    const char *compression = option_text(&OPTION_TABLE_CSV, options->config, "compression");
    destination->clock = options->clock;
    destination->cancel = options->cancel;
    destination->log = options->log;
    destination->pipeline = arena_strdup(arena, options->pipeline);
    if (path[0] && options->folder && strcmp(options->folder, ".") != 0) path = fs_join(arena, options->folder, path);
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') size--;
    destination->root = arena_text(arena, (struct str){path, size});
    destination->ledger = csv_pipeline_ledger(destination->root, options->pipeline, arena);
    CHECK(compression_from_name(str_from(compression), &destination->format.compression));
    bool is_empty = strcmp(option_text(&OPTION_TABLE_CSV, options->config, "null"), "empty") == 0;
    destination->format.null_token = is_empty ? CSV_NULL_EMPTY : CSV_NULL_BACKSLASH_N;
    destination->format.part_bytes = option_size_bytes(&OPTION_TABLE_CSV, options->config, "part_size");
    process_identity(&destination->self);
    enum fs_kind kind = fs_kind(destination->root);
    if (size == 0 || (kind != FS_MISSING && kind != FS_FOLDER)) {
        err_set(err, ERR_CONFIG, "destination '%s': the path '%s' is not a folder", options->name, path);
        csv_close(destination);
        return err_hint(err, "give a folder; it is made when it does not exist");
    }
    *out = destination;
    return 0;
}

/* --- check ------------------------------------------------------------------------------------------------------------ */

/* Writes and links a file below `folder`, as a commit does, and removes both names. */
static int try_commit(const char *folder, struct arena *arena, struct err *err)
{
    const char *file = arena_printf(arena, "%s/.sluice-check-%ld", folder, (long)getpid());
    const char *name = arena_printf(arena, "%s.linked", file);
    bool made = false;
    struct err later = ERR_INIT;
    int rc = fs_write_file(file, FILE_MODE, STR("check\n"), err);
    if (rc == 0) rc = fs_link_new(file, name, &made, err);
    if (rc == 0 && !made) rc = err_set(err, ERR_DESTINATION, "could not link '%s': the name exists", name);
    int link_rc = fs_remove_file(name, &later);
    int file_rc = fs_remove_file(file, &later);
    if (rc == 0 && (link_rc != 0 || file_rc != 0)) rc = err_copy(err, &later);
    return rc;
}

static int csv_check(struct destination *destination, writer_report *report, void *context, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    /* What has to be made is removed again, from its topmost new folder down. */
    const char *existing = destination->root, *made = NULL;
    while (fs_kind(existing) == FS_MISSING && strcmp(existing, ".") != 0 && strcmp(existing, "/") != 0) {
        made = existing;
        existing = fs_folder_of(&arena, existing);
    }
    int rc = fs_make_folders(destination->root, FOLDER_MODE, err);
    struct writer_finding finding = {rc == 0, "folder", rc == 0 ? destination->root : err->message};
    report(context, &finding);
    if (rc == 0) {
        rc = try_commit(destination->root, &arena, err);
        finding =
            (struct writer_finding){rc == 0, "write and commit", rc == 0 ? "files, fsync and hard links work" : err->message};
        report(context, &finding);
    }
    struct err later = ERR_INIT;
    if (made && fs_kind(made) == FS_FOLDER && fs_remove_tree(existing, arena_text(&arena, fs_base_name(made)), &later) != 0 &&
        rc == 0)
        rc = err_copy(err, &later);
    arena_release(&arena);
    return rc == 0 ? 0 : csv_fs_error(err);
}

/* --- looking ---------------------------------------------------------------------------------------------------------- */

static int csv_look(struct destination *destination, const struct flow_spec *spec, struct arena *arena,
                    struct target_look **looks, struct err *err)
{
    struct csv_paths paths;
    (void)err;
    csv_paths_of(destination->root, destination->pipeline, spec->flow, arena, &paths);
    *looks = arena_array(arena, struct target_look, spec->table_count + 1);
    for (size_t t = 0; t < spec->table_count; t++) {
        const char *folder = csv_stream_folder(&paths, spec->tables[t].stream, arena);
        bool exists = fs_kind(folder) == FS_FOLDER;
        (*looks)[t] = (struct target_look){.target = folder, .exists = exists, .rows = -1, .changes = "", .refusal = ERR_INIT};
    }
    return 0;
}

/* --- the lease -------------------------------------------------------------------------------------------------------- */

int csv_list_flows(const struct destination *destination, struct arena *arena, struct fs_entry **entries, size_t *count,
                   struct err *err)
{
    *count = 0;
    if (fs_kind(destination->ledger) == FS_MISSING) return 0;
    int rc = fs_list(destination->ledger, CSV_LIST_MAX, arena, entries, count, err);
    if (rc != 0) return csv_fs_error(err);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if ((*entries)[i].kind == FS_FOLDER) (*entries)[kept++] = (*entries)[i];
    *count = kept;
    return 0;
}

static const char *commits_of(const struct destination *destination, const struct fs_entry *flow, struct arena *arena)
{
    return arena_printf(arena, "%s/%s/commits", destination->ledger, flow->name);
}

/* The fences in the commits: a lease file that was removed by hand must not make ours smaller than those. */
static int greatest_fence(const struct destination *destination, uint64_t *fence, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *flows = NULL;
    size_t count;
    int rc = csv_list_flows(destination, &arena, &flows, &count, err);
    *fence = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t last, its_fence;
        const char *name;
        rc = csv_commits_peek(commits_of(destination, &flows[i], &arena), &arena, &last, &its_fence, &name, err);
        if (rc == 0 && its_fence > *fence) *fence = its_fence;
    }
    arena_release(&arena);
    return rc;
}

static int csv_acquire(struct destination *destination, struct err *err)
{
    uint64_t least_fence;
    int rc = greatest_fence(destination, &least_fence, err);
    if (rc == 0)
        rc = csv_lease_acquire(destination->ledger, destination->pipeline, &destination->self, least_fence, destination->clock,
                               destination->cancel, &destination->lease, err);
    destination->holds_lease = rc == 0;
    return rc;
}

static int csv_renew(struct destination *destination, int64_t wait_ms, struct err *err)
{
    return csv_lease_renew(destination->ledger, destination->pipeline, &destination->lease, wait_ms, destination->clock, err);
}

static void csv_release(struct destination *destination)
{
    if (!destination->holds_lease) return;
    struct err err = ERR_INIT;
    destination->holds_lease = false;
    if (csv_lease_release(destination->ledger, destination->pipeline, &destination->lease, destination->clock, &err) != 0)
        log_warn(destination->log, "the lease was not released: %s", err.message);
}

static void csv_close(struct destination *destination)
{
    if (!destination) return;
    csv_release(destination);
    arena_release(&destination->arena);
    free(destination);
}

/* --- state commands --------------------------------------------------------------------------------------------------- */

static int csv_state_read(struct destination *destination, struct arena *arena, struct flow_state **flows, size_t *count,
                          struct err *err)
{
    struct fs_entry *entries = NULL;
    size_t entry_count;
    int rc = csv_list_flows(destination, arena, &entries, &entry_count, err);
    *count = 0;
    *flows = arena_array(arena, struct flow_state, entry_count + 1);
    for (size_t i = 0; rc == 0 && i < entry_count; i++) {
        struct csv_image image;
        rc = csv_commits_read(commits_of(destination, &entries[i], arena), arena, &image, err);
        if (rc != 0 || image.last == 0 || image.state.count == 0) continue;
        (*flows)[*count] = (struct flow_state){.flow = image.flow, .state = image.state};
        (*flows)[*count].target =
            arena_printf(arena, "%s/%s", destination->root, csv_folder_name(destination->pipeline, arena));
        ++*count;
    }
    return rc;
}

/* Unlike a flow's, this commit may follow one that is damaged: a reset is how people get out of that. */
static int csv_state_write(struct destination *destination, const char *flow, const struct state_entry *entry, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct csv_paths paths;
    struct csv_image image = {0};
    struct csv_commit *commit = NULL;
    bool is_reset = entry->kind == NULL;
    uint64_t last = 0, fence = 0;
    const char *name;
    csv_paths_of(destination->root, destination->pipeline, flow, &arena, &paths);
    int rc = destination->holds_lease ? 0 : err_set(err, ERR_BUG, "state was written without the lease");
    if (rc == 0) rc = csv_commits_peek(paths.commits, &arena, &last, &fence, &name, err);
    if (rc == 0 && last == 0 && is_reset) goto out;
    /* After a reset nothing names the loads before it any more: finish what an interrupted run left to be renamed. */
    struct err unreadable = ERR_INIT;
    int read_rc = rc == 0 ? csv_commits_read(paths.commits, &arena, &image, &unreadable) : rc;
    if (rc == 0 && read_rc == 0) rc = csv_publish_named(&paths, &image, err);
    if (rc == 0 && read_rc != 0 && !is_reset) rc = err_copy(err, &unreadable);
    if (rc == 0 && fs_make_folders(paths.commits, FOLDER_MODE, err) != 0) rc = csv_fs_error(err);
    if (rc == 0 && fence > destination->lease.fence)
        rc = err_set(err, ERR_HELD, "flow '%s' was taken over by another sync", flow);
    if (rc != 0) goto out;
    const struct csv_commit_header header = {
        .number = last + 1,
        .kind = is_reset ? CSV_COMMIT_RESET : CSV_COMMIT_DELTA,
        .fence = destination->lease.fence,
        .run = destination->lease.run,
        .pipeline = destination->pipeline,
        .flow = flow,
        .connector = "",
        .at_us = clock_wall_us(destination->clock),
    };
    commit = csv_commit_new(&header);
    if (!is_reset) {
        struct state delta = STATE_INIT(&arena);
        state_set(&delta, entry->stream, entry->slice, entry->kind, entry->value);
        csv_commit_state(commit, &delta);
    }
    rc = csv_commit_append(commit, paths.commits, NULL, err);
out:
    csv_commit_free(commit);
    arena_release(&arena);
    return rc;
}

/* A successor removes our unfinished files: what cannot be opened or created after that is no fault of the disk. */
static int blame(struct destination *destination, int rc, struct err *err)
{
    struct err lease = ERR_INIT;
    if (rc != ERR_DESTINATION || csv_renew(destination, 0, &lease) != ERR_HELD) return rc;
    *err = ERR_INIT;
    return csv_commit_overtaken(err);
}

static int open_flow(struct destination *destination, const struct flow_spec *spec, struct writer **out, struct err *err)
{
    return blame(destination, csv_flow_open(destination, spec, out, err), err);
}

static int commit_load(struct writer *writer, const struct load *load, struct err *err)
{
    return blame(writer->destination, csv_flow_commit(writer, load, err), err);
}

const struct writer_type WRITER_CSV = {
    .name = "csv",
    .title = "staged CSV files",
    .options = &OPTION_TABLE_CSV,
    .place = csv_place,
    .open = csv_open,
    .check = csv_check,
    .acquire = csv_acquire,
    .renew = csv_renew,
    .release = csv_release,
    .look = csv_look,
    .state_read = csv_state_read,
    .rejects = csv_rejects_read,
    .state_write = csv_state_write,
    .close = csv_close,
    .flow_open = open_flow,
    .load_state = csv_flow_load_state,
    .commit = commit_load,
    .fail = csv_flow_fail,
    .note = csv_flow_note,
    .flow_close = csv_flow_close,
};
