/* inflate: bodies that arrive compressed, taken apart as they come, never trusted.
 *
 *     struct inflate *in = inflate_new(INFLATE_GZIP, &limits, sink, block);
 *     while (received) rc = inflate_feed(in, data, size, err);
 *     rc = inflate_finish(in, err);             // only now what came out is known to be whole
 *     inflate_free(in);
 *
 * Whole means: the stream's own end was reached and its check sum and length agree, so a body cut anywhere is an error even
 * when the connection ended politely. Gzip may have several members (RFC 1952 2.2). DEFLATE is HTTP's "deflate": zlib's format
 * (RFC 1950), and the bare one (RFC 1951) that some servers send under that name; the bare one has an end but no check sum.
 * Errors: TRANSIENT for what is cut or damaged, DATA for a limit passed or bytes behind the end. One thread per object; after a
 * failure it only repeats it. */
#ifndef SLUICE_OS_INFLATE_H
#define SLUICE_OS_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum inflate_format { INFLATE_GZIP, INFLATE_DEFLATE };

enum { INFLATE_RATIO_GRACE_BYTES = 1 << 20 }; /* output up to here may have any ratio */

struct inflate_limits {
    size_t output_bytes; /* at most this much comes out; and no more than about this much goes in */
    unsigned ratio;      /* output : input past the grace, e.g. 200; 0: any */
};

/* Takes the next piece of output. A failure (its class) ends the stream and is passed on. */
typedef int inflate_sink(void *context, const void *data, size_t size, struct err *err);

struct inflate;

struct inflate *inflate_new(enum inflate_format format, const struct inflate_limits *limits, inflate_sink *sink, void *context);
int inflate_feed(struct inflate *in, const void *data, size_t size, struct err *err) MUST_USE;
int inflate_finish(struct inflate *in, struct err *err) MUST_USE; /* no input at all is cut, too */
uint64_t inflate_output_bytes(const struct inflate *in);
void inflate_free(struct inflate *in); /* NULL is fine */

#endif
