/* ledger: a parser. A stream that says format = { kind = "plugin", plugin = "ledger" } has its bodies read by it: sluice_input,
 * rows with the stream's columns, and what it says of a body that is broken or cut.
 *
 * A body is records of 64 bytes: `D`, id (10 digits), cents (12), day (YYYYMMDD), name (32, padded), a line end; and as the
 * last one `T` and how many there were (10 digits). */
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD = 64, BUFFER = 1024 * RECORD, COLUMNS = 4 };

struct ledger {
    const struct sluice_slice *slice;
    int columns[COLUMNS]; /* where in a row: id, amount, day, name; -1: not wanted */
    char padding;
    int has_trailer;
    long long records;
    size_t at, end; /* of the bytes not parsed yet */
    char bytes[BUFFER];
};

static int open_ledger(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    static const char *const NAMES[COLUMNS] = {"id", "amount", "day", "name"};
    struct ledger *ledger = calloc(1, sizeof *ledger);
    *instance = ledger;
    ledger->slice = slice;
    ledger->padding = sluice_config(session, "padding")[0];
    for (int i = 0; i < COLUMNS; i++) ledger->columns[i] = sluice_column_at(&slice->tables[0], NAMES[i]);
    return slice->tables[0].column_count <= 64
               ? 0
               : sluice_fail(session, SLUICE_ERROR_CONFIG, "the stream has over 64 fields", NULL);
}

static int broken(struct sluice_session *session, const struct ledger *ledger, const char *what)
{
    char message[160];
    snprintf(message, sizeof message, "the ledger is broken behind %lld records: %s", ledger->records, what);
    return sluice_fail(session, SLUICE_ERROR_DATA, message, "have a look at the file that the source sends");
}

static int cut(struct sluice_session *session)
{
    return sluice_fail(session, SLUICE_ERROR_TRANSIENT, "the ledger is cut: its trailer is missing", NULL);
}

/* 1: a record is at `at`; 0: the body has ended. */
static int next_record(struct sluice_session *session, struct ledger *ledger)
{
    while (ledger->end - ledger->at < RECORD) {
        size_t size;
        memmove(ledger->bytes, ledger->bytes + ledger->at, ledger->end - ledger->at);
        ledger->end -= ledger->at;
        ledger->at = 0;
        int rc = sluice_input(session, ledger->bytes + ledger->end, sizeof ledger->bytes - ledger->end, &size);
        if (rc < 0) return rc;
        if (size == 0) return ledger->end == 0 && ledger->has_trailer ? 0 : cut(session);
        ledger->end += size;
    }
    return 1;
}

/* Cents as a decimal: "-12.05". */
static size_t decimal_of(const char *cents, size_t size, char *out)
{
    long long number = strtoll(cents, NULL, 10), whole = number < 0 ? -number : number;
    return (size_t)snprintf(out, size, "%s%lld.%02lld", number < 0 ? "-" : "", whole / 100, whole % 100);
}

static int emit(struct sluice_session *session, struct ledger *ledger, const char *record)
{
    struct sluice_value row[64] = {sluice_missing()};
    char cents[13] = {0}, id[11] = {0}, amount[32], day[11];
    size_t name_size = 32;
    memcpy(id, record + 1, 10);
    memcpy(cents, record + 11, 12);
    size_t amount_size = decimal_of(cents, sizeof amount, amount);
    snprintf(day, sizeof day, "%.4s-%.2s-%.2s", record + 23, record + 27, record + 29);
    while (name_size && record[31 + name_size - 1] == ledger->padding) name_size--;
    const struct sluice_value values[COLUMNS] = {sluice_integer(strtoll(id, NULL, 10)), sluice_decimal(amount, amount_size),
                                                 sluice_text(day, 10), sluice_text(record + 31, name_size)};
    for (int i = 0; i < COLUMNS; i++)
        if (ledger->columns[i] >= 0) row[ledger->columns[i]] = values[i];
    ledger->records++;
    return sluice_emit(session, 0, SLUICE_UPSERT, row, ledger->slice->tables[0].column_count);
}

static int page(struct sluice_session *session, void *instance)
{
    struct ledger *ledger = instance;
    for (;;) {
        int rc = next_record(session, ledger);
        if (rc <= 0) return rc;
        const char *record = ledger->bytes + ledger->at;
        ledger->at += RECORD;
        if (ledger->has_trailer) return broken(session, ledger, "something follows the trailer");
        if (record[RECORD - 1] != '\n' || (record[0] != 'D' && record[0] != 'T')) return broken(session, ledger, "no record");
        if (record[0] == 'D') {
            rc = emit(session, ledger, record);
            if (rc) return rc; /* an error, or 1: the page is full */
            continue;
        }
        ledger->has_trailer = 1;
        if (strtoll(record + 1, NULL, 10) != ledger->records) return broken(session, ledger, "its trailer says another number");
    }
}

static void close_ledger(struct sluice_session *session, void *instance)
{
    (void)session;
    free(instance);
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "ledger",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "parser": true,
        "config": {"padding": {"type": "string", "default": " ", "title": "what fills names up"}}
    }),
                                 .open = open_ledger, .page = page, .close = close_ledger,
};
SLUICE_PLUGIN(PLUGIN);
