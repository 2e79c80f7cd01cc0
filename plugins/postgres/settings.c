#include "postgres/settings.h"

#include <stdlib.h>
#include <string.h>

#include "postgres/connection.h"

static const char *given(struct sluice_session *session, const char *key)
{
    const char *value = sluice_config(session, key);
    return value && *value ? value : NULL;
}

static bool is_true(struct sluice_session *session, const char *key)
{
    const char *value = given(session, key);
    return value && strcmp(value, "true") == 0;
}

/* Slots are named by lower case letters, digits and _; so is what else names them. */
static bool is_slot_name(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return size > 0 && size < 64 && !name[size];
}

static void trim(const char **start, const char **end)
{
    while (*start < *end && (**start == ' ' || **start == '\n')) ++*start;
    while (*start < *end && ((*end)[-1] == ' ' || (*end)[-1] == '\n')) --*end;
}

/* Cuts the next "PATTERN=COLUMN" off *list as two copies; false at the end. *column NULL: it is none. */
static bool next_cursor(const char **list, char **pattern, char **column)
{
    while (**list == ',' || **list == ' ' || **list == '\n') ++*list;
    if (!**list) return false;
    const char *start = *list, *end = start + strcspn(start, ","), *equals = memchr(start, '=', (size_t)(end - start));
    *list = end;
    *pattern = *column = NULL;
    if (!equals) return true;
    const char *pattern_end = equals, *column_start = equals + 1;
    trim(&start, &pattern_end);
    trim(&column_start, &end);
    if (start == pattern_end || column_start == end) return true;
    *pattern = strndup(start, (size_t)(pattern_end - start));
    *column = strndup(column_start, (size_t)(end - column_start));
    if (!*pattern || !*column) abort();
    return true;
}

static int check_cursors(const struct settings *settings, struct sluice_session *session)
{
    const char *list = settings->cursors;
    char *pattern, *column;
    while (list && next_cursor(&list, &pattern, &column)) {
        bool is_entry = column != NULL;
        free(pattern);
        free(column);
        if (!is_entry)
            return fail(session, SLUICE_ERROR_CONFIG, "entries between commas: orders=updated_at, *=xmin",
                        "`cursors` has an entry that is not TABLE=COLUMN");
    }
    return 0;
}

int settings_read(struct settings *settings, struct sluice_session *session)
{
    const char *truncate = given(session, "on_truncate"), *limit = given(session, "wal_warning_mib");
    const char *connections = given(session, "connections");
    *settings = (struct settings){
        .schemas = given(session, "schemas"),
        .tables = given(session, "tables"),
        .cursors = given(session, "cursors"),
        .lookback = given(session, "lookback"),
        .slot = given(session, "slot"),
        .publication = given(session, "publication"),
        .creates = is_true(session, "create"),
        .on_truncate = !truncate || strcmp(truncate, "delete") == 0 ? TRUNCATE_DELETE
                       : strcmp(truncate, "fail") == 0              ? TRUNCATE_FAIL
                                                                    : TRUNCATE_IGNORE,
        .wal_warning_bytes = limit ? strtoll(limit, NULL, 10) * 1024 * 1024 : 0,
        .connections = connections ? strtoul(connections, NULL, 10) : 1,
    };
    if (!settings->schemas) settings->schemas = "public";
    if (!settings->tables) settings->tables = "*";
    if (!settings->publication) settings->publication = settings->slot;
    settings->has_one_schema = patterns_are_one_name(settings->schemas);
    if (settings->slot && !is_slot_name(settings->slot))
        return fail(session, SLUICE_ERROR_CONFIG, "lower case letters, digits and _",
                    "`slot` is no name that PostgreSQL takes");
    if (settings->connections < 1 || settings->connections > CONNECTIONS_MAX)
        return fail(session, SLUICE_ERROR_CONFIG, NULL, "`connections` must be 1 to %d", CONNECTIONS_MAX);
    if (settings->slot && settings->cursors)
        return fail(session, SLUICE_ERROR_CONFIG, "with `slot` all tables are read by their changes",
                    "`slot` and `cursors` do not go together");
    return check_cursors(settings, session);
}

char *settings_cursor(const struct settings *settings, const char *table, bool (*is_there)(void *context, const char *column),
                      void *context, char **refused)
{
    const char *list = settings->cursors;
    char *pattern, *column;
    if (refused) *refused = NULL;
    while (list && next_cursor(&list, &pattern, &column)) {
        bool is_matched = column && patterns_match(pattern, table, NULL);
        bool is_named = is_matched && strcmp(pattern, table) == 0;
        free(pattern);
        if (is_matched && is_there(context, column)) return column;
        if (is_named && refused && !*refused)
            *refused = column;
        else
            free(column);
    }
    return NULL;
}
