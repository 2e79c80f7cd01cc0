/* stream: what reads the slices of a stream: a session at the source and what it knows. Three kinds: `tables` (the list), one
 * table by queries, and `changes`. */
#ifndef SLUICE_POSTGRES_STREAM_H
#define SLUICE_POSTGRES_STREAM_H

#include "postgres/catalog.h"

struct stream;

/* As of struct sluice_plugin; `page` returns 1 for more, 0 at the end. */
struct stream_kind {
    int (*open)(struct stream *stream);
    int (*page)(struct stream *stream);
    void (*close)(struct stream *stream);
};

struct stream {
    const struct stream_kind *kind;
    struct sluice_session *session;
    const struct sluice_slice *slice;
    struct settings settings;
    struct connection connection;
    struct catalog catalog;
    void *own; /* of the kind */
};

extern const struct stream_kind STREAM_TABLES, STREAM_TABLE, STREAM_CHANGES;

/* Is a server able to tell changes, and this role allowed to ask? Part of `check`. */
int changes_check(struct stream *stream);

#endif
