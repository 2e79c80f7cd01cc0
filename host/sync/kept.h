/* kept: what the source told of its streams, kept for a while in the state directory, a file for each thing asked. Its name is
 * a digest of all that could make the answer another one, so what is there is right or is not found. Recorded and replayed runs
 * keep nothing, so that they make the same requests each time. */
#ifndef SLUICE_SYNC_KEPT_H
#define SLUICE_SYNC_KEPT_H

#include "sync/sync.h"

enum { KEPT_MAX_BYTES = NODE_MAX_BYTES };

/* Where the answer lies to what `what` (a stream) declares as `text`. *path NULL: nothing is kept. */
int kept_path(struct sync_prepared *prepared, const char *what, struct str text, int64_t cache_ms, const char **path,
              struct err *err) MUST_USE;
/* What was told, and when; NULL when there is nothing that can be read. */
const struct node *kept_load(struct sync_prepared *prepared, const char *path, int64_t *at_us);
/* Is it young enough to serve? */
bool kept_serves(const struct sync_prepared *prepared, int64_t at_us, int64_t cache_ms);
/* Keeps JSON that was told now. What cannot be kept is asked for again next time, with a warning. */
void kept_save(const struct sync_prepared *prepared, const char *path, struct str told);

#endif
