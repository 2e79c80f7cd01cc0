/* block and budget: who holds the bytes, who waits for them. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>

#include "data/block.h"

static void test_a_block_gives_its_bytes_back(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1000);
    struct block *block = block_new(budget, 400);
    assert_int_equal(budget_used(budget), 400);
    block_grow(block, 800);
    assert_int_equal(budget_used(budget), 800);
    block_grow(block, 100); /* never smaller */
    assert_int_equal(block->capacity, 800);
    memset(block->data, 'x', 100);
    block->size = 100;
    block_seal(block);
    assert_int_equal(block->capacity, 100);
    assert_int_equal(budget_used(budget), 100);
    for (size_t i = 0; i < BLOCK_PADDING; i++) assert_int_equal(block->data[100 + i], 0);
    assert_int_equal(block->data[99], 'x');
    assert_ptr_equal(block_hold(block), block);
    block_release(block);
    assert_int_equal(budget_used(budget), 100);
    block_release(block);
    assert_int_equal(budget_used(budget), 0);
    assert_int_equal(budget_peak(budget), 800);
    budget_free(budget);
    block_release(NULL);
}

static void test_a_nearly_full_block_keeps_its_memory(void **state)
{
    (void)state;
    struct block *block = block_new(NULL, 100); /* not counted */
    block->size = 80;
    block_seal(block);
    assert_int_equal(block->capacity, 100);
    block_release(block);
    block = block_new(NULL, 0);
    block_seal(block);
    assert_int_equal(block->data[0], 0);
    block_release(block);
}

static void test_charge_passes_the_limit_reserve_does_not(void **state)
{
    (void)state;
    struct budget *budget = budget_new(800);
    assert_true(budget_reserve(budget, 700, NULL, NULL));
    assert_false(budget_is_short(budget));
    budget_charge(budget, 500);
    assert_true(budget_is_short(budget));
    assert_int_equal(budget_used(budget), 1200);
    budget_return(budget, 499);
    assert_true(budget_is_short(budget)); /* 99 of 800 left: less than an eighth */
    budget_return(budget, 1);
    assert_false(budget_is_short(budget));
    budget_return(budget, 700);
    budget_free(budget);
}

static bool stop_at_once(void *context)
{
    ++*(int *)context;
    return true;
}

static void test_a_waiting_reserve_can_be_stopped(void **state)
{
    (void)state;
    struct budget *budget = budget_new(100);
    int asked = 0;
    budget_charge(budget, 100);
    assert_false(budget_reserve(budget, 1, stop_at_once, &asked));
    assert_int_equal(asked, 1);
    assert_int_equal(budget_used(budget), 100);
    budget_return(budget, 100);
    assert_true(budget_reserve(budget, 100, stop_at_once, &asked)); /* no waiting, no question */
    assert_int_equal(asked, 1);
    budget_return(budget, 100);
    budget_free(budget);
}

struct reserver {
    struct budget *budget;
    size_t bytes;
    int *order;
    int done;   /* its place in the order of success; 0: not yet */
    bool waits; /* it has been asked whether to stop, so it waits in the queue */
};

static bool note_waiting(void *context)
{
    struct reserver *reserver = context;
    __atomic_store_n(&reserver->waits, true, __ATOMIC_RELEASE);
    return false;
}

static void *reserve(void *context)
{
    struct reserver *reserver = context;
    budget_reserve(reserver->budget, reserver->bytes, note_waiting, reserver);
    reserver->done = __atomic_add_fetch(reserver->order, 1, __ATOMIC_RELAXED);
    budget_return(reserver->budget, reserver->bytes);
    return NULL;
}

static void await_waiting(struct reserver *reserver)
{
    while (!__atomic_load_n(&reserver->waits, __ATOMIC_ACQUIRE)) sched_yield();
}

static void test_waiters_are_served_in_turn_and_larger_than_the_limit_gets_it_empty(void **state)
{
    (void)state;
    struct budget *budget = budget_new(100);
    int order = 0;
    struct reserver large = {.budget = budget, .bytes = 500, .order = &order};
    struct reserver small = {.budget = budget, .bytes = 1, .order = &order};
    pthread_t first, second;
    budget_charge(budget, 50);
    assert_int_equal(pthread_create(&first, NULL, reserve, &large), 0);
    await_waiting(&large);
    assert_int_equal(pthread_create(&second, NULL, reserve, &small), 0);
    await_waiting(&small); /* it would fit, but stands behind */
    assert_true(budget_is_short(budget));
    assert_int_equal(budget_used(budget), 50);
    budget_return(budget, 50);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    assert_int_equal(large.done, 1);
    assert_int_equal(small.done, 2);
    assert_int_equal(budget_used(budget), 0);
    assert_int_equal(budget_peak(budget), 500);
    budget_free(budget);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *hold_and_release(void *context)
{
    struct block *block = context;
    for (int i = 0; i < ROUNDS; i++) {
        block_hold(block);
        struct block *own = block_new(block->budget, 64);
        block_release(own);
        block_release(block);
    }
    block_release(block);
    return NULL;
}

static void test_counts_hold_across_threads(void **state)
{
    (void)state;
    struct budget *budget = budget_new(1 << 20);
    struct block *block = block_new(budget, 128);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, block_hold(block)), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(budget_used(budget), 128);
    assert_int_equal(block->references, 1);
    block_release(block);
    assert_int_equal(budget_used(budget), 0);
    budget_free(budget);
}

UNIT_TESTS(cmocka_unit_test(test_a_block_gives_its_bytes_back), cmocka_unit_test(test_a_nearly_full_block_keeps_its_memory),
           cmocka_unit_test(test_charge_passes_the_limit_reserve_does_not),
           cmocka_unit_test(test_a_waiting_reserve_can_be_stopped),
           cmocka_unit_test(test_waiters_are_served_in_turn_and_larger_than_the_limit_gets_it_empty),
           cmocka_unit_test(test_counts_hold_across_threads))
