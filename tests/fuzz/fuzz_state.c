/* state: what an earlier run stored and this one reads back: positions of pages, plans of windows, cursors. Each is refused
 * with a reason or written again as the same thing. Input: a digit in the first line says what the rest is: 0 to 5 a position
 * of that kind of pages, 6 a plan, 7 and above a cursor value. */
#include "fuzz.h"

#include "base/buf.h"
#include "rest/decode.h"
#include "rest/pager.h"
#include "rest/window.h"

static void check_position(enum pages_kind kind, struct str position)
{
    const bool is_keyset = kind == PAGES_CAPPED_KEYSET, is_time = kind == PAGES_TIME_NEXT;
    const struct pages inner = {.kind = PAGES_CURSOR, .param = "p", .size = 10, .next = "n", .keep_params = true};
    const struct pages pages = {.kind = kind,
                                .inner = is_keyset ? &inner : NULL,
                                .cap = is_keyset ? 100 : 0,
                                .key = "k",
                                .field = "k",
                                .format = "epoch",
                                .param = "p",
                                .size = 10,
                                .max_pages = 100,
                                .keep_params = true,
                                .stable = true,
                                .next = "n",
                                .relation = "next"};
    const struct json_value next = {.kind = is_time ? JSON_NUMBER : JSON_STRING,
                                    .raw = is_time ? STR("1700000000") : STR("https://h.test/?p=2")};
    const struct page_facts facts = {.found = &next,
                                     .records_known = true,
                                     .records = 10,
                                     .url = STR("https://h.test/"),
                                     .link = STR("https://h.test/?p=3"),
                                     .header = STR("h"),
                                     .last = {.kind = JSON_NUMBER, .raw = STR("7")}};
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&pages), *other = pager_new(&pages);
    int rc = pager_start(pager, position, &err);
    CHECK(rc == 0 || (rc == ERR_DATA && err.message[0]));
    if (rc == 0) CHECK(pager_place(pager)->number >= 0 && pager_place(pager)->offset >= 0);
    if (rc == 0 && pager_next(pager, &facts, &err) == 1) {
        const struct page_place *a = pager_place(pager), *b = pager_place(other);
        char *again = pager_position(pager);
        CHECK(again && pager_start(other, str_from(again), &err) == 0);
        CHECK(a->has_number == b->has_number && a->number == b->number);
        CHECK(a->has_offset == b->has_offset && a->offset == b->offset);
        CHECK(str_equal(a->key, b->key) && a->size == b->size);
        CHECK(str_equal(a->token, b->token) && str_equal(a->url, b->url) && a->own_params == b->own_params);
        free(again);
    }
    pager_free(pager);
    pager_free(other);
}

static void check_plan(struct str json)
{
    struct arena arena = ARENA_INIT(64 << 20);
    struct err err = ERR_INIT;
    struct window_plan plan, again;
    struct buf out = BUF_INIT(1 << 20);
    int rc = window_from_json(json, &arena, &plan, &err);
    CHECK(rc == 0 || ((rc == ERR_BUG || rc == ERR_CONFIG) && err.message[0]));
    if (rc == 0) {
        CHECK(plan.slice_count <= WINDOW_MAX_SLICES);
        for (size_t i = 1; i < plan.slice_count; i++) CHECK(strcmp(plan.slices[i - 1].to, plan.slices[i].from) == 0);
        window_to_json(&plan, &out);
        CHECK(window_from_json(buf_str(&out), &arena, &again, &err) == 0);
        CHECK(plan.type == again.type && plan.step_us == again.step_us && plan.slice_count == again.slice_count);
        CHECK(strcmp(plan.stored, again.stored) == 0);
        for (size_t i = 0; i < plan.slice_count; i++)
            CHECK(strcmp(plan.slices[i].from, again.slices[i].from) == 0 &&
                  strcmp(plan.slices[i].to, again.slices[i].to) == 0 && strcmp(plan.slices[i].id, again.slices[i].id) == 0);
    }
    buf_release(&out);
    arena_release(&arena);
}

static void check_cursor(struct str input)
{
    static const enum type TYPES[] = {TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ, TYPE_DATE, TYPE_INTEGER, TYPE_DECIMAL, TYPE_STRING};
    struct arena arena = ARENA_INIT(64 << 20);
    struct str first = fuzz_line(&input), second = fuzz_line(&input), a, b, again;
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
        if (!window_canonical(TYPES[i], first, &arena, &a)) continue;
        CHECK(window_canonical(TYPES[i], a, &arena, &again) && str_equal(a, again));
        CHECK(cursor_compare(a, a, TYPES[i]) == 0);
        if (!window_canonical(TYPES[i], second, &arena, &b)) continue;
        int order = cursor_compare(a, b, TYPES[i]);
        CHECK(order >= -1 && order <= 1 && cursor_compare(b, a, TYPES[i]) == -order);
        struct window_plan plan;
        struct err err = ERR_INIT;
        const struct window_cursor cursor = {.type = TYPES[i], .lookback = 60000000};
        int rc = window_plan(&cursor, a, b, INT64_C(1704153600000000), &arena, &plan, &err);
        CHECK(rc == 0 && plan.slice_count <= 1);
    }
    arena_release(&arena);
}

void fuzz(struct str input)
{
    struct str what = fuzz_line(&input);
    int kind = what.size ? what.data[0] - '0' : 0;
    if (kind >= 0 && kind < PAGES_KIND_COUNT)
        check_position((enum pages_kind)kind, input);
    else if (kind == PAGES_KIND_COUNT)
        check_plan(input);
    else
        check_cursor(input);
}
