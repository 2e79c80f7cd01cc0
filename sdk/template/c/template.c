/* template: a native plugin to begin with: one stream, read a page at a time from where the last checkpoint was.
 *
 *     cmake -B build && cmake --build build
 *     sluice connector inspect build/template.so
 *
 * sluice/plugin.h says what each callback and each host function does; every function there has an example in the
 * tests/abi/good folder of sluice's sources. */
#include <inttypes.h>
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_A_PAGE = 1000 };

/* One slice on its way. */
struct reading {
    const struct sluice_slice *slice; /* valid until close */
    int64_t next, end;
};

static int open_numbers(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    reading->slice = slice;
    reading->next = slice->state ? strtoll(slice->state, NULL, 10) : 0;
    reading->end = strtoll(sluice_config(session, "count"), NULL, 10);
    *instance = reading;
    return 0;
}

/* Some rows, and what the next run has to know to go on behind them. */
static int page(struct sluice_session *session, void *instance)
{
    struct reading *reading = instance;
    const struct sluice_table *table = &reading->slice->tables[0];
    int number = sluice_column_at(table, "number"), text = sluice_column_at(table, "text");
    char words[32], state[32];
    for (int i = 0; i < ROWS_A_PAGE && reading->next < reading->end; i++, reading->next++) {
        struct sluice_value row[2]; /* as many as the description declares */
        int size = snprintf(words, sizeof words, "number %" PRId64, reading->next);
        if (number >= 0) row[number] = sluice_integer(reading->next);
        if (text >= 0) row[text] = sluice_text(words, (size_t)size);
        if (sluice_emit(session, 0, SLUICE_UPSERT, row, table->column_count) < 0) return -1;
    }
    int size = snprintf(state, sizeof state, "%" PRId64, reading->next);
    if (sluice_checkpoint(session, state, (size_t)size) < 0) return -1;
    return reading->next < reading->end;
}

static void close_numbers(struct sluice_session *session, void *instance)
{
    (void)session;
    free(instance);
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "template",
    .version = "0.1.0",
    .description =
        SLUICE_JSON({
        "title": "Template",
        "config": {"count": {"type": "integer", "default": 2500, "title": "how many numbers there are"}},
        "streams": {
            "numbers": {
                "native": true,
                "primary_key": "number",
                "cursor": {"kind": "token"},
                "fields": {"number": "integer", "text": "string"}
            }
        }
    }),
                                              .open = open_numbers, .page = page, .close = close_numbers,
};
SLUICE_PLUGIN(PLUGIN);
