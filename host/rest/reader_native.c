/* reader_native: the pages of a stream that a plugin reads. The plugin keeps its place by its checkpoints: the newest of a page
 * is where a later run goes on, be it in the middle of a slice (position) or at the next sync (token).
 *
 * Bytes are a whole body of the stream's format and come in parts like those of an answer; what the page's checkpoint covers
 * ends with its last part. */
#include <stdlib.h>

#include "base/buf.h"
#include "rest/native.h"
#include "rest/reader_parts.h"

static int open_slice(struct reader *reader, struct err *err)
{
    const struct reader_options *options = &reader->options;
    const struct request_source *source = &options->source;
    const struct functions *functions = source->functions;
    const char *from = source->slice && source->slice->from ? source->slice->from : "",
               *to = source->slice && source->slice->to ? source->slice->to : "";
    struct buf tables = BUF_INIT(NATIVE_MAX_LINES);
    if (!options->native.tables.size) native_tables_of(reader->stream, &tables);
    struct native_slice slice = {
        .stream = reader->stream->name,
        .state = options->position ? options->position : NULL,
        .from = reader->stream->has_cursor && from[0] ? from : NULL,
        .to = reader->stream->has_cursor && to[0] ? to : NULL,
        .values = source->partition.size ? arena_text(&reader->arena, source->partition) : NULL,
        .tables = options->native.tables.size ? options->native.tables : buf_str(&tables),
        .now_us = source->now_us,
        .incremental = options->native.incremental,
        .continuous = options->native.continuous,
        .sample = options->native.sample,
    };
    if (!slice.state && source->token.size) slice.state = arena_text(&reader->arena, source->token);
    int rc = functions->open(functions->context, &slice, err);
    buf_release(&tables);
    return rc;
}

/* What a page that is through says of the place behind it. */
static void end_native(struct reader *reader, struct native_page *native, struct page *page)
{
    page->last = !native->has_more;
    page->number = reader->pages++;
    if (!native->checkpoint) return;
    if (reader->stream->cursor.kind == CURSOR_TOKEN && reader->stream->has_cursor)
        page->token = reader_without_secret(reader, mem_strdup(native->checkpoint));
    if (!page->last) page->position = reader_without_secret(reader, mem_strdup(native->checkpoint));
}

static int next_part(struct reader *reader, struct page *page, struct err *err)
{
    bool is_last = false;
    int rc = parts_next(reader->parts, &page->body, &is_last, err);
    if (rc < 0) return rc;
    page->has_records = parts_records(reader->parts) > 0;
    page->continues = !is_last;
    if (!is_last) return 1;
    end_native(reader, reader->native, page);
    parts_free(reader->parts);
    native_page_release(reader->native);
    free(reader->native);
    reader->parts = NULL;
    reader->native = NULL;
    return 1;
}

static struct block *body_of(const struct native_page *native, struct budget *budget)
{
    struct block *body = block_new(budget, native->texts.size);
    if (native->texts.size) memcpy(body->data, native->texts.data, native->texts.size);
    body->size = native->texts.size;
    block_seal(body);
    return body;
}

static int take_bytes(struct reader *reader, struct native_page *native, struct page *page, struct err *err)
{
    struct block *body = body_of(native, reader->options.native.budget);
    reader->native = native;
    reader->parts = parts_new(&reader->stream->format, reader->options.native.budget, body, NULL);
    block_release(body);
    return next_part(reader, page, err);
}

int reader_native_page(struct reader *reader, struct page *page, struct err *err)
{
    const struct native_order *order = &reader->options.native;
    const struct functions *functions = reader->options.source.functions;
    *page = (struct page){0};
    if (reader->parts) return next_part(reader, page, err);
    arena_clear(&reader->arena);
    int rc = reader->is_started ? 0 : open_slice(reader, err);
    reader->is_started = true;
    struct native_page *native = mem_zero(1, sizeof *native);
    char *committed = rc == 0 && order->committed ? order->committed(order->context) : NULL;
    if (rc == 0) rc = functions->page(functions->context, committed, order->budget, native, err);
    free(committed);
    if (rc < 0) {
        free(native);
        return rc;
    }
    if (native->is_bytes) return take_bytes(reader, native, page, err);
    page->rows = native;
    page->body = block_hold(native->block);
    page->has_records = native->operations.size > 0;
    end_native(reader, native, page);
    return 1;
}
