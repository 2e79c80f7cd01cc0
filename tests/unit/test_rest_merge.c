/* Chunks and enrichment without requests: how fields are split, how records are put together, and what a description that
 * declares them wrongly is told. */
#include "rest_unit.h"

#include "data/block.h"
#include "rest/chunks.h"
#include "rest/merge.h"

static const char *const ID[] = {"id"};

static struct block *block_of(struct str text)
{
    struct block *block = block_new(NULL, text.size + 1);
    memcpy(block->data, text.data, text.size);
    block->size = text.size;
    block_seal(block);
    return block;
}

/* ---- groups -------------------------------------------------------------------------------------------------------------- */

static void check_groups(const struct chunks_description *declared, const char *asked, const char *expected)
{
    struct arena arena = ARENA_INIT(0);
    struct buf text = BUF_INIT(4096);
    struct chunks chunks = chunks_of(declared, str_from(asked), &arena);
    for (size_t i = 0; i < chunks.count; i++) buf_printf(&text, "%s" STR_FMT, i ? " " : "", STR_ARG(chunks.groups[i]));
    assert_string_equal(buf_text(&text), expected);
    buf_release(&text);
    arena_release(&arena);
}

static void test_groups_share_the_key_and_are_as_full_as_they_may_be(void **state)
{
    const struct str shared[] = {STR("id"), STR("at")};
    struct chunks_description by_count = {.max_fields = 4, .shared = shared, .shared_count = 2};
    (void)state;
    check_groups(NULL, "a,b", "");
    check_groups(&by_count, "", "");
    check_groups(&by_count, "id,at", "id,at");
    check_groups(&by_count, "a,id,b,at", "id,at,a,b");
    check_groups(&by_count, "a,at,b,c,id,d,e", "at,id,a,b at,id,c,d at,id,e");
    check_groups(&by_count, "a,b,c,d,e", "a,b,c,d e"); /* what is not asked for is not shared */
    /* As in a URL: a comma takes three, like all that is not plain. */
    struct chunks_description by_chars = {.max_chars = 13, .shared = shared, .shared_count = 2};
    check_groups(&by_chars, "id,aa,bb,cc", "id,aa,bb id,cc"); /* 2 + 3 + 2 + 3 + 2 */
    check_groups(&by_chars, "id,aa,bbb,cc", "id,aa,bbb id,cc");
    check_groups(&by_chars, "id,aa,bbbb,cc", "id,aa id,bbbb id,cc");
    check_groups(&by_chars, "id,a b,c", "id,a b id,c");
    check_groups(&by_chars, "id,a_name_that_is_too_long,b", "id,a_name_that_is_too_long id,b"); /* one of its own at least */
}

/* ---- members ------------------------------------------------------------------------------------------------------------- */

static int merge(const char *page, const char *other, const struct merge_spec *spec, size_t *missing, struct buf *out,
                 struct err *err)
{
    struct block *first = block_of(str_from(page)), *second = block_of(str_from(other)), *merged = NULL;
    struct merge_index index = MERGE_INDEX(NULL);
    int rc = merge_index_add(&index, second, spec, "$", STR(""), err);
    if (rc == 0) rc = merge_members(first, spec, &index, missing, &merged, err);
    if (rc == 0) buf_append(out, merged->data, merged->size);
    block_release(first);
    block_release(second);
    block_release(merged);
    merge_index_release(&index);
    return rc;
}

static void check_merged(const char *path, const char *page, const char *other, size_t wanted_missing, const char *expected)
{
    const struct merge_spec spec = {path, ID, 1};
    struct buf out = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    size_t missing = 0;
    if (merge(page, other, &spec, &missing, &out, &err) != 0) fail_msg("%s", err.message);
    assert_string_equal(buf_text(&out), expected);
    assert_int_equal(missing, wanted_missing);
    buf_release(&out);
}

static void test_members_are_put_together_by_key(void **state)
{
    (void)state;
    check_merged("$", "[{\"id\":1,\"a\":1.10},{\"id\":\"2\",\"a\":2}]",
                 "[{\"id\":2,\"b\":9007199254740993},{\"b\":\"\\u00e9\\\"\",\"id\":\"1\"}]", 0,
                 "[{\"id\":1,\"a\":1.10,\"b\":\"\\u00e9\\\"\"},{\"id\":\"2\",\"a\":2,\"b\":9007199254740993}]");
    /* What stands around the records stays as it is; what both have is the first one's, but for what objects hold. */
    check_merged(
        "d.*", "{\"next\": \"x\", \"d\": {\"p\": {\"id\": 1, \"at\": 5, \"o\": {\"k\": 1, \"in\": {}}}, \"q\":null} }\n",
        "{\"next\":\"y\",\"d\":{\"p\":{\"id\":1,\"at\":6,\"o\":{\"k\":2,\"l\":[3],\"in\":{\"m\":{}}}}}}", 0,
        "{\"next\": \"x\", \"d\": {\"p\": {\"id\":1,\"at\":5,\"o\":{\"k\":1,\"in\":{\"m\":{}},\"l\":[3]}}, \"q\":null} }\n");
    check_merged("$", "[{\"id\":1},{\"id\":2}]", "[{\"id\":3,\"b\":1},{\"b\":2},7,{\"id\":2,\"b\":3},{\"id\":2,\"b\":4}]", 1,
                 "[{\"id\":1},{\"id\":2,\"b\":4}]");
    check_merged("$", "{\"id\":1,\"\\u0061\":1}", "{\"id\":1,\"a\":2,\"b\":{\"c\":1}}", 0,
                 "{\"id\":1,\"\\u0061\":1,\"b\":{\"c\":1}}");
    check_merged("$", "{\"id\":1,\"o\":{},\"o\":{\"a\":1}}", "{\"id\":1,\"o\":{\"b\":1},\"o\":{\"b\":2}}", 0,
                 "{\"id\":1,\"o\":{\"b\":2},\"o\":{\"a\":1,\"b\":2}}"); /* of a repeated name the last counts */
    check_merged("$", "[]", "[]", 0, "[]");
}

static void test_a_key_of_several_parts(void **state)
{
    static const char *const KEY[] = {"a", "b.c"};
    const struct merge_spec spec = {"$", KEY, 2};
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    size_t missing = 0;
    (void)state;
    assert_int_equal(merge("[{\"a\":\"x,y\",\"b\":{\"c\":1}},{\"a\":\"x\",\"b\":{\"c\":\"y,1\"}}]",
                           "[{\"a\":\"x\",\"b\":{\"c\":\"y,1\"},\"n\":2},{\"a\":\"x,y\",\"b\":{\"c\":1},\"n\":1}]", &spec,
                           &missing, &out, &err),
                     0);
    assert_string_equal(buf_text(&out),
                        "[{\"a\":\"x,y\",\"b\":{\"c\":1},\"n\":1},{\"a\":\"x\",\"b\":{\"c\":\"y,1\"},\"n\":2}]");
    assert_int_equal(missing, 0);
    buf_release(&out);
}

static void test_what_cannot_be_put_together(void **state)
{
    static const struct {
        const char *page, *other;
        int class;
        const char *message;
    } CASES[] = {
        {"[{\"a\":1}]", "[]", ERR_DATA, "has no 'id'"},
        {"[{\"id\":null}]", "[]", ERR_DATA, "has no 'id'"},
        {"[{\"id\":{}}]", "[]", ERR_DATA, "has no 'id'"},
        {"[\"text\"]", "[]", ERR_DATA, "a record is a string"},
        {"[{\"id\":1}]", "[{\"id\":1}", ERR_TRANSIENT, "unexpected end"},
        {"[{\"id\":1}]", "7", ERR_DATA, "cannot take records from '$'"},
    };
    const struct merge_spec spec = {"$", ID, 1};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf out = BUF_INIT(4096);
        struct err err = ERR_INIT;
        size_t missing = 0;
        assert_int_equal(merge(CASES[i].page, CASES[i].other, &spec, &missing, &out, &err), CASES[i].class);
        if (!strstr(err.message, CASES[i].message)) fail_msg("expected '%s', got '%s'", CASES[i].message, err.message);
        buf_release(&out);
    }
}

/* Objects in objects of a hostile source cost no more than a page's size for each of a few levels. */
static void test_deep_objects_end_somewhere(void **state)
{
    struct buf page = BUF_INIT(4096), other = BUF_INIT(4096), out = BUF_INIT(8192);
    const struct merge_spec spec = {"$", ID, 1};
    struct err err = ERR_INIT;
    size_t missing = 0, opened = 0, closed = 0;
    (void)state;
    buf_append_text(&page, "{\"id\":1");
    buf_append_text(&other, "{\"id\":1");
    for (int i = 0; i < 100; i++) buf_append_text(&page, ",\"o\":{\"a\":1"), buf_append_text(&other, ",\"o\":{\"b\":2");
    for (int i = 0; i <= 100; i++) buf_append_char(&page, '}'), buf_append_char(&other, '}');
    assert_int_equal(merge(buf_text(&page), buf_text(&other), &spec, &missing, &out, &err), 0);
    for (const char *at = buf_text(&out); (at = strstr(at, "\"b\":2")) != NULL; at++) opened++;
    for (const char *at = buf_text(&out); (at = strstr(at, "\"a\":1")) != NULL; at++) closed++;
    assert_int_equal(opened, MERGE_MAX_DEPTH - 1);
    assert_int_equal(closed, 100);
    buf_release(&page);
    buf_release(&other);
    buf_release(&out);
}

/* ---- caps ---------------------------------------------------------------------------------------------------------------- */

/* A record of `size` bytes, under the key 1. */
static struct block *large(const char *name, size_t size)
{
    struct buf text = BUF_INIT(size + 100);
    buf_printf(&text, "[{\"id\":1,\"%s\":\"", name);
    memset(buf_reserve(&text, size), 'x', size);
    buf_advance(&text, size);
    buf_append_text(&text, "\"}]");
    struct block *block = block_of(buf_str(&text));
    buf_release(&text);
    return block;
}

static void test_a_page_keeps_its_cap(void **state)
{
    const struct merge_spec spec = {"$", ID, 1};
    struct budget *budget = budget_new(64 << 20);
    struct merge_index index = MERGE_INDEX(budget);
    struct block *page = large("a", 9 << 20), *other = large("b", 9 << 20), *merged = NULL;
    struct err err = ERR_INIT;
    size_t missing;
    (void)state;
    assert_int_equal(merge_index_add(&index, other, &spec, "$", STR(""), &err), 0);
    assert_true(budget_used(budget) >= 9 << 20);
    assert_int_equal(merge_members(page, &spec, &index, &missing, &merged, &err), ERR_DATA);
    assert_true(err.is_too_much);
    assert_null(merged);
    assert_int_equal(merge_index_add(&index, other, &spec, "b", STR(""), &err), ERR_DATA);
    merge_index_release(&index);
    assert_int_equal(budget_used(budget), 0);
    block_release(page);
    block_release(other);
    budget_free(budget);
}

/* ---- values -------------------------------------------------------------------------------------------------------------- */

static void check_values(const struct merge_into *into, const char *value, const char *page, const char *answer,
                         const char *expected)
{
    static const char *const BY[] = {"who.id"};
    const struct merge_spec spec = {"rows", BY, 1}, of_answer = {"$", ID, 1};
    struct block *first = block_of(str_from(page)), *second = block_of(str_from(answer)), *merged = NULL;
    struct merge_index index = MERGE_INDEX(NULL);
    struct err err = ERR_INIT;
    assert_int_equal(merge_index_add(&index, second, &of_answer, value, STR(""), &err), 0);
    if (merge_values(first, &spec, into, &index, &merged, &err) != 0) fail_msg("%s", err.message);
    assert_int_equal(merged->size, strlen(expected));
    assert_memory_equal(merged->data, expected, merged->size);
    block_release(first);
    block_release(second);
    block_release(merged);
    merge_index_release(&index);
}

static void test_values_become_a_field(void **state)
{
    static const char PAGE[] =
        "{\"rows\":[{\"who\":{\"id\":1}},{\"who\":{\"id\":\"2\"},\"x\\\"\":0,\"z\":5},{\"who\":null}, 7 ,{}],\"n\":1}";
    static const char ANSWER[] = "[{\"id\":2,\"v\":\"b\\n\"},{\"id\":2,\"v\":3},{\"id\":9,\"v\":4},{\"id\":1},{\"v\":6}]";
    const struct merge_into one = {.field = "x\""}, many = {.field = "x\"", .many = true};
    (void)state;
    check_values(
        &one, "v", PAGE, ANSWER,
        "{\"rows\":[{\"who\":{\"id\":1}},{\"who\":{\"id\":\"2\"},\"z\":5,\"x\\\"\":3},{\"who\":null}, 7 ,{}],\"n\":1}");
    check_values(&many, "v", PAGE, ANSWER,
                 "{\"rows\":[{\"who\":{\"id\":1},\"x\\\"\":[]},{\"who\":{\"id\":\"2\"},\"z\":5,\"x\\\"\":[\"b\\n\",3]},{"
                 "\"who\":null}, 7 ,{}],\"n\":1}");
    check_values(&one, "$", "{\"rows\":[{\"who\":{\"id\":1}}]}", "[{\"id\":1}]",
                 "{\"rows\":[{\"who\":{\"id\":1},\"x\\\"\":{\"id\":1}}]}");
}

static void test_each_value_is_asked_with_once(void **state)
{
    static const char *const BY[] = {"c"};
    const struct merge_spec spec = {"$", BY, 1};
    struct arena arena = ARENA_INIT(0);
    struct block *page = block_of(STR("[{\"c\":7},{\"c\":\"a,b\"},{\"c\":\"7\"},{\"c\":null},{},1,{\"c\":\"\"},{\"c\":8}]"));
    const struct str *keys;
    size_t count;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(merge_keys(page, &spec, NULL, &arena, &keys, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_true(str_equal(keys[0], STR("7")) && str_equal(keys[1], STR("a,b")) && str_equal(keys[2], STR("8")));
    block_release(page);
    arena_release(&arena);
}

/* ---- the declaration ----------------------------------------------------------------------------------------------------- */

static void test_a_wrong_declaration_says_what_is_wrong(void **state)
{
#define CHUNKED "\"path\":\"/s\",\"params\":{\"f\":\"{{stream.fields}}\"},\"fields\":{\"id\":\"string\",\"a\":\"string\"},"
#define KEYED CHUNKED "\"primary_key\":\"id\","
#define SOME "\"chunks\":{\"max_fields\":10}"
#define ENRICHED "\"path\":\"/s\",\"primary_key\":\"id\",\"fields\":{\"id\":\"string\"},"
    static const struct {
        const char *keys, *problem;
    } CASES[] = {
        {KEYED "\"chunks\":{}", "nothing tells how many fields one request takes"},
        {KEYED "\"chunks\":{\"max_field\":10}", "did you mean 'max_fields'?"},
        {KEYED "\"chunks\":{\"max_fields\":1}", "from 2 to 10000"},
        {KEYED "\"cursor\":{\"kind\":\"client_side\",\"field\":\"a\"},\"chunks\":{\"max_fields\":2}",
         "no room beside the key and the cursor"},
        {CHUNKED SOME, "streams.s.chunks: nothing tells records apart [give the stream a primary_key"},
        {ENRICHED SOME, "the request asks for no fields"},
        {KEYED SOME ",\"pages\":{\"kind\":\"next_url\",\"next\":\"n\"}",
         "later pages are asked for without the stream's fields [keep_params"},
        {KEYED SOME ",\"pages\":{\"kind\":\"cursor\",\"param\":\"p\",\"next\":\"n\",\"keep_params\":false}",
         "later pages are asked for without"},
        {KEYED SOME
         ",\"pages\":{\"kind\":\"page\",\"param\":\"p\",\"size\":9,\"size_param\":\"n\",\"total\":\"t\",\"parallel\":4}",
         "requested ahead"},
        {KEYED SOME ",\"format\":\"ndjson\"", "comes in parts"},
        {KEYED SOME ",\"format\":{\"kind\":\"json\",\"stream\":true}", "comes in parts"},
        {KEYED SOME ",\"records\":{\"$function\":\"streams.s.records\"}", "a function that parses hides the records"},
        {KEYED SOME ",\"zip\":{\"names\":\"h\",\"from\":\"r\"}", "gives names by position"},
        {KEYED SOME
         ",\"job\":{\"create\":{\"path\":\"/j\"},\"poll\":{\"path\":\"/j/{{job.id}}\",\"state\":\"s\",\"done\":[\"d\"]}}",
         "a job's records"},
        {ENRICHED "\"enrich\":{\"path\":\"/e/{{batch.ids}}\"}", "'into' is missing"},
        {ENRICHED "\"enrich\":{\"path\":\"/e/{{batch.id}}\",\"into\":\"x\"}", "did you mean 'batch.ids'?"},
        {ENRICHED "\"enrich\":{\"path\":\"/e\",\"into\":\"x\"}", "does not say which records it is about"},
        {ENRICHED "\"enrich\":[{\"path\":\"/e/{{batch.ids}}\",\"into\":\"x\",\"batches\":1}]",
         "streams.s.enrich.0: unknown key 'batches'"},
        {ENRICHED "\"enrich\":{\"path\":\"/e/{{batch.ids}}\",\"into\":\"x\",\"batch\":0}", "from 1 to 1000"},
        {ENRICHED "\"enrich\":\"/e\"", "expected a map"},
        {ENRICHED "\"format\":\"csv\",\"enrich\":{\"path\":\"/e/{{batch.ids}}\",\"into\":\"x\"}",
         "streams.s.enrich: an answer of this format comes in parts"},
        {ENRICHED "\"enrich\":{\"path\":\"/e/{{batch.ids}}\",\"into\":\"x\",\"pages\":{\"kind\":\"cursor\",\"next\":\"n\"}}",
         "which page is meant"},
        {"\"path\":\"/s/{{batch.ids}}\"", "only requests of a stream's `enrich`"},
        {"\"path\":\"/s\",\"enrich\":{\"path\":\"/e/{{batch.ids}}\",\"into\":\"x\"}", "nothing tells what to ask with"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct problems problems = PROBLEMS_INIT(&arena);
        const char *json = arena_printf(&arena,
                                        "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"https://t.test\"},"
                                        "\"streams\":{\"s\":{%s}}}",
                                        CASES[i].keys);
        description_check(json_node(&arena, json), &problems);
        assert_problem(&problems, CASES[i].problem);
        arena_release(&arena);
    }
}

/* What is fine: keys that come from elsewhere, URLs that are given the fields again. */
static void test_what_goes_together(void **state)
{
    static const char *const CASES[] = {
        KEYED SOME ",\"pages\":{\"kind\":\"next_url\",\"next\":\"n\",\"keep_params\":true}",
        KEYED SOME ",\"format\":\"xml\",\"map\":{\"$function\":\"streams.s.map\"}",
        "\"path\":\"/s/{{slice.r}}/"
        "{{stream.fields}}\",\"partitions\":{\"name\":\"r\",\"values\":[\"x\"]},\"add\":{\"r\":\"{{slice.r}}\"},"
        "\"fields\":{\"r\":\"string\",\"id\":\"string\"},\"primary_key\":[\"r\",\"id\"]," SOME,
        ENRICHED "\"partitions\":{\"name\":\"r\",\"values\":[\"x\"]},\"enrich\":{\"path\":\"/e/{{slice.r}}/"
                 "{{batch.ids}}\",\"into\":\"x\"}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        const struct config *config;
        const char *json = arena_printf(&arena,
                                        "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"https://t.test\"},"
                                        "\"streams\":{\"s\":{%s}}}",
                                        CASES[i]);
        const struct stream_description *stream = description_of(&arena, json, "{}", &config)->streams;
        if (stream->chunks) {
            assert_int_equal(stream->chunks->key_count, 1); /* what is added to all records tells none apart */
            assert_string_equal(stream->chunks->key[0], "id");
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_share_the_key_and_are_as_full_as_they_may_be),
        cmocka_unit_test(test_members_are_put_together_by_key),
        cmocka_unit_test(test_a_key_of_several_parts),
        cmocka_unit_test(test_what_cannot_be_put_together),
        cmocka_unit_test(test_deep_objects_end_somewhere),
        cmocka_unit_test(test_a_page_keeps_its_cap),
        cmocka_unit_test(test_values_become_a_field),
        cmocka_unit_test(test_each_value_is_asked_with_once),
        cmocka_unit_test(test_a_wrong_declaration_says_what_is_wrong),
        cmocka_unit_test(test_what_goes_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
