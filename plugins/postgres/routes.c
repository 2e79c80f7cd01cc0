#include "postgres/routes.h"

#include <stdlib.h>
#include <string.h>

#include "postgres/declare.h"
#include "postgres/reader.h"

/* --- tables and relations ------------------------------------------------------------------------------------------------ */

int routes_init(struct routes *routes, struct stream *stream)
{
    const struct sluice_slice *slice = stream->slice;
    *routes = (struct routes){.stream = stream};
    routes->routes = text_allocate(slice->table_count, sizeof *routes->routes);
    for (uint32_t i = 0; i < slice->table_count; i++) {
        const struct sluice_table *wanted = &slice->tables[i];
        const struct catalog_table *table = catalog_find(&stream->catalog, wanted->name);
        if (!table && strcmp(wanted->name, slice->stream) == 0) continue; /* the root, which has no rows */
        if (!table || !table_has_changes(table))
            return fail(stream->session, SLUICE_ERROR_SOURCE, "the next run looks at the source again",
                        "table \"%s\" is gone, or its changes can no longer be told apart", wanted->name);
        struct route *route = &routes->routes[routes->count++];
        *route = (struct route){.table = table, .wanted = wanted, .index = i};
        route->values = text_allocate(wanted->column_count, sizeof *route->values);
        route->is_key = text_allocate(wanted->column_count, sizeof *route->is_key);
        for (uint32_t c = 0; c < wanted->column_count; c++) {
            const struct catalog_column *column = catalog_column(table, wanted->columns[c].name);
            route->is_key[c] = column && column->key > 0;
        }
    }
    return 0;
}

static void relation_release(struct relation *relation)
{
    free(relation->types);
    free(relation->places);
    *relation = (struct relation){0};
}

void routes_release(struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++) {
        free(routes->routes[i].values);
        free(routes->routes[i].is_key);
        free(routes->routes[i].snapshot);
        snapshot_release(&routes->routes[i].seen);
    }
    for (size_t i = 0; i < routes->relation_count; i++) relation_release(&routes->relations[i]);
    free(routes->routes);
    free(routes->relations);
    text_release(&routes->scratch);
    *routes = (struct routes){0};
}

struct route *routes_find(const struct routes *routes, const char *name)
{
    for (size_t i = 0; i < routes->count; i++)
        if (strcmp(routes->routes[i].wanted->name, name) == 0) return &routes->routes[i];
    return NULL;
}

/* Where it is, or has to be. */
static size_t place_of(const struct routes *routes, uint32_t oid)
{
    size_t low = 0, high = routes->relation_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (routes->relations[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct relation *relation_of(const struct routes *routes, uint32_t oid)
{
    size_t place = place_of(routes, oid);
    return place < routes->relation_count && routes->relations[place].oid == oid ? &routes->relations[place] : NULL;
}

static struct relation *relation_anew(struct routes *routes, uint32_t oid)
{
    struct relation *relation = relation_of(routes, oid);
    if (relation) {
        relation_release(relation);
    } else {
        size_t place = place_of(routes, oid);
        if (routes->relation_count == routes->relation_room) {
            routes->relation_room = routes->relation_room ? 2 * routes->relation_room : 64;
            routes->relations = realloc(routes->relations, routes->relation_room * sizeof *routes->relations);
            if (!routes->relations) abort();
        }
        relation = &routes->relations[place];
        memmove(relation + 1, relation, (routes->relation_count - place) * sizeof *relation);
        routes->relation_count++;
    }
    *relation = (struct relation){.oid = oid};
    return relation;
}

static struct route *route_of(const struct routes *routes, const char *schema, const char *name)
{
    for (size_t i = 0; i < routes->count; i++)
        if (strcmp(routes->routes[i].table->schema, schema) == 0 && strcmp(routes->routes[i].table->name, name) == 0)
            return &routes->routes[i];
    return NULL;
}

static int place_in(const struct sluice_table *wanted, const char *name)
{
    for (uint32_t i = 0; i < wanted->column_count; i++)
        if (strcmp(wanted->columns[i].name, name) == 0) return (int)i;
    return -1;
}

/* The type of a relation's column; those that came since the slice began are asked for. */
static int type_in(struct routes *routes, uint32_t oid, struct pg_type *type)
{
    struct catalog *catalog = &routes->stream->catalog;
    bool is_known;
    *type = type_of(catalog->types, catalog->type_count, oid, &is_known);
    if (is_known) return 0;
    int rc = catalog_load_types(catalog, &routes->stream->connection);
    if (rc == 0) *type = type_of(catalog->types, catalog->type_count, oid, &is_known);
    return rc;
}

static int take_relation(struct routes *routes, const struct pgoutput_message *message)
{
    struct route *route = route_of(routes, message->schema, message->name);
    const struct relation *before = relation_of(routes, message->relation);
    bool has_new = false;
    if (before && before->route && !route)
        return fail(routes->stream->session, SLUICE_ERROR_SOURCE, "the next run looks at the source again",
                    "table \"%s\" was renamed at the source", before->route->wanted->name);
    struct relation *relation = relation_anew(routes, message->relation);
    relation->route = route;
    if (!route) return 0;
    relation->count = message->column_count;
    relation->types = text_allocate(relation->count, sizeof *relation->types);
    relation->places = text_allocate(relation->count, sizeof *relation->places);
    for (size_t i = 0; i < relation->count; i++) {
        const struct pgoutput_column *column = &message->columns[i];
        relation->places[i] = place_in(route->wanted, column->name);
        if (relation->places[i] < 0) {
            has_new = has_new || !catalog_knows(route->table, column->name);
            continue;
        }
        struct pg_type type;
        int rc = type_in(routes, column->type, &type);
        if (rc) return rc;
        bool is_wanted = strcmp(type_field(type.kind), route->wanted->columns[relation->places[i]].type) == 0;
        relation->types[i] = is_wanted ? type : (struct pg_type){PG_STRING, PG_STRING, 0};
    }
    if (has_new)
        say(routes->stream->session, SLUICE_LOG_INFO, "table \"%s\" has got a new column at the source", route->wanted->name);
    return has_new ? ROUTES_NEW_COLUMN : 0;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------- */

static int garbled(struct routes *routes)
{
    return fail(routes->stream->session, SLUICE_ERROR_SOURCE, NULL,
                "the server tells of a change that does not fit the table it is of");
}

static int emit(struct routes *routes, const struct route *route, enum sluice_operation operation)
{
    return sluice_emit(routes->stream->session, route->index, operation, route->values, route->wanted->column_count);
}

static void reserve(struct routes *routes, const struct pgoutput_message *message)
{
    size_t room = 0;
    for (size_t i = 0; i < message->old.count; i++)
        room += value_room(message->old.values[i].size) + message->old.values[i].size;
    for (size_t i = 0; i < message->fresh.count; i++) room += value_room(message->fresh.values[i].size);
    text_clear(&routes->scratch);
    text_reserve(&routes->scratch, room);
}

static size_t size_of(const struct pgoutput_message *message)
{
    size_t size = 0;
    for (size_t i = 0; i < message->fresh.count; i++) size += message->fresh.values[i].size;
    return size;
}

static struct sluice_value value(struct routes *routes, struct pg_type type, const struct pgoutput_value *from)
{
    if (from->kind == 't') return value_of(type, from->data, from->size, &routes->scratch);
    return from->kind == 'u' ? sluice_missing() : sluice_null();
}

/* The end of the row that `old` is, or was the key of. */
static int emit_end(struct routes *routes, const struct relation *relation, const struct pgoutput_tuple *old)
{
    struct route *route = relation->route;
    for (uint32_t i = 0; i < route->wanted->column_count; i++) route->values[i] = sluice_null();
    for (size_t i = 0; i < relation->count; i++) {
        int place = relation->places[i];
        if (place < 0 || !route->is_key[place]) continue;
        struct pgoutput_value copy = old->values[i]; /* decoding may change the bytes, which an update needs again */
        size_t start = routes->scratch.size;
        if (copy.kind == 't') {
            text_add(&routes->scratch, copy.data, copy.size);
            copy.data = routes->scratch.data + start;
        }
        route->values[place] = value(routes, relation->types[i], &copy);
    }
    return emit(routes, route, SLUICE_DELETE);
}

static bool is_same(const struct pgoutput_value *a, const struct pgoutput_value *b)
{
    return a->kind == b->kind && a->size == b->size && (a->kind != 't' || memcmp(a->data, b->data, a->size) == 0);
}

static bool has_other_key(const struct relation *relation, const struct pgoutput_message *message)
{
    if (!message->old.count) return false;
    for (size_t i = 0; i < relation->count; i++) {
        int place = relation->places[i];
        bool is_key = place >= 0 && relation->route->is_key[place];
        if (is_key && message->fresh.values[i].kind != 'u' && !is_same(&message->old.values[i], &message->fresh.values[i]))
            return true;
    }
    return false;
}

/* Reads from the table what the change did not carry. A row that is gone by now needs nothing: its end comes later. */
static int fetch(struct routes *routes, const struct relation *relation, const struct pgoutput_message *message,
                 PGresult **result)
{
    const struct route *route = relation->route;
    struct text columns = {0}, where = {0}, sql = {0};
    for (size_t i = 0; i < relation->count; i++) {
        int place = relation->places[i];
        if (place < 0) continue;
        const char *name = route->wanted->columns[place].name;
        const struct pgoutput_value *value_at = &message->fresh.values[i];
        if (value_at->kind == 'u' && !(message->old.count && route->is_key[place])) {
            if (columns.size) text_puts(&columns, ", ");
            text_identifier(&columns, name);
        } else if (route->is_key[place] && value_at->kind == 't') {
            char *literal = text_allocate(value_at->size + 1, 1);
            memcpy(literal, value_at->data, value_at->size);
            if (where.size) text_puts(&where, " AND ");
            text_identifier(&where, name);
            text_puts(&where, " = ");
            text_literal(&where, literal);
            free(literal);
        }
    }
    text_printf(&sql, "SELECT %s FROM ", columns.data);
    text_identifier(&sql, route->table->schema);
    text_puts(&sql, ".");
    text_identifier(&sql, route->table->name);
    text_printf(&sql, " WHERE %s", where.data);
    int rc = connection_query(&routes->stream->connection, sql.data, result);
    text_release(&columns);
    text_release(&where);
    text_release(&sql);
    return rc;
}

/* A value that was fetched, from a row's column; null when the row is gone. */
static struct sluice_value fetched_value(struct pg_type type, const PGresult *fetched, int column, struct text *scratch)
{
    if (PQntuples(fetched) == 0 || PQgetisnull(fetched, 0, column)) return sluice_null();
    return value_of(type, PQgetvalue(fetched, 0, column), (size_t)PQgetlength(fetched, 0, column), scratch);
}

static void reserve_fetched(struct text *scratch, const PGresult *fetched)
{
    size_t room = 0;
    for (int i = 0; i < PQnfields(fetched) && PQntuples(fetched); i++) room += value_room((size_t)PQgetlength(fetched, 0, i));
    text_reserve(scratch, room);
}

static int emit_row(struct routes *routes, const struct relation *relation, const struct pgoutput_message *message, bool is_new)
{
    struct route *route = relation->route;
    PGresult *fetched = NULL;
    struct text scratch = {0}; /* of what was fetched */
    int column = 0, rc = 0;
    for (uint32_t i = 0; i < route->wanted->column_count; i++) route->values[i] = sluice_missing();
    for (size_t i = 0; i < relation->count && rc == 0; i++) {
        int place = relation->places[i];
        if (place < 0) continue;
        const struct pgoutput_value *from = &message->fresh.values[i];
        bool is_in_old =
            message->old.count && (message->has_whole_old || route->is_key[place]) && message->old.values[i].kind == 't';
        if (from->kind == 'u' && is_in_old) from = &message->old.values[i];
        if (from->kind != 'u' || !is_new) {
            route->values[place] = value(routes, relation->types[i], from);
            continue;
        }
        if (!fetched) {
            rc = fetch(routes, relation, message, &fetched);
            if (rc) break;
            reserve_fetched(&scratch, fetched);
        }
        route->values[place] = fetched_value(relation->types[i], fetched, column++, &scratch);
    }
    if (rc == 0) rc = emit(routes, route, SLUICE_UPSERT);
    PQclear(fetched);
    text_release(&scratch);
    return rc;
}

static int take_row(struct routes *routes, const struct transaction *transaction, const struct pgoutput_message *message)
{
    const struct relation *relation = relation_of(routes, message->relation);
    if (!relation) return garbled(routes);
    const struct route *route = relation->route;
    if (!route || (route->was_read && transaction->lsn < route->until && snapshot_sees(&route->seen, transaction->xid)))
        return 0;
    if ((message->old.count && message->old.count != relation->count) ||
        (message->tag != 'D' && message->fresh.count != relation->count))
        return garbled(routes);
    if (size_of(message) > PAGE_ROW_MAX)
        return fail(routes->stream->session, SLUICE_ERROR_DATA,
                    "leave its large column out: columns: { NAME: { enabled: false } }",
                    "table \"%s\": a change has %zu MiB, more than a page", route->wanted->name, size_of(message) >> 20);
    reserve(routes, message);
    if (message->tag == 'D') return message->old.count ? emit_end(routes, relation, &message->old) : garbled(routes);
    bool is_new = message->tag == 'U' && has_other_key(relation, message);
    int rc = is_new ? emit_end(routes, relation, &message->old) : 0;
    return rc < 0 ? rc : emit_row(routes, relation, message, is_new);
}

static int emit_emptied(const struct routes *routes, const struct route *route)
{
    struct sluice_session *session = routes->stream->session;
    const char *name = route->wanted->name;
    switch (routes->stream->settings.on_truncate) {
    case TRUNCATE_FAIL:
        return fail(session, SLUICE_ERROR_DATA,
                    "read everything anew with --full-refresh, or keep the rows with `on_truncate: ignore`",
                    "table \"%s\" was truncated at the source", name);
    case TRUNCATE_IGNORE:
        say(session, SLUICE_LOG_WARN, "table \"%s\" was truncated at the source; its rows are kept", name);
        return 0;
    case TRUNCATE_DELETE:
        say(session, SLUICE_LOG_INFO, "table \"%s\" was truncated at the source", name);
        return sluice_emit(session, route->index, SLUICE_TRUNCATE, NULL, 0);
    }
    return 0;
}

static int take_truncate(struct routes *routes, const struct transaction *transaction, const struct pgoutput_message *message)
{
    bool is_full = false;
    for (uint32_t i = 0; i < message->truncated_count; i++) {
        const struct relation *relation = relation_of(routes, pgoutput_truncated(message, i));
        const struct route *route = relation ? relation->route : NULL;
        if (!route || (route->was_read && transaction->lsn < route->until && snapshot_sees(&route->seen, transaction->xid)))
            continue;
        int rc = emit_emptied(routes, route);
        if (rc < 0) return rc;
        is_full = is_full || rc == ROUTES_FULL;
    }
    return is_full ? ROUTES_FULL : 0;
}

int routes_take(struct routes *routes, const struct transaction *transaction, const struct pgoutput_message *message)
{
    switch (message->tag) {
    case 'R':
        return take_relation(routes, message);
    case 'I':
    case 'U':
    case 'D':
        return take_row(routes, transaction, message);
    case 'T':
        return take_truncate(routes, transaction, message);
    default:
        return 0;
    }
}
