/* cancel: see cancel.h. Each token has a level and two eventfds, one per strength, which become readable once and stay so.
 * Nothing is passed down: a token's level is the highest on its way to the root, and who waits polls all eventfds on that way.
 * So firing is an atomic exchange and a write(), which a signal handler may do, and there is no lock and no list of children.
 */
#include "os/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { DEPTH_MAX = 8 };

static const int64_t WAIT_MAX_MS = INT64_C(3155760000000); /* a century: in nanoseconds it still fits 64 bits */

struct cancel {
    struct cancel *parent;
    _Atomic int level;
    int fds[CANCEL_ABORT + 1]; /* by level; [CANCEL_NONE] is not used */
    _Atomic int any_fd;        /* what cancel_fd gives out, made when first asked for; -1 until then */
};

static int make_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    return fd;
}

struct cancel *cancel_new(struct cancel *parent)
{
    int depth = 1;
    for (const struct cancel *above = parent; above; above = above->parent) depth++;
    CHECK(depth <= DEPTH_MAX);
    struct cancel *cancel = mem_zero(1, sizeof *cancel);
    cancel->parent = parent;
    cancel->fds[CANCEL_NONE] = -1;
    cancel->fds[CANCEL_STOP] = make_eventfd();
    cancel->fds[CANCEL_ABORT] = make_eventfd();
    atomic_init(&cancel->any_fd, -1);
    return cancel;
}

void cancel_free(struct cancel *cancel)
{
    if (!cancel) return;
    int any_fd = atomic_load(&cancel->any_fd);
    if (any_fd >= 0) close(any_fd);
    close(cancel->fds[CANCEL_STOP]);
    close(cancel->fds[CANCEL_ABORT]);
    free(cancel);
}

void cancel_fire(struct cancel *cancel, enum cancel_level level)
{
    int before = atomic_load(&cancel->level);
    while (before < (int)level && !atomic_compare_exchange_weak(&cancel->level, &before, (int)level)) {
    }
    int saved_errno = errno;
    for (int raised = before + 1; raised <= (int)level; raised++) {
        const uint64_t one = 1;
        ssize_t written = write(cancel->fds[raised], &one, sizeof one);
        (void)written; /* can only fail when the counter is full, and then it is readable */
    }
    errno = saved_errno;
}

enum cancel_level cancel_level(const struct cancel *cancel)
{
    int level = CANCEL_NONE;
    for (; cancel; cancel = cancel->parent) {
        int own = atomic_load(&cancel->level);
        if (own > level) level = own;
    }
    return (enum cancel_level)level;
}

bool cancel_stopping(const struct cancel *cancel)
{
    return cancel_level(cancel) >= CANCEL_STOP;
}

bool cancel_aborted(const struct cancel *cancel)
{
    return cancel_level(cancel) >= CANCEL_ABORT;
}

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ppoll until something is ready or `timeout_ms` is over, through any number of signals. */
static int poll_for(struct pollfd *fds, size_t count, int64_t timeout_ms)
{
    bool forever = timeout_ms < 0;
    if (timeout_ms > WAIT_MAX_MS) timeout_ms = WAIT_MAX_MS;
    int64_t end_ns = forever ? 0 : monotonic_ns() + timeout_ms * 1000000;
    for (int64_t left_ns = timeout_ms * 1000000;;) {
        struct timespec left = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
        int ready = ppoll(fds, (nfds_t)count, forever ? NULL : &left, NULL);
        if (ready >= 0) return ready;
        CHECK(errno == EINTR || errno == EAGAIN || errno == ENOMEM);
        if (forever) continue;
        left_ns = end_ns - monotonic_ns();
        if (left_ns < 0) left_ns = 0;
    }
}

int cancel_poll(struct cancel *cancel, enum cancel_level level, struct pollfd *fds, size_t count, int64_t timeout_ms)
{
    CHECK(count <= CANCEL_POLL_MAX && level != CANCEL_NONE);
    if (cancel_level(cancel) >= level) return CANCEL_FIRED;
    struct pollfd all[CANCEL_POLL_MAX + DEPTH_MAX];
    for (size_t i = 0; i < count; i++) all[i] = fds[i];
    size_t total = count;
    for (const struct cancel *token = cancel; token; token = token->parent)
        all[total++] = (struct pollfd){.fd = token->fds[level], .events = POLLIN};

    int ready = poll_for(all, total, timeout_ms);
    for (size_t i = 0; i < count; i++) fds[i].revents = all[i].revents;
    for (size_t i = count; i < total; i++)
        if (all[i].revents) return CANCEL_FIRED;
    return ready;
}

bool cancel_wait_ms(struct cancel *cancel, int64_t milliseconds)
{
    return cancel_poll(cancel, CANCEL_STOP, NULL, 0, milliseconds < 0 ? 0 : milliseconds) == CANCEL_FIRED;
}

int cancel_fd(struct cancel *cancel)
{
    if (!cancel->parent) return cancel->fds[CANCEL_STOP];
    int fd = atomic_load(&cancel->any_fd);
    if (fd >= 0) return fd;
    int made = epoll_create1(EPOLL_CLOEXEC);
    CHECK(made >= 0);
    for (const struct cancel *token = cancel; token; token = token->parent) {
        struct epoll_event event = {.events = EPOLLIN};
        CHECK(epoll_ctl(made, EPOLL_CTL_ADD, token->fds[CANCEL_STOP], &event) == 0);
    }
    if (atomic_compare_exchange_strong(&cancel->any_fd, &fd, made)) return made;
    close(made); /* another thread was first, and `fd` is its */
    return fd;
}
