/* state: see files.h. As JSON: {"mark":[MTIME,"PATH"],"files":{"PATH":[OFFSET,LINE,SIZE,MTIME,"HEAD",HEAD_SIZE]}}; numbers as
 * texts, since they pass what a double holds. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

enum { STATE_MAX = 1000 * 1000 };

uint64_t state_hash(uint64_t hash, const char *data, size_t size)
{
    if (!hash) hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void state_free(struct file_state *state)
{
    for (size_t i = 0; i < state->count; i++) free(state->places[i].path);
    free(state->places);
    free(state->mark.path);
    *state = (struct file_state){0};
}

/* Where a path is, or would be. */
static size_t place_of(const struct file_state *state, const char *path)
{
    size_t low = 0, high = state->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(state->places[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct file_place *state_find(struct file_state *state, const char *path)
{
    size_t at = place_of(state, path);
    return at < state->count && strcmp(state->places[at].path, path) == 0 ? &state->places[at] : NULL;
}

static int no_memory(struct sluice_session *session)
{
    return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
}

struct file_place *state_add(struct sluice_session *session, struct file_state *state, const char *path)
{
    if (state->count == state->room) {
        size_t room = state->room ? 2 * state->room : 16;
        struct file_place *grown = realloc(state->places, room * sizeof *grown);
        if (!grown) return no_memory(session), NULL;
        state->places = grown;
        state->room = room;
    }
    char *copy = strdup(path);
    if (!copy) return no_memory(session), NULL;
    size_t at = place_of(state, path);
    memmove(state->places + at + 1, state->places + at, (state->count - at) * sizeof *state->places);
    state->count++;
    state->places[at] = (struct file_place){.path = copy};
    return &state->places[at];
}

void state_remove(struct file_state *state, struct file_place *place)
{
    size_t at = (size_t)(place - state->places);
    free(place->path);
    memmove(place, place + 1, (--state->count - at) * sizeof *place);
}

static bool is_listed(const struct file_list *list, const char *path)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(list->entries[middle].path, path);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* "web1.log" of "logs/2024-01-01-web1.log"; the whole name when it has no `-`. */
static const char *series_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dash = strrchr(name, '-');
    return dash ? dash + 1 : name;
}

void state_forget(struct file_state *state, const struct file_list *list)
{
    for (size_t i = state->count; i-- > 0;) {
        struct file_place *place = &state->places[i];
        const char *series = series_of(place->path);
        bool has_other = false;
        if (is_listed(list, place->path)) continue;
        for (size_t k = list->count; k-- > 0 && !has_other;) has_other = strcmp(series_of(list->entries[k].path), series) == 0;
        if (has_other) state_remove(state, place);
    }
}

int state_mark(struct sluice_session *session, struct file_state *state, const struct file_entry *entry)
{
    char *path = strdup(entry->path);
    if (!path) return no_memory(session);
    free(state->mark.path);
    state->mark = *entry;
    state->mark.path = path;
    state->has_mark = true;
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static int64_t number_at(const cJSON *list, int index, int base)
{
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(list, index));
    return text ? (int64_t)(base == 16 ? strtoull(text, NULL, 16) : (unsigned long long)strtoll(text, NULL, 10)) : 0;
}

static int read_places(struct sluice_session *session, const cJSON *files, struct file_state *state)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, files)
    {
        struct file_place *place = state_add(session, state, item->string);
        if (!place) return -1;
        place->offset = number_at(item, 0, 10);
        place->line = number_at(item, 1, 10);
        place->size = number_at(item, 2, 10);
        place->mtime_ns = number_at(item, 3, 10);
        place->head = (uint64_t)number_at(item, 4, 16);
        place->head_size = number_at(item, 5, 10);
    }
    return 0;
}

int state_read(struct sluice_session *session, const char *text, struct file_state *state)
{
    *state = (struct file_state){0};
    if (!text) return 0;
    cJSON *json = cJSON_Parse(text);
    if (!json)
        return sluice_fail(session, SLUICE_ERROR_DATA, "the state of earlier runs cannot be read",
                           "`sluice state show` prints it; `sluice state reset` begins anew");
    const cJSON *mark = cJSON_GetObjectItemCaseSensitive(json, "mark");
    const char *path = cJSON_GetStringValue(cJSON_GetArrayItem(mark, 1));
    int rc = 0;
    if (path) {
        struct file_entry entry = {.path = (char *)(uintptr_t)path, .mtime_ns = number_at(mark, 0, 10)};
        rc = state_mark(session, state, &entry);
    }
    if (rc == 0) rc = read_places(session, cJSON_GetObjectItemCaseSensitive(json, "files"), state);
    cJSON_Delete(json);
    return rc;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

static void add_number(cJSON *list, const char *format, long long number)
{
    char text[32];
    snprintf(text, sizeof text, format, number);
    cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

static cJSON *as_json(const struct file_state *state)
{
    cJSON *json = cJSON_CreateObject(), *files = cJSON_AddObjectToObject(json, "files");
    if (state->has_mark) {
        cJSON *mark = cJSON_AddArrayToObject(json, "mark");
        add_number(mark, "%lld", state->mark.mtime_ns);
        cJSON_AddItemToArray(mark, cJSON_CreateString(state->mark.path));
    }
    for (size_t i = 0; i < state->count; i++) {
        const struct file_place *place = &state->places[i];
        cJSON *list = cJSON_AddArrayToObject(files, place->path);
        add_number(list, "%lld", place->offset);
        add_number(list, "%lld", place->line);
        add_number(list, "%lld", place->size);
        add_number(list, "%lld", place->mtime_ns);
        add_number(list, "%llx", (long long)place->head);
        add_number(list, "%lld", place->head_size);
    }
    return json;
}

int state_checkpoint(struct sluice_session *session, const struct file_state *state)
{
    cJSON *json = as_json(state);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (!text) return no_memory(session);
    size_t size = strlen(text);
    int rc = size > STATE_MAX ? sluice_fail(session, SLUICE_ERROR_DATA, "there are too many files to remember each of them",
                                            "use `new_files: mtime` or `name`, without `growing`; or move old files away")
                              : sluice_checkpoint(session, text, size);
    free(text);
    return rc;
}
