/* arena: memory by lifetime, capped for sizes from outside, with deferred releases. */
#include "unit.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

static void test_memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    unsigned char *blocks[500];
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        size_t size = i * 37 % 700 + 1;
        blocks[i] = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < size; k++) assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)(i & 255), size);
    }
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        size_t size = i * 37 % 700 + 1;
        assert_int_equal(blocks[i][0], i & 255);
        assert_int_equal(blocks[i][size - 1], i & 255);
    }
    arena_release(&arena);
    assert_int_equal(arena.allocated, 0);
}

static void test_the_cap_counts_what_is_taken_from_the_system(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(64 * 1024);
    size_t granted = 0;
    while (arena_try(&arena, 1000)) granted += 1000;
    assert_in_range(arena.allocated, 1, 64 * 1024);
    assert_true(granted > 56 * 1000); /* the last chunks shrink to what is left */
    assert_null(arena_try(&arena, 60 * 1024));
    arena_clear(&arena);
    assert_non_null(arena_try(&arena, 1000));
    arena_release(&arena);
}

static void test_impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(1 << 20);
    assert_null(arena_try(&arena, SIZE_MAX));
    assert_null(arena_try(&arena, SIZE_MAX / 2));
    assert_null(arena_try(&arena, (1 << 20)));
    assert_non_null(arena_try(&arena, 0));
    arena_release(&arena);
}

static void test_a_large_request_does_not_waste_the_chunk_in_use(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    char *before = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 1 << 20));
    char *after = arena_alloc(&arena, 16);
    assert_ptr_equal(after, before + 16);
    arena_release(&arena);
}

static void test_clear_keeps_one_chunk_of_ordinary_size(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2000; i++) assert_non_null(arena_alloc(&arena, 1000));
        assert_non_null(arena_alloc(&arena, 8 << 20));
        arena_clear(&arena);
        assert_in_range(arena.allocated, 1, 300 * 1024);
    }
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 8 << 20)); /* the first and only chunk is a large one */
    arena_clear(&arena);
    assert_int_equal(arena.allocated, 0);
    arena_release(&arena);
}

static void test_texts_are_terminated_copies(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    assert_null(arena_strdup(&arena, NULL));
    assert_string_equal(arena_strdup(&arena, "abc"), "abc");
    assert_string_equal(arena_text(&arena, (struct str){"abcdef", 3}), "abc");
    struct str copy = arena_copy(&arena, STR("a\0b"));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
    assert_int_equal(arena_copy(&arena, (struct str){0}).size, 0);
    arena_release(&arena);
}

struct journal {
    char order[8];
    size_t count;
};

struct note {
    struct journal *journal;
    char letter;
};

static void write_note(void *object)
{
    struct note *note = object;
    note->journal->order[note->journal->count++] = note->letter;
}

static void test_deferred_releases_run_newest_first_and_once(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct journal journal = {0};
    for (char letter = 'a'; letter <= 'c'; letter++) {
        struct note *note = arena_new(&arena, struct note); /* lives in the arena it is released by */
        *note = (struct note){&journal, letter};
        arena_defer(&arena, write_note, note);
    }
    arena_clear(&arena);
    assert_string_equal(journal.order, "cba");
    arena_release(&arena);
    assert_int_equal(journal.count, 3);
}

static void test_passing_the_cap_with_a_size_of_ours_ends_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct arena arena = ARENA_INIT(1024);
        (void)!freopen("/dev/null", "w", stderr);
        (void)arena_alloc(&arena, 4096);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

UNIT_TESTS(cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart),
           cmocka_unit_test(test_the_cap_counts_what_is_taken_from_the_system),
           cmocka_unit_test(test_impossible_sizes_are_refused),
           cmocka_unit_test(test_a_large_request_does_not_waste_the_chunk_in_use),
           cmocka_unit_test(test_clear_keeps_one_chunk_of_ordinary_size), cmocka_unit_test(test_texts_are_terminated_copies),
           cmocka_unit_test(test_deferred_releases_run_newest_first_and_once),
           cmocka_unit_test(test_passing_the_cap_with_a_size_of_ours_ends_the_process))
