/* map: finds what was set, in insertion order, through growth, removal and hostile keys. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"

static int values[20000];

static struct str key_of(int number, char text[16])
{
    return (struct str){text, (size_t)snprintf(text, 16, "key%d", number)};
}

static void test_finds_what_was_set_and_nothing_else(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    assert_null(map_get(&map, STR("a")));
    assert_null(map_remove(&map, STR("a")));
    map_set(&map, STR("a"), &values[1]);
    map_set(&map, STR(""), &values[2]);
    map_set(&map, STR("a\0b"), &values[3]);
    assert_ptr_equal(map_get(&map, STR("a")), &values[1]);
    assert_ptr_equal(map_get(&map, (struct str){0}), &values[2]);
    assert_ptr_equal(map_get(&map, STR("a\0b")), &values[3]);
    assert_null(map_get(&map, STR("a\0c")));
    assert_null(map_get(&map, STR("A")));
    assert_int_equal(map.count, 3);
    map_release(&map);
    assert_null(map_get(&map, STR("a")));
}

static void test_keys_are_copied(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    char key[] = "orders";
    map_set(&map, str_from(key), &values[1]);
    memset(key, 'x', strlen(key));
    assert_ptr_equal(map_get(&map, STR("orders")), &values[1]);
    size_t at = 0;
    assert_string_equal(map_each(&map, &at)->key.data, "orders"); /* terminated */
    map_release(&map);
}

static void test_setting_again_replaces_and_keeps_the_place(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    map_set(&map, STR("a"), &values[1]);
    map_set(&map, STR("b"), &values[2]);
    map_set(&map, STR("a"), &values[3]);
    assert_int_equal(map.count, 2);
    size_t at = 0;
    const struct map_entry *first = map_each(&map, &at);
    assert_true(str_equal(first->key, STR("a")));
    assert_ptr_equal(first->value, &values[3]);
    map_release(&map);
}

static void test_thousands_of_keys_survive_growth_and_removal_in_order(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    char text[16];
    const int count = 20000;
    for (int i = 0; i < count; i++) map_set(&map, key_of(i, text), &values[i]);
    for (int i = 0; i < count; i += 2) assert_ptr_equal(map_remove(&map, key_of(i, text)), &values[i]);
    assert_int_equal(map.count, count / 2);
    for (int i = 0; i < count; i++) assert_ptr_equal(map_get(&map, key_of(i, text)), i % 2 ? &values[i] : NULL);
    for (int i = 0; i < count; i += 4) map_set(&map, key_of(i, text), &values[i]); /* again: now behind the others */

    size_t at = 0;
    const struct map_entry *entry;
    int expected = 1;
    while (expected < count && (entry = map_each(&map, &at)) != NULL) {
        assert_ptr_equal(entry->value, &values[expected]);
        expected += 2;
    }
    expected = 0;
    while ((entry = map_each(&map, &at)) != NULL) {
        assert_ptr_equal(entry->value, &values[expected]);
        expected += 4;
    }
    assert_int_equal(expected, count);
    map_release(&map);
}

static void test_adding_and_removing_for_ever_does_not_grow(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    char text[16];
    for (int i = 0; i < 100000; i++) {
        map_set(&map, key_of(i, text), &values[0]);
        if (i >= 10) assert_non_null(map_remove(&map, key_of(i - 10, text)));
    }
    assert_int_equal(map.count, 10);
    assert_true(map.capacity < 100);
    map_release(&map);
}

static void test_removing_while_iterating(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    char text[16];
    for (int i = 0; i < 1000; i++) map_set(&map, key_of(i, text), &values[i]);
    size_t seen = 0, at = 0;
    const struct map_entry *entry;
    while ((entry = map_each(&map, &at)) != NULL) {
        seen++;
        assert_non_null(map_remove(&map, entry->key));
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(map.count, 0);
    map_release(&map);
}

static void test_clear_forgets_and_the_map_goes_on(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    map_clear(&map);
    char text[16];
    for (int i = 0; i < 100; i++) map_set(&map, key_of(i, text), &values[i]);
    map_clear(&map);
    assert_null(map_get(&map, STR("key1")));
    size_t at = 0;
    assert_null(map_each(&map, &at));
    map_set(&map, STR("key1"), &values[1]);
    assert_ptr_equal(map_get(&map, STR("key1")), &values[1]);
    assert_int_equal(map.count, 1);
    map_release(&map);
}

static void test_the_hash_depends_on_every_byte_and_the_size(void **state)
{
    (void)state;
    char text[40] = {0};
    for (size_t size = 0; size < sizeof text; size++) {
        uint64_t hash = hash_bytes((struct str){text, size});
        assert_true(hash == hash_bytes((struct str){text, size}));
        assert_true(hash != hash_bytes((struct str){text, size + (size < sizeof text - 1 ? 1 : (size_t)-1)}));
        for (size_t i = 0; i < size; i++) {
            text[i] = 1;
            assert_true(hash != hash_bytes((struct str){text, size}));
            text[i] = 0;
        }
    }
}

UNIT_TESTS(cmocka_unit_test(test_finds_what_was_set_and_nothing_else), cmocka_unit_test(test_keys_are_copied),
           cmocka_unit_test(test_setting_again_replaces_and_keeps_the_place),
           cmocka_unit_test(test_thousands_of_keys_survive_growth_and_removal_in_order),
           cmocka_unit_test(test_adding_and_removing_for_ever_does_not_grow), cmocka_unit_test(test_removing_while_iterating),
           cmocka_unit_test(test_clear_forgets_and_the_map_goes_on),
           cmocka_unit_test(test_the_hash_depends_on_every_byte_and_the_size))
