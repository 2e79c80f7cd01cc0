/* Pages that go by headers, last records, times and keys, against sources that keep their rules: what they give is all there
 * is, once; and listings whose answers repeat. */
#include "rest_unit.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/number.h"
#include "rest/pager.h"
#include "rest/pager/loop.h"
#include "rest/repeats.h"

enum { SIZE = 10, MAX_RECORDS = 512 };

/* A source of `total` records, sorted; record i has the id i + 1 and the value i / share. */
struct source {
    const struct pages *pages;
    size_t total, share;
    size_t cap;          /* what one query gives, however it is asked; 0: no cap */
    bool hides_the_rest; /* at the cap it says that there is no more */
    /* what was read */
    size_t requests, taken, dropped;
    bool seen[MAX_RECORDS];
    struct repeats repeats;
    struct err err;
};

static size_t value_of(const struct source *source, size_t index)
{
    return index / source->share;
}

static size_t number_of(struct str text)
{
    int64_t number = 0;
    assert_true(text.size == 0 || number_to_int64(text, &number));
    return (size_t)number;
}

/* The first record a query gives. */
static size_t query_begin(const struct source *source, const struct page_place *place)
{
    size_t begin = 0;
    if (source->pages->kind == PAGES_CAPPED_KEYSET && place->key.size) {
        size_t key = number_of(place->key);
        while (begin < source->total &&
               (value_of(source, begin) < key || (value_of(source, begin) == key && !source->pages->inclusive)))
            begin++;
    }
    if (source->pages->kind == PAGES_TIME_NEXT)
        while (begin < source->total && value_of(source, begin) < number_of(place->token)) begin++;
    if (source->pages->kind == PAGES_LAST_RECORD) begin = number_of(place->token);
    return begin;
}

static size_t page_begin(const struct source *source, const struct page_place *place)
{
    switch (pages_moving(source->pages)->kind) {
    case PAGES_OFFSET:
        return (size_t)place->offset;
    case PAGES_PAGE:
        return (size_t)(place->number - 1) * SIZE;
    case PAGES_CURSOR:
    case PAGES_HEADER_TOKEN:
        return number_of(place->token);
    default:
        return 0;
    }
}

static void take(struct source *source, size_t index)
{
    char record[32];
    size_t size = (size_t)snprintf(record, sizeof record, "{\"id\":%zu}", index + 1);
    if (repeats_knows(&source->repeats, (struct str){record, size})) {
        source->dropped++;
        return;
    }
    if (source->seen[index]) fail_msg("record %zu came twice", index);
    source->seen[index] = true;
    source->taken++;
}

/* Reads to the end; what the pager said in the end. */
static int read_all(struct source *source)
{
    struct pager *pager = pager_new(source->pages);
    int rc = pager_start(pager, STR(""), &source->err);
    do {
        const struct page_place *place = pager_place(pager);
        size_t query = query_begin(source, place), at = query + page_begin(source, place), asked = (size_t)place->size;
        size_t end = at + asked, limit = source->total;
        if (source->cap && at + asked > query + source->cap) fail_msg("asked past the cap: %zu + %zu", at - query, asked);
        if (source->pages->kind == PAGES_TIME_NEXT && end < limit) /* all of a second, however many */
            while (end < limit && value_of(source, end) == value_of(source, end - 1)) end++;
        if (end > limit) end = limit;
        if (at > end) at = end;
        repeats_lap(&source->repeats, place->lap);
        for (size_t i = at; i < end; i++) take(source, i);
        bool has_more = end < limit && !(source->hides_the_rest && source->cap && end - query >= source->cap);
        char body[256 + JSONSCAN_PADDING], header[32], last[32], next[32];
        const char *problem, *paths[PAGER_PATHS_MAX];
        struct json_value found[PAGER_PATHS_MAX];
        size_t offset, count = pager_paths(source->pages, paths);
        snprintf(next, sizeof next, has_more ? "%zu" : "null", end - query);
        int size = snprintf(body, 256, "{\"at\":%zu,\"more\":%s,\"end\":%zu,\"next\":%s,\"total\":%zu}", at,
                            has_more ? "true" : "false", end ? value_of(source, end - 1) : 0, next, limit - query);
        assert_true(jsonscan_survey(body, (size_t)size, paths, found, count, &problem, &offset));
        snprintf(header, sizeof header, has_more ? "%zu" : "null", end - query);
        bool by_id = source->pages->kind == PAGES_LAST_RECORD;
        int last_size = snprintf(last, sizeof last, "%zu", by_id ? end : end ? value_of(source, end - 1) : 0);
        struct page_facts facts = {
            .found = found,
            .records_known = true,
            .records = end - at,
            .body_hash = hash_bytes((struct str){body, (size_t)size}),
            .header = str_from(header),
            .last = {.kind = end > at ? JSON_NUMBER : JSON_NULL, .raw = {last, (size_t)last_size}},
        };
        source->requests++;
        rc = pager_next(pager, &facts, &source->err);
        if (source->requests > 1000) fail_msg("it does not end");
    } while (rc > 0);
    pager_free(pager);
    repeats_release(&source->repeats);
    return rc;
}

#define PAGES(...) ((struct pages){.max_pages = 1000, .size = SIZE, __VA_ARGS__})

static const size_t TOTALS[] = {0, 1, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE, 5 * SIZE + 3};

static void check_totals(const struct pages *pages, size_t share, size_t cap, bool hides_the_rest)
{
    for (size_t i = 0; i < ARRAY_SIZE(TOTALS); i++) {
        struct source source = {
            .pages = pages, .total = TOTALS[i], .share = share, .cap = cap, .hides_the_rest = hides_the_rest};
        if (read_all(&source) != 0) fail_msg("%s", source.err.message);
        assert_int_equal(source.taken, TOTALS[i]);
    }
}

static void test_header_tokens_read_everything(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_HEADER_TOKEN, .header = "X-Next", .end = "null", .keep_params = true);
    check_totals(&pages, 1, 0, false);
}

static void test_last_records_read_everything(void **state)
{
    (void)state;
    const struct pages by_flag = PAGES(.kind = PAGES_LAST_RECORD, .field = "id", .more = "more");
    const struct pages by_empty = PAGES(.kind = PAGES_LAST_RECORD, .field = "id");
    const struct pages by_short = PAGES(.kind = PAGES_LAST_RECORD, .field = "id", .stop = STOP_SHORT);
    check_totals(&by_flag, 1, 0, false);
    check_totals(&by_empty, 1, 0, false);
    check_totals(&by_short, 1, 0, false);
}

static void test_a_last_record_without_the_field_is_an_error(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_LAST_RECORD, .field = "id");
    struct pager *pager = pager_new(&pages);
    struct err err = ERR_INIT;
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    struct page_facts facts = {.records_known = true, .records = 1, .last = {.kind = JSON_NULL}};
    assert_int_equal(pager_next(pager, &facts, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "has no 'id'"));
    pager_free(pager);
}

/* Any number of records may share a second: none is lost, and the boundary's come once. */
static void test_times_read_everything_once(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_TIME_NEXT, .next = "end", .more = "more", .format = "epoch",
                                     .first_token = "0", .keep_params = true);
    static const size_t SHARES[] = {1, 2, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE};
    for (size_t i = 0; i < ARRAY_SIZE(SHARES); i++) check_totals(&pages, SHARES[i], 0, false);
}

static int answer_time(struct pager *pager, const char *end, size_t records, bool more, struct err *err)
{
    struct json_value found[] = {{.kind = more ? JSON_TRUE : JSON_FALSE}, {.kind = JSON_NUMBER, .raw = str_from(end)}};
    struct page_facts facts = {.found = found, .records_known = true, .records = records, .body_hash = 7};
    return pager_next(pager, &facts, err);
}

static void test_a_full_second_is_stepped_over_and_told(void **state)
{
    (void)state;
    const struct pages pages = PAGES(.kind = PAGES_TIME_NEXT, .next = "end", .more = "more", .format = "epoch");
    struct pager *pager = pager_new(&pages);
    struct err err = ERR_INIT;
    pager_first_time(pager, "100");
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    assert_true(str_equal(pager_place(pager)->token, STR("100")));
    assert_int_equal(answer_time(pager, "100", SIZE, true, &err), 1);
    assert_true(str_equal(pager_place(pager)->token, STR("101")));
    assert_non_null(strstr(pager_warning(pager), "share the second '100'"));
    assert_int_equal(answer_time(pager, "105", 0, true, &err), 1); /* an empty page is not the end */
    assert_null(pager_warning(pager));
    assert_true(str_equal(pager_place(pager)->token, STR("105")));
    assert_int_equal(answer_time(pager, "105", SIZE - 1, true, &err), ERR_DATA); /* not full, and no way on */
    assert_non_null(strstr(err.message, "page loop: the source gave the same end time again: '105'"));
    pager_free(pager);
}

static void test_times_that_make_no_sense(void **state)
{
    (void)state;
    const struct pages pages =
        PAGES(.kind = PAGES_TIME_NEXT, .next = "end", .more = "more", .format = "epoch", .first_token = "100");
    static const struct {
        const char *end, *message;
    } CASES[] = {{"99", "page loop: the source gave the same time again"}, {"\"soon\"", "is not of format 'epoch'"}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct pager *pager = pager_new(&pages);
        struct err err = ERR_INIT;
        assert_int_equal(pager_start(pager, STR(""), &err), 0);
        assert_int_equal(answer_time(pager, CASES[i].end, SIZE, true, &err), ERR_DATA);
        assert_non_null(strstr(err.message, CASES[i].message));
        pager_free(pager);
    }
}

/* --- caps -------------------------------------------------------------------------------------------------------------------
 */

static void test_a_cap_is_read_around(void **state)
{
    (void)state;
    const struct pages inner[] = {
        PAGES(.kind = PAGES_OFFSET, .more = "more"),
        PAGES(.kind = PAGES_OFFSET, .total = "total"),
        PAGES(.kind = PAGES_OFFSET),
        PAGES(.kind = PAGES_PAGE, .start = 1, .stop = STOP_SHORT),
        PAGES(.kind = PAGES_CURSOR, .next = "next", .keep_params = true),
    };
    static const size_t CAPS[] = {SIZE, 15, 2 * SIZE, 25, 1000};
    for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
        for (size_t j = 0; j < ARRAY_SIZE(CAPS); j++)
            for (int hides = 0; hides < 2; hides++)
                for (size_t share = 1; share < 4; share += 2) {
                    const struct pages pages = {.kind = PAGES_CAPPED_KEYSET,
                                                .max_pages = 1000,
                                                .cap = (int64_t)CAPS[j],
                                                .key = "v",
                                                .inclusive = share > 1,
                                                .inner = &inner[i]};
                    check_totals(&pages, share, CAPS[j], hides);
                }
}

static void test_more_of_one_value_than_the_cap_is_an_error(void **state)
{
    (void)state;
    const struct pages inner = PAGES(.kind = PAGES_OFFSET, .more = "more");
    const struct pages pages = {
        .kind = PAGES_CAPPED_KEYSET, .max_pages = 1000, .cap = 2 * SIZE, .key = "v", .inclusive = true, .inner = &inner};
    struct source source = {.pages = &pages, .total = 60, .share = 25, .cap = 2 * SIZE};
    assert_int_equal(read_all(&source), ERR_DATA);
    assert_non_null(strstr(source.err.message, "20 records or more share the v '0'"));
    assert_non_null(strstr(source.err.hint, "unique"));
}

static void test_keys_out_of_order_are_an_error(void **state)
{
    (void)state;
    const struct pages inner = PAGES(.kind = PAGES_OFFSET, .more = "more");
    const struct pages pages = {.kind = PAGES_CAPPED_KEYSET, .max_pages = 1000, .cap = 100, .key = "v", .inner = &inner};
    struct pager *pager = pager_new(&pages);
    struct err err = ERR_INIT;
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    static const char *const KEYS[] = {"9", "10", "8"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        struct json_value more = {.kind = JSON_TRUE};
        struct page_facts facts = {.found = &more,
                                   .records_known = true,
                                   .records = SIZE,
                                   .body_hash = i + 1,
                                   .last = {.kind = JSON_STRING, .raw = str_from(KEYS[i])}};
        assert_int_equal(pager_next(pager, &facts, &err), i < 2 ? 1 : ERR_DATA);
    }
    assert_non_null(strstr(err.message, "not sorted by 'v': '8' came behind '10'"));
    pager_free(pager);
}

static void test_a_keyset_resumes_inside_a_lap(void **state)
{
    (void)state;
    const struct pages inner = PAGES(.kind = PAGES_CURSOR, .next = "next", .keep_params = true);
    const struct pages pages = {
        .kind = PAGES_CAPPED_KEYSET, .max_pages = 1000, .cap = 25, .key = "v", .inner = &inner, .stable = true};
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&pages);
    assert_int_equal(pager_start(pager, STR(""), &err), 0);
    for (size_t i = 0; i < 4; i++) {
        struct json_value next = {.kind = JSON_NUMBER, .raw = STR("10")};
        if (i == 1) next.raw = STR("20");
        if (i == 2) next.raw = STR("25");
        char key[8];
        struct page_facts facts = {.found = &next,
                                   .records_known = true,
                                   .records = (size_t)pager_place(pager)->size,
                                   .body_hash = i + 1,
                                   .last = {.kind = JSON_NUMBER, .raw = {key, (size_t)snprintf(key, 8, "%zu", i)}}};
        assert_int_equal(pager_next(pager, &facts, &err), 1);
    }
    char *position = pager_position(pager);
    assert_string_equal(position, "{\"kind\":\"capped_keyset\",\"token\":\"10\",\"lap_records\":\"10\",\"key\":\"2\"}");
    struct pager *later = pager_new(&pages);
    assert_int_equal(pager_start(later, str_from(position), &err), 0);
    assert_true(str_equal(pager_place(later)->key, STR("2")));
    assert_true(str_equal(pager_place(later)->token, STR("10")));
    free(position);
    pager_free(pager);
    pager_free(later);
}

/* Kinds that cannot go on by themselves say that it is the cap, before anything is lost. */
static void test_a_cap_is_told(void **state)
{
    (void)state;
    const struct pages kinds[] = {
        PAGES(.kind = PAGES_OFFSET, .more = "more", .cap = 25),
        PAGES(.kind = PAGES_OFFSET, .total = "total", .cap = 25),
        PAGES(.kind = PAGES_PAGE, .start = 1, .more = "more", .cap = 25),
        PAGES(.kind = PAGES_CURSOR, .next = "next", .cap = 25),
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct source fits = {.pages = &kinds[i], .total = 2 * SIZE - 1, .share = 1, .cap = 25};
        assert_int_equal(read_all(&fits), 0);
        assert_int_equal(fits.taken, 2 * SIZE - 1);
        for (int hides = 0; hides < 2; hides++) {
            struct source source = {.pages = &kinds[i], .total = 26, .share = 1, .cap = 25, .hides_the_rest = hides};
            assert_int_equal(read_all(&source), ERR_DATA);
            assert_non_null(strstr(source.err.message, "at most 25 records to one query"));
        }
    }
    struct source told = {.pages = &kinds[1], .total = 26, .share = 1, .cap = 25};
    assert_int_equal(read_all(&told), ERR_DATA);
    assert_int_equal(told.requests, 1); /* its total says it at once */
}

/* --- bodies that repeat -----------------------------------------------------------------------------------------------------
 */

static void test_bodies_that_repeat_are_a_loop_of_any_period(void **state)
{
    (void)state;
    static const uint64_t PERIODS[] = {1, 2, 3, 7, 100, 999, 1000, 1001, 1500, 4000}, LEADS[] = {0, 1, 5, 900, 3000};
    for (size_t i = 0; i < ARRAY_SIZE(PERIODS); i++)
        for (size_t j = 0; j < ARRAY_SIZE(LEADS); j++) {
            struct echo *echo = calloc(1, sizeof *echo);
            uint64_t period = PERIODS[i], lead = LEADS[j], pages = 0;
            bool found = false;
            for (; !found && pages < 100000; pages++)
                found = echo_add(echo, 1 + (pages < lead ? 1000000 + pages : (pages - lead) % period));
            assert_true(found);
            if (period <= LOOP_RING)
                assert_int_equal(pages, lead + 2 * period);
            else
                assert_true(pages <= 16 * (lead + 2 * period));
            free(echo);
        }
}

static void test_bodies_that_come_again_by_chance_are_no_loop(void **state)
{
    (void)state;
    struct echo *echo = calloc(1, sizeof *echo);
    for (uint64_t i = 0; i < 20000; i++) {
        assert_false(echo_add(echo, 1000 + i));
        if (i % 5 == 0) assert_false(echo_add(echo, 7)); /* one page that is the same now and then */
    }
    free(echo);
}

UNIT_TESTS(cmocka_unit_test(test_header_tokens_read_everything), cmocka_unit_test(test_last_records_read_everything),
           cmocka_unit_test(test_a_last_record_without_the_field_is_an_error),
           cmocka_unit_test(test_times_read_everything_once), cmocka_unit_test(test_a_full_second_is_stepped_over_and_told),
           cmocka_unit_test(test_times_that_make_no_sense), cmocka_unit_test(test_a_cap_is_read_around),
           cmocka_unit_test(test_more_of_one_value_than_the_cap_is_an_error),
           cmocka_unit_test(test_keys_out_of_order_are_an_error), cmocka_unit_test(test_a_keyset_resumes_inside_a_lap),
           cmocka_unit_test(test_a_cap_is_told), cmocka_unit_test(test_bodies_that_repeat_are_a_loop_of_any_period),
           cmocka_unit_test(test_bodies_that_come_again_by_chance_are_no_loop))
