/* batch: see batch.h. Rows grow by doubling up to what the decoder lets them; what is taken is charged at once. */
#include "data/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { FIRST_ROWS = 64 };

/* The arena and the blocks' reason to stay are shared by the parts of a split batch; the last one gives the memory back. Only
 * the batch that was never split adds to it, so the count alone needs to be atomic. */
struct batch_texts {
    struct arena arena;
    struct budget *budget;
    size_t charged;
    int references;
};

static struct batch_texts *texts_new(struct budget *budget)
{
    struct batch_texts *texts = mem_zero(1, sizeof *texts);
    texts->budget = budget;
    texts->references = 1;
    return texts;
}

static void texts_release(struct batch_texts *texts)
{
    if (__atomic_fetch_sub(&texts->references, 1, __ATOMIC_ACQ_REL) != 1) return;
    arena_release(&texts->arena);
    if (texts->budget) budget_return(texts->budget, texts->charged);
    free(texts);
}

static void charge_texts(struct batch_texts *texts)
{
    size_t grown = texts->arena.allocated - texts->charged;
    if (!grown) return;
    texts->charged += grown;
    if (texts->budget) budget_charge(texts->budget, grown);
}

static struct batch *new_part(struct budget *budget, const struct schema *schema, uint32_t columns, struct batch_texts *texts)
{
    struct batch *batch = mem_zero(1, sizeof *batch);
    *batch = (struct batch){.schema = schema, .columns = columns, .texts = texts, .arena = &texts->arena, .budget = budget};
    return batch;
}

struct batch *batch_new(struct budget *budget, const struct schema *schema, uint32_t columns)
{
    return new_part(budget, schema, columns, texts_new(budget));
}

void batch_free(struct batch *batch)
{
    if (!batch) return;
    for (size_t i = 0; i < batch->block_count; i++) block_release(batch->blocks[i]);
    texts_release(batch->texts);
    if (batch->budget) budget_return(batch->budget, batch->charged);
    free(batch->values);
    free(batch->operations);
    free(batch);
}

bool batch_hold(struct batch *batch, struct block *block)
{
    for (size_t i = 0; i < batch->block_count; i++)
        if (batch->blocks[i] == block) return true;
    if (batch->block_count == ARRAY_SIZE(batch->blocks)) return false;
    batch->blocks[batch->block_count++] = block_hold(block);
    return true;
}

static size_t row_bytes(uint32_t columns)
{
    return columns * sizeof(struct value) + 1;
}

static void set_capacity(struct batch *batch, size_t rows, uint32_t columns)
{
    size_t bytes = rows * row_bytes(columns);
    batch->values = mem_resize(batch->values, rows * columns * sizeof *batch->values);
    batch->operations = mem_resize(batch->operations, rows);
    if (batch->budget && bytes > batch->charged) budget_charge(batch->budget, bytes - batch->charged);
    if (batch->budget && bytes < batch->charged) budget_return(batch->budget, batch->charged - bytes);
    batch->charged = bytes;
    batch->row_capacity = rows;
}

static void set_null(struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) values[i] = (struct value){.kind = VALUE_NULL, .i = 0};
}

struct value *batch_add_row(struct batch *batch, enum row_operation operation)
{
    if (batch->rows == batch->row_capacity)
        set_capacity(batch, batch->row_capacity ? batch->row_capacity * 2 : FIRST_ROWS, batch->columns);
    charge_texts(batch->texts);
    struct value *row = batch->values + batch->rows * batch->columns;
    batch->operations[batch->rows++] = (uint8_t)operation;
    batch->marks += row_is_mark(operation);
    set_null(row, batch->columns);
    return row;
}

void batch_drop_row(struct batch *batch)
{
    CHECK(batch->rows > 0);
    batch->marks -= row_is_mark(batch->operations[--batch->rows]);
}

void batch_widen(struct batch *batch, uint32_t columns)
{
    uint32_t before = batch->columns;
    CHECK(columns >= before);
    if (columns == before) return;
    if (batch->row_capacity) set_capacity(batch, batch->row_capacity, columns);
    for (size_t row = batch->rows; row-- > 0;) { /* from the last: rows move up */
        struct value *to = batch->values + row * columns;
        memmove(to, batch->values + row * before, before * sizeof *to);
        set_null(to + before, columns - before);
    }
    batch->columns = columns;
}

void batch_seal(struct batch *batch)
{
    charge_texts(batch->texts);
    if (batch->row_capacity - batch->rows > batch->row_capacity / 4) set_capacity(batch, batch->rows, batch->columns);
}

const struct value *batch_row(const struct batch *batch, size_t row)
{
    CHECK(row < batch->rows);
    return batch->values + row * batch->columns;
}

struct batch *batch_split(struct batch *batch, size_t rows)
{
    if (rows >= batch->rows) return NULL;
    size_t left = batch->rows - rows;
    __atomic_fetch_add(&batch->texts->references, 1, __ATOMIC_RELAXED);
    struct batch *rest = new_part(batch->budget, batch->schema, batch->columns, batch->texts);
    rest->stream = batch->stream;
    rest->slice = batch->slice;
    rest->first_sequence = batch->first_sequence + rows;
    for (size_t i = 0; i < batch->block_count; i++) rest->blocks[rest->block_count++] = block_hold(batch->blocks[i]);
    set_capacity(rest, left, batch->columns);
    if (batch->columns)
        memcpy(rest->values, batch->values + rows * batch->columns, left * batch->columns * sizeof *rest->values);
    memcpy(rest->operations, batch->operations + rows, left);
    rest->rows = left;
    batch->rows = rows;
    for (size_t i = 0; batch->marks && i < left; i++) rest->marks += row_is_mark(rest->operations[i]);
    batch->marks -= rest->marks;
    return rest;
}

size_t batch_bytes(const struct batch *batch)
{
    size_t bytes = batch->charged + batch->texts->charged;
    for (size_t i = 0; i < batch->block_count; i++) bytes += batch->blocks[i]->capacity;
    return bytes;
}
