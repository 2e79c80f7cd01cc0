/* The PostgreSQL writer's table, its options, and its hold on a destination. internal.h draws the map of this folder. */
#include "os/clock.h"
#include "os/log.h"
#include "os/secret.h"
#include "writer/postgres/check.h"
#include "writer/postgres/flow.h"
#include "writer/postgres/internal.h"
#include "writer/postgres/lease.h"
#include "writer/postgres/ledger.h"
#include "writer/postgres/load.h"
#include "writer/postgres/look.h"
#include "writer/postgres/past.h"
#include "writer/postgres/statestore.h"
#include "writer/postgres/usage.h"
#include "writer/types.h"

static const struct option OPTIONS[] = {
    {"url", OPTION_STRING, OPTION_REQUIRED | OPTION_SECRET, NULL, NULL, NULL,
     "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, or keyword=value pairs; what is absent comes from "
     "PGHOST, ~/.pgpass .."},
    {"schema", OPTION_STRING, 0, "public", NULL, NULL, "schema the tables are in; created when it does not exist"},
};
static const struct option_table OPTION_TABLE_POSTGRES = OPTION_TABLE("a postgres destination", OPTIONS);

int pgw_destination_connect(struct destination *destination, struct err *err)
{
    if (pg_is_alive(destination->pg)) return 0;
    pg_close(destination->pg);
    destination->pg = NULL;
    return pg_open(&destination->settings, &destination->pg, err);
}

int pgw_connection_take(struct destination *destination, struct pg **pg, struct err *err)
{
    pthread_mutex_lock(&destination->lock);
    *pg = destination->pg;
    destination->pg = NULL;
    pthread_mutex_unlock(&destination->lock);
    if (pg_is_alive(*pg)) return 0;
    pg_close(*pg);
    *pg = NULL;
    return pg_open(&destination->settings, pg, err);
}

void pgw_connection_give(struct destination *destination, struct pg *pg)
{
    if (pg) pg_rollback(pg);
    pthread_mutex_lock(&destination->lock);
    if (!destination->pg && pg_is_alive(pg)) {
        destination->pg = pg;
        pg = NULL;
    }
    pthread_mutex_unlock(&destination->lock);
    pg_close(pg);
}

static void destination_close(struct destination *destination)
{
    if (!destination) return;
    pgw_lease_release(destination);
    pg_close(destination->pg);
    pthread_mutex_destroy(&destination->lock);
    arena_release(&destination->arena);
    free(destination);
}

static int check_schema_name(const char *name, const char *schema, struct err *err)
{
    bool is_ours =
        strcmp(schema, "_sluice") == 0 || strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
    if (schema[0] && strlen(schema) <= PG_NAME_MAX && !is_ours) return 0;
    err_set(err, ERR_CONFIG, "destination '%s' cannot use the schema '%s'", name, schema);
    return err_hint(err, "name a schema of 1 to 63 bytes that is not the ledger's (_sluice) or the system's");
}

static int destination_open(const struct destination_options *options, struct destination **out, struct err *err)
{
    struct destination *destination = mem_zero(1, sizeof(*destination));
    int rc;
    *out = NULL;
    destination->arena = ARENA_INIT(0);
    struct arena *arena = &destination->arena;
    pthread_mutex_init(&destination->lock, NULL);
    destination->name = arena_strdup(arena, options->name);
    destination->pipeline = arena_strdup(arena, options->pipeline);
    destination->schema = arena_strdup(arena, option_text(&OPTION_TABLE_POSTGRES, options->config, "schema"));
    destination->clock = options->clock;
    destination->log = options->log;
    destination->settings =
        (struct pg_settings){.url = arena_strdup(arena, option_text(&OPTION_TABLE_POSTGRES, options->config, "url")),
                             .application_name = arena_printf(arena, "sluice:%s", options->pipeline ? options->pipeline : ""),
                             .cancel = options->cancel,
                             .secrets = options->secrets};
    if ((rc = check_schema_name(destination->name, destination->schema, err)) != 0) goto out;
    if ((rc = pgw_destination_connect(destination, err)) != 0) goto out;
    destination->has_ledger = true;
    rc = options->look_only ? pgw_look_begin(destination, err) : pgw_ledger_ensure(destination->pg, err);
out:
    if (rc != 0) {
        err_context(err, "destination '%s'", options->name);
        destination_close(destination);
        return rc;
    }
    *out = destination;
    return 0;
}

const struct writer_type WRITER_POSTGRES = {
    .name = "postgres",
    .title = "PostgreSQL",
    .has_tables = true,
    .options = &OPTION_TABLE_POSTGRES,
    .open = destination_open,
    .check = pgw_destination_check,
    .acquire = pgw_lease_acquire,
    .renew = pgw_lease_renew,
    .release = pgw_lease_release,
    .state_read = pgw_state_read_all,
    .look = pgw_look,
    .usage = pgw_usage,
    .rejects = pgw_past_rejects,
    .changes = pgw_past_changes,
    .state_write = pgw_state_change,
    .close = destination_close,
    .flow_open = pgw_flow_open,
    .has_table = pgw_flow_has_table,
    .load_state = pgw_state_load,
    .find_state = pgw_state_find,
    .commit = pgw_load_commit,
    .fail = pgw_load_fail,
    .rest = pgw_flow_rest,
    .note = pgw_flow_note,
    .flow_close = pgw_flow_close,
};
