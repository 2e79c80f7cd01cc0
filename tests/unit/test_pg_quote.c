/* Names and literals in SQL text; how a source's names become identifiers. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pg/quote.h"

static bool none_taken(void *context, const char *name)
{
    (void)context;
    (void)name;
    return false;
}

/* context: a NULL-terminated list of names in use. */
static bool listed(void *context, const char *name)
{
    for (const char *const *at = context; *at; at++)
        if (strcasecmp(*at, name) == 0) return true;
    return false;
}

static const char *mapped(const char *source)
{
    static char out[PG_NAME_SIZE];
    pg_map_name(str_from(source), PG_NAME_MAX, none_taken, NULL, out);
    return out;
}

static void test_ordinary_names_stay(void **state)
{
    static const char *const NAMES[] = {"id", "Total Amount", "order\"s", "größe", "\xF0\x9F\x98\x80", "select", "a.b"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) assert_string_equal(mapped(NAMES[i]), NAMES[i]);
}

static void test_quotes_are_doubled(void **state)
{
    struct buf out = BUF_INIT(1024);
    (void)state;
    pg_quote_table(&out, "pub\"lic", "x\"; DROP TABLE y; --");
    assert_string_equal(buf_text(&out), "\"pub\"\"lic\".\"x\"\"; DROP TABLE y; --\"");
    buf_clear(&out);
    pg_quote_literal(&out, STR("it's a \\ back"));
    assert_string_equal(buf_text(&out), "E'it''s a \\\\ back'");
    buf_clear(&out);
    pg_array_add(&out, "a\"b\\c");
    pg_array_add(&out, NULL);
    pg_array_add(&out, "");
    pg_array_end(&out);
    assert_string_equal(buf_text(&out), "{\"a\\\"b\\\\c\",NULL,\"\"}");
    buf_clear(&out);
    pg_array_end(&out);
    assert_string_equal(buf_text(&out), "{}");
    buf_release(&out);
}

static void test_long_names_are_cut_at_a_character_with_a_hash(void **state)
{
    char source[200] = "", other[200] = "", first[PG_NAME_SIZE];
    (void)state;
    for (int i = 0; i < 40; i++) strncat(source, "\xC3\xA4", sizeof(source) - strlen(source) - 1); /* 80 bytes of "ä" */
    snprintf(other, sizeof(other), "%sx", source);
    snprintf(first, sizeof(first), "%s", mapped(source));
    assert_int_equal(strlen(first), 63);
    assert_memory_equal(first, source, 54);
    assert_int_equal(first[54], '_');
    assert_string_equal(mapped(source), first);
    assert_string_not_equal(mapped(other), first);
    /* An odd number of bytes left is not filled with half a character. */
    pg_map_name(str_from(source), 50, none_taken, NULL, first);
    assert_int_equal(strlen(first), 49);
}

static void test_system_names_are_moved_away(void **state)
{
    static const char *const NAMES[] = {"xmin", "CTID", "tableoid", "_sluice_deleted", "_Sluice_x", "_sluice_"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        assert_string_not_equal(mapped(NAMES[i]), NAMES[i]);
        assert_int_not_equal(strncasecmp(mapped(NAMES[i]), "_sluice_", 8), 0);
    }
    assert_string_equal(mapped(""), "column");
}

static void test_bytes_that_are_not_text_are_replaced(void **state)
{
    (void)state;
    assert_string_equal(mapped("a\xFFz"), "a\xEF\xBF\xBDz");
}

static void test_names_that_differ_in_case_only_do_not_collide(void **state)
{
    const char *taken[] = {"Email", NULL, NULL};
    char out[PG_NAME_SIZE], again[PG_NAME_SIZE];
    (void)state;
    pg_map_name(STR("email"), PG_NAME_MAX, listed, taken, out);
    assert_int_equal(strlen(out), 5 + 9);
    assert_memory_equal(out, "email_", 6);
    taken[1] = out; /* even the hashed name can be in use */
    pg_map_name(STR("email"), PG_NAME_MAX, listed, taken, again);
    assert_string_not_equal(out, again);
}

static void test_the_hash_never_changes(void **state)
{
    (void)state;
    assert_true(pg_hash("") == 0xcbf29ce484222325u);
    assert_true(pg_hash("a") == 0xaf63dc4c8601ec8cu);
}

UNIT_TESTS(cmocka_unit_test(test_ordinary_names_stay), cmocka_unit_test(test_quotes_are_doubled),
           cmocka_unit_test(test_long_names_are_cut_at_a_character_with_a_hash),
           cmocka_unit_test(test_system_names_are_moved_away), cmocka_unit_test(test_bytes_that_are_not_text_are_replaced),
           cmocka_unit_test(test_names_that_differ_in_case_only_do_not_collide), cmocka_unit_test(test_the_hash_never_changes))
