/* rows: a page to rows, through the stream's record functions where it has any. The one place where the two ways meet. */
#ifndef SLUICE_REST_ROWS_H
#define SLUICE_REST_ROWS_H

#include "base/err.h"
#include "base/records_path.h"
#include "rest/decode.h"
#include "rest/description.h"
#include "rest/functions.h"
#include "rest/reader.h"

/* Decodes `page` with `decoder`; `functions` is asked only when the stream declares record functions. Errors: as decoder_page,
 * and what functions give. */
int rows_of_page(const struct stream_description *stream, const struct functions *functions, const struct page *page,
                 struct decoder *decoder, struct decoded *out, struct err *err) MUST_USE;

/* The page's records as they are before they have types: `body` (the caller's reference; at "$" when the stream has a reshape),
 * or, when `ndjson` has data, the lines there, which are in `arena`. *body must be NULL. */
int rows_shape(const struct stream_description *stream, const struct functions *functions, const struct page *page,
               struct arena *arena, struct block **body, struct str *ndjson, struct err *err) MUST_USE;

/* Calls `take` for each of the page's records as rows_shape gives them; what it needs for longer it copies. Errors: its own,
 * those of rows_shape and records_walk, TRANSIENT for an answer that is no JSON. */
int rows_each(const struct stream_description *stream, const struct functions *functions, const struct page *page,
              struct arena *arena, records_take *take, void *context, struct err *err) MUST_USE;

#endif
