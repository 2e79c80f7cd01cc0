#include "postgres/reader.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 1000 };

struct pg_type reader_type(const struct catalog_column *column, const char *wanted)
{
    return strcmp(type_field(column->type.kind), wanted) == 0 ? column->type : (struct pg_type){PG_STRING, PG_STRING, 0};
}

int reader_init(struct reader *reader, struct connection *connection, const struct catalog_table *table,
                const struct sluice_table *wanted, uint32_t index)
{
    struct text select = {0};
    size_t room = wanted->column_count;
    *reader = (struct reader){.connection = connection, .table = table, .index = index, .value_count = wanted->column_count};
    reader->places = text_allocate(room, sizeof *reader->places);
    reader->types = text_allocate(room, sizeof *reader->types);
    reader->fields = text_allocate(room, sizeof *reader->fields);
    reader->values = text_allocate(room, sizeof *reader->values);
    for (uint32_t i = 0; i < wanted->column_count; i++) {
        const struct catalog_column *column = catalog_column(table, wanted->columns[i].name);
        if (!column) continue;
        struct pg_type type = reader_type(column, wanted->columns[i].type);
        reader->needs_scratch = reader->needs_scratch || type.kind == PG_ARRAY || type.kind == PG_HSTORE;
        text_puts(&select, reader->count ? ", " : "SELECT ");
        text_identifier(&select, column->name);
        reader->types[reader->count] = type;
        reader->places[reader->count++] = i;
    }
    if (!reader->count)
        return fail(connection->session, SLUICE_ERROR_SOURCE, "the next run looks at the table again",
                    "table \"%s\" has none of its columns any more", table->stream);
    text_puts(&select, " FROM ");
    text_identifier(&select, table->schema);
    text_puts(&select, ".");
    text_identifier(&select, table->name);
    reader->select = select.data;
    return 0;
}

void reader_release(struct reader *reader)
{
    free(reader->places);
    free(reader->types);
    free(reader->fields);
    free(reader->values);
    free(reader->select);
    text_release(&reader->scratch);
    *reader = (struct reader){0};
}

char *reader_copy(const struct reader *reader, const char *clauses)
{
    struct text sql = {0};
    text_printf(&sql, "COPY (%s %s) TO STDOUT", reader->select, clauses);
    return sql.data;
}

static int emit(struct reader *reader, char *line, size_t size)
{
    if (copy_split(line, size, reader->fields, reader->count) != reader->count)
        return fail(reader->connection->session, SLUICE_ERROR_CONNECTOR, NULL,
                    "table \"%s\": a row has other columns than were asked for", reader->table->stream);
    if (reader->needs_scratch) {
        text_clear(&reader->scratch);
        text_reserve(&reader->scratch, value_room(size) + 16 * reader->count);
    }
    for (size_t i = 0; i < reader->count; i++) {
        struct field *field = &reader->fields[i];
        reader->values[i] =
            field->data ? value_of(reader->types[i], field->data, field->size, &reader->scratch) : sluice_null();
    }
    reader->rows++;
    return sluice_emit(reader->connection->session, reader->index, SLUICE_UPSERT, reader->values, reader->value_count);
}

void reader_begin_page(struct reader *reader, size_t allowance)
{
    reader->is_full = false;
    reader->bytes = 0;
    reader->allowance = allowance;
}

static bool is_enough(struct reader *reader, size_t size)
{
    reader->is_full = true;
    if (reader->allowance <= size) return true;
    reader->allowance -= size;
    return false;
}

int reader_rows(struct reader *reader)
{
    char *line;
    size_t size;
    for (;;) {
        int rc = connection_line(reader->connection, &line, &size, PATIENCE_MS);
        if (rc == COPY_NOTHING_YET) return READER_FULL;
        if (rc != COPY_LINE) return rc < 0 ? rc : READER_END;
        if (size > PAGE_ROW_MAX)
            return fail(reader->connection->session, SLUICE_ERROR_DATA,
                        "leave its large column out: columns: { NAME: { enabled: false } }",
                        "table \"%s\": a row has %zu MiB, more than a page", reader->table->stream, size >> 20);
        if (reader->bytes && reader->bytes + size > PAGE_MAX) {
            connection_again(reader->connection);
            return READER_FULL;
        }
        reader->bytes += size;
        rc = emit(reader, line, size);
        if (rc < 0) return rc;
        if (rc && is_enough(reader, size)) return READER_FULL;
    }
}
