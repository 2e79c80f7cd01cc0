/* tables: the internal stream that lists the others. */
#include <stdlib.h>
#include <string.h>

#include "postgres/declare.h"
#include "postgres/stream.h"

static int emit(struct stream *stream, const char *name, const struct text *declaration)
{
    const struct sluice_table *wanted = &stream->slice->tables[0];
    struct sluice_value values[2] = {sluice_null(), sluice_null()};
    for (uint32_t i = 0; i < wanted->column_count && i < 2; i++)
        values[i] = strcmp(wanted->columns[i].name, "name") == 0 ? sluice_text(name, strlen(name))
                                                                 : sluice_json(declaration->data, declaration->size);
    int rc = sluice_emit(stream->session, 0, SLUICE_UPSERT, values, wanted->column_count);
    return rc < 0 ? rc : 0;
}

static int list_changes(struct stream *stream)
{
    struct text declaration = {0};
    size_t followed = 0;
    for (size_t i = 0; i < stream->catalog.count; i++) {
        const struct catalog_table *table = &stream->catalog.tables[i];
        bool is_followed = table_has_changes(table);
        followed += is_followed;
        if (!is_followed && (table->kind == 'r' || table->kind == 'p'))
            say(stream->session, SLUICE_LOG_WARN, "table \"%s\" is left out: %s", table->stream,
                table->is_logged
                    ? "its changes do not say which row they are of; give it a primary key, or REPLICA IDENTITY USING INDEX"
                    : "it is unlogged, so nothing tells of its changes");
    }
    if (!followed)
        return fail(stream->session, SLUICE_ERROR_CONFIG, "see `schemas`, `tables` and the role's grants",
                    "there is no table whose changes can be read");
    declare_changes(&declaration, &stream->catalog);
    int rc = emit(stream, catalog_find(&stream->catalog, "changes") ? "pg_catalog.changes" : "changes", &declaration);
    text_release(&declaration);
    return rc;
}

static int list_tables(struct stream *stream)
{
    int rc = 0;
    struct text declaration = {0};
    for (size_t i = 0; i < stream->catalog.count && rc == 0; i++) {
        const struct catalog_table *table = &stream->catalog.tables[i];
        if (table->column_count == 0) continue;
        text_clear(&declaration);
        char *refused;
        declare_table(&declaration, table, &stream->settings, stream->connection.version, &refused);
        if (refused)
            say(stream->session, SLUICE_LOG_WARN,
                "table \"%s\" has no column \"%s\" of an ordered type that could be its cursor", table->stream, refused);
        free(refused);
        rc = emit(stream, table->stream, &declaration);
    }
    if (rc == 0 && stream->catalog.count == 0)
        rc = fail(stream->session, SLUICE_ERROR_CONFIG, "see `schemas`, `tables` and the role's grants",
                  "there is no table that may be read");
    text_release(&declaration);
    return rc;
}

static int open_list(struct stream *stream)
{
    return catalog_load(&stream->catalog, &stream->connection, &stream->settings, NULL);
}

static int page(struct stream *stream)
{
    return stream->settings.slot ? list_changes(stream) : list_tables(stream);
}

static void close_list(struct stream *stream)
{
    (void)stream;
}

const struct stream_kind STREAM_TABLES = {open_list, page, close_list};
