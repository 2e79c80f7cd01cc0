/* unpack: bodies that are a packed file themselves: a gzip stream, or a ZIP archive with one file in it. The same way of use,
 * the same limits and the same distrust as inflate.h, which does the work.
 *
 *     struct unpack *in = unpack_new(UNPACK_ZIP, &limits, sink, context);
 *     while (received) rc = unpack_feed(in, data, size, err);
 *     rc = unpack_finish(in, err);              // only now what came out is known to be whole
 *
 * GZIP: what does not begin as gzip does is passed on as it is; a server may have unpacked it on its way and kept the label.
 * ZIP (APPNOTE 6.3): read from the front, as it comes: one entry, stored or deflated, with its size in front or in a data
 * descriptor behind it, ZIP64 or not; directories beside it are passed over. Check sum and length of the entry must agree, and
 * the archive's end record must be there. Another file, encryption, or another method is DATA. */
#ifndef SLUICE_OS_UNPACK_H
#define SLUICE_OS_UNPACK_H

#include <stdbool.h>

#include "os/inflate.h"

enum unpack_format { UNPACK_GZIP, UNPACK_ZIP };

struct unpack;

struct unpack *unpack_new(enum unpack_format format, const struct inflate_limits *limits, inflate_sink *sink, void *context);
int unpack_feed(struct unpack *in, const void *data, size_t size, struct err *err) MUST_USE;
int unpack_finish(struct unpack *in, struct err *err) MUST_USE;
bool unpack_proves_end(const struct unpack *in); /* does the format say where it ends, so that a cut is noticed? */
void unpack_free(struct unpack *in);             /* NULL is fine */

#endif
