/* setup: the slot and the publication, made or dropped because somebody asks for it, not on the way of a sync. */
#include "postgres/setup.h"

#include <stdlib.h>

#include "postgres/slot.h"

enum { WAIT_MS = 45000, POLL_MS = 1000 };

/* Connects as a slice does that reads changes. To be given to `end`, also after a failure. */
static int begin(struct stream *stream, struct sluice_session *session, const struct sluice_slice *slice)
{
    *stream = (struct stream){.session = session, .slice = slice};
    int rc = settings_read(&stream->settings, session);
    if (rc) return rc;
    if (!stream->settings.slot)
        return fail(session, SLUICE_ERROR_CONFIG, "`slot` names one, where changes are to be read",
                    "the pipeline reads tables by queries, for which the source holds nothing");
    rc = connection_open(&stream->connection, session, false);
    return rc ? rc : catalog_load(&stream->catalog, &stream->connection, &stream->settings, NULL);
}

static void end(struct stream *stream)
{
    catalog_release(&stream->catalog);
    connection_close(&stream->connection);
}

static int make_slot(struct stream *stream)
{
    bool is_created = false;
    int rc = slot_create(stream);
    for (int waited = 0; rc == 0 && !is_created && waited < WAIT_MS; waited += POLL_MS)
        rc = slot_created(stream, POLL_MS, &is_created);
    if (rc || is_created) return rc;
    return fail(stream->session, SLUICE_ERROR_TRANSIENT, "end them, or try again later: pg_stat_activity lists them",
                "slot \"%s\" cannot be created while older transactions are running at the source", stream->settings.slot);
}

int source_setup(struct sluice_session *session, const struct sluice_slice *slice)
{
    struct stream stream;
    struct slot slot = {0};
    int rc = begin(&stream, session, slice);
    stream.settings.creates = true;
    if (rc == 0) rc = changes_check(&stream);
    if (rc == 0) rc = publication_ensure(&stream, true);
    if (rc == 0) rc = slot_look(&stream, &slot);
    if (rc == 0 && !slot.exists) rc = make_slot(&stream);
    if (rc == 0)
        say(session, SLUICE_LOG_INFO, "slot \"%s\" %s, publication \"%s\" tells of %u tables", stream.settings.slot,
            slot.exists ? "was there" : "is created", stream.settings.publication, slice->table_count);
    end(&stream);
    return rc;
}

static int drop_slot(struct stream *stream)
{
    struct text sql = {0};
    text_puts(&sql, "SELECT pg_drop_replication_slot(");
    text_literal(&sql, stream->settings.slot);
    text_puts(&sql, ")");
    int rc = connection_query(&stream->connection, sql.data, NULL);
    text_release(&sql);
    return rc;
}

static int drop_publication(struct stream *stream)
{
    struct text sql = {0};
    text_puts(&sql, "BEGIN READ WRITE; DROP PUBLICATION IF EXISTS ");
    text_identifier(&sql, stream->settings.publication);
    text_puts(&sql, "; COMMIT");
    int rc = connection_query(&stream->connection, sql.data, NULL);
    text_release(&sql);
    return rc;
}

/* The slot of another database, or of another plugin, is somebody else's. One that has lost changes goes as any other. */
int source_teardown(struct sluice_session *session, const struct sluice_slice *slice)
{
    struct stream stream;
    char *is_ours = NULL;
    struct text sql = {0};
    int rc = begin(&stream, session, slice);
    if (rc == 0) {
        text_puts(&sql, "SELECT plugin = 'pgoutput' AND database = current_database() FROM pg_replication_slots "
                        "WHERE slot_name = ");
        text_literal(&sql, stream.settings.slot);
        rc = connection_value(&stream.connection, sql.data, &is_ours);
        text_release(&sql);
    }
    if (rc == 0 && is_ours && is_ours[0] != 't')
        rc = fail(session, SLUICE_ERROR_CONFIG, "correct `slot`",
                  "slot \"%s\" is of another database, or its plugin is not pgoutput", stream.settings.slot);
    if (rc == 0 && is_ours) rc = drop_slot(&stream);
    if (rc == 0) rc = drop_publication(&stream);
    if (rc == 0)
        say(session, SLUICE_LOG_INFO, "slot \"%s\" %s, publication \"%s\" is dropped", stream.settings.slot,
            is_ours ? "is dropped" : "was not there", stream.settings.publication);
    free(is_ours);
    end(&stream);
    return rc;
}
