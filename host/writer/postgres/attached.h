/* attached: what others have attached to a table that sluice writes: indexes, views, triggers, policies, foreign keys,
 * publications, comments, columns .. Replacing the table would lose or break it, so overwrite changes such a table in place;
 * and a few of these things stand in the way of that too.
 *
 * Call inside a transaction (names are looked up in pg_catalog alone). */
#ifndef SLUICE_WRITER_POSTGRES_ATTACHED_H
#define SLUICE_WRITER_POSTGRES_ATTACHED_H

#include "writer/postgres/internal.h"

enum { ATTACHED_NAME_SIZE = 256 };

/* Names one thing on the target that replacing it would lose: "view public.names"; empty when there is none. SCHEMA: the table
 * is gone. */
int pgw_attached_find(struct pg *pg, const struct table *table, char name[ATTACHED_NAME_SIZE], struct err *err) MUST_USE;

/* SCHEMA, with the thing's name and a remedy, when something on the target would keep its rows from being changed in place, or
 * be harmed by it. has_key: rows are told apart by the stream's key; else all of them are deleted and inserted again. */
int pgw_attached_refuse(struct pg *pg, const struct table *table, bool has_key, struct err *err) MUST_USE;

/* The object id of a place of the table, as text. SCHEMA: it is gone. */
int pgw_attached_oid(struct pg *pg, const struct relation *relation, char out[PG_INT_TEXT], struct err *err) MUST_USE;

#endif
