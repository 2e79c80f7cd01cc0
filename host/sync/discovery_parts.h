/* discovery_parts: what discovery and discovery_streams share. */
#ifndef SLUICE_SYNC_DISCOVERY_PARTS_H
#define SLUICE_SYNC_DISCOVERY_PARTS_H

#include "rest/reader.h"
#include "sync/sync.h"

struct discovery {
    struct sync_prepared *prepared;
    struct client *client; /* made when first needed, and so are functions */
    struct functions functions;
    bool has_functions;
};

/* What a reader of a list needs; the caller frees options->session. */
int discovery_open(struct discovery *discovery, const struct stream_description *stream, struct reader_options *options,
                   struct err *err) MUST_USE;
/* The next list is asked for anew: what is asked with belongs to one description. */
void discovery_release(struct discovery *discovery);

/* Adds the wanted ones of the streams that the source lists to the description. */
int discover_streams(struct discovery *discovery, struct problems *problems, struct err *err) MUST_USE;

#endif
