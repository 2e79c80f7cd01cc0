/* rows: the columns are a table, from which the declaration and the places in a row are made. Values point into the message;
 * only headers are written anew. */
#include "kafka/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/json.h"

enum { FRAME_BYTES = 5 }; /* Confluent's: a zero, the schema's number in four bytes */

enum column {
    COLUMN_TOPIC,
    COLUMN_PARTITION,
    COLUMN_OFFSET,
    COLUMN_TIMESTAMP,
    COLUMN_TIMESTAMP_TYPE,
    COLUMN_KEY,
    COLUMN_VALUE,
    COLUMN_HEADERS,
    COLUMN_TOMBSTONE,
    COLUMN_KEY_SCHEMA,
    COLUMN_VALUE_SCHEMA,
    COLUMN_REASON,
    COLUMN_COUNT
};
_Static_assert((int)COLUMN_COUNT <= (int)ROWS_MAX_COLUMNS, "a table's places");

/* In which tables a column is, and under which condition. */
enum { IN_CHANGELOG = 1, IN_UPSERT = 2, IN_DEAD_LETTERS = 4, IN_ALL = 7 };
static const struct {
    const char *name, *type; /* type NULL: by the format */
    unsigned tables;
} COLUMNS[COLUMN_COUNT] = {
    [COLUMN_TOPIC] = {"topic", "string", IN_ALL},
    [COLUMN_PARTITION] = {"partition", "integer", IN_ALL},
    [COLUMN_OFFSET] = {"offset", "integer", IN_ALL},
    [COLUMN_TIMESTAMP] = {"timestamp", "timestamp", IN_ALL},
    [COLUMN_TIMESTAMP_TYPE] = {"timestamp_type", "string", IN_ALL},
    [COLUMN_KEY] = {"key", NULL, IN_ALL},
    [COLUMN_VALUE] = {"value", NULL, IN_ALL},
    [COLUMN_HEADERS] = {"headers", "json", IN_ALL},
    [COLUMN_TOMBSTONE] = {"tombstone", "boolean", IN_CHANGELOG},
    [COLUMN_KEY_SCHEMA] = {"key_schema", "integer", IN_CHANGELOG | IN_UPSERT},
    [COLUMN_VALUE_SCHEMA] = {"value_schema", "integer", IN_CHANGELOG | IN_UPSERT},
    [COLUMN_REASON] = {"reason", "string", IN_DEAD_LETTERS},
};

/* --- what is declared ------------------------------------------------------------------------------------------------- */

static bool is_json(enum format format)
{
    return format == FORMAT_JSON || format == FORMAT_CONFLUENT_JSON;
}

/* The column's type in that table; NULL: it is not there. A primary key of JSON is its text. */
static const char *type_of(const struct settings *settings, enum column column, unsigned table)
{
    bool is_key = column == COLUMN_KEY || column == COLUMN_KEY_SCHEMA;
    enum format format = is_key ? settings->key_format : settings->value_format;
    if (!(COLUMNS[column].tables & table)) return NULL;
    if ((column == COLUMN_KEY_SCHEMA || column == COLUMN_VALUE_SCHEMA) && format != FORMAT_CONFLUENT_JSON) return NULL;
    if (COLUMNS[column].type) return COLUMNS[column].type;
    if (table == IN_DEAD_LETTERS || format == FORMAT_BINARY) return "binary";
    return is_json(format) && !(is_key && table == IN_UPSERT) ? "json" : "string";
}

static bool is_ours(const struct settings *settings, const char *name, unsigned table)
{
    for (enum column i = 0; i < COLUMN_COUNT; i++)
        if (strcmp(COLUMNS[i].name, name) == 0) return type_of(settings, i, table) != NULL;
    return false;
}

static void declare_table(const struct settings *settings, unsigned table, const struct schema *schema, struct text *out)
{
    bool is_upsert = table == IN_UPSERT;
    const char *comma = "";
    text_printf(out, "\"primary_key\":%s,\"write_mode\":\"%s\",\"fields\":{",
                is_upsert ? "[\"key\"]" : "[\"topic\",\"partition\",\"offset\"]", is_upsert ? "append_dedup" : "append");
    for (enum column i = 0; i < COLUMN_COUNT; i++) {
        const char *type = type_of(settings, i, table);
        if (!type) continue;
        text_printf(out, "%s\"%s\":\"%s\"", comma, COLUMNS[i].name, type);
        comma = ",";
    }
    for (size_t i = 0; i < schema->count; i++) {
        if (is_ours(settings, schema->columns[i].name, table)) continue;
        text_puts(out, comma);
        text_json(out, schema->columns[i].name, strlen(schema->columns[i].name));
        text_printf(out, ":\"%s\"", schema->columns[i].type);
    }
    text_puts(out, "}");
}

void rows_declare(const struct settings *settings, const char *topic, const struct schema *schema, struct text *out)
{
    static const struct schema NONE;
    text_puts(out, "{\"native\":true,\"stable\":true,\"cursor\":{\"kind\":\"token\"},");
    declare_table(settings, settings->is_upsert ? IN_UPSERT : IN_CHANGELOG, schema, out);
    text_printf(out, ",\"routes\":{\"%s" DEAD_LETTERS_SUFFIX "\":{", topic);
    declare_table(settings, IN_DEAD_LETTERS, &NONE, out);
    text_puts(out, "}}}");
}

/* --- what is wanted --------------------------------------------------------------------------------------------------- */

struct rows_member {
    const char *name;
    size_t size;
    uint32_t place;
    bool is_json, is_boolean;
};

static void place_columns(struct rows_table *table, const struct sluice_table *wanted, int number)
{
    table->number = number;
    table->column_count = wanted->column_count;
    for (enum column i = 0; i < COLUMN_COUNT; i++) table->place[i] = sluice_column_at(wanted, COLUMNS[i].name);
}

/* Those columns that are not ours are a schema's. */
static void place_members(struct rows *rows, const struct sluice_table *wanted)
{
    unsigned table = rows->settings->is_upsert ? IN_UPSERT : IN_CHANGELOG;
    rows->members = allocate(wanted->column_count + 1, sizeof *rows->members);
    for (uint32_t i = 0; i < wanted->column_count; i++) {
        const struct sluice_column *column = &wanted->columns[i];
        if (is_ours(rows->settings, column->name, table)) continue;
        rows->members[rows->member_count++] = (struct rows_member){.name = column->name,
                                                                   .size = strlen(column->name),
                                                                   .place = i,
                                                                   .is_json = strcmp(column->type, "json") == 0,
                                                                   .is_boolean = strcmp(column->type, "boolean") == 0};
    }
}

void rows_init(struct rows *rows, const struct settings *settings, const struct sluice_slice *slice)
{
    uint32_t most = 0;
    *rows = (struct rows){.settings = settings, .topic = slice->stream};
    rows->messages.number = rows->dead_letters.number = -1;
    for (uint32_t i = 0; i < slice->table_count; i++) {
        const struct sluice_table *table = &slice->tables[i];
        bool is_stream = strcmp(table->name, slice->stream) == 0;
        place_columns(is_stream ? &rows->messages : &rows->dead_letters, table, (int)i);
        if (is_stream) place_members(rows, table);
        if (table->column_count > most) most = table->column_count;
    }
    rows->values = allocate(most + 1, sizeof *rows->values);
}

void rows_release(struct rows *rows)
{
    free(rows->values);
    free(rows->members);
    text_release(&rows->headers);
    text_release(&rows->unescaped);
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

/* A key or value, read: its bytes as a value of its column, the schema's number, or why it cannot be. */
struct part {
    struct sluice_value value;
    int64_t schema; /* -1: none */
    const char *flaw;
};

static struct part read_part(enum format format, const char *data, size_t size)
{
    struct part part = {.value = sluice_null(), .schema = -1};
    if (!data) return part;
    if (format == FORMAT_CONFLUENT_JSON) {
        const unsigned char *frame = (const unsigned char *)data;
        if (size < FRAME_BYTES || frame[0] != 0) {
            part.flaw = "it has no frame with a schema's number";
            return part;
        }
        part.schema = (int64_t)frame[1] << 24 | frame[2] << 16 | frame[3] << 8 | frame[4];
        data += FRAME_BYTES;
        size -= FRAME_BYTES;
    }
    if (is_json(format)) {
        part.flaw = json_flaw(data, size);
        part.value = sluice_json(data, size);
    } else if (format == FORMAT_STRING) {
        part.flaw = utf8_is_valid(data, size) ? NULL : "it is not UTF-8";
        part.value = sluice_text(data, size);
    } else {
        part.value = sluice_binary(data, size);
    }
    return part;
}

/* [{"key": .., "value": ..}], in their order: names may come twice, a value may be null; bytes that are no text are base64. */
static void write_headers(struct text *out, const rd_kafka_headers_t *headers)
{
    const char *name;
    const void *value;
    size_t size;
    text_clear(out);
    text_puts(out, "[");
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        text_puts(out, i ? ",{\"key\":" : "{\"key\":");
        text_json(out, name, strlen(name));
        if (!value) {
            text_puts(out, ",\"value\":null}");
        } else if (utf8_is_valid(value, size)) {
            text_puts(out, ",\"value\":");
            text_json(out, value, size);
            text_puts(out, "}");
        } else {
            text_puts(out, ",\"base64\":\"");
            text_base64(out, value, size);
            text_puts(out, "\"}");
        }
    }
    text_puts(out, "]");
}

static struct sluice_value headers_value(struct rows *rows, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return sluice_null();
    write_headers(&rows->headers, headers);
    return sluice_json(rows->headers.data, rows->headers.size);
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

struct row {
    const struct rows_table *table;
    struct sluice_value *values;
};

static void put(struct row *row, enum column column, struct sluice_value value)
{
    if (row->table->place[column] >= 0) row->values[row->table->place[column]] = value;
}

static void put_origin(struct row *row, struct rows *rows, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    bool has_time = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp_ms >= 0;
    const char *type_name = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "log_append_time" : "create_time";
    put(row, COLUMN_TOPIC, sluice_text(rows->topic, strlen(rows->topic)));
    put(row, COLUMN_PARTITION, sluice_integer(message->partition));
    put(row, COLUMN_OFFSET, sluice_integer(message->offset));
    put(row, COLUMN_TIMESTAMP, has_time ? sluice_timestamp(timestamp_ms * 1000) : sluice_null());
    put(row, COLUMN_TIMESTAMP_TYPE, has_time ? sluice_text(type_name, strlen(type_name)) : sluice_null());
    if (row->table->place[COLUMN_HEADERS] >= 0) put(row, COLUMN_HEADERS, headers_value(rows, message));
}

static struct row begin_row(const struct rows *rows, const struct rows_table *table)
{
    struct row row = {table, rows->values};
    for (uint32_t i = 0; i < table->column_count; i++) row.values[i] = sluice_null();
    return row;
}

static int emit_row(struct row *row, struct sluice_session *session, enum sluice_operation operation)
{
    return sluice_emit(session, (uint32_t)row->table->number, operation, row->values, row->table->column_count);
}

/* Texts without escapes point into the message. */
static struct sluice_value string_of(struct rows *rows, const char *data, size_t size)
{
    if (!memchr(data, '\\', size)) return sluice_text(data, size);
    char *out = rows->unescaped.data + rows->unescaped.size;
    size_t written = json_unescape(data, size, out);
    rows->unescaped.size += written;
    return sluice_text(out, written);
}

/* The column of that name; members come in the order of the columns more often than not. */
static const struct rows_member *find_member(struct rows *rows, struct sluice_value name, size_t *next)
{
    for (size_t i = 0; i < rows->member_count; i++) {
        const struct rows_member *member = &rows->members[(*next + i) % rows->member_count];
        if (member->size != name.size || memcmp(member->name, name.as.data, name.size) != 0) continue;
        *next = (size_t)(member - rows->members) + 1;
        return member;
    }
    return NULL;
}

static struct sluice_value member_value(struct rows *rows, const struct rows_member *member, const char *data, size_t size)
{
    if (*data == 'n') return sluice_null();
    if (member->is_json || *data == '{' || *data == '[') return sluice_json(data, size);
    if (member->is_boolean && (*data == 't' || *data == 'f')) return sluice_boolean(*data == 't');
    return *data == '"' ? string_of(rows, data + 1, size - 2) : sluice_text(data, size);
}

/* The members of a value that is an object; of two of one name the last counts. */
static void put_members(struct row *row, struct rows *rows, const struct sluice_value *value)
{
    struct json_member found;
    size_t next = 0;
    text_clear(&rows->unescaped);
    text_reserve(&rows->unescaped, value->size); /* nothing moves: no text is longer without its escapes */
    for (size_t at = 0; json_next(value->as.data, value->size, &at, &found);) {
        const struct rows_member *member = find_member(rows, string_of(rows, found.name, found.name_size), &next);
        if (member) row->values[member->place] = member_value(rows, member, found.value, found.value_size);
    }
}

static struct sluice_value bytes_of(const void *data, size_t size)
{
    return data ? sluice_binary(data, size) : sluice_null();
}

static int emit_dead(struct rows *rows, struct sluice_session *session, const rd_kafka_message_t *message, const char *part,
                     const char *flaw)
{
    char reason[200];
    rows->dead_count++;
    if (rows->dead_letters.number < 0) {
        if (rows->unseen_count++ == 0)
            say(session, SLUICE_LOG_WARN,
                "the message at offset %" PRId64 " of partition %" PRId32
                " is left out (%s: %s), and so are others like it: choose the stream %s" DEAD_LETTERS_SUFFIX " to have them",
                message->offset, message->partition, part, flaw, rows->topic);
        return 0;
    }
    struct row row = begin_row(rows, &rows->dead_letters);
    size_t size = message->len + message->key_len;
    bool fits = size <= ROWS_MAX_MESSAGE_BYTES;
    snprintf(reason, sizeof reason, "%s: %s", part, flaw);
    put_origin(&row, rows, message);
    put(&row, COLUMN_KEY, fits ? bytes_of(message->key, message->key_len) : sluice_null());
    put(&row, COLUMN_VALUE, fits ? bytes_of(message->payload, message->len) : sluice_null());
    put(&row, COLUMN_REASON, sluice_text(reason, strlen(reason)));
    return emit_row(&row, session, SLUICE_UPSERT);
}

int rows_emit(struct rows *rows, struct sluice_session *session, const rd_kafka_message_t *message)
{
    const struct settings *settings = rows->settings;
    if (message->len + message->key_len > ROWS_MAX_MESSAGE_BYTES)
        return emit_dead(rows, session, message, "message", "it is larger than 14 MiB");
    struct part key = read_part(settings->key_format, message->key, message->key_len);
    struct part value = read_part(settings->value_format, message->payload, message->len);
    if (settings->is_upsert && !message->key && !key.flaw) key.flaw = "there is none, and it is the primary key";
    if (key.flaw) return emit_dead(rows, session, message, "key", key.flaw);
    if (value.flaw) return emit_dead(rows, session, message, "value", value.flaw);
    if (rows->messages.number < 0) return 0;
    if (settings->is_upsert && key.value.kind == SLUICE_JSON) key.value.kind = SLUICE_STRING;
    struct row row = begin_row(rows, &rows->messages);
    bool is_tombstone = message->payload == NULL;
    put_origin(&row, rows, message);
    put(&row, COLUMN_KEY, key.value);
    put(&row, COLUMN_VALUE, value.value);
    if (rows->member_count && value.value.kind == SLUICE_JSON) put_members(&row, rows, &value.value);
    put(&row, COLUMN_TOMBSTONE, sluice_boolean(is_tombstone));
    if (key.schema >= 0) put(&row, COLUMN_KEY_SCHEMA, sluice_integer(key.schema));
    if (value.schema >= 0) put(&row, COLUMN_VALUE_SCHEMA, sluice_integer(value.schema));
    return emit_row(&row, session, settings->is_upsert && is_tombstone ? SLUICE_DELETE : SLUICE_UPSERT);
}
