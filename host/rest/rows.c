/* rows: see rows.h. */
#include "rest/rows.h"

int rows_of_page(const struct stream_description *stream, const struct functions *functions, const struct page *page,
                 struct decoder *decoder, struct decoded *out, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct str ndjson = {0};
    int rc = 0;
    if (stream->records_function || stream->map_function) {
        rc =
            functions->records(functions->context, stream->records_function, stream->map_function, stream->records_path,
                               str_from(page->context), (struct str){page->body->data, page->body->size}, &arena, &ndjson, err);
        if (!ndjson.data) ndjson = STR(""); /* no records, rather than those of the page */
    }
    decoder_lap(decoder, page->lap);
    if (rc == 0) rc = decoder_page(decoder, page->body, ndjson, out, err);
    arena_release(&arena);
    return rc;
}
