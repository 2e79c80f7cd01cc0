/* The tables, and the page that is written from them. */
#include "rest_unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rest/vocabulary.h"

static size_t check_kind(struct arena *arena, const struct vocabulary_kinds *kinds, const char *json, struct problems *problems)
{
    *problems = PROBLEMS_INIT(arena);
    (void)vocabulary_check_kind(kinds, json_node(arena, json), "here", problems);
    return problems->count;
}

static void test_each_supported_kind_is_found(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    assert_int_equal(check_kind(&arena, &VOCABULARY_PAGES, "{\"kind\":\"none\"}", &problems), 0);
    assert_int_equal(check_kind(&arena, &VOCABULARY_PAGES, "{\"kind\":\"cursor\",\"next\":\"a.b\",\"param\":\"p\"}", &problems),
                     0);
    assert_int_equal(check_kind(&arena, &VOCABULARY_AUTH, "{\"kind\":\"basic\",\"username\":\"{{config.u}}\"}", &problems), 0);
    assert_int_equal(check_kind(&arena, &VOCABULARY_RATE_LIMIT, "{\"requests\":5}", &problems), 0);
    assert_int_equal(check_kind(&arena, &VOCABULARY_CURSOR, "{\"field\":\"updated_at\"}", &problems), 0);
    arena_release(&arena);
}

static void test_unknown_kinds_and_keys_name_the_nearest(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    check_kind(&arena, &VOCABULARY_PAGES, "{\"kind\":\"ofset\"}", &problems);
    assert_problem(&problems, "did you mean 'offset'?");
    check_kind(&arena, &VOCABULARY_AUTH, "{\"kind\":\"bearer\",\"tokn\":\"x\",\"token\":\"y\"}", &problems);
    assert_problem(&problems, "did you mean 'token'?");
    check_kind(&arena, &VOCABULARY_AUTH, "{}", &problems);
    assert_problem(&problems, "'kind' is missing");
    check_kind(&arena, &VOCABULARY_AUTH, "{\"kind\":{\"a\":1}}", &problems);
    assert_problem(&problems, "here.kind: expected a string");
    check_kind(&arena, &VOCABULARY_PAGES, "[1]", &problems);
    assert_problem(&problems, "here: expected a map");
    arena_release(&arena);
}

static void test_required_keys_of_a_kind(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct problems problems;
    check_kind(&arena, &VOCABULARY_AUTH, "{\"kind\":\"basic\"}", &problems);
    assert_problem(&problems, "username");
    check_kind(&arena, &VOCABULARY_CURSOR, "{\"kind\":\"windowed\",\"field\":\"x\"}", &problems);
    assert_problem(&problems, "step");
    check_kind(&arena, &VOCABULARY_PAGES, "{\"kind\":\"page\",\"size\":0}", &problems);
    assert_problem(&problems, "1 to 1000000");
    arena_release(&arena);
}

/* A file of sdk/, from this file's own place. */
static const char *sdk_path(const char *name, char path[4096])
{
    const char *tail = strstr(__FILE__, "tests/unit/");
    assert_non_null(tail);
    snprintf(path, 4096, "%.*ssdk/%s", (int)(tail - __FILE__), __FILE__, name);
    return path;
}

static void write_file(const char *path, struct str text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text.data, 1, text.size, out), text.size);
    assert_int_equal(fclose(out), 0);
}

static void test_the_written_references_are_up_to_date(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*write)(struct buf *out);
    } FILES[] = {{"description.md", vocabulary_write_reference}, {"lua/description.lua", vocabulary_write_annotations}};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++) {
        char path[4096], piece[4096];
        struct buf expected = BUF_INIT(1 << 20), found = BUF_INIT(1 << 20);
        FILES[i].write(&expected);
        assert_false(expected.failed);
        if (getenv("SLUICE_WRITE_REFERENCE")) write_file(sdk_path(FILES[i].name, path), buf_str(&expected));
        FILE *in = fopen(sdk_path(FILES[i].name, path), "r");
        for (size_t got; in && (got = fread(piece, 1, sizeof piece, in)) > 0;) buf_append(&found, piece, got);
        if (in) fclose(in);
        if (!str_equal(buf_str(&expected), buf_str(&found)))
            fail_msg("sdk/%s is not what the tables say; write it again with\n"
                     "    SLUICE_WRITE_REFERENCE=1 ctest -R unit.rest_vocabulary   (in the build folder)",
                     FILES[i].name);
        buf_release(&expected);
        buf_release(&found);
    }
}

static void test_the_reference_names_every_key_of_every_kind(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20);
    vocabulary_write_reference(&text);
    const struct vocabulary_kinds *all[] = {&VOCABULARY_AUTH, &VOCABULARY_PAGES, &VOCABULARY_CURSOR, &VOCABULARY_RATE_LIMIT};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        for (size_t j = 0; j < all[i]->count; j++) {
            assert_non_null(strstr(buf_text(&text), all[i]->kinds[j].name));
            const struct option_table *table = all[i]->kinds[j].table;
            for (size_t k = 0; k < table->count; k++) {
                char cell[128];
                snprintf(cell, sizeof cell, "| `%s` |", table->options[k].name);
                if (strcmp(table->options[k].name, "kind") != 0) assert_non_null(strstr(buf_text(&text), cell));
            }
        }
    buf_release(&text);
}

UNIT_TESTS(cmocka_unit_test(test_each_supported_kind_is_found), cmocka_unit_test(test_unknown_kinds_and_keys_name_the_nearest),
           cmocka_unit_test(test_required_keys_of_a_kind), cmocka_unit_test(test_the_written_references_are_up_to_date),
           cmocka_unit_test(test_the_reference_names_every_key_of_every_kind))
