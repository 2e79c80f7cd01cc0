/* Pages: each kind against sources of 0, 1, n-1, n, n+1 and more records; loops; positions; and the Link header. */
#include "rest_unit.h"

#include <stdlib.h>

#include "base/jsonscan.h"
#include "base/map.h"
#include "rest/link.h"
#include "rest/pager.h"

/* --- a source --------------------------------------------------------------------------------------------------------------
 */

enum { SIZE = 10 };

/* What a source of `records` records answers to a place, with all that any kind of pages could ask for. */
struct answer {
    size_t records;
    char body[512 + JSONSCAN_PADDING];
    char link[128];
};

static void answer_range(size_t from, size_t total, struct answer *answer)
{
    size_t to = from + SIZE < total ? from + SIZE : total;
    bool has_more = to < total;
    *answer = (struct answer){.records = from < total ? to - from : 0};
    int size = snprintf(answer->body, 512, "{\"from\":%zu,\"more\":%s,\"last\":%s,\"total\":%zu,\"pages\":%zu,", from,
                        has_more ? "true" : "false", has_more ? "false" : "true", total, (total + SIZE - 1) / SIZE);
    if (has_more)
        snprintf(answer->body + size, (size_t)(512 - size), "\"token\":\"t%zu\",\"url\":\"?from=%zu\"}", to, to);
    else
        snprintf(answer->body + size, (size_t)(512 - size), "\"token\":null}");
    if (has_more) snprintf(answer->link, sizeof answer->link, "https://s.test/items?from=%zu", to);
}

/* Where a place begins, as the source would read it from the request. */
static size_t begin_of(const struct pages *pages, const struct page_place *place)
{
    const char *from;
    switch (pages->kind) {
    case PAGES_PAGE:
        return (size_t)(place->number - pages->start) * SIZE;
    case PAGES_OFFSET:
        return (size_t)(place->offset - pages->start);
    case PAGES_CURSOR:
        return place->token.size ? strtoul(place->token.data + 1, NULL, 10) : 0;
    case PAGES_NEXT_URL:
    case PAGES_LINK_HEADER:
        from = place->url.size ? strstr(place->url.data, "from=") : NULL;
        return from ? strtoul(from + 5, NULL, 10) : 0;
    default:
        return 0;
    }
}

static int step(struct pager *pager, const struct pages *pages, const struct answer *answer, const char *url, struct err *err)
{
    const char *paths[PAGER_PATHS_MAX], *problem;
    struct json_value found[PAGER_PATHS_MAX];
    size_t offset, count = pager_paths(pages, paths), size = strlen(answer->body);
    assert_true(jsonscan_survey(answer->body, size, paths, found, count, &problem, &offset));
    struct page_facts facts = {
        .found = found,
        .records_known = true,
        .records = answer->records,
        .body_hash = hash_bytes((struct str){answer->body, size}),
        .url = str_from(url),
        .link = str_from(answer->link),
    };
    return pager_next(pager, &facts, err);
}

/* Reads a source to its end; how many records came, and in how many requests. */
static size_t read_all(const struct pages *pages, size_t total, size_t *requests)
{
    struct pager *pager = pager_new(pages);
    struct err err = ERR_INIT;
    size_t records = 0;
    int rc = pager_start(pager, STR(""), &err);
    assert_int_equal(rc, 0);
    *requests = 0;
    do {
        struct answer answer;
        const struct page_place *place = pager_place(pager);
        char url[256];
        snprintf(url, sizeof url, "%.*s", place->url.size ? (int)place->url.size : 20,
                 place->url.size ? place->url.data : "https://s.test/items");
        answer_range(begin_of(pages, place), total, &answer);
        records += answer.records;
        ++*requests;
        rc = step(pager, pages, &answer, url, &err);
        if (rc < 0) fail_msg("%s", err.message);
    } while (rc > 0);
    pager_free(pager);
    return records;
}

#define PAGES(...) ((struct pages){.max_pages = 1000, .size = SIZE, __VA_ARGS__})

static void check_sizes(const struct pages *pages, const size_t requests[7])
{
    static const size_t TOTALS[7] = {0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 5 * SIZE + 3};
    for (size_t i = 0; i < ARRAY_SIZE(TOTALS); i++) {
        size_t count;
        assert_int_equal(read_all(pages, TOTALS[i], &count), TOTALS[i]);
        assert_int_equal(count, requests[i]);
    }
}

static void test_numbered_pages_read_everything(void **state)
{
    (void)state;
    const struct pages by_flag = PAGES(.kind = PAGES_PAGE, .start = 1, .more = "more");
    const struct pages by_last = PAGES(.kind = PAGES_PAGE, .start = 0, .last = "last");
    const struct pages by_total = PAGES(.kind = PAGES_PAGE, .start = 1, .total = "total");
    const struct pages by_pages = PAGES(.kind = PAGES_PAGE, .start = 1, .total_pages = "pages");
    const struct pages by_empty = PAGES(.kind = PAGES_PAGE, .start = 1);
    const struct pages by_short = PAGES(.kind = PAGES_PAGE, .start = 1, .stop = STOP_SHORT);
    const size_t told[7] = {1, 1, 1, 1, 2, 2, 6};
    check_sizes(&by_flag, told);
    check_sizes(&by_last, told);
    check_sizes(&by_total, told);
    check_sizes(&by_pages, told);
    check_sizes(&by_empty, (const size_t[7]){1, 2, 2, 2, 3, 3, 7});
    check_sizes(&by_short, (const size_t[7]){1, 1, 1, 2, 2, 3, 6});
}

static void test_offsets_read_everything(void **state)
{
    (void)state;
    const struct pages by_flag = PAGES(.kind = PAGES_OFFSET, .more = "more");
    const struct pages by_total = PAGES(.kind = PAGES_OFFSET, .total = "total", .start = 1);
    const struct pages by_empty = PAGES(.kind = PAGES_OFFSET);
    const struct pages by_short = PAGES(.kind = PAGES_OFFSET, .stop = STOP_SHORT);
    const size_t told[7] = {1, 1, 1, 1, 2, 2, 6};
    check_sizes(&by_flag, told);
    check_sizes(&by_total, told);
    check_sizes(&by_empty, (const size_t[7]){1, 2, 2, 2, 3, 3, 7});
    check_sizes(&by_short, (const size_t[7]){1, 1, 1, 2, 2, 3, 6});
}

static void test_tokens_and_urls_read_everything(void **state)
{
    (void)state;
    const size_t told[7] = {1, 1, 1, 1, 2, 2, 6};
    const struct pages cursor = PAGES(.kind = PAGES_CURSOR, .next = "token");
    const struct pages flagged = PAGES(.kind = PAGES_CURSOR, .next = "token", .more = "more");
    const struct pages url = PAGES(.kind = PAGES_NEXT_URL, .next = "url");
    const struct pages link = PAGES(.kind = PAGES_LINK_HEADER, .relation = "next");
    check_sizes(&cursor, told);
    check_sizes(&flagged, told);
    check_sizes(&url, told);
    check_sizes(&link, told);
}

static void test_none_is_one_request(void **state)
{
    (void)state;
    const struct pages none = PAGES(.kind = PAGES_NONE);
    struct answer answer;
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&none);
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    answer_range(0, 100, &answer);
    assert_int_equal(step(pager, &none, &answer, "https://s.test/items", &err), 0);
    assert_null(pager_position(pager));
    pager_free(pager);
}

/* A source that gives fewer records than asked for must not end an unflagged stream early. */
static void test_a_source_with_smaller_pages_is_read_to_its_end(void **state)
{
    (void)state;
    struct pages asked = PAGES(.kind = PAGES_PAGE, .start = 1);
    size_t requests;
    asked.size = 1000;
    assert_int_equal(read_all(&asked, 35, &requests), 35);
}

/* --- single answers ----------------------------------------------------------------------------------------------------------
 */

/* The verdict on one body. */
static int verdict(const struct pages *pages, const char *body, size_t records, struct err *err)
{
    struct pager *pager = pager_new(pages);
    struct answer answer = {.records = records};
    assert_int_equal(pager_start(pager, STR(""), err), 0);
    snprintf(answer.body, 512, "%s", body);
    int rc = step(pager, pages, &answer, "https://s.test/items", err);
    pager_free(pager);
    return rc;
}

static void test_how_sources_spell_flags_and_ends(void **state)
{
    (void)state;
    const struct pages flag = PAGES(.kind = PAGES_PAGE, .more = "m");
    const struct pages token = PAGES(.kind = PAGES_CURSOR, .next = "m.t");
    static const struct {
        const char *body;
        int goes_on;
    } FLAGS[] = {{"{\"m\":true}", 1},  {"{\"m\":1}", 1},   {"{\"m\":\"true\"}", 1}, {"{\"m\":{\"a\":1}}", 1},
                 {"{\"m\":false}", 0}, {"{\"m\":0}", 0},   {"{\"m\":\"\"}", 0},     {"{\"m\":\"False\"}", 0},
                 {"{\"m\":\"0\"}", 0}, {"{\"m\":0.0}", 0}, {"{\"m\":null}", 1},     {"{}", 1}},
      TOKENS[] = {{"{\"m\":{\"t\":\"a\"}}", 1},
                  {"{\"m\":{\"t\":7}}", 1},
                  {"{\"m\":{\"t\":\"\"}}", 0},
                  {"{\"m\":{\"t\":null}}", 0},
                  {"{\"m\":{\"t\":false}}", 0},
                  {"{\"m\":null}", 0},
                  {"{}", 0},
                  {"[]", 0}};
    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(verdict(&flag, FLAGS[i].body, 3, &err), FLAGS[i].goes_on);
        assert_int_equal(verdict(&flag, FLAGS[i].body, 0, &err), 0); /* no records: over, whatever the flag says */
    }
    for (size_t i = 0; i < ARRAY_SIZE(TOKENS); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(verdict(&token, TOKENS[i].body, 0, &err), TOKENS[i].goes_on); /* an empty page may have a next one */
    }
}

static void test_tokens_stay_exact(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_CURSOR, .next = "t", .stable = true);
    struct pager *pager = pager_new(&pages);
    struct err err = ERR_INIT;
    struct answer answer = {.records = 1, .body = "{\"t\":9007199254740993}"};
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    assert_int_equal(step(pager, &pages, &answer, "u", &err), 1);
    assert_true(str_equal(pager_place(pager)->token, STR("9007199254740993")));
    snprintf(answer.body, 512, "{\"t\":\"a\\u00e9\\\"\\/b\"}");
    assert_int_equal(step(pager, &pages, &answer, "u", &err), 1);
    assert_true(str_equal(pager_place(pager)->token, STR("a\xc3\xa9\"/b")));
    pager_free(pager);
}

static void test_answers_that_make_no_sense(void **state)
{
    (void)state;
    const struct pages token = PAGES(.kind = PAGES_CURSOR, .next = "t", .more = "m");
    static const struct {
        const char *body, *message;
    } CASES[] = {
        {"{\"t\":[1],\"m\":true}", "expected a text or number at 't', got a list"},
        {"{\"t\":{\"a\":1},\"m\":true}", "got an object"},
        {"{\"t\":true,\"m\":true}", "got true"},
        {"{\"m\":true}", "says that more pages follow, but not where"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        assert_int_equal(verdict(&token, CASES[i].body, 3, &err), ERR_DATA);
        assert_non_null(strstr(err.message, CASES[i].message));
    }
}

static void test_a_token_has_a_size(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_CURSOR, .next = "t");
    for (int over = 0; over <= 1; over++) {
        struct buf body = BUF_INIT(1 << 20);
        struct json_value found;
        const char *path = "t", *problem;
        size_t offset;
        struct err err = ERR_INIT;
        buf_append_text(&body, "{\"t\":\"");
        for (int i = 0; i < PAGER_TOKEN_MAX + over; i++) buf_append_char(&body, 'x');
        buf_append_text(&body, "\"}");
        size_t size = body.size;
        for (int i = 0; i < JSONSCAN_PADDING; i++) buf_append_char(&body, '\0');
        assert_true(jsonscan_survey(body.data, size, &path, &found, 1, &problem, &offset));
        struct pager *pager = pager_new(&pages);
        struct page_facts facts = {.found = &found, .records_known = true, .records = 1};
        assert_int_equal(pager_start(pager, STR(""), &err), 0);
        assert_int_equal(pager_next(pager, &facts, &err), over ? ERR_DATA : 1);
        pager_free(pager);
        buf_release(&body);
    }
}

static void test_a_function_names_the_next_page(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_CURSOR, .next_function = "f");
    static const struct {
        const char *json;
        int rc;
    } CASES[] = {{"\"abc\"", 1},         {"12", 1},           {"null", 0}, {"false", 0}, {"\"\"", 0},
                 {"[1]", ERR_CONNECTOR}, {"{", ERR_CONNECTOR}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        struct pager *pager = pager_new(&pages);
        struct page_facts facts = {.records_known = true, .records = 1, .next_json = str_from(CASES[i].json)};
        assert_int_equal(pager_start(pager, STR(""), &err), 0);
        assert_int_equal(pager_next(pager, &facts, &err), CASES[i].rc);
        pager_free(pager);
    }
}

static void test_what_a_later_request_carries(void **state)
{
    (void)state;
    struct pages pages = PAGES(.kind = PAGES_CURSOR, .next = "token", .first_token = "*", .keep_params = false);
    struct err err = ERR_INIT;
    struct answer answer;
    struct pager *pager = pager_new(&pages);
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    assert_true(str_equal(pager_place(pager)->token, STR("*")));
    assert_true(pager_place(pager)->own_params);
    answer_range(0, 25, &answer);
    assert_int_equal(step(pager, &pages, &answer, "u", &err), 1);
    assert_false(pager_place(pager)->own_params);
    assert_int_equal(pager_place(pager)->index, 1);
    pager_free(pager);
}

static void test_relative_urls_are_resolved(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_NEXT_URL, .next = "n");
    static const struct {
        const char *next, *expected;
    } CASES[] = {
        {"?page=2", "https://s.test/v1/items?page=2"},
        {"/v2/x?y=1", "https://s.test/v2/x?y=1"},
        {"more", "https://s.test/v1/more"},
        {"https://other.test/z", "https://other.test/z"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        struct pager *pager = pager_new(&pages);
        struct answer answer = {.records = 1};
        snprintf(answer.body, 512, "{\"n\":\"%s\"}", CASES[i].next);
        assert_int_equal(pager_start(pager, STR(""), &err), 0);
        assert_int_equal(step(pager, &pages, &answer, "https://s.test/v1/items?page=1", &err), 1);
        struct str url = pager_place(pager)->url;
        assert_true(str_equal(url, str_from(CASES[i].expected)));
        pager_free(pager);
    }
}

/* --- loops -------------------------------------------------------------------------------------------------------------------
 */

/* Pages until an error, of a source whose tokens come round after `period`, once it has given `lead` others. */
static size_t pages_until_loop(const struct pages *pages, size_t lead, size_t period, struct err *err)
{
    struct pager *pager = pager_new(pages);
    char url[64] = "https://s.test/first";
    size_t count = 0;
    int rc = pager_start(pager, STR(""), err);
    while (rc >= 0) {
        struct answer answer = {.records = 1};
        snprintf(answer.link, sizeof answer.link, count < lead ? "/lead%zu" : "/%zu",
                 count < lead ? count : (count - lead) % period);
        snprintf(answer.body, 512, "{\"t\":\"%s\",\"n\":%zu}", answer.link, count);
        count++;
        rc = step(pager, pages, &answer, url, err);
        assert_true(rc != 0 && count < 100000);
        snprintf(url, sizeof url, "https://s.test%s", answer.link);
    }
    assert_int_equal(rc, ERR_DATA);
    pager_free(pager);
    return count;
}

static void test_tokens_and_urls_that_come_round_are_a_loop(void **state)
{
    (void)state;
    const struct pages kinds[] = {
        {.kind = PAGES_CURSOR, .next = "t", .max_pages = 100000},
        {.kind = PAGES_NEXT_URL, .next = "t", .max_pages = 100000},
        {.kind = PAGES_LINK_HEADER, .relation = "next", .max_pages = 100000},
    };
    static const size_t PERIODS[] = {1, 2, 7, 999, 1000}, LEADS[] = {0, 1, 950, 1500};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        for (size_t j = 0; j < ARRAY_SIZE(PERIODS); j++)
            for (size_t k = 0; k < ARRAY_SIZE(LEADS); k++) {
                struct err err = ERR_INIT;
                assert_int_equal(pages_until_loop(&kinds[i], LEADS[k], PERIODS[j], &err), LEADS[k] + PERIODS[j] + 1);
                assert_non_null(strstr(err.message, "page loop"));
                assert_non_null(strstr(err.message, "/0'"));
            }
}

static void test_a_first_page_that_names_itself_is_a_loop(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_NEXT_URL, .next = "t");
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&pages);
    struct answer answer = {.records = 1, .body = "{\"t\":\"/items\"}"};
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    assert_int_equal(step(pager, &pages, &answer, "https://s.test/items", &err), ERR_DATA);
    assert_non_null(strstr(err.message, "'https://s.test/items'"));
    pager_free(pager);
}

static void test_longer_loops_are_found_before_they_are_read_thrice(void **state)
{
    (void)state;
    const struct pages pages = {.kind = PAGES_CURSOR, .next = "t", .max_pages = 1000000};
    static const size_t PERIODS[] = {1001, 1024, 4999, 20000}, LEADS[] = {0, 1, 3000};
    for (size_t i = 0; i < ARRAY_SIZE(PERIODS); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(LEADS); j++) {
            struct err err = ERR_INIT;
            size_t longer = PERIODS[i] > LEADS[j] ? PERIODS[i] : LEADS[j];
            assert_true(pages_until_loop(&pages, LEADS[j], PERIODS[i], &err) <= 3 * longer + 1);
            assert_non_null(strstr(err.message, "page loop: the source gave the same"));
        }
    }
}

static void test_pages_that_never_end_end_at_max_pages(void **state)
{
    (void)state;
    const struct pages pages = {.kind = PAGES_CURSOR, .next = "t", .max_pages = 3000};
    struct err err = ERR_INIT;
    assert_int_equal(pages_until_loop(&pages, 9999, 1, &err), 3000);
    assert_non_null(strstr(err.message, "over 3000 pages"));
}

static void test_a_source_that_ignores_the_page_is_a_loop(void **state)
{
    (void)state;
    const struct pages kinds[] = {PAGES(.kind = PAGES_PAGE), PAGES(.kind = PAGES_OFFSET),
                                  PAGES(.kind = PAGES_PAGE, .total = "total")};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct err err = ERR_INIT;
        struct pager *pager = pager_new(&kinds[i]);
        struct answer answer;
        answer_range(0, 2 * SIZE, &answer);
        assert_int_equal(pager_start(pager, STR(""), &err), 0);
        assert_int_equal(step(pager, &kinds[i], &answer, "u", &err), 1);
        assert_int_equal(step(pager, &kinds[i], &answer, "u", &err), ERR_DATA);
        assert_non_null(strstr(err.message, "page loop: the source gave the same answer again"));
        pager_free(pager);
    }
}

static bool no_records(void *context)
{
    ++*(int *)context;
    return false;
}

/* Empty pages of a token stream look alike; only when two do is it asked whether they are empty. */
static void test_equal_empty_pages_are_no_loop(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_CURSOR, .next_function = "f");
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&pages);
    int asked = 0;
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    for (int i = 0; i < 5; i++) {
        char next[16];
        snprintf(next, sizeof next, "\"t%d\"", i);
        struct page_facts facts = {.body_hash = 7, .has_records = no_records, .context = &asked, .next_json = str_from(next)};
        assert_int_equal(pager_next(pager, &facts, &err), 1);
    }
    assert_int_equal(asked, 4);
    pager_free(pager);
}

/* --- positions ---------------------------------------------------------------------------------------------------------------
 */

/* Reads `before` pages, goes on in a new pager at its position, and counts what comes. */
static size_t read_resumed(const struct pages *pages, size_t total, size_t before)
{
    struct pager *pager = pager_new(pages);
    struct err err = ERR_INIT;
    size_t records = 0, requests = 0;
    int rc = pager_start(pager, STR(""), &err);
    while (rc >= 0) {
        struct answer answer;
        const struct page_place *place = pager_place(pager);
        answer_range(begin_of(pages, place), total, &answer);
        records += answer.records;
        rc = step(pager, pages, &answer, "https://s.test/items", &err);
        if (rc <= 0) break;
        if (++requests != before) continue;
        char *position = pager_position(pager);
        assert_non_null(position);
        pager_free(pager);
        pager = pager_new(pages);
        rc = pager_start(pager, str_from(position), &err);
        free(position);
    }
    if (rc < 0) fail_msg("%s", err.message);
    pager_free(pager);
    return records;
}

static void test_a_stable_stream_goes_on_at_its_position(void **state)
{
    (void)state;
    const struct pages kinds[] = {
        PAGES(.kind = PAGES_PAGE, .start = 1, .total = "total", .stable = true),
        PAGES(.kind = PAGES_OFFSET, .total = "total", .stable = true),
        PAGES(.kind = PAGES_CURSOR, .next = "token", .stable = true),
        PAGES(.kind = PAGES_NEXT_URL, .next = "url", .stable = true),
        PAGES(.kind = PAGES_LINK_HEADER, .relation = "next", .stable = true),
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        for (size_t before = 1; before <= 4; before++)
            assert_int_equal(read_resumed(&kinds[i], 5 * SIZE - 3, before), 5 * SIZE - 3);
}

static void test_an_unstable_stream_has_no_position(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_CURSOR, .next = "token");
    struct pager *pager = pager_new(&pages);
    struct err err = ERR_INIT;
    struct answer answer;
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    answer_range(0, 3 * SIZE, &answer);
    assert_int_equal(step(pager, &pages, &answer, "u", &err), 1);
    assert_null(pager_position(pager));
    pager_free(pager);
}

static void test_positions_that_do_not_fit(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_PAGE, .stable = true);
    static const char *const CASES[] = {
        "x",
        "{}",
        "{\"kind\":\"cursor\",\"token\":\"t\"}",
        "{\"kind\":\"page\"}",
        "{\"kind\":\"page\",\"number\":\"-1\",\"seen\":\"0\"}",
        "{\"kind\":\"page\",\"number\":2,\"seen\":\"0\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        struct pager *pager = pager_new(&pages);
        assert_int_equal(pager_start(pager, str_from(CASES[i]), &err), ERR_DATA);
        assert_non_null(strstr(err.message, "cannot resume at the stored position"));
        pager_free(pager);
    }
}

/* --- Link --------------------------------------------------------------------------------------------------------------------
 */

static void test_link_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header, *expected; /* NULL: none */
    } CASES[] = {
        {"<https://a.test/x?page=2>; rel=\"next\"", "https://a.test/x?page=2"},
        {"<https://a.test/1>; rel=\"prev\", <https://a.test/3>; rel=\"next\"", "https://a.test/3"},
        {"<https://a.test/x?ids=1,2>; rel=next", "https://a.test/x?ids=1,2"},
        {"</rel>;rel=\"first NEXT last\"", "/rel"},
        {"<a>; title=\"x, <b>; rel=next\"; rel=prev", NULL},
        {"<a>; title=\"q\\\"; rel=next\", <b>; REL=Next", "b"},
        {"<a>; rel=prev; rel=next", NULL},
        {"<a> ; foo ; rel = \"next\" ; results=\"true\"", "a"},
        {"junk, <b>; rel=next", "b"},
        {"<a>; rel=\"nextish\"", NULL},
        {"<a; rel=next", NULL},
        {"<a>; rel=\"next", "a"},
        {"", NULL},
        {",,,;;;<<<>>>\"\"\"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct str target = {0};
        assert_int_equal(link_find(str_from(CASES[i].header), STR("next"), &target), CASES[i].expected != NULL);
        if (CASES[i].expected) assert_true(str_equal(target, str_from(CASES[i].expected)));
    }
}

UNIT_TESTS(cmocka_unit_test(test_numbered_pages_read_everything), cmocka_unit_test(test_offsets_read_everything),
           cmocka_unit_test(test_tokens_and_urls_read_everything), cmocka_unit_test(test_none_is_one_request),
           cmocka_unit_test(test_a_source_with_smaller_pages_is_read_to_its_end),
           cmocka_unit_test(test_how_sources_spell_flags_and_ends), cmocka_unit_test(test_tokens_stay_exact),
           cmocka_unit_test(test_answers_that_make_no_sense), cmocka_unit_test(test_a_token_has_a_size),
           cmocka_unit_test(test_a_function_names_the_next_page), cmocka_unit_test(test_what_a_later_request_carries),
           cmocka_unit_test(test_relative_urls_are_resolved), cmocka_unit_test(test_tokens_and_urls_that_come_round_are_a_loop),
           cmocka_unit_test(test_a_first_page_that_names_itself_is_a_loop),
           cmocka_unit_test(test_longer_loops_are_found_before_they_are_read_thrice),
           cmocka_unit_test(test_pages_that_never_end_end_at_max_pages),
           cmocka_unit_test(test_a_source_that_ignores_the_page_is_a_loop),
           cmocka_unit_test(test_equal_empty_pages_are_no_loop), cmocka_unit_test(test_a_stable_stream_goes_on_at_its_position),
           cmocka_unit_test(test_an_unstable_stream_has_no_position), cmocka_unit_test(test_positions_that_do_not_fit),
           cmocka_unit_test(test_link_headers))
