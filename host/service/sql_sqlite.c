/* sql_sqlite: the store as one file. https://www.sqlite.org/c3ref/intro.html
 *
 * Commits are in the file system at once and on the disk a little later (synchronous = NORMAL): a process that dies loses none,
 * a power cut may lose the last ones, and then a job that ended counts as running, and is run once more.
 *
 * Statements are few and come again: each is prepared once. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "service/sql_driver.h"

enum { BUSY_MS = 10000, BUSY_POLL_MS = 10, ROWS_FIRST = 16, PREPARED_MAX = 256 };

struct file {
    sqlite3 *db;
    struct map prepared; /* text -> sqlite3_stmt, at most PREPARED_MAX */
};

static int failed(sqlite3 *db, const char *what, struct err *err)
{
    int code = sqlite3_errcode(db) & 0xff;
    bool is_bug = code == SQLITE_ERROR || code == SQLITE_MISUSE || code == SQLITE_RANGE || code == SQLITE_CONSTRAINT;
    bool is_config = code == SQLITE_CANTOPEN || code == SQLITE_NOTADB || code == SQLITE_READONLY || code == SQLITE_CORRUPT ||
                     code == SQLITE_AUTH || code == SQLITE_PERM;
    return err_set(err,
                   is_bug      ? ERR_BUG
                   : is_config ? ERR_CONFIG
                               : ERR_TRANSIENT,
                   "the service's store: could not %s: %s", what, sqlite3_errmsg(db));
}

static void forget_statements(struct file *file)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_each(&file->prepared, &at)) != NULL) sqlite3_finalize(entry->value);
    map_clear(&file->prepared);
}

static void sqlite_close(void *connection)
{
    struct file *file = connection;
    forget_statements(file);
    map_release(&file->prepared);
    sqlite3_close_v2(file->db);
    free(file);
}

static bool sqlite_is_usable(const void *connection)
{
    return connection != NULL;
}

/* Two processes that make a file at once: the step to the write-ahead log does not wait for the other by itself. */
static int set_up(sqlite3 *db)
{
    static const char SETUP[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;";
    int rc = SQLITE_BUSY;
    for (int waited_ms = 0; rc == SQLITE_BUSY && waited_ms < BUSY_MS; waited_ms += BUSY_POLL_MS) {
        rc = sqlite3_exec(db, SETUP, NULL, NULL, NULL) & 0xff;
        if (rc == SQLITE_BUSY) sqlite3_sleep(BUSY_POLL_MS);
    }
    return rc;
}

static int sqlite_open(const struct sql_settings *settings, void **out, struct err *err)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(settings->url, &db, flags, NULL);
    if (!db) mem_exhausted("sqlite");
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        rc = set_up(db);
    }
    if (rc != SQLITE_OK) {
        char what[600];
        snprintf(what, sizeof what, "open '%.500s'", settings->url);
        rc = failed(db, what, err);
        sqlite3_close_v2(db);
        return rc;
    }
    struct file *file = mem_zero(1, sizeof *file);
    *file = (struct file){.db = db, .prepared = MAP_INIT};
    *out = file;
    return 0;
}

static void bind(sqlite3_stmt *statement, const char *const *params, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "$%zu", i + 1);
        int at = sqlite3_bind_parameter_index(statement, name);
        CHECK(at > 0);
        if (params[i] && sqlite3_bind_text(statement, at, params[i], -1, SQLITE_STATIC) != SQLITE_OK) mem_exhausted("sqlite");
    }
}

static void take_row(sqlite3_stmt *statement, struct sql_rows *rows, size_t *room)
{
    rows->columns = (size_t)sqlite3_column_count(statement);
    if (rows->count == *room) {
        size_t larger = *room ? *room * 2 : ROWS_FIRST;
        const char **cells = arena_array(&rows->arena, const char *, larger * rows->columns);
        if (rows->count) memcpy(cells, rows->cells, sizeof *cells * rows->count * rows->columns);
        rows->cells = cells;
        *room = larger;
    }
    const char **row = rows->cells + rows->count++ * rows->columns;
    for (size_t i = 0; i < rows->columns; i++)
        row[i] = arena_strdup(&rows->arena, (const char *)sqlite3_column_text(statement, (int)i));
}

static int prepare(struct file *file, const char *text, sqlite3_stmt **out, struct err *err)
{
    *out = map_get(&file->prepared, str_from(text));
    if (*out) return 0;
    if (sqlite3_prepare_v3(file->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return failed(file->db, "prepare a statement", err);
    if (file->prepared.count == PREPARED_MAX) forget_statements(file);
    map_set(&file->prepared, str_from(text), *out);
    return 0;
}

static int sqlite_run(void *connection, const char *text, const char *const *params, size_t count, struct sql_rows *rows,
                      uint64_t *changed, struct err *err)
{
    struct file *file = connection;
    sqlite3_stmt *statement;
    size_t room = 0;
    int step, rc = prepare(file, text, &statement, err);
    if (rc) return rc;
    bind(statement, params, count);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW)
        if (rows) take_row(statement, rows, &room);
    if (step != SQLITE_DONE)
        rc = failed(file->db, "run a statement", err);
    else if (changed)
        *changed = (uint64_t)sqlite3_changes64(file->db);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc;
}

static int sqlite_begin(void *connection, struct err *err)
{
    return sqlite_run(connection, "BEGIN IMMEDIATE", SQL_NONE, NULL, NULL, err);
}

static int sqlite_commit(void *connection, struct err *err)
{
    return sqlite_run(connection, "COMMIT", SQL_NONE, NULL, NULL, err);
}

static void sqlite_rollback(void *connection)
{
    struct err ignored = ERR_INIT;
    if (!sqlite3_get_autocommit(((struct file *)connection)->db))
        (void)!sqlite_run(connection, "ROLLBACK", SQL_NONE, NULL, NULL, &ignored);
}

const struct sql_driver SQL_SQLITE = {
    .prefix = "",
    .now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    .id = "INTEGER PRIMARY KEY AUTOINCREMENT",
    .skip = "",
    .open = sqlite_open,
    .close = sqlite_close,
    .is_usable = sqlite_is_usable,
    .run = sqlite_run,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
};
