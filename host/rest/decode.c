/* decode: see decode.h. The page: where its records are, and which batch the next row goes into. record.c reads the records.
 *
 * A batch is closed when its values reach DECODE_BATCH_BYTES, when the schema has outgrown it, and at the page's end. Until the
 * page is through, nothing of it is final: on an error everything is dropped and the cursor set back, so that the page can be
 * fetched again. */
#include "rest/decode.h"

#include <stdlib.h>

#include "base/records_path.h"
#include "rest/record.h"
#include "rest/reject.h"

enum { SHOWN_BYTES = 80, FIRST_BATCHES = 16 };

struct decoder {
    const struct decode_spec *spec;
    uint32_t slice;
    struct record_reader reader;
    /* of the page in hand */
    struct block *page;
    struct decoded *out;
    struct batch *batch;
    size_t value_bytes; /* of the closed batches */
};

struct decoder *decoder_new(const struct decode_spec *spec, uint32_t slice, const struct decode_bounds *bounds)
{
    struct decoder *decoder = mem_zero(1, sizeof *decoder);
    decoder->spec = spec;
    decoder->slice = slice;
    record_reader_init(&decoder->reader, spec, bounds);
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder) return;
    record_reader_release(&decoder->reader);
    free(decoder);
}

void decoded_release(struct decoded *decoded)
{
    for (size_t i = 0; i < decoded->batch_count; i++) batch_free(decoded->batches[i]);
    arena_release(&decoded->arena);
    *decoded = (struct decoded){0};
}

/* ---- batches --------------------------------------------------------------------------------------------------------------
 */

static size_t row_bytes(uint32_t columns)
{
    return columns * sizeof(struct value) + 1;
}

static void open_batch(struct decoder *decoder)
{
    const struct decode_spec *spec = decoder->spec;
    uint32_t columns = schema_count(spec->schema);
    struct batch *batch = batch_new(spec->budget, spec->schema, columns);
    batch->stream = spec->stream_index;
    batch->slice = decoder->slice;
    CHECK(batch_hold(batch, decoder->page));
    decoder->batch = batch;
}

/* Puts the batch in hand to the page's others; one without rows goes. */
static void close_batch(struct decoder *decoder)
{
    struct decoded *out = decoder->out;
    struct batch *batch = decoder->batch;
    decoder->batch = NULL;
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
    decoder->value_bytes += batch->rows * row_bytes(batch->columns);
}

/* Makes sure there is a batch with room for a row. */
static int want_room(struct decoder *decoder, struct err *err)
{
    struct batch *batch = decoder->batch;
    if (LIKELY(batch && (batch->rows + 1) * row_bytes(batch->columns) <= DECODE_BATCH_BYTES)) return 0;
    if (batch && batch->rows == 0) return 0; /* one row is over the limit: it goes alone */
    close_batch(decoder);
    if (decoder->value_bytes > DECODE_MAX_PAGE_VALUES) {
        err_set(err, ERR_DATA, "cannot take a page of over %zu rows of %u columns: its values pass %d MiB", decoder->out->rows,
                (unsigned)schema_count(decoder->spec->schema), DECODE_MAX_PAGE_VALUES / (1024 * 1024));
        return err_hint(err, "ask the source for smaller pages");
    }
    open_batch(decoder);
    return 0;
}

/* ---- records --------------------------------------------------------------------------------------------------------------
 */

static int take_other(struct decoder *decoder, struct jsonscan *scan)
{
    struct decoded *out = decoder->out;
    struct json_value value;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    out->counts.rejected++;
    if (!reject_has_room(out)) return 0;
    const char *detail = arena_printf(&out->arena, "expected an object, got %s", json_kind_name(value.kind));
    struct str text = reject_record(out, &decoder->reader.fields, &value);
    reject_add(out, decoder->spec->secrets, STR(""), "not_an_object", detail, text, true);
    return 0;
}

/* records_take: reads one record. */
static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct decoder *decoder = context;
    struct decoded *out = decoder->out;
    int kind = jsonscan_peek(scan);
    if (UNLIKELY(kind != JSON_OBJECT)) {
        if (kind >= 0) out->records++, out->counts.emitted++;
        return take_other(decoder, scan);
    }
    const struct jsonscan before = *scan;
    out->records++;
    out->counts.emitted++;
    for (;;) {
        int rc = want_room(decoder, err);
        if (rc) return rc;
        batch_add_row(decoder->batch, ROW_UPSERT);
        switch (record_read(&decoder->reader, scan, decoder->batch, out)) {
        case RECORD_TAKEN:
            out->rows++;
            return 0;
        case RECORD_DROPPED:
            batch_drop_row(decoder->batch);
            return 0;
        case RECORD_BROKEN:
            batch_drop_row(decoder->batch);
            return ERR_TRANSIENT;
        case RECORD_GROWN:
            batch_drop_row(decoder->batch);
            close_batch(decoder);
            *scan = before;
            break;
        }
    }
}

static int take_lines(struct decoder *decoder, struct jsonscan *scan, struct err *err)
{
    while (jsonscan_peek(scan) >= 0) {
        int rc = take_record(decoder, scan, err);
        if (rc) return rc;
    }
    return jsonscan_finish(scan) ? 0 : ERR_TRANSIENT;
}

/* ---- the page -------------------------------------------------------------------------------------------------------------
 */

/* The first bytes, made fit for a message. */
static void show_bytes(struct str text, char out[4 * SHOWN_BYTES + 1])
{
    size_t size = 0;
    for (size_t i = 0; i < text.size && i < SHOWN_BYTES; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= ' ' && c < 0x7f)
            out[size++] = (char)c;
        else
            size += (size_t)snprintf(out + size, 5, "\\x%02x", c);
    }
    out[size] = '\0';
}

static int not_json(const struct block *body, struct err *err)
{
    char shown[4 * SHOWN_BYTES + 1];
    if (body->size == 0) {
        err_set(err, ERR_TRANSIENT, "the answer is not JSON: it is empty");
    } else {
        show_bytes((struct str){body->data, body->size}, shown);
        err_set(err, ERR_TRANSIENT, "the answer is not JSON: it begins with '%s'%s", shown,
                body->size > SHOWN_BYTES ? " ..." : "");
    }
    return err_hint(err, "look at what the source sends there: an error page or a login form comes without records");
}

static int scan_error(const struct jsonscan *scan, struct err *err)
{
    if (strcmp(scan->error, JSONSCAN_TOO_DEEP) == 0) {
        err_set(err, ERR_DATA, "cannot take JSON that is nested over %d levels deep, at byte %zu", JSONSCAN_MAX_DEPTH,
                jsonscan_offset(scan));
        return err_hint(err, "leave the nested field out at the source");
    }
    return err_set(err, ERR_TRANSIENT, "could not read the answer as JSON: %s at byte %zu", scan->error, jsonscan_offset(scan));
}

static int decode_page(struct decoder *decoder, bool lines, struct err *err)
{
    const struct block *page = decoder->page;
    struct jsonscan scan;
    jsonscan_init(&scan, page->data, page->size);
    int kind = jsonscan_peek(&scan), rc;
    if (lines) {
        rc = take_lines(decoder, &scan, err);
    } else {
        if (kind != JSON_OBJECT && kind != JSON_ARRAY) return not_json(page, err);
        rc = records_walk(&scan, decoder->spec->records_path, take_record, decoder, err);
        if (rc == 0 && !jsonscan_finish(&scan)) rc = ERR_TRANSIENT;
    }
    if (rc && scan.error && lines)
        return err_set(err, ERR_CONNECTOR, "its functions gave records that are not JSON: %s", scan.error);
    return rc && scan.error ? scan_error(&scan, err) : rc;
}

/* What the cursor says after the page. */
static void report_cursor(struct decoder *decoder)
{
    struct cursor_track *track = &decoder->reader.track;
    struct decoded *out = decoder->out;
    cursor_track_page_end(track);
    out->ascending = track->ascending;
    out->covered_rows = track->covered_rows;
    out->covered_cursor = cursor_mark_text(&track->covered, track->type, &out->arena);
    out->max_cursor = cursor_mark_text(&track->max, track->type, &out->arena);
}

/* The page in a block: the body, or a copy of the lines. */
static struct block *page_block(struct decoder *decoder, struct block *body, struct str ndjson)
{
    if (!ndjson.data) return block_hold(body);
    struct block *block = block_new(decoder->spec->budget, ndjson.size);
    if (ndjson.size) memcpy(block->data, ndjson.data, ndjson.size);
    block->size = ndjson.size;
    block_seal(block);
    return block;
}

int decoder_page(struct decoder *decoder, struct block *body, struct str ndjson, struct decoded *out, struct err *err)
{
    *out = (struct decoded){0};
    decoder->out = out;
    decoder->value_bytes = 0;
    decoder->page = page_block(decoder, body, ndjson);
    arena_clear(&decoder->reader.scratch);
    const struct cursor_track before = decoder->reader.track;
    cursor_track_page(&decoder->reader.track);

    int rc = 0;
    if (decoder->page->size > DECODE_MAX_PAGE_BYTES) {
        err_set(err, ERR_DATA, "cannot take a page of %zu bytes: over 1 GiB", decoder->page->size);
        rc = err_hint(err, "ask the source for smaller pages");
    }
    if (rc == 0) rc = decode_page(decoder, ndjson.data != NULL, err);
    close_batch(decoder);
    if (rc == 0) {
        out->counts.bytes = decoder->page->size;
        report_cursor(decoder);
    } else {
        decoder->reader.track = before; /* its texts were not touched: that happens at a page's end */
        decoded_release(out);
    }
    arena_clear(&decoder->reader.scratch);
    block_release(decoder->page);
    decoder->page = NULL;
    decoder->out = NULL;
    return rc;
}
