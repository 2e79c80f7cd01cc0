/* channel: every item sent is received once, in order, with any number of threads at both ends; closing and aborting wake all.
 */
#include "unit.h"

#include <string.h>

#include "os/cancel.h"
#include "os/channel.h"
#include "os/thread.h"

enum { THREADS = 4, PER_SENDER = 5000 };

static int items[THREADS * PER_SENDER];

static void start(struct thread *thread, void (*run)(void *), void *context)
{
    struct err err = ERR_INIT;
    assert_int_equal(thread_start(thread, "test", run, context, 0, &err), 0);
}

static void test_items_come_in_order_up_to_the_capacity(void **state)
{
    (void)state;
    struct channel *channel = channel_new(3);
    void *item = NULL;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) assert_true(channel_send(channel, &items[i], NULL));
        assert_int_equal(channel_count(channel), 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(channel_receive(channel, NULL, -1, &item), CHANNEL_ITEM);
            assert_ptr_equal(item, &items[i]);
        }
        assert_int_equal(channel_receive(channel, NULL, 0, &item), CHANNEL_TIMEOUT);
        assert_int_equal(channel_receive(channel, NULL, 1, &item), CHANNEL_TIMEOUT);
    }
    assert_null(channel_take(channel));
    channel_free(channel);
}

static void test_closed_channel_gives_what_is_inside(void **state)
{
    (void)state;
    struct channel *channel = channel_new(2);
    void *item = NULL;
    assert_true(channel_send(channel, &items[0], NULL));
    assert_true(channel_send(channel, &items[1], NULL));
    channel_close(channel);
    channel_close(channel);
    assert_false(channel_send(channel, &items[2], NULL));
    assert_int_equal(channel_receive(channel, NULL, -1, &item), CHANNEL_ITEM);
    assert_ptr_equal(item, &items[0]);
    assert_ptr_equal(channel_take(channel), &items[1]);
    assert_int_equal(channel_receive(channel, NULL, -1, &item), CHANNEL_CLOSED);
    channel_free(channel);
}

static void test_abort_is_seen_before_items_and_room(void **state)
{
    (void)state;
    struct channel *channel = channel_new(2);
    struct cancel *cancel = cancel_new(NULL);
    void *item = NULL;
    assert_true(channel_send(channel, &items[0], cancel));
    cancel_fire(cancel, CANCEL_STOP); /* stopping is not aborting: the pipeline runs dry first */
    assert_true(channel_send(channel, &items[1], cancel));
    assert_int_equal(channel_receive(channel, cancel, -1, &item), CHANNEL_ITEM);
    cancel_fire(cancel, CANCEL_ABORT);
    assert_false(channel_send(channel, &items[2], cancel));
    assert_int_equal(channel_receive(channel, cancel, -1, &item), CHANNEL_ABORTED);
    assert_ptr_equal(channel_take(channel), &items[1]);
    cancel_free(cancel);
    channel_free(channel);
}

struct end {
    struct channel *channel;
    struct cancel *cancel;
    int *first;        /* sender: its items */
    int seen[THREADS]; /* receiver: the newest number of each sender */
    size_t count;      /* receiver */
    bool was_in_order; /* receiver */
    bool sent;         /* blocked sender */
    enum channel_result result;
};

static void send_all(void *context)
{
    struct end *end = context;
    for (int i = 0; i < PER_SENDER; i++)
        if (!channel_send(end->channel, &end->first[i], end->cancel)) return;
}

static void receive_all(void *context)
{
    struct end *end = context;
    void *item;
    memset(end->seen, -1, sizeof end->seen);
    end->was_in_order = true;
    while ((end->result = channel_receive(end->channel, end->cancel, -1, &item)) == CHANNEL_ITEM) {
        int index = (int)((int *)item - items);
        int sender = index / PER_SENDER, number = index % PER_SENDER;
        if (number <= end->seen[sender]) end->was_in_order = false;
        end->seen[sender] = number;
        __atomic_add_fetch((int *)item, 1, __ATOMIC_SEQ_CST);
        end->count++;
    }
}

static void test_many_senders_and_receivers_lose_and_double_nothing(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 7; capacity += 6) {
        struct channel *channel = channel_new(capacity);
        struct thread senders[THREADS] = {0}, receivers[THREADS] = {0};
        struct end sending[THREADS] = {0}, receiving[THREADS] = {0};
        memset(items, 0, sizeof items);
        for (int i = 0; i < THREADS; i++) {
            sending[i] = (struct end){.channel = channel, .first = &items[i * PER_SENDER]};
            receiving[i] = (struct end){.channel = channel};
            start(&receivers[i], receive_all, &receiving[i]);
            start(&senders[i], send_all, &sending[i]);
        }
        for (int i = 0; i < THREADS; i++) thread_join(&senders[i]);
        channel_close(channel);
        size_t total = 0;
        for (int i = 0; i < THREADS; i++) {
            thread_join(&receivers[i]);
            assert_int_equal(receiving[i].result, CHANNEL_CLOSED);
            assert_true(receiving[i].was_in_order);
            total += receiving[i].count;
        }
        assert_int_equal(total, ARRAY_SIZE(items));
        for (size_t i = 0; i < ARRAY_SIZE(items); i++) assert_int_equal(items[i], 1);
        channel_free(channel);
    }
}

static void send_one(void *context)
{
    struct end *end = context;
    end->sent = channel_send(end->channel, end->first, end->cancel);
}

static void receive_one(void *context)
{
    struct end *end = context;
    void *item;
    end->result = channel_receive(end->channel, end->cancel, -1, &item);
}

/* Whether the threads wait already or come later: both must end. */
static void test_closing_wakes_waiters(void **state)
{
    (void)state;
    struct channel *full = channel_new(1), *empty = channel_new(1);
    assert_true(channel_send(full, &items[0], NULL));
    struct end sender = {.channel = full, .first = &items[1], .sent = true}, receiver = {.channel = empty};
    struct thread threads[2] = {0};
    start(&threads[0], send_one, &sender);
    start(&threads[1], receive_one, &receiver);
    channel_close(full);
    channel_close(empty);
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    assert_false(sender.sent);
    assert_int_equal(receiver.result, CHANNEL_CLOSED);
    assert_ptr_equal(channel_take(full), &items[0]);
    channel_free(full);
    channel_free(empty);
}

static void test_abort_wakes_waiters(void **state)
{
    (void)state;
    struct cancel *root = cancel_new(NULL), *cancel = cancel_new(root);
    struct channel *full = channel_new(1), *empty = channel_new(1);
    assert_true(channel_send(full, &items[0], NULL));
    struct end sender = {.channel = full, .cancel = cancel, .first = &items[1], .sent = true};
    struct end receiver = {.channel = empty, .cancel = cancel};
    struct thread threads[2] = {0};
    start(&threads[0], send_one, &sender);
    start(&threads[1], receive_one, &receiver);
    cancel_fire(root, CANCEL_ABORT);
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    assert_false(sender.sent);
    assert_int_equal(receiver.result, CHANNEL_ABORTED);
    assert_ptr_equal(channel_take(full), &items[0]);
    channel_free(full);
    channel_free(empty);
    cancel_free(cancel);
    cancel_free(root);
}

UNIT_TESTS(cmocka_unit_test(test_items_come_in_order_up_to_the_capacity),
           cmocka_unit_test(test_closed_channel_gives_what_is_inside),
           cmocka_unit_test(test_abort_is_seen_before_items_and_room),
           cmocka_unit_test(test_many_senders_and_receivers_lose_and_double_nothing),
           cmocka_unit_test(test_closing_wakes_waiters), cmocka_unit_test(test_abort_wakes_waiters))
