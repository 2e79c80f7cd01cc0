/* postgres: a PostgreSQL database as a source. README.md says how it is used; stream.h what there is to read. */
#include <stdlib.h>
#include <string.h>

#include "postgres/setup.h"
#include "postgres/stream.h"

/* The list of tables; no table can have its name. */
static const char TABLES_NAME[] = "pg_catalog.tables";

static const char DESCRIPTION[] = SLUICE_JSON({
    "title" : "PostgreSQL",
    "config" : {
        "url" : {
            "type" : "string",
            "required" : true,
            "secret" : true,
            "connect" : 5432,
            "title" : "postgresql://user:password@host:5432/database?sslmode=verify-full"
        },
        "schemas" : {
            "type" : "string",
            "default" : "public",
            "title" : "schemas that are read: names between commas, * for any characters, ! before what is left out"
        },
        "tables" : {"type" : "string", "default" : "*", "title" : "tables that are read, likewise"},
        "cursors" : {
            "type" : "string",
            "title" : "how tables are read incrementally, TABLE=COLUMN between commas: orders=updated_at, *=xmin"
        },
        "lookback" : {
            "type" : "string",
            "title" : "how far a cursor of times is read again, 10m; without one, what is committed late is waited for"
        },
        "slot" : {"type" : "string", "title" : "replication slot: changes are read instead of tables"},
        "publication" : {"type" : "string", "title" : "publication that says of which tables; default: as the slot"},
        "create" : {"type" : "boolean", "default" : true, "title" : "slot and publication are created where there are none"},
        "connections" : {
            "type" : "integer",
            "default" : 2,
            "title" : "connections that read the parts of one large table at the same time, 1 to 8"
        },
        "on_truncate" : {
            "type" : "enum",
            "values" : [ "delete", "fail", "ignore" ],
            "default" : "delete",
            "title" : "what a TRUNCATE of the source does: all rows are marked deleted, the sync ends, nothing"
        },
        "wal_warning_mib" : {
            "type" : "integer",
            "default" : 10240,
            "title" : "a warning is given when the slot holds back more WAL than this, in MiB; 0: never"
        }
    },
    "streams" : {
        "pg_catalog.tables" :
            {"native" : true, "internal" : true, "primary_key" : "name", "fields" : {"name" : "string", "declaration" : "json"}}
    },
    "dynamic" : {"from" : "pg_catalog.tables", "name" : "name", "stream" : "{{record.declaration}}", "cache" : "0s"}
});

static void release(struct stream *stream)
{
    stream->kind->close(stream);
    catalog_release(&stream->catalog);
    connection_close(&stream->connection);
    free(stream);
}

static int open_slice(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct stream *stream = text_allocate(1, sizeof *stream);
    *instance = stream;
    stream->session = session;
    stream->slice = slice;
    int rc = settings_read(&stream->settings, session);
    if (rc) return rc;
    if (strcmp(slice->stream, TABLES_NAME) == 0)
        stream->kind = &STREAM_TABLES;
    else
        stream->kind = stream->settings.slot ? &STREAM_CHANGES : &STREAM_TABLE;
    rc = connection_open(&stream->connection, session, false);
    return rc ? rc : stream->kind->open(stream);
}

static int page(struct sluice_session *session, void *instance)
{
    struct stream *stream = instance;
    (void)session;
    return stream->kind->page(stream);
}

static void close_slice(struct sluice_session *session, void *instance)
{
    (void)session;
    release(instance);
}

static int check(struct sluice_session *session)
{
    struct stream *stream = text_allocate(1, sizeof *stream);
    stream->kind = &STREAM_TABLES;
    stream->session = session;
    int rc = settings_read(&stream->settings, session);
    if (rc == 0) rc = connection_open(&stream->connection, session, false);
    if (rc == 0) rc = stream->kind->open(stream);
    if (rc == 0 && stream->catalog.count == 0)
        rc = fail(session, SLUICE_ERROR_CONFIG, "see `schemas`, `tables` and the role's grants",
                  "there is no table that may be read");
    if (rc == 0 && stream->settings.slot) rc = changes_check(stream);
    release(stream);
    return rc;
}

static const struct sluice_plugin POSTGRES = {
    SLUICE_PLUGIN_HEADER,       .name = "postgres",    .version = "1.0.0",          .profile = SLUICE_NETWORK,
    .description = DESCRIPTION, .check = check,        .open = open_slice,          .page = page,
    .close = close_slice,       .setup = source_setup, .teardown = source_teardown,
};
SLUICE_PLUGIN(POSTGRES);
