/* lane: see lane.h. */
#include "rest/lane.h"

#include "rest/reject.h"
#include "rest/row.h"

enum { FIRST_BATCHES = 16 };

void lane_init(struct lane *lane, const struct decode_spec *spec, uint32_t slice, const struct decode_bounds *bounds)
{
    *lane = (struct lane){.spec = spec, .slice = slice};
    record_reader_init(&lane->reader, spec, bounds);
}

void lane_release(struct lane *lane)
{
    record_reader_release(&lane->reader);
}

void lane_page(struct lane *lane, struct lane_page *page, struct decode_counts *counts)
{
    lane->page = page;
    lane->batch = NULL;
    lane->rows = 0;
    lane->reader.counts = counts;
    arena_clear(&lane->reader.scratch);
}

static size_t row_bytes(uint32_t columns)
{
    return columns * sizeof(struct value) + 1;
}

static void open_batch(struct lane *lane)
{
    const struct decode_spec *spec = lane->spec;
    struct batch *batch = batch_new(spec->budget, spec->schema, schema_count(spec->schema));
    batch->stream = spec->stream_index;
    batch->slice = lane->slice;
    CHECK(batch_hold(batch, lane->page->block));
    lane->batch = batch;
    lane->batch_number++;
}

/* Puts the batch in hand to the page's others; one without rows goes. */
void lane_close(struct lane *lane)
{
    struct decoded *out = lane->page->out;
    struct batch *batch = lane->batch;
    lane->batch = NULL;
    if (!batch || batch->rows == 0) {
        batch_free(batch);
        return;
    }
    batch_seal(batch);
    if (out->batch_count == out->batch_capacity) {
        size_t capacity = out->batch_capacity ? out->batch_capacity * 2 : FIRST_BATCHES;
        struct batch **batches = arena_array(&out->arena, struct batch *, capacity);
        if (out->batch_count) memcpy(batches, out->batches, out->batch_count * sizeof *batches);
        out->batches = batches;
        out->batch_capacity = capacity;
    }
    out->batches[out->batch_count++] = batch;
    lane->page->value_bytes += batch->rows * row_bytes(batch->columns);
}

/* Makes sure there is a batch with room for a row. */
static int want_room(struct lane *lane, struct err *err)
{
    struct batch *batch = lane->batch;
    if (LIKELY(batch && (batch->rows + 1) * row_bytes(batch->columns) <= DECODE_BATCH_BYTES)) return 0;
    if (batch && batch->rows == 0) return 0; /* one row is over the limit: it goes alone */
    lane_close(lane);
    if (lane->page->value_bytes > DECODE_MAX_PAGE_VALUES) {
        err_set(err, ERR_DATA, "cannot take a page of over %zu rows of %u columns: its values pass %d MiB", lane->rows,
                (unsigned)schema_count(lane->spec->schema), DECODE_MAX_PAGE_VALUES / (1024 * 1024));
        return err_hint(err, "ask the source for smaller pages");
    }
    open_batch(lane);
    return 0;
}

/* A row that was read stays, unless the stream gives none. */
static int keep_row(struct lane *lane)
{
    if (UNLIKELY(lane->spec->stream_index == DECODE_NONE))
        batch_drop_row(lane->batch);
    else
        lane->rows++;
    return 1;
}

int lane_take(struct lane *lane, struct jsonscan *scan, enum row_operation operation, struct err *err)
{
    /* What a second try needs of the scanner: copying all of it would cost more than the look at a field. */
    const char *const at = scan->at;
    const size_t depth = scan->depth;
    const bool first = scan->first;
    for (;;) {
        int rc = want_room(lane, err);
        if (rc) return rc;
        batch_add_row(lane->batch, operation);
        record_begin(&lane->reader);
        if (lane->fill) lane->fill(lane->context, lane->batch, lane->batch_number);
        switch (record_read(&lane->reader, scan, lane->batch, lane->page->out, err)) {
        case RECORD_TAKEN:
            return keep_row(lane);
        case RECORD_DROPPED:
            batch_drop_row(lane->batch);
            return 0;
        case RECORD_BROKEN:
            batch_drop_row(lane->batch);
            return ERR_TRANSIENT;
        case RECORD_REFUSED:
            batch_drop_row(lane->batch);
            return err->class;
        case RECORD_GROWN:
            batch_drop_row(lane->batch);
            lane_close(lane);
            scan->at = at, scan->depth = depth, scan->first = first;
            break;
        }
    }
}

int lane_take_row(struct lane *lane, const struct native_value *values, uint32_t count, struct str texts,
                  enum row_operation operation, struct err *err)
{
    int rc = want_room(lane, err);
    if (rc) return rc;
    batch_add_row(lane->batch, operation);
    record_begin(&lane->reader);
    enum record_result result = row_read(&lane->reader, values, count, texts, operation, lane->batch, lane->page->out, err);
    if (result == RECORD_TAKEN) return keep_row(lane);
    batch_drop_row(lane->batch);
    return result == RECORD_REFUSED ? err->class : 0;
}

int lane_take_other(struct lane *lane, struct jsonscan *scan)
{
    struct decoded *out = lane->page->out;
    struct json_value value;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    lane->reader.counts->rejected++;
    if (!reject_has_room(out)) return 0;
    if (value.kind == JSON_STRING && lane->spec->texts_are_problems) {
        const char *problem = arena_text(&out->arena, jsonscan_text(&value, &lane->reader.scratch, NULL));
        const char *cut = strstr(problem, ": "); /* the row's text follows, which may hold what is hidden */
        if (cut && (cut = strstr(cut + 2, ": ")))
            problem = arena_text(&out->arena, (struct str){problem, (size_t)(cut - problem)});
        reject_add(out, lane->spec, STR(""), "malformed_row", problem, reject_record(out, &lane->reader.fields, &value), true);
        return 0;
    }
    const char *detail = arena_printf(&out->arena, "expected an object, got %s", json_kind_name(value.kind));
    struct str text = reject_record(out, &lane->reader.fields, &value);
    reject_add(out, lane->spec, STR(""), "not_an_object", detail, text, true);
    return 0;
}

int lane_add_row(struct lane *lane, enum row_operation operation, struct err *err)
{
    int rc = want_room(lane, err);
    if (rc) return rc;
    batch_add_row(lane->batch, operation);
    record_begin(&lane->reader);
    if (lane->fill) lane->fill(lane->context, lane->batch, lane->batch_number);
    keep_row(lane);
    return 0;
}
