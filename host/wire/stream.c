/* stream: see stream.h. Waits in poll for at most a fifth of a second at a time, to notice a cancel token: its descriptor also
 * wakes for a mere stop, which does not end a call. Without deadline and token it reads straight away: the worker's side, which
 * has nothing else to wait for.
 *
 * The buffer grows to the largest frame seen; a frame is read with one read for its first bytes and then straight to its end.
 */
#include "wire/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/cancel.h"

enum { POLL_SLICE_MS = 200, READ_AHEAD = 64 * 1024 };

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool waits(struct wire_wait wait)
{
    return wait.wait_ms >= 0 || wait.cancel;
}

/* Waits until the socket is ready for `events`. */
static int wait_ready(int fd, short events, struct wire_wait wait, int64_t deadline_ms, struct err *err)
{
    if (!waits(wait)) return 0;
    for (;;) {
        if (cancel_aborted(wait.cancel)) return err_set(err, ERR_CANCELLED, "asked to stop");
        int64_t slice = POLL_SLICE_MS;
        if (wait.wait_ms >= 0) {
            int64_t left = deadline_ms - monotonic_ms();
            if (left <= 0) return err_set(err, ERR_STALLED, "no answer within %lld ms", (long long)wait.wait_ms);
            if (left < slice) slice = left;
        }
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, (int)slice);
        if (ready > 0) return 0;
        if (ready < 0 && errno != EINTR) return err_set(err, ERR_BUG, "cannot wait for a socket: %s", strerror(errno));
    }
}

static int io_failed(const char *what, struct err *err)
{
    return err_set(err, ERR_TRANSIENT, "could not %s: %s", what, strerror(errno));
}

int wire_send(struct wire_stream *stream, struct str bytes, struct wire_wait wait, struct err *err)
{
    int64_t deadline_ms = monotonic_ms() + wait.wait_ms;
    for (size_t sent = 0; sent < bytes.size;) {
        int rc = wait_ready(stream->fd, POLLOUT, wait, deadline_ms, err);
        if (rc != 0) return rc;
        ssize_t n = send(stream->fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL | (waits(wait) ? MSG_DONTWAIT : 0));
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EINTR && errno != EAGAIN)
            return io_failed("send a frame", err);
    }
    return 0;
}

/* Drops the frame given last; what was read beyond it moves to the front. */
static void forget_consumed(struct wire_stream *stream)
{
    if (stream->consumed == 0) return;
    size_t rest = stream->in.size - stream->consumed;
    if (rest > 0) memmove(stream->in.data, stream->in.data + stream->consumed, rest);
    stream->in.size = rest;
    stream->consumed = 0;
}

/* Bytes to make room for: the rest of the frame under way once its length is known. */
static size_t bytes_wanted(const struct buf *in)
{
    if (in->size < WIRE_PREFIX_BYTES) return READ_AHEAD;
    const unsigned char *at = (const unsigned char *)in->data;
    size_t total = WIRE_PREFIX_BYTES + ((size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24);
    return total - in->size; /* not 0: a whole frame would have been cut off already */
}

int wire_receive(struct wire_stream *stream, struct wire_frame *frame, struct wire_wait wait, struct err *err)
{
    int64_t deadline_ms = monotonic_ms() + wait.wait_ms;
    struct buf *in = &stream->in;
    forget_consumed(stream);
    for (;;) {
        int rc = wire_frame_parse(buf_str(in), frame, &stream->consumed, err);
        if (rc != 0 || stream->consumed > 0) return rc;
        if ((rc = wait_ready(stream->fd, POLLIN, wait, deadline_ms, err)) != 0) return rc;
        size_t wanted = bytes_wanted(in);
        char *place = buf_reserve(in, wanted + WIRE_PADDING);
        CHECK(place); /* no frame that may go on is larger */
        ssize_t n = read(stream->fd, place, wanted);
        if (n > 0)
            buf_advance(in, (size_t)n);
        else if (n == 0)
            return err_set(err, ERR_TRANSIENT, "the other end is gone");
        else if (errno != EINTR && errno != EAGAIN)
            return io_failed("receive a frame", err);
    }
}

void wire_stream_release(struct wire_stream *stream)
{
    buf_release(&stream->in);
}
