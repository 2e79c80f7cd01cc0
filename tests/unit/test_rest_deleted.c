/* deleted: which values say that a record is gone. hash_set: what is there, and what was. */
#include "unit.h"

#include "base/str.h"
#include "rest/deleted.h"
#include "rest/hash_set.h"

static bool fits(const struct deleted_rule *rule, const char *json)
{
    char padded[256] = {0};
    struct json_value value;
    memcpy(padded, json, strlen(json));
    assert_true(jsonscan_find(padded, strlen(json), rule->path, &value));
    return deleted_fits(rule, &value);
}

static void test_a_path_alone_wants_a_yes(void **state)
{
    (void)state;
    static const char *const YES[] = {"true", "1", "\"true\"", "\"2024-01-15\"", "[]", "{}", "0.5", "\"x\\u0000\""};
    static const char *const NO[] = {"null", "false", "0", "\"\"", "\"False\"", "\"0\"", "\"null\""};
    const struct deleted_rule rule = {.path = "$"};
    for (size_t i = 0; i < ARRAY_SIZE(YES); i++) assert_true(fits(&rule, YES[i]));
    for (size_t i = 0; i < ARRAY_SIZE(NO); i++) assert_false(fits(&rule, NO[i]));
    assert_false(deleted_fits(&rule, &(struct json_value){.kind = JSON_NULL}));
}

static void test_texts_are_compared_as_they_are_spelled(void **state)
{
    (void)state;
    static const char *const GONE[] = {"deleted", "0", "a\"b"};
    const struct deleted_rule equals = {.path = "s.name", .equals = GONE, .equals_count = 3};
    assert_true(fits(&equals, "{\"s\":{\"name\":\"deleted\"}}"));
    assert_true(fits(&equals, "{\"s\":{\"name\":\"delete\\u0064\"}}"));
    assert_true(fits(&equals, "{\"s\":{\"name\":\"a\\\"b\"}}"));
    assert_true(fits(&equals, "{\"s\":{\"name\":0}}"));
    assert_false(fits(&equals, "{\"s\":{\"name\":\"Deleted\"}}"));
    assert_false(fits(&equals, "{\"s\":{\"name\":[\"deleted\"]}}"));
    const struct deleted_rule ends = {.path = "type", .ends_with = ".deleted"};
    assert_true(fits(&ends, "{\"type\":\"customer.deleted\"}"));
    assert_false(fits(&ends, "{\"type\":\"customer.deleted.undone\"}"));
    assert_false(fits(&ends, "{\"type\":null}"));
}

static void test_a_set_knows_what_was_added_until_it_is_cleared(void **state)
{
    (void)state;
    struct hash_set set = {0};
    assert_false(hash_set_has(&set, 1));
    hash_set_clear(&set);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 2; i < 2000; i++) assert_true(hash_set_add(&set, i * 4096)); /* all to the same places */
        for (uint64_t i = 2; i < 2000; i++) assert_false(hash_set_add(&set, i * 4096));
        assert_true(hash_set_add(&set, 0));
        assert_true(hash_set_has(&set, 0) && hash_set_has(&set, 8192) && !hash_set_has(&set, 8193));
        assert_int_equal(set.count, 1999);
        hash_set_clear(&set);
        assert_false(hash_set_has(&set, 8192));
    }
    hash_set_release(&set);
}

UNIT_TESTS(cmocka_unit_test(test_a_path_alone_wants_a_yes), cmocka_unit_test(test_texts_are_compared_as_they_are_spelled),
           cmocka_unit_test(test_a_set_knows_what_was_added_until_it_is_cleared))
