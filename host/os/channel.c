/* channel: see channel.h. A ring under a mutex. Waiting is polling two eventfds that say "there may be an item" and "there may
 * be room", together with the cancel token: an abort wakes a waiter at once, which a condition variable could not promise, for
 * the token may be fired by a signal. The eventfds are levels, not counts: each is readable exactly while its condition holds,
 * kept so under the mutex; a waiter that finds its condition gone again just waits again. */
#include "os/channel.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "os/cancel.h"
#include "os/clock.h"

struct flag {
    int fd;
    bool raised;
};

struct channel {
    pthread_mutex_t lock; /* guards all below */
    void **ring;
    size_t capacity;
    size_t first;
    size_t count;
    bool closed;
    struct flag has_item; /* count > 0 || closed */
    struct flag has_room; /* count < capacity || closed */
};

static void flag_set(struct flag *flag, bool raised)
{
    if (flag->raised == raised) return;
    uint64_t value = 1;
    ssize_t size = raised ? write(flag->fd, &value, sizeof value) : read(flag->fd, &value, sizeof value);
    CHECK(size == (ssize_t)sizeof value);
    flag->raised = raised;
}

static void update_flags(struct channel *channel)
{
    flag_set(&channel->has_item, channel->count > 0 || channel->closed);
    flag_set(&channel->has_room, channel->count < channel->capacity || channel->closed);
}

struct channel *channel_new(size_t capacity)
{
    CHECK(capacity > 0);
    struct channel *channel = mem_zero(1, sizeof *channel);
    CHECK(pthread_mutex_init(&channel->lock, NULL) == 0);
    channel->ring = mem_zero(capacity, sizeof *channel->ring);
    channel->capacity = capacity;
    channel->has_item.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    channel->has_room.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(channel->has_item.fd >= 0 && channel->has_room.fd >= 0);
    update_flags(channel);
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel) return;
    CHECK(channel->count == 0);
    close(channel->has_item.fd);
    close(channel->has_room.fd);
    pthread_mutex_destroy(&channel->lock);
    free(channel->ring);
    free(channel);
}

static void *take_first(struct channel *channel)
{
    void *item = channel->ring[channel->first];
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
    update_flags(channel);
    return item;
}

bool channel_send(struct channel *channel, void *item, struct cancel *cancel)
{
    for (;;) {
        if (cancel_aborted(cancel)) return false;
        pthread_mutex_lock(&channel->lock);
        bool closed = channel->closed;
        bool has_room = channel->count < channel->capacity;
        if (!closed && has_room) {
            channel->ring[(channel->first + channel->count) % channel->capacity] = item;
            channel->count++;
            update_flags(channel);
        }
        pthread_mutex_unlock(&channel->lock);
        if (closed) return false;
        if (has_room) return true;
        struct pollfd room = {.fd = channel->has_room.fd, .events = POLLIN};
        if (cancel_poll(cancel, CANCEL_ABORT, &room, 1, -1) == CANCEL_FIRED) return false;
    }
}

enum channel_result channel_receive(struct channel *channel, struct cancel *cancel, int64_t wait_ms, void **item)
{
    int64_t end_ms = wait_ms < 0 ? -1 : clock_now_ms(clock_system()) + wait_ms;
    for (;;) {
        if (cancel_aborted(cancel)) return CHANNEL_ABORTED;
        pthread_mutex_lock(&channel->lock);
        bool has_item = channel->count > 0;
        bool closed = channel->closed;
        if (has_item) *item = take_first(channel);
        pthread_mutex_unlock(&channel->lock);
        if (has_item) return CHANNEL_ITEM;
        if (closed) return CHANNEL_CLOSED;

        int64_t left_ms = -1;
        if (end_ms >= 0) {
            left_ms = end_ms - clock_now_ms(clock_system());
            if (left_ms <= 0) return CHANNEL_TIMEOUT;
        }
        struct pollfd ready = {.fd = channel->has_item.fd, .events = POLLIN};
        if (cancel_poll(cancel, CANCEL_ABORT, &ready, 1, left_ms) == CANCEL_FIRED) return CHANNEL_ABORTED;
    }
}

void *channel_take(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    void *item = channel->count ? take_first(channel) : NULL;
    pthread_mutex_unlock(&channel->lock);
    return item;
}

void channel_close(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->closed = true;
    update_flags(channel);
    pthread_mutex_unlock(&channel->lock);
}

size_t channel_count(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    size_t count = channel->count;
    pthread_mutex_unlock(&channel->lock);
    return count;
}
