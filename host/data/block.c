/* block: see block.h. Counts are GCC's atomics: releasing is the last thing a thread does with a block, so the count is the
 * lock. */
#include "data/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct block *block_new(struct budget *budget, size_t capacity)
{
    struct block *block = mem_zero(1, sizeof *block);
    *block = (struct block){.budget = budget, .capacity = capacity, .references = 1};
    block->data = mem_alloc(capacity + BLOCK_PADDING);
    memset(block->data, 0, BLOCK_PADDING); /* behind the empty content */
    if (budget) budget_charge(budget, capacity);
    return block;
}

static void resize(struct block *block, size_t capacity)
{
    block->data = mem_resize(block->data, capacity + BLOCK_PADDING);
    if (block->budget && capacity > block->capacity) budget_charge(block->budget, capacity - block->capacity);
    if (block->budget && capacity < block->capacity) budget_return(block->budget, block->capacity - capacity);
    block->capacity = capacity;
}

void block_grow(struct block *block, size_t capacity)
{
    CHECK(__atomic_load_n(&block->references, __ATOMIC_RELAXED) == 1);
    if (capacity > block->capacity) resize(block, capacity);
}

void block_seal(struct block *block)
{
    CHECK(block->size <= block->capacity);
    if (block->capacity - block->size > block->capacity / 4) resize(block, block->size);
    memset(block->data + block->size, 0, BLOCK_PADDING);
}

struct block *block_hold(struct block *block)
{
    __atomic_fetch_add(&block->references, 1, __ATOMIC_RELAXED);
    return block;
}

void block_release(struct block *block)
{
    if (!block || __atomic_fetch_sub(&block->references, 1, __ATOMIC_ACQ_REL) != 1) return;
    if (block->budget) budget_return(block->budget, block->capacity);
    free(block->data);
    free(block);
}
