/* sql_driver: what a database does for sql.h. Statements come with their words of sql.h filled in. */
#ifndef SLUICE_SERVICE_SQL_DRIVER_H
#define SLUICE_SERVICE_SQL_DRIVER_H

#include "service/sql.h"

struct sql_driver {
    const char *prefix; /* of our tables */
    const char *now, *id, *skip;
    int (*open)(const struct sql_settings *settings, void **out, struct err *err);
    void (*close)(void *connection);
    bool (*is_usable)(const void *connection);
    int (*run)(void *connection, const char *statement, const char *const *params, size_t count, struct sql_rows *rows,
               uint64_t *changed, struct err *err); /* rows and changed may be NULL */
    int (*begin)(void *connection, struct err *err);
    int (*commit)(void *connection, struct err *err);
    void (*rollback)(void *connection);
};

extern const struct sql_driver SQL_SQLITE, SQL_POSTGRES;

#endif
