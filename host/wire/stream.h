/* stream: sends and receives wire frames over a connected socket, blocking, with a deadline.
 *
 * Received frames are views into the stream's own buffer, valid until the next receive. The page in a frame is followed by
 * WIRE_PADDING readable bytes, as base/jsonscan.h wants it. One thread at a time.
 *
 *     struct wire_stream stream = WIRE_STREAM_INIT(fd);
 *     rc = wire_send(&stream, buf_str(&out), wait, err);
 *     rc = wire_receive(&stream, &frame, wait, err);
 *     wire_stream_release(&stream);                       // frees memory; the descriptor is the caller's */
#ifndef SLUICE_WIRE_STREAM_H
#define SLUICE_WIRE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/wire.h"

struct cancel;

enum { WIRE_PADDING = 64 };

struct wire_stream {
    int fd;
    struct buf in;
    size_t consumed; /* bytes of `in` that belong to the frame given last */
};

#define WIRE_STREAM_INIT(descriptor) ((struct wire_stream){.fd = (descriptor), .in = BUF_INIT(WIRE_MAX_BYTES + WIRE_PADDING)})

/* How long to wait: `wait_ms` in all (-1: for ever), and whose CANCEL_ABORT ends it earlier (may be NULL). */
struct wire_wait {
    int64_t wait_ms;
    const struct cancel *cancel;
};

/* Sends all of `bytes`. Errors: ERR_STALLED past the deadline, ERR_CANCELLED, ERR_TRANSIENT when the other end is gone. */
int wire_send(struct wire_stream *stream, struct str bytes, struct wire_wait wait, struct err *err) MUST_USE;

/* Receives the next frame. Errors as wire_send, and ERR_DATA for bytes that are no frame. */
int wire_receive(struct wire_stream *stream, struct wire_frame *frame, struct wire_wait wait, struct err *err) MUST_USE;

void wire_stream_release(struct wire_stream *stream);

#endif
