/* columns: see columns.h. The id covers what a loader depends on, so a stream that is discovered again has the same one. */
#include "writer/csv/columns.h"

#include "os/crypto.h"
#include "writer/csv/encode.h"

static const struct {
    const char *name;
    enum type type;
} SYSTEM_COLUMNS[] = {
    {CSV_SYNCED_AT, TYPE_TIMESTAMP},
    {CSV_DELETED, TYPE_BOOLEAN},
    {CSV_LOAD_ID, TYPE_INTEGER},
};

static struct csv_columns *columns_new(const char *stream, uint32_t count, struct arena *arena)
{
    struct csv_columns *columns = arena_new(arena, struct csv_columns);
    columns->stream = arena_strdup(arena, stream);
    columns->count = count;
    columns->names = arena_array(arena, const char *, count + 1);
    columns->types = arena_array(arena, uint8_t, count + 1);
    columns->keys = arena_array(arena, bool, count + 1);
    return columns;
}

static void set_id(struct csv_columns *columns)
{
    struct digest *digest = digest_new();
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *type = type_name((enum type)columns->types[i]);
        digest_add(digest, columns->names[i], strlen(columns->names[i]) + 1);
        digest_add(digest, type, strlen(type) + 1);
        digest_add(digest, columns->keys[i] ? "k" : "-", 1);
    }
    unsigned char hash[SHA256_SIZE];
    digest_end(digest, hash);
    digest_free(digest);
    for (size_t i = 0; i < (CSV_COLUMNS_ID_SIZE - 1) / 2; i++) snprintf(columns->id + 2 * i, 3, "%02x", hash[i]);
}

struct csv_columns *csv_columns_copy(const struct csv_columns *columns, struct arena *arena)
{
    struct csv_columns *copy = columns_new(columns->stream, columns->count, arena);
    for (uint32_t i = 0; i < columns->count; i++) {
        copy->names[i] = arena_strdup(arena, columns->names[i]);
        copy->types[i] = columns->types[i];
        copy->keys[i] = columns->keys[i];
    }
    set_id(copy);
    return copy;
}

struct csv_columns *csv_columns_of(const struct schema *schema, const char *stream, uint32_t count, struct arena *arena)
{
    struct csv_columns *columns = columns_new(stream, count, arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct column *column = schema_column(schema, i);
        columns->names[i] = arena_strdup(arena, column->name);
        columns->types[i] = (uint8_t)column->type;
        columns->keys[i] = column->key;
    }
    set_id(columns);
    return columns;
}

static const char *header_name(const char *name, struct arena *arena)
{
    for (size_t i = 0; i < ARRAY_SIZE(SYSTEM_COLUMNS); i++)
        if (strcmp(name, SYSTEM_COLUMNS[i].name) == 0) return arena_printf(arena, "%s_2", name);
    return name;
}

static void write_column(struct json_writer *out, const char *name, enum type type, bool key)
{
    json_open(out, '{');
    json_member(out, "name");
    json_cstr(out, name);
    json_member(out, "type");
    json_cstr(out, type_name(type));
    if (key) {
        json_member(out, "key");
        json_bool(out, true);
    }
    json_close(out, '}');
}

void csv_columns_write(const struct csv_columns *columns, bool with_stream, bool with_system, struct json_writer *out)
{
    struct arena arena = ARENA_INIT(0);
    json_open(out, '{');
    if (with_stream) {
        json_member(out, "stream");
        json_cstr(out, columns->stream);
    }
    json_member(out, "id");
    json_cstr(out, columns->id);
    json_member(out, "columns");
    json_open(out, '[');
    for (uint32_t i = 0; i < columns->count; i++)
        write_column(out, with_system ? header_name(columns->names[i], &arena) : columns->names[i],
                     (enum type)columns->types[i], columns->keys[i]);
    for (size_t i = 0; with_system && i < ARRAY_SIZE(SYSTEM_COLUMNS); i++)
        write_column(out, SYSTEM_COLUMNS[i].name, SYSTEM_COLUMNS[i].type, false);
    json_close(out, ']');
    json_close(out, '}');
    arena_release(&arena);
}

struct csv_columns *csv_columns_read(const struct cJSON *json, struct arena *arena)
{
    const char *stream = json_string(json_get(json, "stream"));
    const char *id = json_string(json_get(json, "id"));
    const struct cJSON *list = json_get(json, "columns");
    if (!stream || !id || !json_is_array(list)) return NULL;
    uint32_t count = 0;
    for (const struct cJSON *item = json_first(list); item; item = json_next(item)) count++;
    struct csv_columns *columns = columns_new(stream, count, arena);
    uint32_t i = 0;
    for (const struct cJSON *item = json_first(list); item; item = json_next(item), i++) {
        const char *name = json_string(json_get(item, "name"));
        enum type type;
        if (!name || !type_from_name(str_from(json_string(json_get(item, "type"))), &type)) return NULL;
        columns->names[i] = arena_strdup(arena, name);
        columns->types[i] = (uint8_t)type;
        columns->keys[i] = json_get(item, "key") != NULL;
    }
    set_id(columns);
    return strcmp(columns->id, id) == 0 ? columns : NULL;
}

const struct csv_columns *csv_columns_find(const struct csv_columns *list, const char *stream, const char *id)
{
    for (; list; list = list->next)
        if (strcmp(list->stream, stream) == 0 && strcmp(list->id, id) == 0) return list;
    return NULL;
}

struct str csv_columns_header(const struct csv_columns *columns, struct arena *arena)
{
    struct csv_buffer line = {0};
    for (uint32_t i = 0; i < columns->count; i++) {
        csv_encode_text(&line, str_from(header_name(columns->names[i], arena)));
        csv_append(&line, STR(","));
    }
    for (size_t i = 0; i < ARRAY_SIZE(SYSTEM_COLUMNS); i++) {
        csv_encode_text(&line, str_from(SYSTEM_COLUMNS[i].name));
        csv_append(&line, i + 1 < ARRAY_SIZE(SYSTEM_COLUMNS) ? STR(",") : STR("\n"));
    }
    struct str header = arena_copy(arena, (struct str){line.data, line.size});
    csv_buffer_release(&line);
    return header;
}
