/* values: what PostgreSQL writes as text, as values of rows: lines of COPY, types, literals, patterns, snapshots. */
/* Before cmocka, which has a macro of the name of a member of struct sluice_host. */
#include "postgres/copy.h"
#include "postgres/errors.h"
#include "postgres/literal.h"
#include "postgres/settings.h"
#include "postgres/snapshot.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- lines --------------------------------------------------------------------------------------------------------------- */

/* The fields of a line, each in brackets; null as NULL. */
static void assert_fields(const char *line, const char *expected)
{
    char *copy = strdup(line), told[200] = "";
    struct field fields[8];
    size_t count = copy_split(copy, strlen(line), fields, 8), used = 0;
    for (size_t i = 0; i < count && i < 8; i++)
        used += (size_t)snprintf(told + used, sizeof told - used, fields[i].data ? "[%.*s]" : "NULL", (int)fields[i].size,
                                 fields[i].data ? fields[i].data : "");
    assert_string_equal(told, expected);
    free(copy);
}

static void test_a_line_is_taken_apart(void **state)
{
    (void)state;
    assert_fields("1\ttwo\t\n", "[1][two][]");
    assert_fields("\\N\ta\t\\N\n", "NULL[a]NULL");
    assert_fields("\\\\N\t\\N\\N", "[\\N][NN]"); /* a text that looks like null, and what no server writes */
    assert_fields("a\\tb\\nc\\\\d\\r\\b\\f\\v\te", "[a\tb\nc\\d\r\b\f\v][e]");
    assert_fields("plain\tback\\\\slash\tplain", "[plain][back\\slash][plain]");
    assert_fields("a\\", "[a\\]");
    assert_fields("", "[]");
}

static void test_a_line_may_have_more_columns_than_room(void **state)
{
    (void)state;
    char line[] = "a\tb\tc";
    struct field fields[1];
    assert_int_equal(copy_split(line, strlen(line), fields, 1), 3);
    assert_int_equal(copy_split(line, strlen(line), NULL, 0), 3);
}

/* --- types --------------------------------------------------------------------------------------------------------------- */

static struct sluice_value value(enum pg_kind kind, const char *text)
{
    static char data[200];
    static struct text scratch;
    snprintf(data, sizeof data, "%s", text);
    text_clear(&scratch);
    text_reserve(&scratch, value_room(strlen(text)));
    return value_of((struct pg_type){kind, PG_INTEGER, ','}, data, strlen(data), &scratch);
}

static void test_values_of_types(void **state)
{
    (void)state;
    static const struct {
        enum pg_kind kind;
        const char *text;
        enum sluice_kind expected;
        int64_t number;
    } VALUES[] = {
        {PG_BOOLEAN, "t", SLUICE_BOOLEAN, 1},
        {PG_BOOLEAN, "f", SLUICE_BOOLEAN, 0},
        {PG_BOOLEAN, "true", SLUICE_STRING, 0},
        {PG_INTEGER, "-9223372036854775808", SLUICE_INTEGER, INT64_MIN},
        {PG_INTEGER, "9223372036854775807", SLUICE_INTEGER, INT64_MAX},
        {PG_INTEGER, "9223372036854775808", SLUICE_STRING, 0},
        {PG_INTEGER, "", SLUICE_STRING, 0},
        {PG_INTEGER, "-", SLUICE_STRING, 0},
        {PG_DATE, "1970-01-02", SLUICE_DATE, 1},
        {PG_DATE, "0001-01-01", SLUICE_DATE, -719162},
        {PG_DATE, "2024-02-29", SLUICE_DATE, 19782},
        {PG_DATE, "2023-02-29", SLUICE_STRING, 0},
        {PG_DATE, "infinity", SLUICE_STRING, 0},
        {PG_DATE, "0044-03-15 BC", SLUICE_STRING, 0},
        {PG_DATE, "10000-01-01", SLUICE_STRING, 0},
        {PG_TIMESTAMP, "1970-01-01 00:00:01", SLUICE_TIMESTAMP, 1000000},
        {PG_TIMESTAMP, "1969-12-31 23:59:59.999999", SLUICE_TIMESTAMP, -1},
        {PG_TIMESTAMP, "1970-01-01 00:00:00.5", SLUICE_TIMESTAMP, 500000},
        {PG_TIMESTAMP, "1970-01-01 00:00:01+00", SLUICE_STRING, 0},
        {PG_TIMESTAMPTZ, "1970-01-01 00:00:01+00", SLUICE_TIMESTAMP, 1000000},
        {PG_TIMESTAMPTZ, "1970-01-01 05:30:00+05:30", SLUICE_TIMESTAMP, 0},
        {PG_TIMESTAMPTZ, "1970-01-01 00:00:00-00:00:10", SLUICE_TIMESTAMP, 10000000},
        {PG_TIMESTAMPTZ, "1970-01-01 00:00:01", SLUICE_STRING, 0},
        {PG_TIMESTAMPTZ, "-infinity", SLUICE_STRING, 0},
        {PG_TIMESTAMPTZ, "1970-01-01 00:00:00.1234567+00", SLUICE_STRING, 0},
        {PG_DECIMAL, "NaN", SLUICE_STRING, 0},
        {PG_FLOAT, "NaN", SLUICE_STRING, 0},
        {PG_FLOAT, "-Infinity", SLUICE_STRING, 0},
        {PG_FLOAT, "1.5x", SLUICE_STRING, 0},
    };
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        struct sluice_value got = value(VALUES[i].kind, VALUES[i].text);
        if (got.kind != VALUES[i].expected) fail_msg("%s became of kind %d", VALUES[i].text, got.kind);
        if (got.kind != SLUICE_STRING) assert_true(got.as.i == VALUES[i].number);
    }
    assert_int_equal(value(PG_DECIMAL, "-12.5000").kind, SLUICE_DECIMAL);
    assert_true(value(PG_FLOAT, "1e+300").as.f == 1e300);
}

static void test_bytea_is_decoded_where_it_stands(void **state)
{
    (void)state;
    struct sluice_value got = value(PG_BYTEA, "\\x00fF10");
    assert_int_equal(got.kind, SLUICE_BINARY);
    assert_int_equal(got.size, 3);
    assert_memory_equal(got.as.data, "\0\xff\x10", 3);
    assert_int_equal(value(PG_BYTEA, "\\x").size, 0);
    assert_int_equal(value(PG_BYTEA, "\\x0").kind, SLUICE_STRING);
    assert_int_equal(value(PG_BYTEA, "\\x0g").kind, SLUICE_STRING);
}

static void test_domains_and_arrays_are_what_they_are_of(void **state)
{
    (void)state;
    static const struct pg_type_row ROWS[] = {
        {.oid = 23, .name = "int4", .category = 'N'},
        {.oid = 600, .base = 23, .name = "positive", .category = 'N'},
        {.oid = 601, .base = 600, .name = "small", .category = 'N'},
        {.oid = 602, .element = 601, .name = "_small", .category = 'A', .delimiter = ','},
        {.oid = 603, .base = 603, .name = "of_itself", .category = 'N'},
        {.oid = 604, .name = "mood", .category = 'E'},
    };
    bool is_known;
    assert_int_equal(type_of(ROWS, 6, 601, &is_known).kind, PG_INTEGER);
    struct pg_type array = type_of(ROWS, 6, 602, &is_known);
    assert_int_equal(array.kind, PG_ARRAY);
    assert_int_equal(array.element, PG_INTEGER);
    type_of(ROWS, 6, 603, &is_known); /* ends */
    assert_int_equal(type_of(ROWS, 6, 604, &is_known).kind, PG_STRING);
    assert_true(is_known);
    type_of(ROWS, 6, 99, &is_known);
    assert_false(is_known);
    type_of(NULL, 0, 99, &is_known);
    assert_false(is_known);
}

/* --- literals ------------------------------------------------------------------------------------------------------------ */

static void assert_array(const char *literal, enum pg_kind element, const char *expected)
{
    struct text out = {0};
    assert_int_equal(literal_array(literal, strlen(literal), element, ',', &out), expected != NULL);
    if (expected)
        assert_string_equal(out.data, expected);
    else
        assert_int_equal(out.size, 0);
    text_release(&out);
}

static void test_arrays_become_json(void **state)
{
    (void)state;
    assert_array("{}", PG_INTEGER, "[]");
    assert_array("{1,NULL,-3}", PG_INTEGER, "[1,null,-3]");
    assert_array("{1.5,NaN,1e+20}", PG_FLOAT, "[1.5,\"NaN\",1e+20]");
    assert_array("{t,f,NULL}", PG_BOOLEAN, "[true,false,null]");
    assert_array("{a,\"b c\",\"NULL\",NULL,\"q\\\"\\\\\",\"\"}", PG_STRING, "[\"a\",\"b c\",\"NULL\",null,\"q\\\"\\\\\",\"\"]");
    assert_array("{{1,2},{3,4}}", PG_INTEGER, "[[1,2],[3,4]]");
    assert_array("[2:3][0:0]={{t},{f}}", PG_BOOLEAN, "[[true],[false]]");
    assert_array("{\"{\\\"a\\\": [1]}\",NULL}", PG_JSON, "[{\"a\": [1]},null]");
    assert_array("{a\\,b}", PG_STRING, "[\"a,b\"]");
    assert_array("{\x01}", PG_STRING, "[\"\\u0001\"]");
}

static void test_what_is_no_array_is_refused(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {
        "",     "1",     "{",        "{1",       "{1,",    "{1,}",   "{,1}",  "{1}}",
        "{1}x", "{\"a}", "{\"a\"b}", "{a\"b\"}", "{1{2}}", "{{1}2}", "[1:2]", "{{{{{{{1}}}}}}}",
        "{a\\"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) assert_array(OTHERS[i], PG_STRING, NULL);
}

static void test_hstore_becomes_an_object(void **state)
{
    (void)state;
    struct text out = {0};
    const char *literal = "\"a\"=>\"1\", \"b\\\"\"=>NULL";
    assert_true(literal_hstore(literal, strlen(literal), &out));
    assert_string_equal(out.data, "{\"a\":\"1\",\"b\\\"\":null}");
    text_clear(&out);
    assert_true(literal_hstore("", 0, &out));
    assert_string_equal(out.data, "{}");
    text_clear(&out);
    assert_false(literal_hstore("\"a\"=>", 5, &out));
    assert_false(literal_hstore("a=>1", 4, &out));
    text_release(&out);
}

/* --- settings ------------------------------------------------------------------------------------------------------------ */

static void test_patterns(void **state)
{
    (void)state;
    assert_true(patterns_match("*", "orders", NULL));
    assert_true(patterns_match("customers, orders", "orders", NULL));
    assert_false(patterns_match("customers", "orders", NULL));
    assert_true(patterns_match("o*s", "orders", NULL));
    assert_true(patterns_match("*r*r*", "orders", NULL));
    assert_false(patterns_match("o*x", "orders", NULL));
    assert_false(patterns_match("*, !ord*", "orders", NULL));
    assert_true(patterns_match("!tmp_*", "orders", NULL));
    assert_false(patterns_match("!tmp_*", "tmp_orders", NULL));
    assert_true(patterns_match("", "orders", NULL));
    assert_true(patterns_match(NULL, "orders", NULL));
    assert_true(patterns_match("sales.*", "orders", "sales.orders"));
    assert_true(patterns_match("orders", "orders", "sales.orders"));
    assert_false(patterns_match("*, !ord*", "orders", "sales.orders"));
    assert_true(patterns_are_one_name(" public "));
    assert_false(patterns_are_one_name("public, sales"));
    assert_false(patterns_are_one_name("pub*"));
    assert_false(patterns_are_one_name(""));
}

static bool has_updated_at(void *context, const char *column)
{
    (void)context;
    return strcmp(column, "updated_at") == 0 || strcmp(column, "xmin") == 0;
}

static void test_the_first_cursor_counts_whose_column_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *cursors, *expected;
    } CASES[] = {{"orders=updated_at", "updated_at"},
                 {"*=modified, *=updated_at", "updated_at"},
                 {"orders=modified,*=xmin", "xmin"},
                 {"customers=updated_at", NULL},
                 {NULL, NULL}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct settings settings = {.cursors = CASES[i].cursors};
        char *refused, *cursor = settings_cursor(&settings, "orders", has_updated_at, NULL, &refused);
        bool is_refused = CASES[i].cursors && strncmp(CASES[i].cursors, "orders=modified", 15) == 0;
        assert_int_equal(refused != NULL, is_refused);
        free(refused);
        if (CASES[i].expected)
            assert_string_equal(cursor, CASES[i].expected);
        else
            assert_null(cursor);
        free(cursor);
    }
}

/* --- snapshots ----------------------------------------------------------------------------------------------------------- */

static void test_a_snapshot_sees_what_was_over(void **state)
{
    (void)state;
    struct snapshot snapshot;
    assert_true(snapshot_read(&snapshot, "100:105:100,103"));
    assert_true(snapshot_sees(&snapshot, 99));
    assert_false(snapshot_sees(&snapshot, 100));
    assert_true(snapshot_sees(&snapshot, 101));
    assert_false(snapshot_sees(&snapshot, 103));
    assert_false(snapshot_sees(&snapshot, 105));
    snapshot_release(&snapshot);
    assert_true(snapshot_read(&snapshot, "8589934590:8589934600:8589934595")); /* across a boundary of 32 bits */
    assert_true(snapshot_sees(&snapshot, 4294967293u));
    assert_true(snapshot_sees(&snapshot, 4294967294u));
    assert_false(snapshot_sees(&snapshot, 3));
    assert_true(snapshot_sees(&snapshot, 4));
    assert_false(snapshot_sees(&snapshot, 9));
    snapshot_release(&snapshot);
    static const char *const OTHERS[] = {"", "1", "1:2", "5:4:", "1:2:x", "1:2:1,", ":1:", "1:2:,1"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) assert_false(snapshot_read(&snapshot, OTHERS[i]));
}

static void test_positions(void **state)
{
    (void)state;
    uint64_t lsn;
    char text[LSN_TEXT_MAX];
    assert_true(lsn_read("16/B374D848", &lsn));
    assert_true(lsn == 0x16B374D848);
    lsn_write(lsn, text);
    assert_string_equal(text, "16/B374D848");
    static const char *const OTHERS[] = {"", "16", "16/", "/1", "x/1", "1/2x", "100000000/0", "0/100000000", " 1/2", "1/-2"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) assert_false(lsn_read(OTHERS[i], &lsn));
    assert_false(lsn_read(NULL, &lsn));
}

static void test_states_and_sentences_have_meanings(void **state)
{
    (void)state;
    assert_int_equal(error_meaning("28P01")->error, SLUICE_ERROR_AUTH);
    assert_int_equal(error_meaning("3D000")->error, SLUICE_ERROR_CONFIG);
    assert_int_equal(error_meaning("42501")->error, SLUICE_ERROR_PERMISSION);
    assert_int_equal(error_meaning("57P01")->error, SLUICE_ERROR_TRANSIENT);
    assert_int_equal(error_meaning("08006")->error, SLUICE_ERROR_TRANSIENT);
    assert_int_equal(error_meaning("22012")->error, SLUICE_ERROR_SOURCE);
    assert_int_equal(error_meaning(NULL)->error, SLUICE_ERROR_TRANSIENT);
    assert_int_equal(error_of_connecting("FATAL:  password authentication failed for user \"x\"")->error, SLUICE_ERROR_AUTH);
    assert_int_equal(error_of_connecting("Connection refused")->error, SLUICE_ERROR_TRANSIENT);
}

UNIT_TESTS(cmocka_unit_test(test_a_line_is_taken_apart), cmocka_unit_test(test_a_line_may_have_more_columns_than_room),
           cmocka_unit_test(test_values_of_types), cmocka_unit_test(test_bytea_is_decoded_where_it_stands),
           cmocka_unit_test(test_domains_and_arrays_are_what_they_are_of), cmocka_unit_test(test_arrays_become_json),
           cmocka_unit_test(test_what_is_no_array_is_refused), cmocka_unit_test(test_hstore_becomes_an_object),
           cmocka_unit_test(test_patterns), cmocka_unit_test(test_the_first_cursor_counts_whose_column_is_there),
           cmocka_unit_test(test_a_snapshot_sees_what_was_over), cmocka_unit_test(test_positions),
           cmocka_unit_test(test_states_and_sentences_have_meanings))
