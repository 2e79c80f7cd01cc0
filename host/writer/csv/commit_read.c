/* commit_read: from files back to what they say. Two passes: from the newest commit backwards until a snapshot, reading headers
 * only; then forwards from there, applying each line. A commit is believed only as a whole: its end line must hold the digest
 * of everything before it, so a torn or edited file is an error and never half a state. */
#include "base/buf.h"
#include "base/json.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "writer/csv/commits.h"
#include "writer/csv/layout.h"

enum { COMMIT_MAX_BYTES = 1 << 30, LINE_MAX_BYTES = 64 << 20, SUPPORTED_VERSION = 1 };

struct reader {
    const char *folder;
    struct arena *arena;
    struct csv_image *image;
    struct buf text; /* of the commit in hand */
    const char *path;
};

static int damaged(const char *path, const char *what, struct err *err)
{
    err_set(err, ERR_DESTINATION, "cannot read the commit '%s': %s", path, what);
    return err_hint(err, "restore the file from a backup, or give the flow's state up with `sluice state reset`");
}

static bool read_number(const struct cJSON *object, const char *key, uint64_t *value)
{
    double number;
    if (!json_number(json_get(object, key), &number) || number < 0 || number > 9007199254740992.0) return false;
    *value = (uint64_t)number;
    return (double)*value == number;
}

static const char *read_text(const struct cJSON *object, const char *key, struct arena *arena)
{
    return arena_strdup(arena, json_string(json_get(object, key)));
}

/* Reads the file of commit `number` and checks its digest; *body is what is before the end line. */
static int read_commit(struct reader *reader, uint64_t number, struct str *body, struct err *err)
{
    char name[CSV_NUMBER_SIZE], hex[SHA256_HEX_SIZE];
    reader->path = fs_join(reader->arena, reader->folder, csv_number_text(number, name));
    buf_clear(&reader->text);
    int rc = fs_read_file(reader->path, COMMIT_MAX_BYTES, &reader->text, err);
    if (rc != 0) return csv_fs_error(err);
    struct str text = buf_str(&reader->text);
    if (text.size == 0 || text.data[text.size - 1] != '\n') return damaged(reader->path, "its end is missing", err);
    size_t end_at = text.size - 1;
    while (end_at > 0 && text.data[end_at - 1] != '\n') end_at--;
    struct cJSON *end = NULL;
    struct err parse_err = ERR_INIT;
    if (json_parse((struct str){text.data + end_at, text.size - end_at - 1}, 4096, &end, &parse_err) != 0)
        return damaged(reader->path, "its end line is damaged", err);
    *body = (struct str){text.data, end_at};
    crypto_sha256_hex(*body, hex);
    const char *stored = json_string(json_path(end, "end.sha256"));
    bool fits = stored && strcmp(stored, hex) == 0;
    json_free(end);
    return fits ? 0 : damaged(reader->path, "its check sum does not match its content", err);
}

static int next_line(struct reader *reader, struct str *rest, struct cJSON **json, struct err *err)
{
    struct str line;
    *json = NULL;
    if (!str_next(rest, '\n', &line) || line.size == 0) return 0;
    struct err parse_err = ERR_INIT;
    if (json_parse(line, LINE_MAX_BYTES, json, &parse_err) != 0) return damaged(reader->path, parse_err.message, err);
    return 0;
}

/* What a header says; the texts are in the arena. */
struct header {
    bool is_whole; /* snapshot or reset */
    uint64_t number, fence;
    const char *run, *flow;
};

static int read_header(struct reader *reader, struct str *rest, struct header *header, struct err *err)
{
    struct cJSON *json;
    uint64_t version = 0;
    int rc = next_line(reader, rest, &json, err);
    if (rc != 0) return rc;
    const struct cJSON *commit = json_get(json, "commit");
    const char *kind = json_string(json_get(commit, "kind"));
    *header = (struct header){.run = read_text(commit, "run", reader->arena), .flow = read_text(commit, "flow", reader->arena)};
    header->is_whole = kind && (strcmp(kind, "snapshot") == 0 || strcmp(kind, "reset") == 0);
    bool fits = read_number(commit, "version", &version) && read_number(commit, "number", &header->number) &&
                read_number(commit, "fence", &header->fence) && kind && header->run && header->flow;
    json_free(json);
    if (fits && version > SUPPORTED_VERSION) return damaged(reader->path, "a newer sluice has written it", err);
    return fits ? 0 : damaged(reader->path, "its header is damaged", err);
}

/* Doubles an array in the arena when it is full. */
#define GROW(arena, list, count, capacity, type)                                                                               \
    do {                                                                                                                       \
        if ((count) == (capacity)) {                                                                                           \
            (capacity) = (capacity) ? (capacity)*2 : 16;                                                                       \
            type *grown = arena_array((arena), type, (capacity));                                                              \
            if (count) memcpy(grown, (list), (count) * sizeof(type));                                                          \
            (list) = grown;                                                                                                    \
        }                                                                                                                      \
    } while (0)

typedef bool apply_line(struct reader *reader, const struct cJSON *json);

static bool apply_state(struct reader *reader, const struct cJSON *json)
{
    struct state_entry entry = {
        .stream = json_string(json_get(json, "stream")),
        .slice = json_string(json_get(json, "slice")),
        .kind = json_string(json_get(json, "kind")),
        .value = json_string(json_get(json, "value")),
    };
    if (!entry.stream || !entry.slice || !entry.kind || !json_get(json, "value")) return false;
    const struct state delta = {.entries = &entry, .count = 1};
    state_apply(&reader->image->state, &delta);
    return true;
}

static bool apply_columns(struct reader *reader, const struct cJSON *json)
{
    struct csv_columns *columns = csv_columns_read(json, reader->arena);
    if (!columns) return false;
    if (csv_columns_find(reader->image->columns, columns->stream, columns->id)) return true;
    columns->next = reader->image->columns;
    reader->image->columns = columns;
    return true;
}

/* Where the rows of a segment lie: a part, or a run of lines. */
static bool read_place(struct reader *reader, const struct cJSON *json, struct csv_segment *segment)
{
    uint64_t crc;
    segment->part = read_text(json, "part", reader->arena);
    if (segment->part) {
        const char *sha256 = json_string(json_get(json, "sha256"));
        if (!fs_is_plain_name(str_from(segment->part)) || !sha256 || strlen(sha256) != SHA256_HEX_SIZE - 1) return false;
        snprintf(segment->sha256, sizeof(segment->sha256), "%s", sha256);
        return read_number(json, "raw_bytes", &segment->raw_bytes);
    }
    if (!read_number(json, "offset", &segment->offset) || !read_number(json, "crc", &crc) || crc > UINT32_MAX) return false;
    segment->crc = (uint32_t)crc;
    return true;
}

static bool apply_segment(struct reader *reader, const struct cJSON *json)
{
    struct csv_image *image = reader->image;
    const char *columns = json_string(json_get(json, "columns"));
    struct csv_segment segment = {.stream = read_text(json, "stream", reader->arena),
                                  .slice = read_text(json, "slice", reader->arena)};
    if (!segment.stream || !segment.slice || !columns || !read_number(json, "file", &segment.file) ||
        !read_number(json, "index", &segment.index) || !read_number(json, "bytes", &segment.bytes) ||
        !read_number(json, "rows", &segment.rows) || !read_place(reader, json, &segment))
        return false;
    if (json_get(json, "empties") && !read_number(json, "empties", &segment.marks)) return false;
    segment.settled = json_get(json, "settled") != NULL;
    segment.columns = csv_columns_find(image->columns, segment.stream, columns);
    if (!segment.columns) return false;
    GROW(reader->arena, image->segments, image->segment_count, image->segment_capacity, struct csv_segment);
    image->segments[image->segment_count++] = segment;
    return true;
}

/* The segment a line names, NULL when there is none. Segments are in the order of (file, index). */
static struct csv_segment *named_segment(struct csv_image *image, const struct cJSON *json)
{
    uint64_t file, index;
    if (!read_number(json, "file", &file) || !read_number(json, "index", &index)) return NULL;
    size_t low = 0, high = image->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct csv_segment *segment = &image->segments[middle];
        if (segment->file < file || (segment->file == file && segment->index < index))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == image->segment_count || image->segments[low].file != file || image->segments[low].index != index) return NULL;
    return &image->segments[low];
}

static bool apply_gone(struct reader *reader, const struct cJSON *json)
{
    struct csv_segment *segment = named_segment(reader->image, json);
    if (segment) segment->gone = true;
    return segment != NULL;
}

static bool apply_settled(struct reader *reader, const struct cJSON *json)
{
    struct csv_segment *segment = named_segment(reader->image, json);
    if (segment) segment->settled = true;
    return segment != NULL;
}

static bool apply_table(struct reader *reader, const struct cJSON *json)
{
    struct csv_image *image = reader->image;
    struct csv_table table = {.stream = read_text(json, "stream", reader->arena)};
    if (!table.stream || !write_mode_from_name(str_from(json_string(json_get(json, "mode"))), &table.mode)) return false;
    table.has_rows = read_number(json, "rows", &table.rows);
    for (size_t i = 0; i < image->table_count; i++) {
        if (strcmp(image->tables[i].stream, table.stream) == 0) {
            image->tables[i] = table;
            return true;
        }
    }
    GROW(reader->arena, image->tables, image->table_count, image->table_capacity, struct csv_table);
    image->tables[image->table_count++] = table;
    return true;
}

static bool apply_load(struct reader *reader, const struct cJSON *json)
{
    struct csv_image *image = reader->image;
    struct csv_published published = {.stream = read_text(json, "stream", reader->arena)};
    if (!published.stream || !read_number(json, "id", &published.load_id)) return false;
    GROW(reader->arena, image->published, image->published_count, image->published_capacity, struct csv_published);
    image->published[image->published_count++] = published;
    return true;
}

static bool apply_nothing(struct reader *reader, const struct cJSON *json)
{
    (void)reader;
    return json_is_object(json);
}

/* Lines by their one member. */
static const struct {
    const char *name;
    apply_line *apply;
} LINES[] = {
    {"state", apply_state}, {"columns", apply_columns}, {"segment", apply_segment},
    {"gone", apply_gone},   {"settled", apply_settled}, {"table", apply_table},
    {"load", apply_load},   {"counts", apply_nothing},  {"reason", apply_nothing},
};

static int apply_commit(struct reader *reader, uint64_t number, struct err *err)
{
    struct str rest;
    struct header header;
    struct cJSON *json;
    int rc;
    if ((rc = read_commit(reader, number, &rest, err)) != 0 || (rc = read_header(reader, &rest, &header, err)) != 0) return rc;
    if (header.number != number) return damaged(reader->path, "it holds another commit's number", err);
    struct csv_image *image = reader->image;
    image->last = number;
    image->fence = header.fence;
    image->flow = header.flow;
    snprintf(image->run, sizeof(image->run), "%s", header.run);
    while ((rc = next_line(reader, &rest, &json, err)) == 0 && json) {
        const struct cJSON *only = json_first(json);
        const char *name = only ? json_key(only) : NULL;
        apply_line *apply = NULL;
        for (size_t i = 0; name && i < ARRAY_SIZE(LINES); i++)
            if (strcmp(LINES[i].name, name) == 0) apply = LINES[i].apply;
        bool fits = apply && apply(reader, only);
        json_free(json);
        if (!fits) return damaged(reader->path, "a line in it makes no sense", err);
    }
    return rc;
}

static int list_numbers(const char *folder, struct arena *arena, uint64_t **numbers, size_t *count, struct err *err)
{
    struct fs_entry *entries;
    size_t entry_count;
    *count = 0;
    if (fs_kind(folder) == FS_MISSING) return 0;
    int rc = fs_list(folder, CSV_LIST_MAX, arena, &entries, &entry_count, err);
    if (rc != 0) return csv_fs_error(err);
    *numbers = arena_array(arena, uint64_t, entry_count + 1);
    for (size_t i = 0; i < entry_count; i++)
        if (csv_number_read(entries[i].name, &(*numbers)[*count])) ++*count;
    return 0;
}

/* How far back to go: the index of the newest snapshot, or of the first commit. */
static int find_start(struct reader *reader, const uint64_t *numbers, size_t count, size_t *start, struct err *err)
{
    struct str rest;
    struct header header;
    size_t i = count;
    while (i-- > 0) {
        int rc;
        if (i + 1 < count && numbers[i] + 1 != numbers[i + 1]) break;
        if ((rc = read_commit(reader, numbers[i], &rest, err)) != 0) return rc;
        if ((rc = read_header(reader, &rest, &header, err)) != 0) return rc;
        *start = i;
        if (header.is_whole || header.number == 1) return 0;
    }
    err_set(err, ERR_DESTINATION, "the commits before '%s' are missing", reader->path);
    return err_hint(err, "restore the folder from a backup, or give the flow's state up with `sluice state reset`");
}

int csv_commits_read(const char *folder, struct arena *arena, struct csv_image *image, struct err *err)
{
    struct reader reader = {.folder = folder, .arena = arena, .image = image, .text = BUF_INIT(COMMIT_MAX_BYTES)};
    uint64_t *numbers = NULL;
    size_t count, start = 0;
    *image = (struct csv_image){.state = STATE_INIT(arena)};
    int rc = list_numbers(folder, arena, &numbers, &count, err);
    if (rc == 0 && count > 0) rc = find_start(&reader, numbers, count, &start, err);
    for (size_t i = start; rc == 0 && i < count; i++) {
        rc = apply_commit(&reader, numbers[i], err);
        image->chain++;
        *(i == start ? &image->first_bytes : &image->chain_bytes) += reader.text.size;
    }
    buf_release(&reader.text);
    return rc;
}

int csv_commits_peek(const char *folder, struct arena *arena, uint64_t *last, uint64_t *fence, const char **flow,
                     struct err *err)
{
    struct reader reader = {.folder = folder, .arena = arena, .text = BUF_INIT(COMMIT_MAX_BYTES)};
    uint64_t *numbers = NULL;
    size_t count;
    struct str rest;
    struct header header;
    struct err ignored = ERR_INIT;
    *last = *fence = 0;
    *flow = NULL;
    int rc = list_numbers(folder, arena, &numbers, &count, err);
    if (rc == 0 && count > 0) {
        *last = numbers[count - 1];
        if (read_commit(&reader, *last, &rest, &ignored) == 0 && read_header(&reader, &rest, &header, &ignored) == 0) {
            *fence = header.fence;
            *flow = header.flow;
        }
    }
    buf_release(&reader.text);
    return rc;
}

const struct csv_table *csv_image_table(const struct csv_image *image, const char *stream)
{
    for (size_t i = 0; i < image->table_count; i++)
        if (strcmp(image->tables[i].stream, stream) == 0) return &image->tables[i];
    return NULL;
}
