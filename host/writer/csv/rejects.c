/* rejects: see rejects.h. */
#include "writer/csv/rejects.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "os/clock.h"

enum {
    FOLDER_MODE = 0750,
    FILE_MODE = 0640,
    FILE_MAX_BYTES = 256 << 20,
    LINE_MAX_BYTES = 1 << 20,
    KEPT_COMMITS = 10000, /* whose rejects stay */
};

#define SUFFIX ".ndjson"

/* --- writing -------------------------------------------------------------------------------------------------------------- */

static void append_line(struct buf *out, const struct reject *reject, const char *at)
{
    struct json_writer json = JSON_WRITER(out);
    json_open(&json, '{');
    json_member(&json, "at"), json_cstr(&json, at);
    json_member(&json, "stream"), json_cstr(&json, reject->stream);
    json_member(&json, "field"), json_cstr(&json, reject->field);
    json_member(&json, "reason"), json_cstr(&json, reject->reason);
    json_member(&json, "detail"), json_cstr(&json, reject->detail);
    json_member(&json, "row_was_dropped"), json_bool(&json, reject->row_was_dropped);
    json_member(&json, "record"), json_text(&json, reject->record);
    json_close(&json, '}');
    buf_append_char(out, '\n');
}

int csv_rejects_write(const struct writer *writer, const struct load *load, uint64_t number, size_t first, struct err *err)
{
    if (first >= load->reject_count) return 0;
    struct arena arena = ARENA_INIT(0);
    struct buf text = BUF_INIT(FILE_MAX_BYTES);
    char name[CSV_NUMBER_SIZE], at[TIME_TEXT_MAX];
    const char *folder = writer->paths.rejects;
    const char *path = arena_printf(&arena, "%s/%s" SUFFIX, folder, csv_number_text(number, name));
    time_write_iso(clock_wall_us(writer->destination->clock), at);
    for (size_t i = first; i < load->reject_count; i++) append_line(&text, &load->rejects[i], at);
    int rc = text.failed ? err_set(err, ERR_DESTINATION, "the rejects of one load are over %d bytes", FILE_MAX_BYTES) : 0;
    if (rc == 0) rc = fs_make_folders(folder, FOLDER_MODE, err);
    if (rc == 0) rc = fs_write_file(path, FILE_MODE, buf_str(&text), err);
    buf_release(&text);
    arena_release(&arena);
    return rc == 0 ? 0 : csv_fs_error(err);
}

/* --- the folder ----------------------------------------------------------------------------------------------------------- */

static int list_files(const char *folder, struct arena *arena, struct fs_entry **entries, size_t *count, struct err *err)
{
    *count = 0;
    if (fs_kind(folder) == FS_MISSING) return 0;
    return fs_list(folder, CSV_LIST_MAX, arena, entries, count, err) == 0 ? 0 : csv_fs_error(err);
}

/* The commit a file belongs to; false for one that is none of ours. */
static bool read_number(const char *name, struct arena *arena, uint64_t *number)
{
    struct str rest = str_from(name), text;
    return str_next(&rest, '.', &text) && csv_number_read(arena_text(arena, text), number);
}

int csv_rejects_clean(const struct writer *writer, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries = NULL;
    size_t count;
    int rc = list_files(writer->paths.rejects, &arena, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t number = UINT64_MAX; /* ".0000000012.ndjson.xyz.tmp": left by a write that was killed */
        bool is_torn = entries[i].name[0] == '.';
        if (!is_torn && !read_number(entries[i].name, &arena, &number)) continue;
        if ((number > writer->last || number + KEPT_COMMITS < writer->last) &&
            fs_remove_file(fs_join(&arena, writer->paths.rejects, entries[i].name), err) != 0)
            rc = csv_fs_error(err);
    }
    arena_release(&arena);
    return rc;
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

struct reading {
    const struct past_filter *filter;
    struct arena *arena;
    struct past_reject *list; /* of all flows: filter->limit of each at most */
    size_t count, capacity;
    size_t wanted; /* of the flow at hand */
};

static const char *copy_text(struct arena *arena, const struct cJSON *json, const char *key)
{
    const char *text = json_string(json_get(json, key));
    return text ? arena_strdup(arena, text) : NULL;
}

static void add(struct reading *reading, const struct cJSON *json, uint64_t number)
{
    const char *record = json_string(json_get(json, "record"));
    bool was_dropped = false;
    (void)json_boolean(json_get(json, "row_was_dropped"), &was_dropped);
    if (reading->count == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 64;
        reading->list = mem_resize(reading->list, reading->capacity * sizeof *reading->list);
    }
    reading->list[reading->count++] =
        (struct past_reject){.reject = {.stream = copy_text(reading->arena, json, "stream"),
                                        .field = copy_text(reading->arena, json, "field"),
                                        .reason = copy_text(reading->arena, json, "reason"),
                                        .detail = copy_text(reading->arena, json, "detail"),
                                        .record = arena_copy(reading->arena, str_from(record ? record : "")),
                                        .row_was_dropped = was_dropped},
                             .at = copy_text(reading->arena, json, "at"),
                             .load = (int64_t)number};
    reading->wanted--;
}

/* A file is written in one piece, so a line that cannot be read was changed by somebody. */
static int add_line(struct reading *reading, struct str line, const char *path, uint64_t number, struct err *err)
{
    struct cJSON *json;
    int rc = json_parse(line, LINE_MAX_BYTES, &json, err);
    if (rc) {
        err->class = ERR_DESTINATION;
        return err_context(err, "cannot read '%s'", path);
    }
    const char *stream = json_string(json_get(json, "stream"));
    if (stream && (!reading->filter->stream || strcmp(stream, reading->filter->stream) == 0)) add(reading, json, number);
    json_free(json);
    return 0;
}

/* Adds what a file has, the last line first. */
static int read_file(struct reading *reading, const char *path, uint64_t number, struct err *err)
{
    struct buf text = BUF_INIT(FILE_MAX_BYTES);
    int rc = fs_read_file(path, FILE_MAX_BYTES, &text, err) == 0 ? 0 : csv_fs_error(err);
    size_t end = text.size && text.data[text.size - 1] == '\n' ? text.size - 1 : text.size;
    while (rc == 0 && end > 0 && reading->wanted) {
        size_t begin = end;
        while (begin > 0 && text.data[begin - 1] != '\n') begin--;
        rc = add_line(reading, (struct str){text.data + begin, end - begin}, path, number, err);
        end = begin ? begin - 1 : 0;
    }
    buf_release(&text);
    return rc;
}

static int read_flow(struct reading *reading, const char *ledger, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    const char *folder = fs_join(&arena, ledger, "rejects"), *flow;
    struct fs_entry *entries = NULL;
    size_t count = 0;
    uint64_t last, fence, number;
    reading->wanted = reading->filter->limit;
    int rc = csv_commits_peek(fs_join(&arena, ledger, "commits"), &arena, &last, &fence, &flow, err);
    if (rc == 0) rc = list_files(folder, &arena, &entries, &count, err);
    for (size_t i = count; rc == 0 && i > 0 && reading->wanted; i--) {
        const char *name = entries[i - 1].name;
        if (name[0] == '.' || !read_number(name, &arena, &number) || number > last) continue;
        rc = read_file(reading, fs_join(&arena, folder, name), number, err);
    }
    arena_release(&arena);
    return rc;
}

/* The newest first. */
static int compare(const void *a, const void *b)
{
    const struct past_reject *one = a, *other = b;
    int order = strcmp(other->at ? other->at : "", one->at ? one->at : "");
    return order ? order : (one->load < other->load) - (one->load > other->load);
}

int csv_rejects_read(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_reject **list, size_t *count, struct err *err)
{
    struct arena names = ARENA_INIT(0);
    struct reading reading = {.filter = filter, .arena = arena};
    struct fs_entry *flows = NULL;
    size_t flow_count;
    int rc = csv_list_flows(destination, &names, &flows, &flow_count, err);
    for (size_t i = 0; rc == 0 && i < flow_count; i++)
        rc = read_flow(&reading, fs_join(&names, destination->ledger, flows[i].name), err);
    if (rc == 0) {
        if (reading.count) qsort(reading.list, reading.count, sizeof *reading.list, compare);
        *count = reading.count < filter->limit ? reading.count : filter->limit;
        *list = arena_array(arena, struct past_reject, *count + 1);
        if (*count) memcpy(*list, reading.list, *count * sizeof **list);
    }
    free(reading.list);
    arena_release(&names);
    return rc;
}
