/* routes: changes as rows: which relation of the source feeds which table of the slice, and what of a change goes where.
 *
 *   insert      the row
 *   update      the row; what was not sent since it did not change is MISSING. With another key: the old row's end, then the
 * new row, for which what was not sent is fetched, since no row with its key is there yet delete      the row's end
 *
 * A table that was read at a moment has all of the transactions of that moment already: their changes are dropped. */
#ifndef SLUICE_POSTGRES_ROUTES_H
#define SLUICE_POSTGRES_ROUTES_H

#include "postgres/pgoutput.h"
#include "postgres/snapshot.h"
#include "postgres/stream.h"

/* A table of the slice. */
struct route {
    const struct catalog_table *table;
    const struct sluice_table *wanted;
    uint32_t index;
    struct sluice_value *values;
    bool *is_key;  /* of the wanted columns */
    bool was_read; /* at the moment `seen` */
    struct snapshot seen;
    char *snapshot; /* as text */
    uint64_t until; /* of the WAL: no transaction that is `seen` ends behind it */
};

/* A relation as changes name it, and its columns. */
struct relation {
    uint32_t oid;
    struct route *route; /* NULL: nobody wants it */
    size_t count;
    struct pg_type *types;
    int *places; /* in the wanted columns; -1 */
};

struct routes {
    struct stream *stream;
    struct route *routes;
    size_t count;
    struct relation *relations; /* by oid */
    size_t relation_count, relation_room;
    struct text scratch;
};

int routes_init(struct routes *routes, struct stream *stream);
void routes_release(struct routes *routes);
struct route *routes_find(const struct routes *routes, const char *name);

/* The transaction that changes belong to. */
struct transaction {
    uint32_t xid;
    uint64_t lsn; /* of its commit */
};
enum { ROUTES_FULL = 1, ROUTES_NEW_COLUMN = 2 };
/* R I U D T: emits rows. 0; ROUTES_FULL when the page is full; ROUTES_NEW_COLUMN: a relation has a column that was not there
 * when the slice began; or an error. */
int routes_take(struct routes *routes, const struct transaction *transaction, const struct pgoutput_message *message);

#endif
