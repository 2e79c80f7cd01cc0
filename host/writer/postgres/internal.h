/* internal: what the files of the PostgreSQL writer share.
 *
 * A flow's rows go to one of three places per table: the target; the stage (`_sluice.stage_<hash>`: rows held back of a table
 * that exists); the build (`_sluice_build_<hash>` beside the target: a table that is new, or that overwrite will replace).
 * While any table of a flow is being built, the flow as a whole is: its other tables take the stage, and its state is pending,
 * until publish.c makes all of it visible in one transaction. Both side tables belong to the flow and survive takeover. A build
 * is LOGGED. So is a stage, unless nothing will ever be gone on from behind its rows; see pgw_stage_is_volatile.
 *
 * Where a table's rows are sets, its side tables carry `_sluice_set`, and rows that only say a set is empty (sets.h).
 *
 * Which file does what: flow.c opens a flow, table.c knows what is there, evolve.c changes it, transact.c runs every
 * transaction of a flow, load.c makes a load, rows.c encodes, merge.c, sets.c, truncate.c and publish.c make rows visible,
 * overwrite.c and inplace.c those of a table that exists (attached.c tells which of the two), ledger.c keeps the books, usage.c
 * counts months. */
#ifndef SLUICE_WRITER_POSTGRES_INTERNAL_H
#define SLUICE_WRITER_POSTGRES_INTERNAL_H

#include <pthread.h>

#include "base/arena.h"
#include "base/map.h"
#include "pg/conn.h"
#include "pg/query.h"
#include "pg/quote.h"
#include "writer/writer.h"

struct destination {
    struct arena arena;
    const char *name, *pipeline, *schema;
    struct pg_settings settings;
    struct clock *clock;
    struct log *log;
    pthread_mutex_t lock; /* `pg` is used by the renewing thread and by state commands */
    struct pg *pg;
    bool has_ledger; /* false only where it is looked at without one */
    bool is_held;    /* the lease: */
    int64_t fence;
    char run[40];
};

enum { MONTH_SIZE = sizeof "2026-11-01" };

enum place { PLACE_TARGET, PLACE_STAGE, PLACE_BUILD, PLACES };

struct relation {
    char schema[PG_NAME_SIZE], name[PG_NAME_SIZE];
    bool exists;
    bool is_unlogged;   /* only a stage ever is */
    struct map columns; /* name -> its type as PostgreSQL spells it (char *) */
};

/* A column of the stream's schema, as the table has it. Same index as there. */
struct table_column {
    char name[PG_NAME_SIZE];
    enum type type;
    bool is_key;
    bool is_set;      /* one of spec->set */
    bool is_recorded; /* in the name map of the ledger */
};

/* How overwrite gives an existing table the rows of its build. */
enum overwrite_way {
    OVERWRITE_RENAME, /* the build becomes the table */
    OVERWRITE_BY_KEY, /* in place: what differs is deleted and written */
    OVERWRITE_WHOLE,  /* in place: all rows are deleted and inserted */
};

struct table {
    const struct table_spec *spec;
    size_t index; /* in the flow */
    struct relation at[PLACES];
    struct table_column *columns;
    uint32_t column_count, column_capacity;
    struct map fields;                          /* the name map: field -> column (char *) */
    struct map names;                           /* names in use, in lower case */
    bool is_known;                              /* the name map has it: we made it */
    enum overwrite_way way;                     /* chosen while a build is published; OVERWRITE_RENAME at any other time */
    int64_t reported;                           /* rows this writer told its caller were written; see report_counts */
    char noting[MONTH_SIZE], noted[MONTH_SIZE]; /* the month that is open in the ledger, see usage.h; noted: committed */
};

struct writer {
    struct destination *destination;
    struct arena arena;
    struct flow_spec spec;
    struct table *tables;
    size_t table_count;
    struct pg_settings settings;
    struct pg *pg;
    int64_t lock_key; /* of the flow's advisory lock */
    int64_t commit_id;
    uint64_t seq_base; /* `_sluice_seq` of this writer's first row */
    uint64_t next_seq;
    bool is_building;   /* rows or state wait for the publication of builds; see pgw_flow_is_building */
    bool is_publishing; /* the builds are finished and wait for their publication */
    bool has_held;      /* slices with rows that are not published */
    bool has_others;    /* stages or builds of streams that are not chosen now */
    int64_t building_since_ms;
};

/* Columns we add: to every table, and to stage and build. */
#define SET_COLUMN "_sluice_set" /* of side tables */
#define SYSTEM_COLUMNS "_sluice_synced_at, _sluice_deleted, _sluice_load_id"

struct transaction;

/* Functions are called pgw_ ("PostgreSQL writer") when another file uses them: the layers above have flows and states too. */

/* Makes sure of a usable connection for the destination's own use; call with its lock held. */
int pgw_destination_connect(struct destination *destination, struct err *err) MUST_USE;
/* A connection for a flow: the destination's when that is free, so that a sync of one flow needs one in all, else a new one. It
 * comes back when the flow ends. Both take the lock. */
int pgw_connection_take(struct destination *destination, struct pg **pg, struct err *err) MUST_USE;
void pgw_connection_give(struct destination *destination, struct pg *pg); /* NULL is fine */

/* Appends `"a", "b"` for the first `count` columns, each behind `prefix` ("s."); keys_only: the key's. */
void pgw_table_list(const struct table *table, const char *prefix, bool keys_only, struct buf *out);
void pgw_relation_quote(const struct relation *relation, struct buf *out);
bool pgw_table_has_key(const struct table *table);
bool pgw_table_uses_build(const struct table *table); /* it is new, or overwrite will replace its rows */
bool pgw_table_is_sealed(const struct table *table);  /* its build gets a primary key: one row per key */
/* Of the primary key, in the target or the build. */
void pgw_table_key_name(const struct table *table, enum place place, char out[PG_NAME_SIZE]);

#endif
