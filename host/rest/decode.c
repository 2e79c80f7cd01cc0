/* decode: see decode.h. The page: where its records are, and what comes of each: a row in the stream's lane, and then those of
 * the streams exploded from it.
 *
 * Until the page is through, nothing of it is final: on an error everything is dropped and the cursor set back, so that the
 * page can be fetched again. */
#include "rest/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/records_path.h"
#include "rest/deleted.h"
#include "rest/explode.h"
#include "rest/lane.h"
#include "rest/native.h"
#include "rest/reject.h"
#include "rest/repeats.h"

enum { SHOWN_BYTES = 80 };

struct decoder {
    const struct decode_spec *spec;
    struct lane lane;
    struct exploder *exploders; /* as the spec has them */
    /* of the page in hand */
    struct lane_page page;
    struct repeats repeats;
    size_t covered_rows; /* of the lane, when those of the exploded streams were noted */
};

struct decoder *decoder_new(const struct decode_spec *spec, uint32_t slice, const struct decode_bounds *bounds)
{
    struct decoder *decoder = mem_zero(1, sizeof *decoder);
    size_t watch = 0;
    decoder->spec = spec;
    lane_init(&decoder->lane, spec, slice, bounds);
    decoder->exploders = mem_zero(spec->exploded_count + 1, sizeof *decoder->exploders);
    for (size_t i = 0; i < spec->exploded_count; i++) {
        exploder_init(&decoder->exploders[i], &spec->exploded[i], watch, slice);
        watch += 1 + spec->exploded[i].copy_count;
    }
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder) return;
    for (size_t i = 0; i < decoder->spec->exploded_count; i++) exploder_release(&decoder->exploders[i]);
    free(decoder->exploders);
    repeats_release(&decoder->repeats);
    lane_release(&decoder->lane);
    free(decoder);
}

void decoded_release(struct decoded *decoded)
{
    for (size_t i = 0; i < decoded->batch_count; i++) batch_free(decoded->batches[i]);
    arena_release(&decoded->arena);
    *decoded = (struct decoded){0};
}

/* ---- records --------------------------------------------------------------------------------------------------------------
 */

/* The lane's rows before this record may have been covered by its cursor: the same point in the exploded streams. */
static void note_covered(struct decoder *decoder)
{
    struct decoded *out = decoder->page.out;
    size_t covered = decoder->lane.reader.track.covered_rows;
    if (covered == decoder->covered_rows) return;
    decoder->covered_rows = covered;
    for (size_t i = 0; i < out->exploded_count; i++) out->exploded[i].covered_rows = decoder->exploders[i].lane.rows;
}

static int explode(struct decoder *decoder, bool taken, struct err *err)
{
    int rc = 0;
    note_covered(decoder);
    for (size_t i = 0; rc == 0 && taken && i < decoder->spec->exploded_count; i++)
        rc = exploder_record(&decoder->exploders[i], &decoder->lane.reader, err);
    return rc;
}

void decoder_lap(struct decoder *decoder, uint64_t lap)
{
    repeats_lap(&decoder->repeats, lap);
}

/* Did the record that comes next come in the lap before? Then it is passed over, like one that was committed before. Broken
 * JSON is for the reader of the record to find. */
static bool is_repeat(struct decoder *decoder, struct jsonscan *scan)
{
    struct jsonscan ahead = *scan;
    struct json_value record;
    if (!jsonscan_value(&ahead, &record) || !repeats_knows(&decoder->repeats, record.raw)) return false;
    *scan = ahead;
    return true;
}

/* An event without a record. */
static void reject_event(struct decoder *decoder, const struct json_value *event)
{
    const struct event_spec *spec = decoder->spec->event;
    struct decoded *out = decoder->page.out;
    out->counts.rejected++;
    if (!reject_has_room(out)) return;
    const char *detail = arena_printf(&out->arena, "the event has no record at '%s'", spec->record);
    struct str text = reject_record(out, &decoder->lane.reader.fields, event);
    reject_add(out, decoder->spec, STR(""), "no_record", detail, text, true);
}

/* Takes the record inside an event, in the version that the event says. */
static int take_event(struct decoder *decoder, struct jsonscan *scan, struct err *err)
{
    const struct event_spec *spec = decoder->spec->event;
    struct record_reader *reader = &decoder->lane.reader;
    const char *paths[3] = {spec->record, spec->time, spec->deleted ? spec->deleted->path : NULL}, *problem;
    struct json_value event, found[3] = {{0}};
    size_t offset;
    uint64_t repaired = 0;
    if (!jsonscan_value(scan, &event)) return ERR_TRANSIENT;
    if (!jsonscan_survey(event.raw.data, event.raw.size, paths, found, spec->deleted ? 3 : 2, &problem, &offset) ||
        !found[0].raw.data || found[0].kind != JSON_OBJECT) {
        reject_event(decoder, &event);
        return 0;
    }
    reader->version = (struct value){.kind = VALUE_NULL, .i = 0};
    if (found[1].raw.data && !coerce_value(&reader->cursor_rule, &found[1], &reader->scratch, &repaired, &reader->version))
        reader->version.kind = VALUE_NULL;
    struct jsonscan record;
    jsonscan_init(&record, found[0].raw.data, found[0].raw.size);
    bool is_deleted = spec->deleted && deleted_fits(spec->deleted, &found[2]);
    int taken = lane_take(&decoder->lane, &record, is_deleted ? ROW_DELETE : ROW_UPSERT, err);
    if (taken < 0 && record.error) scan->error = record.error;
    if (taken > 0) decoder->page.out->rows++;
    return taken < 0 ? taken : 0;
}

/* records_take: reads one record. */
static int take_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct decoder *decoder = context;
    struct decoded *out = decoder->page.out;
    int kind = jsonscan_peek(scan);
    if (UNLIKELY(kind != JSON_OBJECT)) {
        if (kind >= 0) out->records++, out->counts.emitted++;
        return lane_take_other(&decoder->lane, scan);
    }
    out->records++;
    out->counts.emitted++;
    if (UNLIKELY(decoder->spec->drop_repeats) && is_repeat(decoder, scan)) {
        out->counts.deduplicated++;
        return 0;
    }
    if (UNLIKELY(decoder->spec->event != NULL)) return take_event(decoder, scan, err);
    int taken = lane_take(&decoder->lane, scan, ROW_UPSERT, err);
    if (UNLIKELY(taken < 0)) return taken;
    out->rows += (size_t)taken;
    return decoder->spec->exploded_count ? explode(decoder, taken > 0, err) : 0;
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
    const struct block *page = decoder->page.block;
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
    struct cursor_track *track = &decoder->lane.reader.track;
    struct decoded *out = decoder->page.out;
    cursor_track_page_end(track);
    out->ascending = track->ascending;
    out->covered_rows = track->covered_rows;
    out->covered_cursor = cursor_mark_text(&track->covered, track->type, &out->arena);
    out->max_cursor = cursor_mark_text(&track->max, track->type, &out->arena);
    out->order_is_lost = track->order_is_lost;
    out->reached_known = track->reached_known && !track->order_is_lost;
    if (track->newest.count == 0) return;
    uint64_t *newest = arena_array(&out->arena, uint64_t, track->newest.count);
    memcpy(newest, track->newest.keys, track->newest.count * sizeof *newest);
    out->newest = newest;
    out->newest_count = track->newest.count;
    out->newest_are_too_many = track->newest.too_many;
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

/* Every lane begins the page, and has a place in `out` for what it counts. */
static void begin_page(struct decoder *decoder, struct block *block, struct decoded *out)
{
    const struct decode_spec *spec = decoder->spec;
    *out = (struct decoded){.exploded_count = spec->exploded_count};
    decoder->page = (struct lane_page){.block = block, .out = out};
    decoder->covered_rows = 0;
    lane_page(&decoder->lane, &decoder->page, &out->counts);
    if (spec->exploded_count) out->exploded = arena_array(&out->arena, struct decoded_exploded, spec->exploded_count);
    for (size_t i = 0; i < spec->exploded_count; i++) {
        out->exploded[i].stream = spec->exploded[i].decode.stream_index;
        lane_page(&decoder->exploders[i].lane, &decoder->page, &out->exploded[i].counts);
    }
}

static void end_page(struct decoder *decoder)
{
    struct decoded *out = decoder->page.out;
    lane_close(&decoder->lane);
    for (size_t i = 0; i < decoder->spec->exploded_count; i++) lane_close(&decoder->exploders[i].lane);
    for (size_t b = 0; b < out->batch_count; b++)
        for (size_t i = 0; i < out->exploded_count; i++)
            if (out->batches[b]->stream == out->exploded[i].stream)
                out->exploded[i].rows += out->batches[b]->rows - out->batches[b]->marks;
}

/* After a page that was read, or not: what comes of it, and everything as it was for the next one. */
static void settle_page(struct decoder *decoder, const struct cursor_track *before, int rc)
{
    struct cursor_track *track = &decoder->lane.reader.track;
    struct decoded *out = decoder->page.out;
    end_page(decoder);
    if (rc == 0) {
        out->counts.bytes = decoder->page.block->size;
        report_cursor(decoder);
    } else {
        struct boundary newest = track->newest;
        *track = *before; /* its texts were not touched: that happens at a page's end */
        track->newest = newest;
        decoded_release(out);
    }
    arena_clear(&decoder->lane.reader.scratch);
    for (size_t i = 0; i < decoder->spec->exploded_count; i++) arena_clear(&decoder->exploders[i].lane.reader.scratch);
    block_release(decoder->page.block);
    decoder->page = (struct lane_page){0};
}

int decoder_page(struct decoder *decoder, struct block *body, struct str ndjson, struct decoded *out, struct err *err)
{
    begin_page(decoder, page_block(decoder, body, ndjson), out);
    cursor_track_page(&decoder->lane.reader.track);
    const struct cursor_track before = decoder->lane.reader.track;

    int rc = 0;
    if (decoder->page.block->size > DECODE_MAX_PAGE_BYTES) {
        err_set(err, ERR_DATA, "cannot take a page of %zu bytes: over 1 GiB", decoder->page.block->size);
        rc = err_hint(err, "ask the source for smaller pages");
    }
    if (rc == 0) rc = decode_page(decoder, ndjson.data != NULL, err);
    settle_page(decoder, &before, rc);
    return rc;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------
 */

/* The lane of a native page's table: the stream's own first, if it gives rows. NULL: there is no such table. */
static struct lane *lane_of(struct decoder *decoder, size_t table, struct decode_counts **counts)
{
    bool has_root = decoder->spec->stream_index != DECODE_NONE;
    *counts = &decoder->page.out->counts;
    if (has_root && table == 0) return &decoder->lane;
    size_t at = table - has_root;
    if (at >= decoder->spec->exploded_count) return NULL;
    *counts = &decoder->page.out->exploded[at].counts;
    return &decoder->exploders[at].lane;
}

static int broken_page(struct err *err)
{
    err_set(err, ERR_CONNECTOR, "the plugin's page is not whole");
    return err_hint(err, "do `sluice` and `sluice-worker` come from the same version?");
}

/* What the plugin's operation is here; false: none. */
static bool operation_of(uint8_t sent, enum row_operation *operation)
{
    static const enum row_operation OPERATIONS[] = {ROW_UPSERT, ROW_DELETE, ROW_TRUNCATE};
    if (sent >= ARRAY_SIZE(OPERATIONS)) return false;
    *operation = OPERATIONS[sent];
    return true;
}

static int take_rows(struct decoder *decoder, const struct native_page *page, struct err *err)
{
    struct decoded *out = decoder->page.out;
    const struct native_value *values = (const struct native_value *)(const void *)page->values.data;
    size_t left = page->values.size / sizeof *values;
    for (size_t i = 0; i < page->operations.size; i++) {
        const unsigned char *table = (const unsigned char *)page->tables.data + 2 * i;
        struct decode_counts *counts;
        struct lane *lane = lane_of(decoder, (size_t)table[0] | (size_t)table[1] << 8, &counts);
        enum row_operation operation;
        if (!lane || !operation_of((uint8_t)page->operations.data[i], &operation)) return broken_page(err);
        if (operation == ROW_TRUNCATE) {
            int rc = lane_add_row(lane, operation, err);
            if (rc) return rc;
            continue;
        }
        uint32_t columns = schema_count(lane->spec->schema);
        if (columns > left) return broken_page(err);
        counts->emitted++;
        if (lane == &decoder->lane) out->records++;
        int taken = lane_take_row(lane, values, columns, page->texts, operation, err);
        if (UNLIKELY(taken < 0)) return taken;
        if (lane == &decoder->lane) out->rows += (size_t)taken;
        values += columns;
        left -= columns;
    }
    return left == 0 ? 0 : broken_page(err);
}

int decoder_rows(struct decoder *decoder, const struct native_page *page, struct decoded *out, struct err *err)
{
    begin_page(decoder, block_hold(page->block), out);
    cursor_track_page(&decoder->lane.reader.track);
    const struct cursor_track before = decoder->lane.reader.track;
    int rc = take_rows(decoder, page, err);
    settle_page(decoder, &before, rc);
    return rc;
}
