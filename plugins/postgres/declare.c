#include "postgres/declare.h"

#include <stdlib.h>
#include <string.h>

bool table_has_changes(const struct catalog_table *table)
{
    return (table->kind == 'r' || table->kind == 'p') && table->is_logged && table->identity != 'n' && table->key_count > 0;
}

/* By ranges of ctid, which a server reads as such since 14; a row that moved meanwhile comes twice and is told by its key. */
bool table_is_resumable(const struct catalog_table *table, int server_version)
{
    return table->kind == 'r' && !table->has_children && table->is_whole && table->key_count > 0 && server_version >= 140000;
}

static void member(struct text *out, const char *name, bool is_first)
{
    if (!is_first) text_puts(out, ",");
    text_json_puts(out, name);
    text_puts(out, ":");
}

static void declare_columns(struct text *out, const struct catalog_table *table, bool is_first)
{
    if (table->title) {
        member(out, "title", is_first);
        is_first = false;
        text_json_puts(out, table->title);
    }
    if (table->key_count) {
        member(out, "primary_key", is_first);
        is_first = false;
        for (size_t place = 1, found = 0; found < table->key_count; place++)
            for (size_t i = 0; i < table->column_count; i++) {
                if (table->columns[i].key != (int)place) continue;
                text_puts(out, found++ ? "," : "[");
                text_json_puts(out, table->columns[i].name);
            }
        text_puts(out, "]");
    }
    member(out, "fields", is_first);
    text_puts(out, "{");
    for (size_t i = 0; i < table->column_count; i++) {
        const struct catalog_column *column = &table->columns[i];
        member(out, column->name, i == 0);
        text_printf(out, "{\"type\":\"%s\"", type_field(column->type.kind));
        if (column->title) {
            member(out, "title", false);
            text_json_puts(out, column->title);
        }
        text_puts(out, "}");
    }
    text_puts(out, "}");
}

/* Kinds whose values have an order that the host can follow. */
static bool is_cursor(const struct catalog_column *column)
{
    switch (column->type.kind) {
    case PG_INTEGER:
    case PG_DECIMAL:
    case PG_DATE:
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
        return true;
    default:
        return false;
    }
}

bool cursor_is_passed(const struct catalog_column *column)
{
    return column->type.kind == PG_TIMESTAMPTZ;
}

static bool has_cursor(void *context, const char *name)
{
    const struct catalog_table *table = context;
    const struct catalog_column *column = catalog_column(table, name);
    if (strcmp(name, "xmin") == 0) return (table->kind == 'r' || table->kind == 'm') && !table->has_children && table->is_whole;
    return column && is_cursor(column);
}

char *declare_cursor(const struct catalog_table *table, const struct settings *settings, char **refused)
{
    return settings_cursor(settings, table->stream, has_cursor, (void *)(uintptr_t)table, refused);
}

void declare_table(struct text *out, const struct catalog_table *table, const struct settings *settings, int server_version,
                   char **refused)
{
    char *cursor = declare_cursor(table, settings, refused);
    text_puts(out, "{\"native\":true");
    if (cursor && strcmp(cursor, "xmin") == 0) {
        text_puts(out, ",\"cursor\":{\"kind\":\"token\"}");
    } else if (cursor) {
        const struct catalog_column *column = catalog_column(table, cursor);
        bool is_time = column->type.kind == PG_TIMESTAMP || column->type.kind == PG_TIMESTAMPTZ;
        text_printf(out, ",\"cursor\":{\"kind\":\"filter\",\"bounds\":\"%s\"", cursor_is_passed(column) ? "(]" : "[)");
        member(out, "field", false);
        text_json_puts(out, cursor);
        if (column->is_indexed) text_puts(out, ",\"order\":\"ascending\"");
        if (is_time && settings->lookback) {
            member(out, "lookback", false);
            text_json_puts(out, settings->lookback);
        }
        text_puts(out, "}");
    }
    if (table_is_resumable(table, server_version)) text_puts(out, ",\"stable\":true");
    declare_columns(out, table, false);
    text_puts(out, "}");
    free(cursor);
}

void declare_changes(struct text *out, const struct catalog *catalog)
{
    bool is_first = true;
    text_puts(out, "{\"native\":true,\"cursor\":{\"kind\":\"token\"},\"routes\":{");
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_table *table = &catalog->tables[i];
        if (!table_has_changes(table)) continue;
        member(out, table->stream, is_first);
        is_first = false;
        text_puts(out, "{");
        declare_columns(out, table, true);
        text_puts(out, "}");
    }
    text_puts(out, "}}");
}
