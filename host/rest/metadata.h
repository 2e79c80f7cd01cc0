/* metadata: the fields of a stream as its source lists them (fields_from).
 *
 *     rc = metadata_read(&options, from, &arena, &metadata, err);      // all pages; options.source.stream is from->stream
 *     metadata_apply(from, &metadata, &arena, &stream);                // the stream's fields, the declared ones first
 *
 * The same list in any order gives the same fields: what is added is sorted by name, a name that comes twice counts once, and
 * declared fields win. Names that no column can have are left out. Names are data: nothing in them is read as a template. */
#ifndef SLUICE_REST_METADATA_H
#define SLUICE_REST_METADATA_H

#include "rest/reader.h"

struct metadata_field {
    struct str name, type; /* the source's words; type may be empty */
};

struct metadata {
    const struct metadata_field *fields; /* sorted by name, each once */
    size_t count;
    size_t unusable; /* records without a name, or with one no column can have */
    bool is_refused; /* with an error: a rule says that the stream cannot be had (skip_stream) */
};

enum { METADATA_MAX_FIELDS = 10000 };

/* Errors: as reader_next; DATA for more than METADATA_MAX_FIELDS fields, and for an answer without any: a stream that lost all
 * its fields is more likely a wrong path. */
int metadata_read(const struct reader_options *options, const struct fields_from *from, struct arena *arena,
                  struct metadata *out, struct err *err) MUST_USE;

/* Sorts fields gathered elsewhere (an answer that was kept) and keeps each name once. */
void metadata_sort(struct metadata_field *fields, size_t count, struct metadata *out);

void metadata_apply(const struct fields_from *from, const struct metadata *metadata, struct arena *arena,
                    struct stream_description *stream);

#endif
