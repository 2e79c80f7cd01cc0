/* rows: see rows.h. */
#include "rest/rows.h"

#include <string.h>

#include "base/jsonscan.h"
#include "rest/native.h"

/* The page's records in their new shape, or the page itself. */
static int shape(const struct stream_description *stream, const struct page *page, struct block **shaped, struct err *err)
{
    if (!stream->reshape) {
        *shaped = block_hold(page->body);
        return 0;
    }
    return reshape_page(stream->reshape, page->body, stream->records_path, str_from(page->added), page->body->budget, shaped,
                        err);
}

int rows_shape(const struct stream_description *stream, const struct functions *functions, const struct page *page,
               struct arena *arena, struct block **body, struct str *ndjson, struct err *err)
{
    const char *path = stream->reshape ? "$" : stream->records_path;
    *ndjson = (struct str){0};
    if (page->rows) return native_to_lines(page->rows, stream, arena, ndjson, err);
    int rc = shape(stream, page, body, err);
    if (rc == 0 && (stream->records_function || stream->map_function)) {
        rc = functions->records(functions->context, stream->records_function, stream->map_function, path,
                                str_from(page->context), (struct str){(*body)->data, (*body)->size}, arena, ndjson, err);
        if (!ndjson->data) *ndjson = STR(""); /* no records, rather than those of the page */
    }
    return rc;
}

int rows_of_page(const struct stream_description *stream, const struct functions *functions, const struct page *page,
                 struct decoder *decoder, struct decoded *out, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct str ndjson = {0};
    struct block *body = NULL;
    if (page->rows) return decoder_rows(decoder, page->rows, out, err);
    int rc = rows_shape(stream, functions, page, &arena, &body, &ndjson, err);
    decoder_lap(decoder, page->lap);
    if (rc == 0) rc = decoder_page(decoder, body, ndjson, out, err);
    block_release(body);
    arena_release(&arena);
    return rc;
}

static int walk(struct str text, const char *path, records_take *take, void *context, struct err *err)
{
    struct jsonscan scan;
    jsonscan_init(&scan, text.data, text.size);
    int rc = records_walk(&scan, path, take, context, err);
    if (rc != 0 && scan.error)
        rc = err_set(err, ERR_TRANSIENT, "could not read the answer as JSON: %s at byte %zu", scan.error,
                     jsonscan_offset(&scan));
    return rc;
}

int rows_each(const struct stream_description *stream, const struct functions *functions, const struct page *page,
              struct arena *arena, records_take *take, void *context, struct err *err)
{
    struct block *body = NULL;
    struct str ndjson = {0}, line;
    int rc = rows_shape(stream, functions, page, arena, &body, &ndjson, err);
    if (rc == 0 && !ndjson.data)
        rc = walk((struct str){body->data, body->size}, stream->reshape ? "$" : stream->records_path, take, context, err);
    while (rc == 0 && ndjson.data && str_next(&ndjson, '\n', &line))
        if (line.size) rc = walk(jsonscan_padded(arena, line), "$", take, context, err);
    block_release(body);
    return rc;
}
