/* The join of types: laws that make inference independent of the order of records. */
#include "unit.h"

#include "base/check.h"
#include "data/lattice.h"

static void test_joins(void **state)
{
    (void)state;
    static const struct {
        enum type a, b, joined;
    } CASES[] = {
        {TYPE_INTEGER, TYPE_DECIMAL, TYPE_DECIMAL}, {TYPE_INTEGER, TYPE_FLOAT, TYPE_DECIMAL},
        {TYPE_FLOAT, TYPE_DECIMAL, TYPE_DECIMAL},   {TYPE_DATE, TYPE_TIMESTAMP, TYPE_STRING},
        {TYPE_BOOLEAN, TYPE_INTEGER, TYPE_STRING},  {TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ, TYPE_STRING},
        {TYPE_STRING, TYPE_BINARY, TYPE_STRING},    {TYPE_JSON, TYPE_BOOLEAN, TYPE_JSON},
        {TYPE_STRING, TYPE_JSON, TYPE_JSON},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_string_equal(type_name(type_join(CASES[i].a, CASES[i].b)), type_name(CASES[i].joined));
}

static void test_the_laws_hold_for_all_types(void **state)
{
    (void)state;
    for (enum type a = 0; a < TYPE_COUNT; a++) {
        assert_int_equal(type_join(a, a), a);
        assert_int_equal(type_join(a, TYPE_JSON), TYPE_JSON);
        for (enum type b = 0; b < TYPE_COUNT; b++) {
            enum type joined = type_join(a, b);
            assert_int_equal(joined, type_join(b, a));
            assert_int_equal(joined, type_join(a, joined));
            for (enum type c = 0; c < TYPE_COUNT; c++) assert_int_equal(type_join(joined, c), type_join(a, type_join(b, c)));
        }
    }
}

/* xorshift: the same numbers each time. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_any_order_gives_the_same_type(void **state)
{
    (void)state;
    uint32_t seed = 20240101;
    for (int round = 0; round < 2000; round++) {
        enum type types[12];
        size_t count = 1 + next_random(&seed) % ARRAY_SIZE(types);
        for (size_t i = 0; i < count; i++) types[i] = (enum type)(next_random(&seed) % TYPE_COUNT);
        enum type expected = types[0];
        for (size_t i = 1; i < count; i++) expected = type_join(expected, types[i]);
        for (size_t i = count - 1; i > 0; i--) {
            size_t other = next_random(&seed) % (i + 1);
            enum type kept = types[i];
            types[i] = types[other];
            types[other] = kept;
        }
        enum type found = types[0];
        for (size_t i = 1; i < count; i++) found = type_join(found, types[i]);
        assert_int_equal(found, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_the_laws_hold_for_all_types),
        cmocka_unit_test(test_any_order_gives_the_same_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
