/* known: the columns a stream had in earlier runs come back, so that a column keeps its place and an inferred one its type.
 * Stored as JSON, [["id","string"],...], under the stream's state. */
#include "base/json.h"
#include "writer/csv/csv.h"

enum { KNOWN_MAX_BYTES = 64 << 20 };

bool csv_known_read(const char *value, struct schema *schema)
{
    struct cJSON *json = NULL;
    struct err ignored = ERR_INIT;
    if (json_parse(str_from(value), KNOWN_MAX_BYTES, &json, &ignored) != 0) return false;
    bool fits = json_is_array(json);
    for (const struct cJSON *item = fits ? json_first(json) : NULL; item && fits; item = json_next(item)) {
        const char *name = json_string(json_first(item));
        enum type type;
        fits = name && type_from_name(str_from(json_string(json_next(json_first(item)))), &type);
        /* A full schema takes no more: such a field's values go to the overflow column, as those of any late field. */
        if (fits && !schema_add(schema, str_from(name), type, false)) break;
    }
    json_free(json);
    return fits;
}

const char *csv_known_write(const struct schema *schema, uint32_t count, struct arena *arena)
{
    struct buf text = BUF_INIT(KNOWN_MAX_BYTES);
    struct json_writer json = JSON_WRITER(&text);
    json_open(&json, '[');
    for (uint32_t i = 0; i < count; i++) {
        const struct column *column = schema_column(schema, i);
        json_open(&json, '[');
        json_cstr(&json, column->name);
        json_cstr(&json, type_name(column->type));
        json_close(&json, ']');
    }
    json_close(&json, ']');
    CHECK(!text.failed); /* at most 1,600 columns with names of at most 1 KiB */
    const char *value = arena_text(arena, buf_str(&text));
    buf_release(&text);
    return value;
}
