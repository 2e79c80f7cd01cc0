/* spool: a file without a name that keeps a body of any size until it is whole. It is gone when it is closed, or when the
 * process ends, whatever ends it.
 *
 *     rc = spool_new(folder, SPOOL_MAX_BYTES, &spool, err);
 *     rc = spool_append(spool, data, size, err);      // or spool_clear, to begin anew
 *     rc = spool_read(spool, offset, buffer, size, err);
 *     spool_free(spool);
 *
 * One thread. Errors: DATA past the cap, CONFIG for what the file system refuses (no room, no rights). */
#ifndef SLUICE_OS_SPOOL_H
#define SLUICE_OS_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

struct spool;

/* In `folder`, which must not lie in memory for this to be of use. */
int spool_new(const char *folder, uint64_t max_bytes, struct spool **out, struct err *err) MUST_USE;
void spool_free(struct spool *spool); /* NULL is fine */

int spool_append(struct spool *spool, const void *data, size_t size, struct err *err) MUST_USE;
void spool_clear(struct spool *spool);
/* All `size` bytes from `offset` on, which must be there. */
int spool_read(const struct spool *spool, uint64_t offset, void *data, size_t size, struct err *err) MUST_USE;
uint64_t spool_size(const struct spool *spool);

#endif
