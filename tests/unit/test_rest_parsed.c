/* Bodies that a plugin parses: its pages become the same documents wherever they are cut, and a plugin that does not keep to
 * the rules is told so. The plugin is a C function here. */
#include "rest_unit.h"

#include <math.h>

#include "base/jsonscan.h"
#include "data/batch.h"
#include "os/spool.h"
#include "rest/format/parsed.h"
#include "rest/format/parts.h"
#include "rest/functions.h"

static const struct format PLUGIN = {.kind = FORMAT_PLUGIN, .plugin = "p", .records_path = "$"};
static const struct field_description FIELDS[] = {{.name = "n", .type = TYPE_INTEGER}, {.name = "t", .type = TYPE_STRING}};
static const struct stream_description STREAM = {.name = "s", .fields = FIELDS, .field_count = 2};

/* A parser, and what it was asked. */
struct fake {
    int (*page)(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                struct err *err);
    size_t opened, pages;
    size_t piece; /* bytes of a page */
    struct buf rest;
    bool has_ended;
};

static int fake_parse(void *context, const struct format *format, const struct native_slice *slice, struct err *err)
{
    struct fake *fake = context;
    (void)err;
    assert_string_equal(format->plugin, "p");
    assert_true(slice->parses && !slice->state);
    assert_string_equal(slice->stream, "s");
    assert_true(str_equal(slice->tables, STR("[[\"s\",[[\"n\",\"integer\"],[\"t\",\"string\"]]]]")));
    fake->opened++;
    return 0;
}

/* What `page` writes are the page's texts, unless it makes rows itself. */
static int fake_parsed(void *context, const struct native_input *input, struct budget *budget, struct native_page *page,
                       struct err *err)
{
    struct fake *fake = context;
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    *page = (struct native_page){.is_bytes = true, .has_more = true};
    fake->pages++;
    int rc = fake->page(fake, input, &out, page, err);
    if (rc == 0 && !page->block) {
        page->block = block_new(budget, out.size + 1);
        if (out.size) memcpy(page->block->data, out.data, out.size);
        page->block->size = out.size;
        block_seal(page->block);
        page->texts = (struct str){page->block->data, out.size};
    }
    buf_release(&out);
    return rc;
}

struct outcome {
    struct buf text; /* the documents behind one another */
    size_t documents;
    uint64_t records;
    int rc;
    struct err err;
};

static void run(struct fake *fake, struct block *body, const struct spool *spool, struct outcome *outcome)
{
    const struct functions functions = {.context = fake, .parse = fake_parse, .parsed = fake_parsed};
    const struct parsing parsing = {.functions = &functions, .stream = &STREAM};
    *outcome = (struct outcome){.text = BUF_INIT(SIZE_MAX / 2)};
    fake->rest = BUF_INIT(SIZE_MAX / 2);
    struct parts *parts = parts_new(&PLUGIN, NULL, body, spool, &parsing);
    for (bool is_last = false; outcome->rc == 0 && !is_last; outcome->documents++) {
        struct block *document = NULL;
        outcome->rc = parts_next(parts, &document, &is_last, &outcome->err);
        if (outcome->rc == 0) buf_append(&outcome->text, document->data, document->size);
        block_release(document);
    }
    outcome->records = parts_records(parts);
    parts_free(parts);
    buf_release(&fake->rest);
}

static struct block *block_of(struct str text)
{
    struct block *block = block_new(NULL, text.size + 1);
    if (text.size) memcpy(block->data, text.data, text.size);
    block->size = text.size;
    block_seal(block);
    return block;
}

static void run_text(struct fake *fake, const char *text, struct outcome *outcome)
{
    struct block *body = block_of(str_from(text));
    run(fake, body, NULL, outcome);
    block_release(body);
}

static void assert_ends(int (*page)(struct fake *, const struct native_input *, struct buf *, struct native_page *,
                                    struct err *),
                        int class, const char *message)
{
    struct fake fake = {.page = page};
    struct outcome outcome;
    run_text(&fake, "a body", &outcome);
    assert_int_equal(outcome.rc, class);
    if (class && !strstr(outcome.err.message, message)) fail_msg("expected '%s' in '%s'", message, outcome.err.message);
    buf_release(&outcome.text);
}

static int take(struct fake *fake, const struct native_input *input, struct err *err)
{
    struct str piece;
    int rc = input->read(input->context, &piece, err);
    if (rc == 0 && piece.size == 0) fake->has_ended = true;
    if (rc == 0) buf_append_str(&fake->rest, piece);
    return rc;
}

/* Its body is NDJSON already: gives it on in pages of any size, and ends with an empty one. */
static int echo(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page, struct err *err)
{
    if (fake->rest.size < fake->piece && !fake->has_ended) return take(fake, input, err);
    size_t size = fake->piece < fake->rest.size ? fake->piece : fake->rest.size;
    buf_append(out, fake->rest.data, size);
    memmove(fake->rest.data, fake->rest.data + size, fake->rest.size - size);
    fake->rest.size -= size;
    page->has_more = size > 0;
    return 0;
}

static void pages_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct buf lines = BUF_INIT(1 << 26);
    for (int i = 0; i < 20000; i++) buf_printf(&lines, "{\"n\":%d,\"t\":\"a \\\"text\\\" of number %d\"}\n", i, i);
    struct block *body = block_of(buf_str(&lines));
    struct spool *spool = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(spool_new("/tmp", 1 << 26, &spool, &err), 0);
    assert_int_equal(spool_append(spool, lines.data, lines.size, &err), 0);
    static const size_t PIECES[] = {61, 4096, 65537, 1 << 20, 1 << 24};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(PIECES); i++) {
        struct fake fake = {.page = echo, .piece = PIECES[i / 2]};
        struct outcome outcome;
        bool is_spooled = i % 2;
        run(&fake, is_spooled ? NULL : body, is_spooled ? spool : NULL, &outcome);
        if (outcome.rc) fail_msg("%s", outcome.err.message);
        assert_int_equal(outcome.records, 20000);
        assert_int_equal(fake.opened, 1);
        /* Documents are lists whose elements are the lines. */
        size_t inside = outcome.text.size - 2 * outcome.documents - (outcome.records - outcome.documents);
        assert_int_equal(inside, lines.size - 20000);
        assert_true(outcome.documents <= lines.size / FORMAT_PART_BYTES + 1);
        buf_release(&outcome.text);
    }
    spool_free(spool);
    block_release(body);
    buf_release(&lines);
}

static int nothing(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                   struct err *err)
{
    (void)out;
    page->has_more = !fake->has_ended;
    return fake->has_ended ? 0 : take(fake, input, err);
}

static void an_empty_body_has_no_records(void **state)
{
    (void)state;
    struct fake fake = {.page = nothing};
    struct outcome outcome;
    run_text(&fake, "", &outcome);
    assert_int_equal(outcome.rc, 0);
    assert_string_equal(buf_text(&outcome.text), "[]");
    buf_release(&outcome.text);
    assert_ends(nothing, 0, "");
}

static int rows(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page, struct err *err)
{
    static struct native_value values[6] = {{.kind = VALUE_INTEGER, .i = 1}, {.kind = VALUE_STRING, .size = 3, .i = 0},
                                            {.kind = VALUE_INTEGER, .i = 2}, {.kind = VALUE_MISSING},
                                            {.kind = VALUE_MISSING},         {.kind = VALUE_NULL}};
    (void)out;
    page->is_bytes = false;
    page->has_more = !fake->has_ended;
    if (fake->has_ended) {
        page->block = block_new(NULL, 1);
        block_seal(page->block);
        return 0;
    }
    page->block = block_of(STR("a\"b"));
    page->texts = (struct str){page->block->data, 3};
    page->values = (struct str){(const char *)values, sizeof values};
    page->operations = STR("\0\0\0");
    page->tables = STR("\0\0\0\0\0\0");
    int rc = take(fake, input, err);
    return rc ? rc : take(fake, input, err);
}

static void rows_are_records_of_what_they_hold(void **state)
{
    (void)state;
    struct fake fake = {.page = rows};
    struct outcome outcome;
    run_text(&fake, "a body", &outcome);
    if (outcome.rc) fail_msg("%s", outcome.err.message);
    assert_string_equal(buf_text(&outcome.text), "[{\"n\":1,\"t\":\"a\\\"b\"},{\"n\":2},{\"t\":null}]");
    buf_release(&outcome.text);
}

/* What a value is as JSON for a column of any type. */
static void assert_json(uint8_t kind, int64_t i, const char *text, enum type type, const char *expected)
{
    struct arena arena = ARENA_INIT(0);
    struct buf out = BUF_INIT(1000);
    const struct native_value value = {.kind = kind, .size = text ? (uint32_t)strlen(text) : 0, .i = i};
    native_append_json(&value, jsonscan_padded(&arena, str_from(text ? text : "")), type, &arena, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
    arena_release(&arena);
}

static void a_value_is_json_whatever_its_column_is(void **state)
{
    (void)state;
    for (int type = 0; type < TYPE_COUNT; type++) {
        assert_json(VALUE_NULL, 0, NULL, type, "null");
        assert_json(VALUE_INTEGER, INT64_MIN, NULL, type, "-9223372036854775808");
        assert_json(VALUE_BOOLEAN, 1, NULL, type, "true");
        assert_json(VALUE_DATE, 1, NULL, type, "\"1970-01-02\"");
        assert_json(VALUE_BINARY, 0, "ab", type, "\"YWI=\"");
        assert_json(VALUE_DECIMAL, 0, "1.50", type, "1.50");
        assert_json(VALUE_DECIMAL, 0, "1,50", type, "\"1,50\"");
        assert_json(VALUE_JSON, 0, "[1, \"a\"]", type, "[1, \"a\"]");
        assert_json(VALUE_JSON, 0, "\"a\"", type, "\"a\"");
        assert_json(VALUE_JSON, 0, "[1", type, "\"[1\"");
        assert_json(VALUE_STRING, 0, "say \"a\"", type, "\"say \\\"a\\\"\"");
        assert_json(VALUE_STRING, 0, "\"a\"", type, type == TYPE_JSON ? "\"a\"" : "\"\\\"a\\\"\"");
    }
    static const struct {
        double f;
        const char *text;
    } floats[] = {{0.1, "0.1"}, {-1e300, "-1e+300"}, {(double)NAN, "\"NaN\""}, {-(double)INFINITY, "\"-Infinity\""}};
    for (size_t i = 0; i < ARRAY_SIZE(floats); i++) {
        int64_t bits;
        memcpy(&bits, &floats[i].f, sizeof bits);
        assert_json(VALUE_FLOAT, bits, NULL, TYPE_FLOAT, floats[i].text);
    }
}

static void a_page_that_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    static const struct native_value wrong[][2] = {
        {{.kind = VALUE_STRING, .size = 4, .i = 0}, {.kind = VALUE_NULL}},
        {{.kind = VALUE_STRING, .size = 1, .i = 3}, {.kind = VALUE_NULL}},
        {{.kind = VALUE_STRING, .size = 1, .i = -1}, {.kind = VALUE_NULL}},
        {{.kind = VALUE_COUNT}, {.kind = VALUE_NULL}},
        {{.kind = VALUE_BINARY, .size = 3, .i = 0}, {.kind = VALUE_BINARY, .size = 1, .i = 2}}, /* a byte for two values */
    };
    for (size_t i = 0; i <= ARRAY_SIZE(wrong); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct str lines;
        struct native_page page = {.operations = STR("\0"), .tables = STR("\0\0"), .texts = STR("abc")};
        page.values = (struct str){(const char *)wrong[i % ARRAY_SIZE(wrong)], sizeof wrong[0]};
        if (i == ARRAY_SIZE(wrong)) page.values.size -= sizeof wrong[0][0];
        assert_int_equal(native_to_lines(&page, &STREAM, &arena, &lines, &err), ERR_CONNECTOR);
        assert_non_null(strstr(err.message, "the plugin's page cannot be read"));
        arena_release(&arena);
    }
}

static int unsound(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                   struct err *err)
{
    static const struct native_value row[2] = {{.kind = VALUE_INTEGER, .i = 1}, {.kind = VALUE_JSON, .size = 3, .i = 0}};
    int rc = rows(fake, input, out, page, err);
    page->values = (struct str){(const char *)row, sizeof row};
    page->operations = STR("\0");
    page->tables = STR("\0\0");
    return rc;
}

static int deletes(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                   struct err *err)
{
    int rc = rows(fake, input, out, page, err);
    page->operations = STR("\0\1\0");
    return rc;
}

static int unread(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                  struct err *err)
{
    (void)fake, (void)input, (void)err;
    buf_append_text(out, "{}\n");
    page->has_more = false;
    return 0;
}

static int stops(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                 struct err *err)
{
    (void)out;
    page->has_more = false;
    return take(fake, input, err); /* all of it, but not that it was all */
}

static int idle(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page, struct err *err)
{
    (void)out, (void)page;
    return fake->has_ended ? 0 : take(fake, input, err);
}

static int bomb(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page, struct err *err)
{
    (void)fake, (void)page, (void)input, (void)err;
    for (int i = 0; i < 100000; i++) buf_append_text(out, "{\"n\":1234567890}\n");
    return 0;
}

static int drip(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page, struct err *err)
{
    (void)page;
    buf_append_text(out, "\n");
    return fake->pages == 1 ? take(fake, input, err) : 0;
}

static int no_json(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                   struct err *err)
{
    (void)fake, (void)page, (void)input, (void)err;
    buf_append_text(out, "{\"n\":1}\n{\"n\":}\n");
    return take(fake, input, err);
}

static int says_cut(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                    struct err *err)
{
    (void)fake, (void)page, (void)input;
    buf_append_text(out, "{\"n\":1}\n");
    return fake->pages == 3 ? err_set(err, ERR_TRANSIENT, "it is cut") : take(fake, input, err);
}

static int says_broken(struct fake *fake, const struct native_input *input, struct buf *out, struct native_page *page,
                       struct err *err)
{
    (void)fake, (void)page, (void)input, (void)out;
    return err_set(err, ERR_DATA, "it is broken");
}

static void what_is_against_the_rules_is_an_error(void **state)
{
    (void)state;
    assert_ends(unread, ERR_CONNECTOR, "parser 'p': it ended before it had seen the body's end");
    assert_ends(stops, ERR_CONNECTOR, "parser 'p': it ended before it had seen the body's end");
    assert_ends(idle, ERR_CONNECTOR, "parser 'p': it neither takes nor gives anything");
    assert_ends(deletes, ERR_CONNECTOR, "parser 'p': it emits SLUICE_DELETE");
    assert_ends(unsound, ERR_CONNECTOR, "parser 'p': it emits a SLUICE_JSON that is no JSON");
    assert_ends(drip, ERR_CONNECTOR, "parser 'p': it makes more pages than the body has bytes");
    assert_ends(bomb, ERR_DATA, "parser 'p': far more records than a body of 0 bytes holds");
    assert_ends(no_json, ERR_CONNECTOR, "parser 'p' gives no JSON: line 2");
}

static void what_the_parser_says_counts(void **state)
{
    (void)state;
    assert_ends(says_cut, ERR_TRANSIENT, "it is cut");
    assert_ends(says_broken, ERR_DATA, "it is broken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_may_be_cut_anywhere),
        cmocka_unit_test(an_empty_body_has_no_records),
        cmocka_unit_test(rows_are_records_of_what_they_hold),
        cmocka_unit_test(what_is_against_the_rules_is_an_error),
        cmocka_unit_test(what_the_parser_says_counts),
        cmocka_unit_test(a_value_is_json_whatever_its_column_is),
        cmocka_unit_test(a_page_that_does_not_fit_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
