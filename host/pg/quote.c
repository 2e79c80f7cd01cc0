/* Identifiers are always quoted, so case and any character survive; only their length and collisions need care. */
#include "pg/quote.h"

#include <strings.h>

#include "base/utf8.h"

void pg_quote_name(struct buf *out, const char *name)
{
    buf_append_char(out, '"');
    for (; *name; name++) {
        if (*name == '"') buf_append_char(out, '"');
        buf_append_char(out, *name);
    }
    buf_append_char(out, '"');
}

void pg_quote_table(struct buf *out, const char *schema, const char *table)
{
    pg_quote_name(out, schema);
    buf_append_char(out, '.');
    pg_quote_name(out, table);
}

void pg_quote_literal(struct buf *out, struct str text)
{
    /* E'' reads the same whatever standard_conforming_strings is. */
    buf_append_text(out, "E'");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\') buf_append_char(out, text.data[i]);
        buf_append_char(out, text.data[i]);
    }
    buf_append_char(out, '\'');
}

void pg_array_add(struct buf *array, const char *text)
{
    buf_append_char(array, array->size == 0 ? '{' : ',');
    if (!text) {
        buf_append_text(array, "NULL");
        return;
    }
    buf_append_char(array, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') buf_append_char(array, '\\');
        buf_append_char(array, *text);
    }
    buf_append_char(array, '"');
}

void pg_array_end(struct buf *array)
{
    buf_append_text(array, array->size == 0 ? "{}" : "}");
}

uint64_t pg_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

static bool is_reserved(const char *name)
{
    static const char *const SYSTEM[] = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"};
    for (size_t i = 0; i < ARRAY_SIZE(SYSTEM); i++)
        if (strcasecmp(name, SYSTEM[i]) == 0) return true;
    return strncasecmp(name, "_sluice_", 8) == 0;
}

void pg_map_name(struct str source, size_t max, pg_name_taken *taken, void *context, char out[PG_NAME_SIZE])
{
    CHECK(max >= 16 && max <= PG_NAME_MAX);
    struct buf name = BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < source.size && source.data[i] != '\0';) {
        struct str rest = {source.data + i, source.size - i};
        size_t length = utf8_length(rest);
        if (length == 0) {
            buf_append_text(&name, UTF8_REPLACEMENT);
            i++;
        } else {
            buf_append(&name, rest.data, length);
            i += length;
        }
    }
    if (name.size == 0) buf_append_text(&name, "column");
    bool fits = name.size <= max && !is_reserved(buf_text(&name)) && !taken(context, buf_text(&name));
    if (fits) snprintf(out, PG_NAME_SIZE, "%s", buf_text(&name));
    uint64_t hash = pg_hash(buf_text(&name));
    /* "_sluice_x" and system columns must not keep their beginning as it is. */
    const char *lead = is_reserved(buf_text(&name)) ? "x" : "";
    for (uint32_t attempt = 0; !fits; attempt++) {
        size_t keep = 0, room = max - 9 - strlen(lead);
        while (keep < name.size) {
            size_t length = utf8_length((struct str){name.data + keep, name.size - keep});
            if (keep + length > room) break;
            keep += length;
        }
        uint32_t folded = (uint32_t)(hash ^ (hash >> 32)) + attempt;
        snprintf(out, PG_NAME_SIZE, "%s%.*s_%08x", lead, (int)keep, buf_text(&name), (unsigned)folded);
        fits = !taken(context, out);
    }
    buf_release(&name);
}
