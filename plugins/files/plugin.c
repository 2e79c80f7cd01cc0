/* plugin: files as a source: which there are, which of them are new, and one after the other in pages. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

enum { LOOK_AGAIN_MS = 1000, CHECKPOINT_BYTES = 4 * 1024 * 1024, SMALL_STATE = 20 };

/* One slice on its way through the files. */
struct reading {
    struct files_settings settings;
    bool is_listing, is_continuous;
    struct file_state state;
    char *base;
    struct file_list list;
    size_t next; /* in the list */
    struct file_entry *current;
    struct file_reader *reader;
    int64_t since_checkpoint;
};

static bool is_set(struct sluice_session *session, const char *key, const char *value)
{
    const char *set = sluice_config(session, key);
    return set && strcmp(set, value) == 0;
}

static void read_settings(struct sluice_session *session, struct files_settings *settings)
{
    *settings = (struct files_settings){
        .path = sluice_config(session, "path"),
        .stream = sluice_config(session, "stream"),
        .format = is_set(session, "format", "ndjson") ? FORMAT_NDJSON
                  : is_set(session, "format", "json") ? FORMAT_JSON
                                                      : FORMAT_CSV,
        .has_header = is_set(session, "header", "true"),
        .order = is_set(session, "new_files", "name") ? ORDER_NAME : ORDER_MTIME,
        .by_content = is_set(session, "new_files", "content"),
        .growing = is_set(session, "growing", "true"),
        .rereads = is_set(session, "on_change", "reread"),
        .forgets = is_set(session, "removed", "forget"),
    };
    static const struct {
        const char *name;
        char delimiter;
    } DELIMITERS[] = {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"pipe", '|'}};
    for (size_t i = 0; i < sizeof DELIMITERS / sizeof DELIMITERS[0]; i++)
        if (is_set(session, "delimiter", DELIMITERS[i].name)) settings->delimiter = DELIMITERS[i].delimiter;
}

static int list_files(struct sluice_session *session, struct reading *reading)
{
    struct files_settings *settings = &reading->settings;
    char path[8192];
    files_list_free(&reading->list);
    free(reading->base);
    reading->next = 0;
    int rc = files_list(session, settings->path, settings->order, &reading->base, &reading->list);
    if (rc == 0 && settings->forgets && settings->order == ORDER_NAME) state_forget(&reading->state, &reading->list);
    if (rc || settings->delimiter) return rc;
    settings->delimiter = ',';
    settings->sniffs = reading->list.count > 0;
    if (settings->format != FORMAT_CSV || !reading->list.count) return 0;
    snprintf(path, sizeof path, "%s/%s", reading->base, reading->list.entries[0].path);
    return reader_sniff(session, path, &settings->delimiter);
}

/* --- the stream, as the first file shows it to be --------------------------------------------------------------------------
 */

static int declare(struct sluice_session *session, struct reading *reading)
{
    const struct files_settings *settings = &reading->settings;
    int rc = list_files(session, reading);
    if (rc) return rc;
    const char delimiter[2] = {settings->delimiter, '\0'};
    cJSON *stream = cJSON_CreateObject(), *format = cJSON_AddObjectToObject(stream, "format");
    cJSON_AddBoolToObject(stream, "native", 1);
    cJSON_AddStringToObject(format, "kind", settings->format == FORMAT_CSV ? "csv" : "ndjson");
    if (settings->format == FORMAT_CSV) cJSON_AddStringToObject(format, "delimiter", delimiter);
    cJSON *fields = cJSON_AddObjectToObject(stream, "fields"), *key = cJSON_AddArrayToObject(stream, "primary_key");
    cJSON_AddStringToObject(fields, "_file", "string");
    cJSON_AddStringToObject(fields, "_line", "integer");
    cJSON_AddItemToArray(key, cJSON_CreateString("_file"));
    cJSON_AddItemToArray(key, cJSON_CreateString("_line"));
    cJSON_AddStringToObject(cJSON_AddObjectToObject(stream, "cursor"), "kind", "token");
    cJSON_AddStringToObject(stream, "write_mode", "append");
    char *text = cJSON_PrintUnformatted(stream);
    cJSON_Delete(stream);
    if (!text) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    const struct sluice_value row[2] = {sluice_text(settings->stream, strlen(settings->stream)),
                                        sluice_json(text, strlen(text))};
    rc = sluice_emit(session, 0, SLUICE_UPSERT, row, 2);
    free(text);
    return rc < 0 ? rc : 0;
}

/* --- which files are new ---------------------------------------------------------------------------------------------------
 */

static bool remembers(const struct reading *reading)
{
    return reading->settings.by_content || reading->settings.growing;
}

/* Is a file that was read to its end still as it was? */
static int is_as_read(struct sluice_session *session, const struct reading *reading, const struct file_entry *entry,
                      struct file_place *place, bool *is_same)
{
    char path[8192];
    uint64_t hash;
    *is_same = entry->size == place->size && entry->mtime_ns == place->mtime_ns;
    if (*is_same || !reading->settings.by_content) return 0;
    snprintf(path, sizeof path, "%s/%s", reading->base, entry->path);
    int rc = source_hash(session, path, &hash);
    *is_same = rc == 0 && hash == place->head;
    if (*is_same) place->size = entry->size, place->mtime_ns = entry->mtime_ns;
    return rc;
}

/* The place that a file is to be read from; NULL in *place: there is nothing new in it. */
static int place_for(struct sluice_session *session, struct reading *reading, const struct file_entry *entry,
                     struct file_place **place)
{
    struct file_state *state = &reading->state;
    struct file_place *known = state_find(state, entry->path);
    *place = NULL;
    if (known && remembers(reading)) {
        bool is_same;
        int rc = is_as_read(session, reading, entry, known, &is_same);
        if (rc || is_same) return rc;
        if (reading->settings.by_content && known->offset < 0) known->offset = known->line = known->head_size = 0;
    } else if (!known && !remembers(reading)) {
        if (state->has_mark && files_compare(entry, &state->mark, reading->settings.order) <= 0) return 0;
    }
    *place = known ? known : state_add(session, state, entry->path);
    return *place ? 0 : -1;
}

/* The next file with something to read; NULL in reading->reader: there is none now. */
static int next_file(struct sluice_session *session, struct reading *reading)
{
    while (reading->next < reading->list.count && !reading->reader) {
        struct file_entry *entry = &reading->list.entries[reading->next++];
        struct file_place *place;
        int rc = place_for(session, reading, entry, &place);
        if (rc == 0 && place) rc = reader_open(session, &reading->settings, reading->base, entry, place, &reading->reader);
        if (rc) return rc;
        reading->current = entry;
    }
    return 0;
}

/* The file was read as far as it goes. */
static int end_file(struct sluice_session *session, struct reading *reading)
{
    char path[8192];
    const struct file_entry *entry = reading->current;
    struct file_place *place = state_find(&reading->state, entry->path);
    reader_close(reading->reader);
    reading->reader = NULL;
    if (!remembers(reading)) {
        state_remove(&reading->state, place);
        return state_mark(session, &reading->state, entry);
    }
    place->size = entry->size;
    place->mtime_ns = entry->mtime_ns;
    if (!reading->settings.by_content) return 0;
    place->offset = -1;
    snprintf(path, sizeof path, "%s/%s", reading->base, entry->path);
    return source_hash(session, path, &place->head);
}

/* --- callbacks -------------------------------------------------------------------------------------------------------------
 */

static int open_files(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    *instance = reading;
    read_settings(session, &reading->settings);
    reading->is_listing = strcmp(slice->stream, "files") == 0;
    reading->is_continuous = slice->continuous;
    int rc = reading->is_listing ? 0 : state_read(session, slice->state, &reading->state);
    return rc == 0 && !reading->is_listing ? list_files(session, reading) : rc;
}

/* A large state is not written behind every page; what comes behind the newest one is read again after a crash. */
static int checkpoint(struct sluice_session *session, struct reading *reading, bool is_over)
{
    reading->since_checkpoint += FILES_PAGE_BYTES;
    if (!is_over && reading->state.count > SMALL_STATE && reading->since_checkpoint < CHECKPOINT_BYTES) return 0;
    reading->since_checkpoint = 0;
    return state_checkpoint(session, &reading->state);
}

static int page(struct sluice_session *session, void *instance)
{
    struct reading *reading = instance;
    if (reading->is_listing) return declare(session, reading);
    int rc = next_file(session, reading);
    if (rc == 0 && !reading->reader && reading->is_continuous) {
        if (sluice_sleep(session, LOOK_AGAIN_MS) < 0) return -1;
        rc = list_files(session, reading);
        if (rc == 0) rc = next_file(session, reading);
    }
    if (rc) return rc;
    bool has_file = reading->reader != NULL;
    if (has_file && (rc = reader_page(session, reading->reader)) < 0) return rc;
    if (has_file && rc == 0 && (rc = end_file(session, reading)) < 0) return rc;
    bool has_more = has_file || reading->is_continuous;
    rc = checkpoint(session, reading, !has_file);
    return rc < 0 ? rc : has_more;
}

static int check(struct sluice_session *session)
{
    struct reading reading = {0};
    char line[128];
    read_settings(session, &reading.settings);
    int rc = list_files(session, &reading);
    snprintf(line, sizeof line, "%zu files", reading.list.count);
    if (rc == 0) sluice_log(session, SLUICE_LOG_INFO, line);
    files_list_free(&reading.list);
    free(reading.base);
    return rc;
}

static void close_files(struct sluice_session *session, void *instance)
{
    struct reading *reading = instance;
    (void)session;
    reader_close(reading->reader);
    state_free(&reading->state);
    files_list_free(&reading->list);
    free(reading->base);
    free(reading);
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_FILES,
    .name = "files",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "title": "Files",
        "config": {
            "path": {"type": "string", "required": true, "files": true,
                     "title": "a file, a folder, or a pattern: data/*.csv, logs/**/*.ndjson.gz"},
            "format": {"type": "enum", "values": ["csv", "ndjson", "json"], "default": "csv",
                       "title": "of the files, packed (gzip, zstd) or not; json: one array"},
            "delimiter": {"type": "enum", "values": ["auto", "comma", "semicolon", "tab", "pipe"], "default": "auto",
                          "title": "between CSV fields; auto: as the first file's first line has it"},
            "header": {"type": "boolean", "default": true, "title": "CSV: the first row has the names"},
            "stream": {"type": "string", "default": "records", "title": "the stream's name"},
            "new_files": {"type": "enum", "values": ["mtime", "name", "content"], "default": "mtime",
                          "title": "which files are new: written later, named later, or with another content"},
            "growing": {"type": "boolean", "default": false,
                        "title": "files grow: what is appended is read from where they were left"},
            "removed": {"type": "enum", "values": ["keep", "forget"], "default": "keep",
                        "title": "files that are gone stay remembered, or, with new_files: name, are forgotten"},
            "on_change": {"type": "enum", "values": ["fail", "reread"], "default": "fail",
                          "title": "a file that was read in part has changed or become shorter"}
        },
        "streams": {
            "files": {"native": true, "internal": true, "fields": {"name": "string", "declaration": "json"}}
        },
        "dynamic": {"from": "files", "stream": "{{record.declaration}}", "cache": "0s"}}),
                                                                   .check = check, .open = open_files, .page = page,
                                                                   .close = close_files,
};
SLUICE_PLUGIN(PLUGIN);
