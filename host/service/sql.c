/* sql: see sql.h. */
#include "service/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "service/sql_driver.h"

enum { STATEMENT_MAX = 64 * 1024 };

struct sql {
    const struct sql_driver *driver;
    void *connection;
};

bool sql_url_is_postgres(const char *url)
{
    return str_starts(str_from(url), STR("postgres://")) || str_starts(str_from(url), STR("postgresql://"));
}

int sql_open(const struct sql_settings *settings, struct sql **out, struct err *err)
{
    const struct sql_driver *driver = sql_url_is_postgres(settings->url) ? &SQL_POSTGRES : &SQL_SQLITE;
    void *connection = NULL;
    int rc = driver->open(settings, &connection, err);
    if (rc) return rc;
    *out = mem_zero(1, sizeof **out);
    **out = (struct sql){driver, connection};
    return 0;
}

void sql_close(struct sql *sql)
{
    if (!sql) return;
    sql->driver->close(sql->connection);
    free(sql);
}

bool sql_is_usable(const struct sql *sql)
{
    return sql && sql->driver->is_usable(sql->connection);
}

/* The word of sql.h that `text` begins with, as this database says it; NULL when it is none. */
static const char *word_at(const struct sql_driver *driver, const char *text, size_t *length)
{
    const struct {
        const char *word, *meaning;
    } words[] = {{"@", driver->prefix}, {"{now}", driver->now}, {"{id}", driver->id}, {"{skip}", driver->skip}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        *length = strlen(words[i].word);
        if (strncmp(text, words[i].word, *length) == 0) return words[i].meaning;
    }
    return NULL;
}

static void fill_in(const struct sql_driver *driver, const char *statement, struct buf *out)
{
    size_t length;
    while (*statement) {
        const char *meaning = word_at(driver, statement, &length);
        if (meaning) {
            buf_append_text(out, meaning);
            statement += length;
        } else {
            buf_append_char(out, *statement++);
        }
    }
    CHECK(!out->failed);
}

static int run(struct sql *sql, const char *statement, const char *const *params, size_t count, struct sql_rows *rows,
               uint64_t *changed, struct err *err)
{
    struct buf text = BUF_INIT(STATEMENT_MAX);
    fill_in(sql->driver, statement, &text);
    int rc = sql->driver->run(sql->connection, buf_text(&text), params, count, rows, changed, err);
    buf_release(&text);
    return rc;
}

int sql_run(struct sql *sql, const char *statement, const char *const *params, size_t count, struct sql_rows *rows,
            struct err *err)
{
    if (rows) *rows = SQL_ROWS_INIT;
    return run(sql, statement, params, count, rows, NULL, err);
}

int sql_change(struct sql *sql, const char *statement, const char *const *params, size_t count, uint64_t *changed,
               struct err *err)
{
    return run(sql, statement, params, count, NULL, changed, err);
}

int sql_begin(struct sql *sql, struct err *err)
{
    return sql->driver->begin(sql->connection, err);
}

int sql_end(struct sql *sql, int rc, struct err *err)
{
    if (rc == 0) rc = sql->driver->commit(sql->connection, err);
    if (rc) sql->driver->rollback(sql->connection);
    return rc;
}

const char *sql_cell(const struct sql_rows *rows, size_t row, size_t column)
{
    return rows->cells[row * rows->columns + column];
}

const char *sql_cell_text(const struct sql_rows *rows, size_t row, size_t column)
{
    const char *text = sql_cell(rows, row, column);
    return text ? text : "";
}

int64_t sql_int(const struct sql_rows *rows, size_t row, size_t column)
{
    int64_t value = 0;
    const char *text = sql_cell(rows, row, column);
    return text && number_to_int64(str_from(text), &value) ? value : 0;
}

void sql_rows_release(struct sql_rows *rows)
{
    arena_release(&rows->arena);
    *rows = SQL_ROWS_INIT;
}

const char *sql_int_text(int64_t value, char out[SQL_INT_TEXT])
{
    snprintf(out, SQL_INT_TEXT, "%lld", (long long)value);
    return out;
}
