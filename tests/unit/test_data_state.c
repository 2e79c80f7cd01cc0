/* state: keyed entries that are set, found, and changed by deltas, in memory that does not grow with time. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "data/state.h"

static void assert_value(const struct state *state, const char *stream, const char *slice, const char *kind,
                         const char *expected)
{
    const char *value = state_get(state, stream, slice, kind);
    if (!expected)
        assert_null(value);
    else
        assert_string_equal(value ? value : "(absent)", expected);
}

static void test_the_key_is_stream_slice_and_kind(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    assert_value(&state, "orders", "", "cursor", NULL);
    state_set(&state, "orders", "", "cursor", "1");
    state_set(&state, "orders", "a", "cursor", "2");
    state_set(&state, "", "orders", "cursor", "3");
    state_set(&state, "orders", "", "plan", "4");
    state_set(&state, "ord", "ers", "cursor", "5");
    state_set(&state, "orders", "acursor", "", "6");
    assert_int_equal(state.count, 6);
    assert_value(&state, "orders", "", "cursor", "1");
    assert_value(&state, "orders", "a", "cursor", "2");
    assert_value(&state, "", "orders", "cursor", "3");
    assert_value(&state, "orders", "", "plan", "4");
    assert_value(&state, "ord", "ers", "cursor", "5");
    assert_value(&state, "orders", "acursor", "", "6");
    assert_value(&state, "Orders", "", "cursor", NULL);
    arena_release(&arena);
}

static void test_texts_are_copied_and_values_exact(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    char stream[] = "orders", slice[] = "7", kind[] = "cursor", value[] = "9007199254740993";
    state_set(&state, stream, slice, kind, value);
    stream[0] = slice[0] = kind[0] = value[0] = 'x';
    assert_value(&state, "orders", "7", "cursor", "9007199254740993");
    state_set(&state, "orders", "7", "cursor", "");
    assert_value(&state, "orders", "7", "cursor", "");
    arena_release(&arena);
}

static void test_setting_again_replaces_and_keeps_the_order(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    state_set(&state, "a", "", "cursor", "1");
    state_set(&state, "b", "", "cursor", "2");
    state_set(&state, "a", "", "cursor", "much longer than before");
    state_set(&state, "a", "", "cursor", "3");
    assert_int_equal(state.count, 2);
    assert_string_equal(state.entries[0].stream, "a");
    assert_string_equal(state.entries[0].value, "3");
    assert_string_equal(state.entries[1].stream, "b");
    state_set(&state, "a", "", "cursor", state_get(&state, "a", "", "cursor")); /* its own text */
    assert_value(&state, "a", "", "cursor", "3");
    arena_release(&arena);
}

static void test_a_tombstone_is_an_entry_without_a_value(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state delta = STATE_INIT(&arena);
    state_set(&delta, "orders", "7", "position", NULL);
    assert_int_equal(delta.count, 1);
    assert_null(delta.entries[0].value);
    assert_value(&delta, "orders", "7", "position", NULL);
    state_set(&delta, "orders", "7", "position", "back");
    assert_value(&delta, "orders", "7", "position", "back");
    state_set(&delta, "orders", "7", "position", NULL);
    assert_value(&delta, "orders", "7", "position", NULL);
    assert_int_equal(delta.count, 1);
    arena_release(&arena);
}

static void test_a_delta_sets_and_removes(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena), delta = STATE_INIT(&arena);
    for (int i = 0; i < 100; i++) state_set(&state, "s", arena_printf(&arena, "%d", i), "position", "old");
    for (int i = 0; i < 100; i += 3) state_set(&delta, "s", arena_printf(&arena, "%d", i), "position", NULL);
    for (int i = 1; i < 100; i += 3) state_set(&delta, "s", arena_printf(&arena, "%d", i), "position", "new");
    state_set(&delta, "s", "", "cursor", "42");
    state_set(&delta, "never", "was", "there", NULL);
    state_apply(&state, &delta);
    assert_int_equal(state.count, 100 - 34 + 1);
    for (int i = 0; i < 100; i++)
        assert_value(&state, "s", arena_printf(&arena, "%d", i), "position", i % 3 == 0 ? NULL : i % 3 == 1 ? "new" : "old");
    assert_value(&state, "s", "", "cursor", "42");
    assert_string_equal(state.entries[0].slice, "1"); /* the order is kept */
    assert_string_equal(state.entries[1].slice, "2");
    assert_string_equal(state.entries[state.count - 1].kind, "cursor");
    for (size_t i = 0; i < state.count; i++) assert_non_null(state.entries[i].value);
    arena_release(&arena);
}

static void test_applying_nothing_changes_nothing(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena), delta = STATE_INIT(&arena);
    state_apply(&state, &delta);
    assert_int_equal(state.count, 0);
    state_set(&delta, "a", "b", "c", NULL);
    state_apply(&state, &delta);
    assert_int_equal(state.count, 0);
    arena_release(&arena);
}

static void test_many_entries_are_found(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    char slice[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(slice, sizeof slice, "partition-%d", i);
        state_set(&state, "orders", slice, "cursor", slice + 10);
    }
    assert_int_equal(state.count, 50000);
    for (int i = 0; i < 50000; i++) {
        snprintf(slice, sizeof slice, "partition-%d", i);
        assert_value(&state, "orders", slice, "cursor", slice + 10);
    }
    arena_release(&arena);
}

static void test_memory_does_not_grow_with_time(void **unused)
{
    (void)unused;
    struct arena arena = ARENA_INIT(128 * 1024); /* past it the process would end */
    struct state state = STATE_INIT(&arena);
    char slice[32], value[64];
    for (int i = 0; i < 100000; i++) {
        struct arena load = ARENA_INIT(0);
        struct state delta = STATE_INIT(&load);
        snprintf(value, sizeof value, "2024-01-15T10:00:00.%06dZ", i);
        state_set(&delta, "orders", "", "cursor", value);
        snprintf(slice, sizeof slice, "window-%06d", i);
        state_set(&delta, "orders", slice, "position", value); /* a slice begins */
        snprintf(slice, sizeof slice, "window-%06d", i - 4);
        state_set(&delta, "orders", slice, "position", NULL); /* an older one is done */
        state_apply(&state, &delta);
        arena_release(&load);
    }
    assert_int_equal(state.count, 5);
    assert_value(&state, "orders", "", "cursor", "2024-01-15T10:00:00.099999Z");
    assert_value(&state, "orders", "window-099999", "position", "2024-01-15T10:00:00.099999Z");
    assert_value(&state, "orders", "window-099995", "position", NULL);
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_the_key_is_stream_slice_and_kind), cmocka_unit_test(test_texts_are_copied_and_values_exact),
           cmocka_unit_test(test_setting_again_replaces_and_keeps_the_order),
           cmocka_unit_test(test_a_tombstone_is_an_entry_without_a_value), cmocka_unit_test(test_a_delta_sets_and_removes),
           cmocka_unit_test(test_applying_nothing_changes_nothing), cmocka_unit_test(test_many_entries_are_found),
           cmocka_unit_test(test_memory_does_not_grow_with_time))
