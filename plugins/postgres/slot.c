#include "postgres/slot.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* --- publication --------------------------------------------------------------------------------------------------------- */

/* "public"."orders", .. of the tables that the slice wants and the publication lacks; "" for none. */
static void missing_tables(const struct stream *stream, const PGresult *listed, struct text *out)
{
    for (uint32_t i = 0; i < stream->slice->table_count; i++) {
        const struct catalog_table *table = catalog_find(&stream->catalog, stream->slice->tables[i].name);
        bool is_there = table == NULL;
        for (int row = 0; row < PQntuples(listed) && !is_there; row++)
            is_there =
                strcmp(PQgetvalue(listed, row, 0), table->schema) == 0 && strcmp(PQgetvalue(listed, row, 1), table->name) == 0;
        if (is_there) continue;
        if (out->size) text_puts(out, ", ");
        text_identifier(out, table->schema);
        text_puts(out, ".");
        text_identifier(out, table->name);
    }
}

/* Does a partitioned table's publication tell of its partitions, by their own names? */
static bool hides_root(const struct stream *stream, const char *via_root)
{
    bool has_partitioned = false;
    for (uint32_t i = 0; i < stream->slice->table_count; i++) {
        const struct catalog_table *table = catalog_find(&stream->catalog, stream->slice->tables[i].name);
        has_partitioned = has_partitioned || (table && table->kind == 'p');
    }
    return has_partitioned && strcmp(via_root, "true") != 0;
}

static int change(struct stream *stream, const char *sql, bool may_change)
{
    struct text statement = {0};
    int rc;
    if (may_change) {
        text_printf(&statement, "BEGIN READ WRITE; %s; COMMIT", sql);
        rc = connection_query(&stream->connection, statement.data, NULL);
        if (rc == 0) say(stream->session, SLUICE_LOG_INFO, "told the source: %s", sql);
    } else {
        text_printf(&statement, "`sluice source setup` does it, or %s", sql);
        rc = fail(stream->session, SLUICE_ERROR_CONFIG, statement.data, "publication \"%s\" does not tell of all tables",
                  stream->settings.publication);
    }
    text_release(&statement);
    return rc;
}

int publication_ensure(struct stream *stream, bool may_change)
{
    struct text sql = {0}, missing = {0};
    PGresult *publication = NULL, *listed = NULL;
    text_puts(&sql,
              "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate, coalesce(to_jsonb(p)->>'pubviaroot', 'false') "
              "FROM pg_publication p WHERE pubname = ");
    text_literal(&sql, stream->settings.publication);
    int rc = connection_query(&stream->connection, sql.data, &publication);
    text_clear(&sql);
    text_puts(&sql, "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = ");
    text_literal(&sql, stream->settings.publication);
    if (rc == 0) rc = connection_query(&stream->connection, sql.data, &listed);
    if (rc) goto out;
    bool exists = PQntuples(publication) > 0;
    missing_tables(stream, listed, &missing);
    text_clear(&sql);
    text_puts(&sql, exists ? "ALTER PUBLICATION " : "CREATE PUBLICATION ");
    text_identifier(&sql, stream->settings.publication);
    if (exists && PQgetvalue(publication, 0, 0)[0] != 't') {
        text_puts(&sql, " SET (publish = 'insert, update, delete, truncate')");
        rc = fail(stream->session, SLUICE_ERROR_CONFIG, sql.data, "publication \"%s\" does not tell of all kinds of changes",
                  stream->settings.publication);
    } else if (exists && hides_root(stream, PQgetvalue(publication, 0, 1))) {
        text_puts(&sql, " SET (publish_via_partition_root = true)");
        rc = fail(stream->session, SLUICE_ERROR_CONFIG, sql.data,
                  "publication \"%s\" tells of partitions instead of their table", stream->settings.publication);
    } else if (missing.size) {
        text_printf(&sql, exists ? " ADD TABLE %s" : " FOR TABLE %s", missing.data);
        if (!exists && stream->connection.version >= 130000) text_puts(&sql, " WITH (publish_via_partition_root = true)");
        rc = change(stream, sql.data, may_change);
    }
out:
    PQclear(publication);
    PQclear(listed);
    text_release(&sql);
    text_release(&missing);
    return rc;
}

/* --- slot ---------------------------------------------------------------------------------------------------------------- */

static int look_at_wal(struct stream *stream, const PGresult *result)
{
    const char *status = PQgetvalue(result, 0, 2);
    int64_t kept = strtoll(PQgetvalue(result, 0, 4), NULL, 10), limit = stream->settings.wal_warning_bytes;
    if (strcmp(status, "lost") == 0)
        return fail(stream->session, SLUICE_ERROR_DATA,
                    "drop the slot (`sluice source teardown`) and read everything anew with --full-refresh; a "
                    "larger max_slot_wal_keep_size lets syncs pause longer",
                    "slot \"%s\" has lost changes: the server removed WAL that was not read", stream->settings.slot);
    if (strcmp(status, "unreserved") == 0)
        say(stream->session, SLUICE_LOG_WARN,
            "slot \"%s\" is about to lose changes: the server will soon remove WAL that was not read (max_slot_wal_keep_size)",
            stream->settings.slot);
    else if (limit && kept > limit)
        say(stream->session, SLUICE_LOG_WARN,
            "slot \"%s\" holds back %lld MiB of WAL at the source; syncs should be more frequent, and max_slot_wal_keep_size "
            "(now %s) says how much it may be",
            stream->settings.slot, (long long)(kept >> 20), PQgetvalue(result, 0, 5));
    return 0;
}

int slot_look(struct stream *stream, struct slot *slot)
{
    struct text sql = {0};
    PGresult *result = NULL;
    text_puts(&sql, "SELECT s.plugin, s.database = current_database(), coalesce(to_jsonb(s)->>'wal_status', ''), "
                    "coalesce(s.confirmed_flush_lsn, '0/0'), "
                    "coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint, 0), "
                    "coalesce(current_setting('max_slot_wal_keep_size', true), '-1') "
                    "FROM pg_replication_slots s WHERE s.slot_name = ");
    text_literal(&sql, stream->settings.slot);
    int rc = connection_query(&stream->connection, sql.data, &result);
    text_release(&sql);
    if (rc) return rc;
    *slot = (struct slot){.exists = PQntuples(result) > 0};
    if (slot->exists) {
        if (strcmp(PQgetvalue(result, 0, 0), "pgoutput") != 0 || PQgetvalue(result, 0, 1)[0] != 't')
            rc = fail(stream->session, SLUICE_ERROR_CONFIG, "name another slot",
                      "slot \"%s\" is of another database, or its plugin is not pgoutput", stream->settings.slot);
        else
            rc = look_at_wal(stream, result);
        if (rc == 0 && !lsn_read(PQgetvalue(result, 0, 3), &slot->confirmed))
            rc = fail(stream->session, SLUICE_ERROR_SOURCE, NULL, "the server's WAL position cannot be read: %s",
                      PQgetvalue(result, 0, 3));
    }
    PQclear(result);
    return rc;
}

int slot_create(struct stream *stream)
{
    struct text sql = {0};
    if (!stream->settings.creates)
        return fail(stream->session, SLUICE_ERROR_CONFIG,
                    "`sluice source setup` makes it, and so does a sync with `create: true`", "there is no slot \"%s\"",
                    stream->settings.slot);
    text_puts(&sql, "SELECT pg_create_logical_replication_slot(");
    text_literal(&sql, stream->settings.slot);
    text_puts(&sql, ", 'pgoutput')");
    int sent = PQsendQuery(stream->connection.pg, sql.data);
    text_release(&sql);
    say(stream->session, SLUICE_LOG_INFO,
        "creating slot \"%s\" at the source, which waits for the transactions that are running there", stream->settings.slot);
    return sent ? 0 : connection_failed(&stream->connection, NULL, "could not create the slot");
}

int slot_created(struct stream *stream, int wait_ms, bool *is_created)
{
    PGconn *pg = stream->connection.pg;
    struct pollfd ready = {.fd = PQsocket(pg), .events = POLLIN};
    *is_created = false;
    if (PQisBusy(pg)) {
        (void)poll(&ready, 1, wait_ms);
        if (!PQconsumeInput(pg)) return connection_failed(&stream->connection, NULL, "could not create the slot");
    }
    if (PQisBusy(pg)) return 0;
    int rc = 0;
    PGresult *result;
    while ((result = PQgetResult(pg)) != NULL) {
        if (rc == 0 && PQresultStatus(result) != PGRES_TUPLES_OK)
            rc = connection_failed(&stream->connection, result, "could not create the slot");
        PQclear(result);
    }
    *is_created = rc == 0;
    return rc;
}

int changes_check(struct stream *stream)
{
    char *level = NULL;
    struct slot slot;
    int rc = connection_value(&stream->connection, "SHOW wal_level", &level);
    if (rc == 0 && strcmp(level, "logical") != 0)
        rc = fail(stream->session, SLUICE_ERROR_SOURCE, "set wal_level = logical in postgresql.conf and restart the server",
                  "the server does not tell of changes: wal_level is %s", level);
    free(level);
    return rc ? rc : slot_look(stream, &slot);
}
