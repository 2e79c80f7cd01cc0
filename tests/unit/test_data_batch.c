/* batch: rows, what they hold on to, and splitting. */
#include "unit.h"

#include "data/batch.h"

struct fixture {
    struct budget *budget;
    struct schema *schema;
};

static struct fixture set_up(void)
{
    struct fixture fixture = {budget_new(1 << 24), schema_new("s")};
    schema_add(fixture.schema, STR("a"), TYPE_INTEGER, true);
    schema_add(fixture.schema, STR("b"), TYPE_STRING, true);
    return fixture;
}

static void tear_down(struct fixture *fixture)
{
    assert_int_equal(budget_used(fixture->budget), 0); /* everything came back */
    schema_free(fixture->schema);
    budget_free(fixture->budget);
}

static void add_row(struct batch *batch, int64_t i, const char *text)
{
    struct value *row = batch_add_row(batch, ROW_UPSERT);
    struct str copy = arena_copy(batch->arena, str_from(text));
    row[0] = (struct value){.kind = VALUE_INTEGER, .i = i};
    row[1] = (struct value){.kind = VALUE_STRING, .size = (uint32_t)copy.size, .data = copy.data};
}

static void test_rows_begin_as_nulls_and_can_be_taken_back(void **state)
{
    (void)state;
    struct fixture fixture = set_up();
    struct batch *batch = batch_new(fixture.budget, fixture.schema, 2);
    for (int i = 0; i < 1000; i++) add_row(batch, i, "x");
    const struct value *row = batch_add_row(batch, ROW_DELETE);
    assert_int_equal(row[0].kind, VALUE_NULL);
    assert_int_equal(row[1].kind, VALUE_NULL);
    assert_int_equal(batch->operations[1000], ROW_DELETE);
    batch_drop_row(batch);
    assert_int_equal(batch->rows, 1000);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(batch_row(batch, i)[0].i, i);
    row = batch_add_row(batch, ROW_UPSERT); /* what stood there before is gone */
    assert_int_equal(row[0].kind, VALUE_NULL);
    batch_free(batch);
    batch_free(NULL);
    tear_down(&fixture);
}

static void test_everything_is_charged(void **state)
{
    (void)state;
    struct fixture fixture = set_up();
    struct batch *batch = batch_new(fixture.budget, fixture.schema, 2);
    struct block *block = block_new(fixture.budget, 5000);
    for (int i = 0; i < 65; i++) add_row(batch, i, "some text");
    assert_true(batch_hold(batch, block));
    size_t grown = budget_used(fixture.budget);
    batch_seal(batch);
    assert_true(budget_used(fixture.budget) != grown);
    assert_int_equal(batch->charged, 65 * (2 * sizeof(struct value) + 1)); /* unused rows were given back */
    assert_int_equal(budget_used(fixture.budget), batch_bytes(batch));
    assert_int_equal(batch_bytes(batch), batch->charged + batch->arena->allocated + 5000);
    block_release(block);
    batch_free(batch);
    tear_down(&fixture);
}

static void test_holds_each_block_once_up_to_its_limit(void **state)
{
    (void)state;
    struct fixture fixture = set_up();
    struct batch *batch = batch_new(fixture.budget, fixture.schema, 2);
    struct block *blocks[9];
    for (size_t i = 0; i < 9; i++) blocks[i] = block_new(fixture.budget, 10);
    for (size_t i = 0; i < 8; i++) assert_true(batch_hold(batch, blocks[i]));
    assert_false(batch_hold(batch, blocks[8]));
    assert_true(batch_hold(batch, blocks[3]));
    assert_int_equal(blocks[3]->references, 2);
    for (size_t i = 0; i < 9; i++) block_release(blocks[i]);
    assert_int_equal(budget_used(fixture.budget), 80); /* the ninth is gone, the others are held */
    batch_free(batch);
    tear_down(&fixture);
}

static void test_widening_keeps_the_rows(void **state)
{
    (void)state;
    struct fixture fixture = set_up();
    struct batch *batch = batch_new(fixture.budget, fixture.schema, 2);
    for (int i = 0; i < 100; i++) add_row(batch, i, "t");
    batch_widen(batch, 5);
    assert_int_equal(batch->columns, 5);
    for (size_t i = 0; i < 100; i++) {
        const struct value *row = batch_row(batch, i);
        assert_int_equal(row[0].i, i);
        assert_true(str_equal(value_str(&row[1]), STR("t")));
        for (size_t c = 2; c < 5; c++) assert_int_equal(row[c].kind, VALUE_NULL);
    }
    batch_widen(batch, 5);
    assert_int_equal(batch_add_row(batch, ROW_UPSERT)[4].kind, VALUE_NULL);
    batch_free(batch);
    batch = batch_new(fixture.budget, fixture.schema, 0); /* a schema that knows nothing yet */
    batch_add_row(batch, ROW_UPSERT);
    batch_widen(batch, 1);
    assert_int_equal(batch_row(batch, 0)[0].kind, VALUE_NULL);
    batch_free(batch);
    tear_down(&fixture);
}

static void check_split(bool first_freed_first)
{
    struct fixture fixture = set_up();
    struct batch *batch = batch_new(fixture.budget, fixture.schema, 2);
    struct block *block = block_new(fixture.budget, 100);
    assert_true(batch_hold(batch, block));
    block_release(block);
    batch->stream = 3, batch->slice = 4, batch->first_sequence = 1000;
    for (int i = 0; i < 10; i++) add_row(batch, i, i % 2 ? "odd" : "even");
    batch_seal(batch);
    assert_null(batch_split(batch, 10));
    struct batch *rest = batch_split(batch, 4);
    assert_int_equal(batch->rows, 4);
    assert_int_equal(rest->rows, 6);
    assert_int_equal(rest->first_sequence, 1004);
    assert_int_equal(rest->stream, 3);
    assert_int_equal(rest->slice, 4);
    assert_int_equal(rest->columns, 2);
    if (first_freed_first) {
        batch_free(batch);
        assert_int_equal(batch_row(rest, 0)[0].i, 4);
        assert_true(str_equal(value_str(&batch_row(rest, 5)[1]), STR("odd")));
        assert_int_equal(rest->blocks[0]->references, 1);
        batch_free(rest);
    } else {
        batch_free(rest);
        assert_true(str_equal(value_str(&batch_row(batch, 2)[1]), STR("even")));
        batch_free(batch);
    }
    tear_down(&fixture);
}

static void test_split_parts_are_freed_in_any_order(void **state)
{
    (void)state;
    check_split(true);
    check_split(false);
}

UNIT_TESTS(cmocka_unit_test(test_rows_begin_as_nulls_and_can_be_taken_back), cmocka_unit_test(test_everything_is_charged),
           cmocka_unit_test(test_holds_each_block_once_up_to_its_limit), cmocka_unit_test(test_widening_keeps_the_rows),
           cmocka_unit_test(test_split_parts_are_freed_in_any_order))
