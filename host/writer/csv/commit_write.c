/* commit_write: building a commit's text and making it the truth. The order of csv_commit_append is the protocol: a temporary
 * file is written and fsynced, linked to its number, the folder fsynced, and then the folder is looked at once more, because
 * the number may have been free only since a successor folded the commit that once had it. Folding goes from the oldest up, so
 * a number that is free that way always has a newer one beside it.
 *
 * A commit that finds newer ones beside it was either made below a successor's snapshot, where nobody reads it and folding
 * removes it, or was the newest when it was made, and the successor built upon it while its maker stood still. Only the maker
 * cannot tell which, so it leaves the commit, and what it names, where they are. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/time.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "writer/csv/commits.h"
#include "writer/csv/layout.h"

enum { COMMIT_MAX_BYTES = 1 << 30, FILE_MODE = 0640 };

struct csv_commit {
    uint64_t number;
    char run[CSV_RUN_ID_SIZE];
    struct buf text;
    uint64_t lines;
};

static const char *const KIND_NAMES[] = {"delta", "snapshot", "reset", "failed"};

static void member_text(struct json_writer *json, const char *name, const char *value)
{
    json_member(json, name);
    json_cstr(json, value);
}

static void member_int(struct json_writer *json, const char *name, uint64_t value)
{
    json_member(json, name);
    json_int(json, (int64_t)value);
}

/* Starts a line {"NAME":{ and gives its writer; end_line closes both. */
static struct json_writer start_line(struct csv_commit *commit, const char *name)
{
    struct json_writer json = JSON_WRITER(&commit->text);
    json_open(&json, '{');
    json_member(&json, name);
    json_open(&json, '{');
    return json;
}

static void end_line(struct csv_commit *commit, struct json_writer *json)
{
    json_close(json, '}');
    json_close(json, '}');
    buf_append_char(&commit->text, '\n');
    commit->lines++;
}

struct csv_commit *csv_commit_new(const struct csv_commit_header *header)
{
    struct csv_commit *commit = mem_zero(1, sizeof(*commit));
    char at[TIME_TEXT_MAX];
    size_t at_size = time_write_iso(header->at_us, at);
    commit->number = header->number;
    commit->text = BUF_INIT(COMMIT_MAX_BYTES);
    snprintf(commit->run, sizeof(commit->run), "%s", header->run);
    struct json_writer json = start_line(commit, "commit");
    member_int(&json, "version", 1);
    member_int(&json, "number", header->number);
    member_text(&json, "kind", KIND_NAMES[header->kind]);
    member_int(&json, "fence", header->fence);
    member_text(&json, "run", header->run);
    member_text(&json, "pipeline", header->pipeline);
    member_text(&json, "flow", header->flow);
    member_text(&json, "connector", header->connector);
    json_member(&json, "at");
    json_text(&json, (struct str){at, at_size});
    end_line(commit, &json);
    return commit;
}

void csv_commit_free(struct csv_commit *commit)
{
    if (!commit) return;
    buf_release(&commit->text);
    free(commit);
}

uint64_t csv_commit_bytes(const struct csv_commit *commit)
{
    return commit->text.size;
}

void csv_commit_state(struct csv_commit *commit, const struct state *delta)
{
    for (size_t i = 0; i < delta->count; i++) {
        const struct state_entry *entry = &delta->entries[i];
        struct json_writer json = start_line(commit, "state");
        member_text(&json, "stream", entry->stream);
        member_text(&json, "slice", entry->slice);
        member_text(&json, "kind", entry->kind);
        member_text(&json, "value", entry->value);
        end_line(commit, &json);
    }
}

void csv_commit_columns(struct csv_commit *commit, const struct csv_columns *columns)
{
    struct json_writer json = JSON_WRITER(&commit->text);
    json_open(&json, '{');
    json_member(&json, "columns");
    csv_columns_write(columns, true, false, &json);
    json_close(&json, '}');
    buf_append_char(&commit->text, '\n');
    commit->lines++;
}

void csv_commit_segment(struct csv_commit *commit, const struct csv_segment *segment)
{
    struct json_writer json = start_line(commit, "segment");
    member_int(&json, "file", segment->file);
    member_int(&json, "index", segment->index);
    member_text(&json, "stream", segment->stream);
    member_text(&json, "slice", segment->slice);
    member_text(&json, "columns", segment->columns->id);
    member_int(&json, "bytes", segment->bytes);
    member_int(&json, "rows", segment->rows);
    if (segment->marks) member_int(&json, "empties", segment->marks);
    if (segment->part) {
        member_text(&json, "part", segment->part);
        member_int(&json, "raw_bytes", segment->raw_bytes);
        member_text(&json, "sha256", segment->sha256);
    } else {
        member_int(&json, "offset", segment->offset);
        member_int(&json, "crc", segment->crc);
    }
    if (segment->settled) member_int(&json, "settled", 1);
    end_line(commit, &json);
}

/* A line that says something of a segment of an earlier commit. */
static void segment_line(struct csv_commit *commit, const char *name, const struct csv_segment *segment)
{
    struct json_writer json = start_line(commit, name);
    member_int(&json, "file", segment->file);
    member_int(&json, "index", segment->index);
    end_line(commit, &json);
}

void csv_commit_gone(struct csv_commit *commit, const struct csv_segment *segment)
{
    segment_line(commit, "gone", segment);
}

void csv_commit_settled(struct csv_commit *commit, const struct csv_segment *segment)
{
    segment_line(commit, "settled", segment);
}

void csv_commit_table(struct csv_commit *commit, const struct csv_table *table)
{
    struct json_writer json = start_line(commit, "table");
    member_text(&json, "stream", table->stream);
    member_text(&json, "mode", write_mode_name(table->mode));
    if (table->has_rows) member_int(&json, "rows", table->rows);
    end_line(commit, &json);
}

void csv_commit_load(struct csv_commit *commit, const char *stream, uint64_t load_id, uint64_t rows)
{
    struct json_writer json = start_line(commit, "load");
    member_text(&json, "stream", stream);
    member_int(&json, "id", load_id);
    member_int(&json, "rows", rows);
    end_line(commit, &json);
}

void csv_commit_counts(struct csv_commit *commit, const char *stream, const struct load_counts *counts)
{
    struct json_writer json = start_line(commit, "counts");
    member_text(&json, "stream", stream);
    member_int(&json, "emitted", counts->emitted);
    member_int(&json, "written", counts->written);
    member_int(&json, "rejected", counts->rejected);
    member_int(&json, "discarded", counts->discarded);
    member_int(&json, "deleted", counts->deleted);
    member_int(&json, "repaired", counts->repaired);
    member_int(&json, "nulled", counts->nulled);
    member_int(&json, "overflowed", counts->overflowed);
    member_int(&json, "bytes", counts->bytes);
    end_line(commit, &json);
}

void csv_commit_reason(struct csv_commit *commit, const char *reason)
{
    struct json_writer json = start_line(commit, "reason");
    member_text(&json, "text", reason);
    end_line(commit, &json);
}

void csv_commit_image(struct csv_commit *commit, const struct csv_image *image)
{
    csv_commit_state(commit, &image->state);
    for (const struct csv_columns *columns = image->columns; columns; columns = columns->next) {
        bool in_use = false;
        for (size_t i = 0; i < image->segment_count && !in_use; i++)
            in_use = !image->segments[i].gone && image->segments[i].columns == columns;
        if (in_use) csv_commit_columns(commit, columns);
    }
    for (size_t i = 0; i < image->segment_count; i++)
        if (!image->segments[i].gone) csv_commit_segment(commit, &image->segments[i]);
    for (size_t i = 0; i < image->table_count; i++) csv_commit_table(commit, &image->tables[i]);
}

/* Is a commit newer than `number` in the folder? */
static int find_newer(const char *folder, uint64_t number, bool *found, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries;
    size_t count;
    int rc = fs_list(folder, CSV_LIST_MAX, &arena, &entries, &count, err);
    *found = false;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t other;
        if (csv_number_read(entries[i].name, &other) && other > number) *found = true;
    }
    arena_release(&arena);
    return rc == 0 ? 0 : csv_fs_error(err);
}

int csv_commit_overtaken(struct err *err)
{
    err_set(err, ERR_HELD, "another sync has taken this flow over");
    return err_hint(err, "nothing was lost or doubled: what this one had not committed is read again by the other");
}

static int append_at(struct csv_commit *commit, const char *folder, const char *temporary, const char *path, bool *may_stand,
                     struct err *err)
{
    int fd, rc;
    if ((rc = fs_create(temporary, FILE_MODE, &fd, err)) != 0) return csv_fs_error(err);
    FAULT_POINT("csv.commit.created");
    rc = fs_write_all(fd, commit->text.data, commit->text.size, temporary, err);
    if (rc == 0) rc = FAULT_FAILS("csv.commit.written", err);
    if (rc == 0) rc = fs_sync(fd, temporary, err);
    if (rc == 0) rc = FAULT_FAILS("csv.commit.link.before", err);
    bool made = false, newer = false;
    if (rc == 0) rc = fs_link_new(temporary, path, &made, err);
    /* A link whose answer was lost (NFS) reports that the name is there: it is ours when our file has two names. */
    struct stat status;
    if (rc == 0 && !made) made = fstat(fd, &status) == 0 && status.st_nlink == 2;
    close(fd);
    *may_stand = made;
    if (rc == 0) rc = FAULT_FAILS("csv.commit.link.after", err);
    if (rc == 0 && made) rc = fs_sync_folder(folder, err);
    if (rc == 0) rc = FAULT_FAILS("csv.commit.synced", err);
    if (rc != 0) return csv_fs_error(err);
    if (!made) return csv_commit_overtaken(err);
    if ((rc = find_newer(folder, commit->number, &newer, err)) != 0) return rc;
    if (!newer) return 0;
    return csv_commit_overtaken(err); /* may stand: see above */
}

int csv_commit_append(struct csv_commit *commit, const char *folder, bool *may_stand, struct err *err)
{
    bool stands = false;
    char hex[SHA256_HEX_SIZE], number[CSV_NUMBER_SIZE];
    crypto_sha256_hex(buf_str(&commit->text), hex);
    buf_printf(&commit->text, "{\"end\":{\"lines\":%llu,\"sha256\":\"%s\"}}\n", (unsigned long long)commit->lines, hex);
    if (may_stand) *may_stand = false;
    if (commit->text.failed)
        return err_set(err, ERR_DESTINATION, "a commit of '%s' would be over %d bytes", folder, COMMIT_MAX_BYTES);

    struct arena arena = ARENA_INIT(0);
    csv_number_text(commit->number, number);
    const char *temporary = arena_printf(&arena, "%s/.%s-%s", folder, number, commit->run);
    struct err ignored = ERR_INIT;
    int rc = append_at(commit, folder, temporary, fs_join(&arena, folder, number), &stands, err);
    if (may_stand) *may_stand = stands;
    /* The second name goes; if it stays (a crash), the next start removes it. */
    if (fs_remove_file(temporary, &ignored) != 0) ignored.class = 0;
    FAULT_POINT("csv.commit.after");
    arena_release(&arena);
    return rc;
}

int csv_commits_fold(const char *folder, uint64_t number, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries;
    size_t count;
    int rc = fs_list(folder, CSV_LIST_MAX, &arena, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) { /* in byte order, which is the order of the numbers */
        const char *name = entries[i].name;
        uint64_t other;
        bool left_over = name[0] == '.';
        if (!left_over && !(csv_number_read(name, &other) && other < number)) continue;
        FAULT_POINT("csv.fold.remove");
        rc = fs_remove_file(fs_join(&arena, folder, name), err);
    }
    arena_release(&arena);
    return rc == 0 ? 0 : csv_fs_error(err);
}
