/* assembly: what becomes visible when, and what the state says about it. */
#include "sync/assembly.h"

#include <string.h>

#include "unit.h"

struct fixture {
    struct schema *schema;
    struct assembly *assembly;
};

static const char *const STREAMS[] = {"orders", "order_items"};

static struct fixture make(bool ascending, size_t slices)
{
    static const struct assembly_slice PLAN[] = {{.id = "one"}, {.id = "two"}};
    struct fixture fixture = {.schema = schema_new("orders")};
    schema_add(fixture.schema, STR("id"), TYPE_INTEGER, true);
    const struct assembly_options options = {
        .stream = "orders",
        .streams = STREAMS,
        .stream_count = 1,
        .loaded_count = 1,
        .slices = PLAN,
        .slice_count = slices,
        .ascending = ascending,
        .keep_cursor = true,
        .cursor_type = TYPE_INTEGER,
    };
    fixture.assembly = assembly_new(&options);
    return fixture;
}

static void finish(struct fixture *fixture)
{
    assembly_free(fixture->assembly);
    schema_free(fixture->schema);
}

/* A page of `rows` rows, of which the first `covered` are below the newest cursor value. */
static void add_page(struct fixture *fixture, uint32_t slice, size_t rows, size_t covered, const char *cursor, const char *max,
                     const char *position)
{
    struct batch *batch = batch_new(NULL, fixture->schema, 1);
    batch->slice = slice;
    for (size_t i = 0; i < rows; i++)
        batch_add_row(batch, ROW_UPSERT)[0] = (struct value){.kind = VALUE_INTEGER, .i = (int64_t)i};
    struct decoded decoded = {
        .batches = &batch,
        .batch_count = 1,
        .rows = rows,
        .counts = {.emitted = rows},
        .ascending = cursor != NULL,
        .covered_rows = covered,
        .covered_cursor = str_from(cursor),
        .max_cursor = str_from(max),
    };
    assembly_add(fixture->assembly, slice, &decoded, position);
    assert_null(batch);
}

static const char *entry(const struct load *load, const char *slice, const char *kind)
{
    return state_get(load->state, "orders", slice, kind);
}

static bool has_tombstone(const struct load *load, const char *slice, const char *kind)
{
    for (size_t i = 0; i < load->state->count; i++) {
        const struct state_entry *found = &load->state->entries[i];
        if (strcmp(found->slice, slice) == 0 && strcmp(found->kind, kind) == 0) return found->value == NULL;
    }
    return false;
}

static size_t rows_of(const struct load *load)
{
    size_t rows = 0;
    for (size_t i = 0; i < load->batch_count; i++) rows += load->batches[i]->rows;
    return rows;
}

static void test_finished_slice_publishes_all_and_stores_the_newest_cursor(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 1);
    struct load load;
    add_page(&fixture, 0, 3, 0, NULL, "30", NULL);
    add_page(&fixture, 0, 2, 0, NULL, "20", NULL);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 5);
    assert_int_equal(load.slices[0].outcome, SLICE_PUBLISH);
    assert_true(load.complete);
    assert_int_equal(load.counts->emitted, 5);
    assert_string_equal(entry(&load, "", "cursor"), "30");
    assert_true(has_tombstone(&load, "", "plan"));
    assert_true(has_tombstone(&load, "one", "position"));
    assembly_committed(fixture.assembly);
    assert_false(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(assembly_bytes(fixture.assembly), 0);
    finish(&fixture);
}

static void test_unordered_rows_are_held_until_the_end(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 1);
    struct load load;
    add_page(&fixture, 0, 4, 3, "9", "10", NULL); /* looks ascending, but is not declared so */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    assert_null(entry(&load, "one", "position"));
    assert_null(entry(&load, "", "cursor"));
    assert_false(load.complete);
    finish(&fixture);
}

static void test_checkpoint_publishes_what_is_covered_and_keeps_equal_cursors_back(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 1);
    struct load load;
    add_page(&fixture, 0, 5, 3, "7", "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 3);
    assert_int_equal(load.slices[0].outcome, SLICE_PUBLISH);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"cursor\":\"7\""));
    assembly_committed(fixture.assembly);
    assert_true(assembly_bytes(fixture.assembly) > 0);

    add_page(&fixture, 0, 4, 1, "8", "9", NULL); /* one more row of value 8, then three of 9 */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 2 + 1);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"cursor\":\"8\""));
    assembly_committed(fixture.assembly);
    finish(&fixture);
}

static void test_page_of_one_value_makes_no_checkpoint(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 1);
    struct load load;
    add_page(&fixture, 0, 5, 4, "7", "8", NULL);
    add_page(&fixture, 0, 5, 0, "7", "8", NULL); /* all of value 8: nothing new is covered */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 4);
    finish(&fixture);
}

static void test_broken_order_takes_the_stored_checkpoint_back(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 1);
    struct load load;
    add_page(&fixture, 0, 2, 1, "7", "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 2, 0, NULL, "8", NULL);
    assert_true(assembly_order_was_broken(fixture.assembly));
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    assert_null(strstr(entry(&load, "one", "position"), "cursor"));
    finish(&fixture);
}

static void test_stop_keeps_only_what_a_later_run_can_build_on(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 2);
    struct load load;
    add_page(&fixture, 0, 3, 0, NULL, NULL, "{\"page\":2}");
    add_page(&fixture, 1, 3, 0, NULL, NULL, NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_COVERED, &load));
    assert_int_equal(load.slice_count, 1);
    assert_string_equal(load.slices[0].id, "one");
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    struct slice_position position;
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    assert_int_equal(slice_position_parse(entry(&load, "one", "position"), &arena, &position, &err), 0);
    assert_string_equal(position.page, "{\"page\":2}");
    arena_release(&arena);
    finish(&fixture);
}

static void test_flow_is_complete_only_with_its_last_slice(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 2);
    struct load load;
    add_page(&fixture, 0, 1, 0, NULL, "5", NULL);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_false(load.complete);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"done\":true"));
    assert_null(entry(&load, "", "cursor"));
    assembly_committed(fixture.assembly);
    assembly_finish(fixture.assembly, 1); /* an empty slice */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_true(load.complete);
    assert_string_equal(entry(&load, "", "cursor"), "5");
    finish(&fixture);
}

static void test_cursor_is_never_stored_past_its_cap_or_below_its_floor(void **state)
{
    (void)state;
    static const struct assembly_slice PLAN[] = {{.id = "one"}};
    for (int round = 0; round < 2; round++) {
        struct fixture fixture = {.schema = schema_new("orders")};
        const struct assembly_options options = {.stream = "orders",
                                                 .streams = STREAMS,
                                                 .stream_count = 1,
                                                 .loaded_count = 1,
                                                 .slices = PLAN,
                                                 .slice_count = 1,
                                                 .keep_cursor = true,
                                                 .cursor_type = TYPE_INTEGER,
                                                 .cursor_cap = "100",
                                                 .cursor_floor = round ? "150" : "50"};
        struct load load;
        fixture.assembly = assembly_new(&options);
        add_page(&fixture, 0, 1, 0, NULL, "999", NULL);
        assembly_finish(fixture.assembly, 0);
        assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
        if (round == 0)
            assert_string_equal(entry(&load, "", "cursor"), "100");
        else
            assert_null(entry(&load, "", "cursor"));
        finish(&fixture);
    }
}

static void test_restarted_slice_drops_what_is_held_and_keeps_its_checkpoint(void **state)
{
    (void)state;
    static const struct assembly_slice PLAN[] = {{.id = "one", .cursor = "7", .max_cursor = "8"}};
    struct fixture fixture = {.schema = schema_new("orders")};
    const struct assembly_options options = {.stream = "orders",
                                             .streams = STREAMS,
                                             .stream_count = 1,
                                             .loaded_count = 1,
                                             .slices = PLAN,
                                             .slice_count = 1,
                                             .ascending = true,
                                             .cursor_type = TYPE_INTEGER};
    struct load load;
    fixture.assembly = assembly_new(&options);
    assembly_restart(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_RESTART);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"cursor\":\"7\""));
    finish(&fixture);
}

static void test_given_up_slice_of_an_older_plan_is_restarted_and_forgotten(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 1);
    struct load load;
    assembly_give_up(fixture.assembly, "old");
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slice_count, 1);
    assert_string_equal(load.slices[0].id, "old");
    assert_int_equal(load.slices[0].outcome, SLICE_ABANDON);
    assert_true(has_tombstone(&load, "old", "position"));
    finish(&fixture);
}

static void test_rows_are_numbered_in_the_order_loads_take_them(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 2);
    struct load load;
    add_page(&fixture, 0, 5, 3, "7", "8", NULL);
    add_page(&fixture, 1, 2, 0, NULL, NULL, NULL);
    add_page(&fixture, 0, 4, 1, "8", "9", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batch_count, 3); /* five and one of the first slice, two of the other */
    assert_int_equal(load.batches[0]->first_sequence, 0);
    assert_int_equal(load.batches[1]->first_sequence, 5);
    assert_int_equal(load.batches[2]->first_sequence, 6);
    assembly_committed(fixture.assembly);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batches[0]->first_sequence, 8);
    finish(&fixture);
}

static void test_finished_slice_with_a_checkpoint_stays_done_in_later_loads(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 2);
    struct load load;
    add_page(&fixture, 0, 5, 3, "7", "8", NULL);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 5);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"done\":true"));
    assembly_committed(fixture.assembly);
    add_page(&fixture, 1, 4, 2, "7", "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 2);
    assert_int_equal(load.slice_count, 1);
    assert_string_equal(load.slices[0].id, "two");
    assert_null(entry(&load, "one", "position"));
    finish(&fixture);
}

static void test_broken_order_is_stored_at_a_stop_though_no_row_is(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 1);
    struct load load;
    add_page(&fixture, 0, 2, 1, "7", "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 2, 0, NULL, "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_COVERED, &load));
    assert_int_equal(load.batch_count, 0);
    assert_null(strstr(entry(&load, "one", "position"), "cursor"));
    assert_non_null(strstr(entry(&load, "one", "position"), "\"unordered\":true"));
    assembly_committed(fixture.assembly);
    assert_false(assembly_take(fixture.assembly, TAKE_COVERED, &load));
    finish(&fixture);
}

static void test_unordered_slice_starts_from_nothing_and_makes_no_checkpoints(void **state)
{
    (void)state;
    static const struct assembly_slice PLAN[] = {{.id = "one", .unordered = true}};
    struct fixture fixture = {.schema = schema_new("orders")};
    const struct assembly_options options = {.stream = "orders",
                                             .streams = STREAMS,
                                             .stream_count = 1,
                                             .loaded_count = 1,
                                             .slices = PLAN,
                                             .slice_count = 1,
                                             .ascending = true,
                                             .cursor_type = TYPE_INTEGER};
    struct load load;
    schema_add(fixture.schema, STR("id"), TYPE_INTEGER, true);
    fixture.assembly = assembly_new(&options);
    assembly_restart(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_ABANDON);
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 5, 3, "7", "8", NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    finish(&fixture);
}

static void test_slice_that_goes_on_at_a_page_makes_no_checkpoints(void **state)
{
    (void)state;
    static const struct assembly_slice PLAN[] = {{.id = "one", .at_page = true, .max_cursor = "90"}};
    struct fixture fixture = {.schema = schema_new("orders")};
    const struct assembly_options options = {.stream = "orders",
                                             .streams = STREAMS,
                                             .stream_count = 1,
                                             .loaded_count = 1,
                                             .slices = PLAN,
                                             .slice_count = 1,
                                             .ascending = true,
                                             .cursor_type = TYPE_INTEGER};
    struct load load;
    schema_add(fixture.schema, STR("id"), TYPE_INTEGER, true);
    fixture.assembly = assembly_new(&options);
    add_page(&fixture, 0, 5, 3, "7", "8", "{\"page\":9}");
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    assert_non_null(strstr(entry(&load, "one", "position"), "page"));
    finish(&fixture);
}

static void test_rows_held_behind_a_stored_page_take_its_position_back(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 1);
    struct load load;
    add_page(&fixture, 0, 2, 0, NULL, "5", "{\"page\":2}");
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_non_null(strstr(entry(&load, "one", "position"), "page"));
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 2, 0, NULL, "9", NULL); /* the last one: nothing comes after it, and its slice has not ended yet */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    assert_int_equal(rows_of(&load), 2);
    assert_non_null(entry(&load, "one", "position"));
    assert_null(strstr(entry(&load, "one", "position"), "page"));
    assembly_committed(fixture.assembly);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_true(load.complete);
    finish(&fixture);
}

static void test_unreadable_position_is_an_error(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct slice_position position;
    struct err err = ERR_INIT;
    assert_int_equal(slice_position_parse("{\"cursor\":", &arena, &position, &err), ERR_BUG);
    assert_int_equal(slice_position_parse("7", &arena, &position, &err), ERR_BUG);
    arena_release(&arena);
}

static void test_a_checkpoint_may_lie_in_any_batch_of_its_page(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 1);
    struct load load;
    struct batch *batches[20];
    for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
        batches[i] = batch_new(NULL, fixture.schema, 1);
        for (int64_t row = 0; row < 2; row++)
            batch_add_row(batches[i], ROW_UPSERT)[0] = (struct value){.kind = VALUE_INTEGER, .i = row};
    }
    struct decoded decoded = {.batches = batches,
                              .batch_count = ARRAY_SIZE(batches),
                              .rows = 40,
                              .counts = {.emitted = 40},
                              .ascending = true,
                              .covered_rows = 37, /* eighteen batches and half of the next */
                              .covered_cursor = STR("5"),
                              .max_cursor = STR("6")};
    assembly_add(fixture.assembly, 0, &decoded, NULL);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batch_count, 19);
    assert_int_equal(rows_of(&load), 37);
    assembly_committed(fixture.assembly);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(rows_of(&load), 3);
    finish(&fixture);
}

static void test_rejects_past_the_cap_are_counted_and_not_kept(void **state)
{
    (void)state;
    static struct decoded_reject rejects[ASSEMBLY_MAX_REJECTS + 5];
    struct fixture fixture = make(false, 1);
    struct load load;
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++)
        rejects[i] =
            (struct decoded_reject){.field = i % 2 ? STR("id") : STR(""), .reason = "r", .detail = "d", .record = STR("{}")};
    struct decoded decoded = {
        .rejects = rejects, .reject_count = ARRAY_SIZE(rejects), .counts = {.emitted = 1005, .rejected = 1005}};
    assembly_add(fixture.assembly, 0, &decoded, NULL);
    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.reject_count, ASSEMBLY_MAX_REJECTS);
    assert_int_equal(assembly_reject_total(fixture.assembly, 0), 1005);
    assert_int_equal(load.counts->rejected, 1005);
    assert_null(load.rejects[0].field); /* the record as a whole */
    assert_string_equal(load.rejects[1].field, "id");
    finish(&fixture);
}

/* A finished sync whose records had this newest cursor and key. */
static const char *boundary_after(const char *floor, const struct boundary *known, const char *max, uint64_t key, char *out)
{
    struct schema *schema = schema_new("orders");
    const struct assembly_slice plan = {.id = "one"};
    const struct assembly_options options = {.stream = "orders",
                                             .streams = STREAMS,
                                             .stream_count = 1,
                                             .loaded_count = 1,
                                             .slices = &plan,
                                             .slice_count = 1,
                                             .keep_cursor = true,
                                             .cursor_type = TYPE_INTEGER,
                                             .cursor_floor = floor,
                                             .keep_boundary = true,
                                             .boundary = known};
    struct assembly *assembly = assembly_new(&options);
    struct decoded decoded = {.max_cursor = str_from(max), .newest = &key, .newest_count = 1};
    struct load load;
    if (max) assembly_add(assembly, 0, &decoded, NULL);
    assembly_finish(assembly, 0);
    assert_true(assembly_take(assembly, TAKE_ALL, &load));
    const char *found = entry(&load, "", "boundary");
    if (found) memcpy(out, found, strlen(found) + 1);
    assembly_free(assembly);
    schema_free(schema);
    return found ? out : NULL;
}

static void test_the_keys_at_the_cursor_go_with_it(void **state)
{
    (void)state;
    char text[400];
    struct boundary known = {0};
    assert_string_equal(boundary_after(NULL, NULL, "9", 1, text), "{\"cursor\":\"9\",\"keys\":\"0000000000000001\"}");
    assert_true(boundary_parse(text, "9", &known));
    assert_false(boundary_parse(text, "8", &known)); /* the cursor was set by hand since */
    assert_true(boundary_parse(text, "9", &known));
    assert_string_equal(boundary_after("9", &known, "12", 2, text), "{\"cursor\":\"12\",\"keys\":\"0000000000000002\"}");
    /* one more record of the same value: both are known from here on */
    assert_string_equal(boundary_after("9", &known, "9", 2, text),
                        "{\"cursor\":\"9\",\"keys\":\"00000000000000010000000000000002\"}");
    assert_null(boundary_after("9", &known, NULL, 2, text)); /* nothing came: nothing changes */
    assert_null(boundary_after("9", NULL, "9", 2, text));    /* an older version did not keep the keys: they stay unknown */
    boundary_release(&known);
}

static void test_a_position_too_large_to_keep_is_not_stored(void **state)
{
    (void)state;
    struct fixture fixture = make(false, 1);
    struct load load;
    char *position = mem_alloc(300 * 1024);
    memset(position, 'x', 300 * 1024 - 1);
    position[300 * 1024 - 1] = '\0';
    add_page(&fixture, 0, 1, 0, NULL, NULL, position);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    assert_null(entry(&load, "one", "position"));
    free(position);
    finish(&fixture);
}

static void test_the_newest_cursor_of_all_slices_is_stored(void **state)
{
    (void)state;
    static const char *const NEWEST[][2] = {{"3", "20"}, {"20", "3"}, {"20", NULL}, {NULL, "20"}};
    for (size_t i = 0; i < ARRAY_SIZE(NEWEST); i++) {
        struct fixture fixture = make(false, 2);
        struct load load;
        for (uint32_t slice = 0; slice < 2; slice++) {
            add_page(&fixture, slice, 1, 0, NULL, NEWEST[i][slice], NULL);
            assembly_finish(fixture.assembly, slice);
        }
        assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
        assert_string_equal(entry(&load, "", "cursor"), "20");
        assembly_committed(fixture.assembly);
        assembly_note(fixture.assembly, "orders", "", "note", "x"); /* behind the end there are only notes, and it ends once */
        assert_true(assembly_has_work(fixture.assembly));
        assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
        assert_false(load.complete);
        assert_int_equal(load.slice_count, 0);
        finish(&fixture);
    }
}

static void test_a_restart_alone_is_work(void **state)
{
    (void)state;
    struct fixture fixture = make(true, 2);
    struct load load;
    assert_false(assembly_has_work(fixture.assembly));
    assert_false(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assembly_restart(fixture.assembly, 1);
    assert_true(assembly_has_work(fixture.assembly));
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slice_count, 1);
    assert_int_equal(load.slices[0].outcome, SLICE_RESTART);
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 3, 2, "5", "6", NULL); /* published up to 5, then broken without a row left */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assembly_committed(fixture.assembly);
    add_page(&fixture, 0, 2, 1, "6", "7", "page 3"); /* a position behind a checkpoint: the checkpoint is what counts */
    assert_true(assembly_take(fixture.assembly, TAKE_COVERED, &load));
    assert_non_null(strstr(entry(&load, "one", "position"), "\"cursor\":\"6\""));
    assembly_committed(fixture.assembly);
    assert_false(assembly_take(fixture.assembly, TAKE_COVERED, &load)); /* the row of 7 is no one's to keep */
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.slices[0].outcome, SLICE_HOLD);
    finish(&fixture);
}

/* A page of three orders: the first with two items, the second with one, the third with none; the cursor rises at the third. */
static void add_family(struct fixture *fixture, bool root_is_loaded)
{
    struct batch *batches[2];
    for (uint32_t i = 0; i < 2; i++) {
        batches[i] = batch_new(NULL, fixture->schema, 1);
        batches[i]->stream = root_is_loaded ? i : 0;
    }
    for (size_t i = 0; i < 3; i++) batch_add_row(batches[0], ROW_UPSERT);
    batch_add_row(batches[1], ROW_FIRST);
    batch_add_row(batches[1], ROW_UPSERT);
    batch_add_row(batches[1], ROW_FIRST);
    batch_add_row(batches[1], ROW_EMPTY);
    struct decoded_exploded items = {
        .stream = root_is_loaded ? 1 : 0, .rows = 3, .covered_rows = 3, .counts = {.emitted = 4, .rejected = 1}};
    struct decoded decoded = {
        .batches = root_is_loaded ? batches : batches + 1,
        .batch_count = root_is_loaded ? 2 : 1,
        .rows = 3,
        .counts = {.emitted = 5, .rejected = 2},
        .ascending = true,
        .covered_rows = 2,
        .covered_cursor = STR("7"),
        .max_cursor = STR("8"),
        .exploded = &items,
        .exploded_count = 1,
    };
    assembly_add(fixture->assembly, 0, &decoded, NULL);
    if (!root_is_loaded) batch_free(batches[0]);
}

static struct fixture make_family(bool root_is_loaded)
{
    static const struct assembly_slice PLAN[] = {{.id = "one"}};
    static const char *const ITEMS_FIRST[] = {"order_items", "orders"};
    struct fixture fixture = {.schema = schema_new("orders")};
    schema_add(fixture.schema, STR("id"), TYPE_INTEGER, true);
    const struct assembly_options options = {.stream = "orders",
                                             .streams = root_is_loaded ? STREAMS : ITEMS_FIRST,
                                             .stream_count = 2,
                                             .loaded_count = root_is_loaded ? 2 : 1,
                                             .root = root_is_loaded ? 0 : 1,
                                             .slices = PLAN,
                                             .slice_count = 1,
                                             .ascending = true,
                                             .keep_cursor = true,
                                             .cursor_type = TYPE_INTEGER};
    fixture.assembly = assembly_new(&options);
    return fixture;
}

static void test_a_checkpoint_covers_records_with_what_is_exploded_from_them(void **state)
{
    (void)state;
    struct fixture fixture = make_family(true);
    struct load load;
    add_family(&fixture, true);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batch_count, 2);
    assert_int_equal(load.batches[0]->rows, 2);
    assert_int_equal(load.batches[1]->rows, 3);
    assert_int_equal(load.counts[0].emitted, 2 + 2); /* two rows, two rejects */
    assert_int_equal(load.counts[1].emitted, 3 + 1);
    assembly_committed(fixture.assembly);

    assembly_finish(fixture.assembly, 0);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batches[0]->rows, 1);
    assert_int_equal(load.batches[1]->rows, 1);
    assert_int_equal(load.batches[1]->operations[0], ROW_EMPTY);
    assert_int_equal(load.counts[0].emitted, 1);
    assert_int_equal(load.counts[1].emitted, 0);       /* what says that a set is empty is no row */
    assert_true(load.batches[0]->first_sequence >= 5); /* above all that is settled, in both streams */
    assembly_committed(fixture.assembly);
    assert_int_equal(assembly_totals(fixture.assembly, 1)->emitted, 4);
    assert_int_equal(assembly_reject_total(fixture.assembly, 0), 2);
    finish(&fixture);
}

static void test_a_root_that_is_not_loaded_is_counted_last(void **state)
{
    (void)state;
    struct fixture fixture = make_family(false);
    struct load load;
    add_family(&fixture, false);
    assert_true(assembly_take(fixture.assembly, TAKE_ALL, &load));
    assert_int_equal(load.batch_count, 1);
    assert_int_equal(load.batches[0]->rows, 3);
    assert_int_equal(load.counts[0].emitted, 3 + 1);
    assert_int_equal(load.counts[1].emitted, 5);
    assert_non_null(strstr(entry(&load, "one", "position"), "\"cursor\":\"7\""));
    finish(&fixture);
}

UNIT_TESTS(cmocka_unit_test(test_finished_slice_publishes_all_and_stores_the_newest_cursor),
           cmocka_unit_test(test_unordered_rows_are_held_until_the_end),
           cmocka_unit_test(test_checkpoint_publishes_what_is_covered_and_keeps_equal_cursors_back),
           cmocka_unit_test(test_page_of_one_value_makes_no_checkpoint),
           cmocka_unit_test(test_broken_order_takes_the_stored_checkpoint_back),
           cmocka_unit_test(test_stop_keeps_only_what_a_later_run_can_build_on),
           cmocka_unit_test(test_flow_is_complete_only_with_its_last_slice),
           cmocka_unit_test(test_cursor_is_never_stored_past_its_cap_or_below_its_floor),
           cmocka_unit_test(test_restarted_slice_drops_what_is_held_and_keeps_its_checkpoint),
           cmocka_unit_test(test_given_up_slice_of_an_older_plan_is_restarted_and_forgotten),
           cmocka_unit_test(test_rows_are_numbered_in_the_order_loads_take_them),
           cmocka_unit_test(test_a_checkpoint_covers_records_with_what_is_exploded_from_them),
           cmocka_unit_test(test_a_root_that_is_not_loaded_is_counted_last),
           cmocka_unit_test(test_finished_slice_with_a_checkpoint_stays_done_in_later_loads),
           cmocka_unit_test(test_broken_order_is_stored_at_a_stop_though_no_row_is),
           cmocka_unit_test(test_unordered_slice_starts_from_nothing_and_makes_no_checkpoints),
           cmocka_unit_test(test_slice_that_goes_on_at_a_page_makes_no_checkpoints),
           cmocka_unit_test(test_rows_held_behind_a_stored_page_take_its_position_back),
           cmocka_unit_test(test_unreadable_position_is_an_error),
           cmocka_unit_test(test_a_checkpoint_may_lie_in_any_batch_of_its_page),
           cmocka_unit_test(test_rejects_past_the_cap_are_counted_and_not_kept),
           cmocka_unit_test(test_a_position_too_large_to_keep_is_not_stored),
           cmocka_unit_test(test_the_keys_at_the_cursor_go_with_it),
           cmocka_unit_test(test_the_newest_cursor_of_all_slices_is_stored), cmocka_unit_test(test_a_restart_alone_is_work))
