/* chunks: the fields that a stream asks for, in groups that fit into one request each.
 *
 *     struct chunks chunks = chunks_of(stream->chunks, stream->asked, &arena);
 *     for (size_t i = 0; i < chunks.count; i++) source.fields = chunks.groups[i];     // {{stream.fields}}
 *
 * A group is names joined by commas: those that all requests share (the key, by which their answers are put together, and the
 * cursor's field) in front, then its own in the order in which they were asked for. It is as full as the declaration lets it
 * be, and has at least one field of its own. Pure. */
#ifndef SLUICE_REST_CHUNKS_H
#define SLUICE_REST_CHUNKS_H

#include "base/arena.h"
#include "rest/description.h"

struct chunks {
    const struct str *groups; /* in the arena; the first is the one that paging goes by */
    size_t count;             /* 0 or 1: one request asks for everything */
};

/* `chunks` may be NULL. `asked`: names joined by commas. */
struct chunks chunks_of(const struct chunks_description *chunks, struct str asked, struct arena *arena);

#endif
