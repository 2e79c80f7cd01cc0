/* tally: see tally.h. */
#include "service/tally.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { STATUSES = 4 };
static const char *const STATUS_NAMES[STATUSES] = {"succeeded", "failed", "cancelled", "retried"};

struct counts {
    uint64_t ends[STATUSES], records, written, rejected, took_ms;
};

struct tally {
    pthread_mutex_t lock;
    struct map pipelines; /* name -> struct counts */
    uint64_t running;
};

struct tally *tally_new(void)
{
    struct tally *tally = mem_zero(1, sizeof *tally);
    pthread_mutex_init(&tally->lock, NULL);
    tally->pipelines = MAP_INIT;
    return tally;
}

void tally_free(struct tally *tally)
{
    if (!tally) return;
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_each(&tally->pipelines, &at)) != NULL;) free(entry->value);
    map_release(&tally->pipelines);
    pthread_mutex_destroy(&tally->lock);
    free(tally);
}

void tally_begins(struct tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    tally->running++;
    pthread_mutex_unlock(&tally->lock);
}

static size_t status_index(const char *status)
{
    size_t i = 0;
    while (i < STATUSES - 1 && strcmp(STATUS_NAMES[i], status) != 0) i++;
    return i;
}

void tally_ends(struct tally *tally, const struct tally_end *end)
{
    pthread_mutex_lock(&tally->lock);
    struct counts *counts = map_get(&tally->pipelines, str_from(end->pipeline));
    if (!counts) {
        counts = mem_zero(1, sizeof *counts);
        map_set(&tally->pipelines, str_from(end->pipeline), counts);
    }
    tally->running--;
    counts->ends[status_index(end->status)]++;
    counts->records += end->records;
    counts->written += end->written;
    counts->rejected += end->rejected;
    counts->took_ms += (uint64_t)end->took_ms;
    pthread_mutex_unlock(&tally->lock);
}

/* --- as text ------------------------------------------------------------------------------------------------------------- */

void measure_begin(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"') buf_append_char(out, '\\');
        if (*c == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append_char(out, *c);
    }
    buf_append_char(out, '"');
}

void measure_name(struct buf *out, const char *name, const char *pipeline, const char *status)
{
    buf_append_text(out, name);
    if (!pipeline) return;
    buf_append_char(out, '{');
    append_label(out, "pipeline", pipeline);
    if (status) {
        buf_append_char(out, ',');
        append_label(out, "status", status);
    }
    buf_append_char(out, '}');
}

void measure_stream(struct buf *out, const char *name, const char *pipeline, const char *stream)
{
    buf_printf(out, "%s{", name);
    append_label(out, "pipeline", pipeline);
    buf_append_char(out, ',');
    append_label(out, "stream", stream);
    buf_append_char(out, '}');
}

static void write_counter(struct tally *tally, struct buf *out, const char *name, const char *help, size_t offset)
{
    const struct map_entry *entry;
    measure_begin(out, name, "counter", help);
    for (size_t at = 0; (entry = map_each(&tally->pipelines, &at)) != NULL;) {
        uint64_t count;
        memcpy(&count, (const char *)entry->value + offset, sizeof count);
        measure_name(out, name, entry->key.data, NULL);
        buf_printf(out, " %" PRIu64 "\n", count);
    }
}

static void write_ends(struct tally *tally, struct buf *out)
{
    const struct map_entry *entry;
    measure_begin(out, "sluice_syncs_total", "counter", "Syncs that ended on this node, tries included.");
    for (size_t at = 0; (entry = map_each(&tally->pipelines, &at)) != NULL;) {
        const struct counts *counts = entry->value;
        for (size_t i = 0; i < STATUSES; i++) {
            measure_name(out, "sluice_syncs_total", entry->key.data, STATUS_NAMES[i]);
            buf_printf(out, " %" PRIu64 "\n", counts->ends[i]);
        }
    }
}

static void write_seconds(struct tally *tally, struct buf *out)
{
    const struct map_entry *entry;
    measure_begin(out, "sluice_sync_seconds_total", "counter", "Time that syncs of this node took.");
    for (size_t at = 0; (entry = map_each(&tally->pipelines, &at)) != NULL;) {
        const struct counts *counts = entry->value;
        measure_name(out, "sluice_sync_seconds_total", entry->key.data, NULL);
        buf_printf(out, " %" PRIu64 ".%03u\n", counts->took_ms / 1000, (unsigned)(counts->took_ms % 1000));
    }
}

void tally_write(struct tally *tally, struct buf *out)
{
    pthread_mutex_lock(&tally->lock);
    write_ends(tally, out);
    write_counter(tally, out, "sluice_records_total", "Records that sources gave.", offsetof(struct counts, records));
    write_counter(tally, out, "sluice_rows_written_total", "Rows written to destinations.", offsetof(struct counts, written));
    write_counter(tally, out, "sluice_records_rejected_total", "Records set aside as rejects.",
                  offsetof(struct counts, rejected));
    write_seconds(tally, out);
    measure_begin(out, "sluice_running_syncs", "gauge", "Syncs that run on this node.");
    buf_printf(out, "sluice_running_syncs %" PRIu64 "\n", tally->running);
    pthread_mutex_unlock(&tally->lock);
}
