/* schema: columns only come, and two threads that bring the same one get the same one. */
#include "unit.h"

#include <pthread.h>

#include "base/check.h"
#include "data/schema.h"

static void test_keeps_columns_in_order(void **state)
{
    (void)state;
    struct schema *schema = schema_new("orders");
    const struct column *id = schema_add(schema, STR("id"), TYPE_STRING, true);
    const struct column *amount = schema_add(schema, STR("amount"), TYPE_DECIMAL, false);
    assert_string_equal(schema_stream(schema), "orders");
    assert_int_equal(schema_count(schema), 2);
    assert_ptr_equal(schema_column(schema, 0), id);
    assert_ptr_equal(schema_find(schema, STR("amount")), amount);
    assert_null(schema_find(schema, STR("amoun")));
    assert_int_equal(amount->index, 1);
    assert_true(id->declared && !amount->declared);
    assert_ptr_equal(schema_add(schema, STR("id"), TYPE_JSON, false), id); /* unchanged */
    assert_int_equal(id->type, TYPE_STRING);
    schema_set_key(schema, 0);
    schema_set_format(schema, 1, "epoch_ms", STR("+02:00"));
    schema_set_format(schema, 0, NULL, STR(""));
    assert_string_equal(amount->format, "epoch_ms");
    assert_null(id->format);
    assert_true(id->key && !amount->key);
    assert_true(str_equal(amount->zone, STR("+02:00")));
    assert_int_equal(id->zone.size, 0);
    schema_free(schema);
    schema_free(NULL);
}

static void test_refuses_what_no_column_can_be(void **state)
{
    (void)state;
    static char long_name[SCHEMA_MAX_NAME + 1];
    memset(long_name, 'n', sizeof long_name);
    struct schema *schema = schema_new("s");
    assert_null(schema_add(schema, STR(""), TYPE_STRING, false));
    assert_null(schema_add(schema, (struct str){long_name, sizeof long_name}, TYPE_STRING, false));
    assert_non_null(schema_add(schema, (struct str){long_name, sizeof long_name - 1}, TYPE_STRING, false));
    schema_free(schema);
}

static const struct column *add_numbered(struct schema *schema, int number, bool declared)
{
    char name[32];
    int size = snprintf(name, sizeof name, "column_%d", number);
    return schema_add(schema, (struct str){name, (size_t)size}, TYPE_STRING, declared);
}

static void test_is_full_at_its_limit_but_for_the_overflow(void **state)
{
    (void)state;
    struct schema *schema = schema_new("wide");
    for (int i = 0; i < SCHEMA_MAX_COLUMNS; i++) assert_non_null(add_numbered(schema, i, false));
    assert_null(add_numbered(schema, SCHEMA_MAX_COLUMNS, false));
    assert_non_null(add_numbered(schema, 0, false)); /* there already */
    const struct column *overflow = schema_add(schema, STR(SCHEMA_OVERFLOW), TYPE_JSON, false);
    assert_non_null(overflow);
    assert_int_equal(overflow->index, SCHEMA_MAX_COLUMNS);
    for (int i = 0; i < 4 * SCHEMA_MAX_COLUMNS; i++) assert_non_null(add_numbered(schema, 10000 + i, true));
    assert_null(add_numbered(schema, 20000, true));
    schema_free(schema);
}

enum { THREADS = 4, NAMES = 300 };

static void *add_all(void *context)
{
    struct schema *schema = context;
    for (int i = 0; i < NAMES; i++) {
        const struct column *column = add_numbered(schema, i, false);
        CHECK(column && schema_column(schema, column->index) == column);
    }
    return NULL;
}

static void test_threads_add_each_name_once(void **state)
{
    (void)state;
    struct schema *schema = schema_new("shared");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, add_all, schema), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(schema_count(schema), NAMES);
    schema_free(schema);
}

UNIT_TESTS(cmocka_unit_test(test_keeps_columns_in_order), cmocka_unit_test(test_refuses_what_no_column_can_be),
           cmocka_unit_test(test_is_full_at_its_limit_but_for_the_overflow), cmocka_unit_test(test_threads_add_each_name_once))
