/* channel: a bounded queue between threads, counted in items. Bytes are bounded by the budget the items are charged to.
 *
 *     struct channel *pages = channel_new(4);
 *     if (!channel_send(pages, page, cancel)) ...         // closed or aborted: the item is still yours
 *     while (channel_receive(pages, cancel, -1, &item) == CHANNEL_ITEM) ...
 *
 * Any number of senders and receivers. */
#ifndef SLUICE_OS_CHANNEL_H
#define SLUICE_OS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct channel;

enum channel_result { CHANNEL_ITEM, CHANNEL_CLOSED, CHANNEL_TIMEOUT, CHANNEL_ABORTED };

struct channel *channel_new(size_t capacity);
void channel_free(struct channel *channel); /* must be empty: the owner drains it with channel_take first */

/* Waits for room. False when the channel was closed or `cancel` reached CANCEL_ABORT; the item was not taken then. */
bool channel_send(struct channel *channel, void *item, struct cancel *cancel);
/* Waits up to `wait_ms` (-1: for ever) for an item. CLOSED only when closed and empty. */
enum channel_result channel_receive(struct channel *channel, struct cancel *cancel, int64_t wait_ms, void **item);
void *channel_take(struct channel *channel); /* an item if there is one, without waiting; works on closed channels */
void channel_close(struct channel *channel); /* no more items will be sent; what is inside is still received */
size_t channel_count(struct channel *channel);

#endif
