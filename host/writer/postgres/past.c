/* past: see past.h. A record is whatever bytes were kept, so it comes as hex, not as text of the database. */
#include "writer/postgres/past.h"

#include <string.h>

static const struct pg_limits PAST_LIMITS = {.lock_ms = 10000, .statement_ms = 60000};

#define ISO_UTC(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* Runs a query of the pipeline ($1), its stream ($2, NULL: all) and the limit ($3). No rows where there is no ledger yet. */
static int ask(struct destination *destination, const char *sql, const struct past_filter *filter, struct pg_result **out,
               struct err *err)
{
    struct pg *pg = NULL;
    char limit[PG_INT_TEXT];
    *out = NULL;
    if (!destination->has_ledger) return 0;
    int rc = pgw_connection_take(destination, &pg, err);
    if (rc == 0) rc = pg_begin(pg, &PAST_LIMITS, err);
    if (rc == 0)
        rc = pg_query(pg, sql, PG_PARAMS(destination->pipeline, filter->stream, pg_int_text((int64_t)filter->limit, limit)),
                      out, err);
    pgw_connection_give(destination, pg);
    return rc;
}

static const char *text_of(const struct pg_result *result, size_t row, size_t column, struct arena *arena)
{
    const char *cell = pg_cell(result, row, column);
    return cell ? arena_strdup(arena, cell) : NULL;
}

static int digit_of(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct str bytes_of(const char *hex, struct arena *arena)
{
    size_t size = hex ? strlen(hex) / 2 : 0;
    char *bytes = arena_array(arena, char, size + 1);
    for (size_t i = 0; i < size; i++) bytes[i] = (char)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    return (struct str){bytes, size};
}

int pgw_past_rejects(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_reject **list, size_t *count, struct err *err)
{
    static const char SQL[] = "SELECT stream, field, reason, detail, encode(record, 'hex'), dropped, " ISO_UTC(
        "at") ", load_id FROM _sluice.rejects "
              "WHERE pipeline = $1 AND ($2::text IS NULL OR stream = $2) ORDER BY load_id DESC, at DESC LIMIT $3::bigint";
    struct pg_result *result;
    int rc = ask(destination, SQL, filter, &result, err);
    if (rc) return rc;
    *count = pg_rows(result);
    *list = arena_array(arena, struct past_reject, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*list)[i] = (struct past_reject){.reject = {.stream = text_of(result, i, 0, arena),
                                                     .field = text_of(result, i, 1, arena),
                                                     .reason = text_of(result, i, 2, arena),
                                                     .detail = text_of(result, i, 3, arena),
                                                     .record = bytes_of(pg_cell(result, i, 4), arena),
                                                     .row_was_dropped = pg_bool(result, i, 5)},
                                          .at = text_of(result, i, 6, arena),
                                          .load = pg_int(result, i, 7)};
    pg_free(result);
    return 0;
}

int pgw_past_changes(struct destination *destination, const struct past_filter *filter, struct arena *arena,
                     struct past_change **list, size_t *count, struct err *err)
{
    static const char SQL[] = "SELECT " ISO_UTC(
        "at") ", stream, change, target_schema || '.' || target_name, "
              "CASE change WHEN 'create_table' THEN '' ELSE column_name END, type, CASE change WHEN 'create_table' THEN '' "
              "ELSE field "
              "END FROM _sluice.schema_changes WHERE pipeline = $1 AND ($2::text IS NULL OR stream = $2) ORDER BY id DESC "
              "LIMIT $3::bigint";
    struct pg_result *result;
    int rc = ask(destination, SQL, filter, &result, err);
    if (rc) return rc;
    *count = pg_rows(result);
    *list = arena_array(arena, struct past_change, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*list)[i] = (struct past_change){.at = text_of(result, i, 0, arena),
                                          .stream = text_of(result, i, 1, arena),
                                          .change = text_of(result, i, 2, arena),
                                          .table = text_of(result, i, 3, arena),
                                          .column = text_of(result, i, 4, arena),
                                          .type = text_of(result, i, 5, arena),
                                          .field = text_of(result, i, 6, arena)};
    pg_free(result);
    return 0;
}
