/* parts: see parts.h. Bytes go to the format a window at a time; what it leaves (the beginning of a record) is given to it
 * again with more behind it, and the window doubles when it took nothing. Where a plugin parses, the bytes are the lines that
 * it makes of the body, and how many there are shows at their end. The newest record always stays for the next part, so that
 * the last one has a record whenever the body has any: paging may ask for it. */
#include "rest/format/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/jsonscan.h"
#include "os/spool.h"
#include "rest/format/parsed.h"

enum { WINDOW_BYTES = 64 * 1024 };

struct parts {
    const struct format *format;
    const struct format_type *type;
    void *state;
    struct format_out out;
    char *open, *close; /* around the records of a part */
    struct block *body; /* or */
    const struct spool *spool;
    struct parsed *parsed; /* NULL: no plugin parses it */
    uint64_t pieces_at;    /* in the body: what the plugin has not taken yet */
    char *piece;           /* of the spool, for the plugin */
    uint64_t at, size;     /* in what the format reads: the body, or a plugin's lines */
    size_t window;
    char *bytes; /* of the spool or the plugin, in a buffer: */
    size_t byte_at, byte_count, byte_capacity;
    struct arena lines; /* of a page of the plugin */
    bool is_over;       /* the last part was given */
};

/* The brackets that lead to the records of JSON: `{"data":{"items":[`. */
static void write_wrapper(struct parts *parts)
{
    struct buf open = BUF_INIT(FORMAT_MAX_RECORD_BYTES), close = BUF_INIT(FORMAT_MAX_RECORD_BYTES);
    struct str rest = {0}, step;
    if (parts->format->kind == FORMAT_JSON) rest = str_from(parts->format->records_path);
    if (str_equal(rest, STR("$"))) rest.size = 0;
    buf_append_char(&close, ']');
    while (rest.size && str_next(&rest, '.', &step)) {
        buf_append_char(&open, '{');
        buf_append_json_string(&open, step);
        buf_append_char(&open, ':');
        buf_append_char(&close, '}');
    }
    buf_append_char(&open, '[');
    parts->open = buf_steal(&open);
    parts->close = buf_steal(&close);
}

/* native_input.read */
static int read_piece(void *context, struct str *piece, struct err *err)
{
    struct parts *parts = context;
    const uint64_t size = parts->spool ? spool_size(parts->spool) : parts->body->size, left = size - parts->pieces_at;
    size_t wanted = left < NATIVE_MAX_PIECE ? (size_t)left : NATIVE_MAX_PIECE;
    int rc = 0;
    *piece = (struct str){parts->spool ? parts->piece : parts->body->data + parts->pieces_at, wanted};
    if (parts->spool && wanted) rc = spool_read(parts->spool, parts->pieces_at, parts->piece, wanted, err);
    if (rc == 0) parts->pieces_at += wanted;
    return rc;
}

static void begin_parsing(struct parts *parts, struct budget *budget, const struct parsing *parsing)
{
    const struct native_input input = {read_piece, parts};
    CHECK(parsing);
    parts->parsed = parsed_new(parts->format, budget, parsing, &input);
    parts->piece = parts->spool ? mem_zero(1, NATIVE_MAX_PIECE) : NULL;
    parts->size = UINT64_MAX;
}

struct parts *parts_new(const struct format *format, struct budget *budget, struct block *body, const struct spool *spool,
                        const struct parsing *parsing)
{
    static const struct format_type *const TYPES[] = {[FORMAT_JSON] = &FORMAT_TYPE_JSON,
                                                      [FORMAT_NDJSON] = &FORMAT_TYPE_NDJSON,
                                                      [FORMAT_CSV] = &FORMAT_TYPE_CSV,
                                                      [FORMAT_PLUGIN] = &FORMAT_TYPE_NDJSON};
    struct parts *parts = mem_zero(1, sizeof *parts);
    CHECK((size_t)format->kind < ARRAY_SIZE(TYPES) && TYPES[format->kind]);
    parts->format = format;
    parts->type = TYPES[format->kind];
    parts->body = spool ? NULL : block_hold(body);
    parts->spool = spool;
    parts->size = spool ? spool_size(spool) : body->size;
    parts->window = WINDOW_BYTES;
    if (format->kind == FORMAT_PLUGIN) begin_parsing(parts, budget, parsing);
    write_wrapper(parts);
    format_out_init(&parts->out, budget, parts->open, parts->close);
    parts->state = parts->type->open(format, &parts->out);
    return parts;
}

void parts_free(struct parts *parts)
{
    if (!parts) return;
    parts->type->close(parts->state);
    format_out_release(&parts->out);
    block_release(parts->body);
    free(parts->open);
    free(parts->close);
    free(parts->bytes);
    free(parts->piece);
    parsed_free(parts->parsed);
    arena_release(&parts->lines);
    free(parts);
}

uint64_t parts_records(const struct parts *parts)
{
    return parts->out.records;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------------
 */

/* Room for `more` bytes behind those in the buffer, which go to its front; the padding is zero behind them. */
static char *make_room(struct parts *parts, size_t more)
{
    if (parts->byte_at) memmove(parts->bytes, parts->bytes + parts->byte_at, parts->byte_count);
    parts->byte_at = 0;
    if (parts->byte_capacity < parts->byte_count + more + JSONSCAN_PADDING) {
        parts->byte_capacity = parts->byte_count + more + JSONSCAN_PADDING;
        parts->bytes = mem_resize(parts->bytes, parts->byte_capacity);
    }
    memset(parts->bytes + parts->byte_count + more, 0, JSONSCAN_PADDING);
    return parts->bytes + parts->byte_count;
}

static int fill_from_spool(struct parts *parts, size_t wanted, struct err *err)
{
    size_t more = wanted - parts->byte_count;
    int rc = spool_read(parts->spool, parts->at + parts->byte_count, make_room(parts, more), more, err);
    if (rc == 0) parts->byte_count = wanted;
    return rc;
}

static int fill_from_plugin(struct parts *parts, size_t wanted, struct err *err)
{
    while (parts->byte_count < wanted && parts->size == UINT64_MAX) {
        struct str lines;
        arena_clear(&parts->lines);
        int rc = parsed_next(parts->parsed, &parts->lines, &lines, err);
        if (rc < 0) return rc;
        if (rc == 0) parts->size = parts->at + parts->byte_count;
        if (rc == 0 || lines.size == 0) continue;
        memcpy(make_room(parts, lines.size), lines.data, lines.size);
        parts->byte_count += lines.size;
    }
    return 0;
}

/* The window of the body that comes next, from `at` on. */
static int look(struct parts *parts, struct str *text, struct err *err)
{
    size_t wanted = parts->window;
    if (wanted > parts->size - parts->at) wanted = (size_t)(parts->size - parts->at);
    if (parts->body && !parts->parsed) {
        *text = (struct str){parts->body->data + parts->at, wanted};
        return 0;
    }
    int rc = 0;
    if (parts->parsed)
        rc = fill_from_plugin(parts, wanted, err);
    else if (parts->byte_count < wanted)
        rc = fill_from_spool(parts, wanted, err);
    if (rc) return rc;
    if (wanted > parts->byte_count) wanted = parts->byte_count;
    *text = wanted ? (struct str){parts->bytes + parts->byte_at, wanted} : STR("");
    return 0;
}

static void pass(struct parts *parts, size_t taken)
{
    parts->at += taken;
    if (parts->body && !parts->parsed) return;
    parts->byte_at += taken;
    parts->byte_count -= taken;
}

/* What a plugin gives is broken by the plugin, and nothing that another answer mends. */
static int blame(const struct parts *parts, int rc, struct err *err)
{
    if (!parts->parsed || rc != ERR_TRANSIENT) return rc;
    err->class = ERR_CONNECTOR;
    err_context(err, "parser '%s' gives no JSON", parts->format->plugin);
    return err_hint(err, "correct the plugin: what it emits by sluice_emit_bytes is NDJSON");
}

static int take_window(struct parts *parts, struct err *err)
{
    struct str text;
    size_t taken = 0;
    int rc = look(parts, &text, err);
    if (rc == 0)
        rc = blame(parts, parts->type->take(parts->state, text, parts->at + text.size == parts->size, &taken, err), err);
    if (rc == 0 && (parts->out.too_large || parts->window > 2 * (size_t)FORMAT_MAX_RECORD_BYTES)) {
        err_set(err, ERR_DATA, "cannot take a record of over %d MiB, the one behind %llu others", FORMAT_MAX_RECORD_BYTES >> 20,
                (unsigned long long)parts->out.records);
        rc = err_hint(err, "leave its largest fields out at the source");
    }
    if (rc != 0) return rc;
    parts->window = taken > 0 ? WINDOW_BYTES : parts->window * 2;
    pass(parts, taken);
    return 0;
}

/* ---- documents ------------------------------------------------------------------------------------------------------------
 */

static void close_document(struct block *block, struct str close)
{
    if (block->capacity < block->size + close.size) block_grow(block, block->size + close.size);
    memcpy(block->data + block->size, close.data, close.size);
    block->size += close.size;
    block_seal(block);
}

/* The part without its newest record, which begins the next one. */
static struct block *cut(struct parts *parts)
{
    struct format_out *out = &parts->out;
    struct block *done = out->block;
    size_t end = out->previous_end, newest = out->record_end, size = done->size;
    uint64_t records = out->records;
    format_out_init(out, out->budget, parts->open, parts->close);
    format_out_text(out, (struct str){done->data + end + 1, size - end - 1}); /* behind the comma */
    out->record_end = out->open_bytes + newest - end - 1;
    out->records = records;
    done->size = end;
    close_document(done, str_from(parts->close));
    return done;
}

static struct block *finish(struct parts *parts)
{
    struct format_out *out = &parts->out;
    if (parts->format->kind == FORMAT_JSON) {
        format_json_finish(parts->state);
        block_seal(out->block);
    } else {
        close_document(out->block, str_from(parts->close));
    }
    struct block *last = out->block;
    out->block = NULL;
    parts->is_over = true;
    return last;
}

int parts_next(struct parts *parts, struct block **document, bool *is_last, struct err *err)
{
    CHECK(!parts->is_over);
    while (parts->at < parts->size) {
        if (parts->out.previous_end > FORMAT_PART_BYTES) {
            *document = cut(parts);
            *is_last = false;
            return 0;
        }
        int rc = take_window(parts, err);
        if (rc != 0) return rc;
    }
    *document = finish(parts);
    *is_last = true;
    return 0;
}
