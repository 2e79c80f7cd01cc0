/* Rows of a flow that cannot be gone on from: written once, as parts, without a commit until they are published. */
#include "csv_world.h"

static size_t files_in(struct world *world, const char *relative)
{
    struct fs_entry *entries = NULL;
    size_t count = 0;
    const char *folder = path_of(world, relative);
    if (fs_kind(folder) == FS_FOLDER) assert_int_equal(fs_list(folder, 1000, &world->arena, &entries, &count, &world->err), 0);
    return count;
}

static void volatile_world(struct world *world, const char *options)
{
    world_open(world, options);
    world->is_volatile = true;
}

static const char *ledger(struct world *world, unsigned commit)
{
    return content_of(world, arena_printf(&world->arena, ".sluice/shop/orders/commits/%010u", commit));
}

static void test_held_rows_become_the_part_they_are_published_in(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_HOLD);
    COMMIT(&flow, .ids = "c", .outcome = SLICE_HOLD);
    assert_int_equal(flow.counts.written, 3);
    assert_string_equal(published(&world), "");
    assert_int_equal(files_in(&world, ".sluice/shop/orders/commits"), 1); /* the fence's */
    assert_int_equal(files_in(&world, "shop/.stage-orders"), 1);
    COMMIT(&flow, .ids = "d", .outcome = SLICE_PUBLISH, .cursor = "4", .complete = true);
    assert_string_equal(published(&world), "a,b,c,d");
    assert_int_equal(files_in(&world, "shop/orders/0000000002"), 3); /* one part, manifest, schema */
    assert_int_equal(files_in(&world, "shop/.stage-orders"), 0);
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000002/manifest.json"), "\"rows\":4"));
    flow_close(&flow);
    world_close(&world);
}

static void test_the_books_count_spooled_rows_with_their_publication(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    flow.counts = (struct load_counts){.emitted = 3, .discarded = 1};
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_HOLD);
    flow.counts = (struct load_counts){.emitted = 1};
    COMMIT(&flow, .ids = "c", .outcome = SLICE_HOLD, .cursor = "1"); /* a commit, but not of the rows */
    assert_non_null(strstr(ledger(&world, 2), "\"emitted\":1,\"written\":0,\"rejected\":0,\"discarded\":1"));
    flow.counts = (struct load_counts){.emitted = 1};
    COMMIT(&flow, .ids = "d", .outcome = SLICE_PUBLISH, .complete = true);
    assert_non_null(strstr(ledger(&world, 3), "\"emitted\":4,\"written\":4,\"rejected\":0,\"discarded\":0"));
    flow_close(&flow);
    world_close(&world);
}

static void test_an_interrupted_run_leaves_nothing_of_them(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD);
    flow_close(&flow); /* ended without publishing */
    assert_int_equal(files_in(&world, "shop/.stage-orders"), 0);
    write_text(&world, "shop/.stage-orders/0123456789abcdef-1.part", "\"id\"\n\"lost\"\n"); /* killed */
    write_text(&world, "shop/.stage-orders/notes.txt", "not ours");
    flow_open(&flow, &world, WRITE_APPEND);
    assert_int_equal(files_in(&world, "shop/.stage-orders"), 1);
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_PUBLISH, .complete = true);
    assert_string_equal(published(&world), "a,b");
    flow_close(&flow);
    world_close(&world);
}

static void test_each_slice_is_published_by_itself(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD, .slice = 0);
    COMMIT(&flow, .ids = "p", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_PUBLISH, .slice = 0, .cursor = "done");
    assert_string_equal(published(&world), "a,b");
    COMMIT(&flow, .ids = "q", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .outcome = SLICE_PUBLISH, .slice = 1, .complete = true);
    assert_string_equal(published(&world), "a,b,p,q");
    flow_close(&flow);
    world_close(&world);
}

static void test_a_restart_drops_what_is_spooled_of_its_slice_only(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD, .slice = 0);
    COMMIT(&flow, .ids = "p", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .outcome = SLICE_RESTART, .slice = 0);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_HOLD, .slice = 0);
    COMMIT(&flow, .outcome = SLICE_PUBLISH, .slice = 0, .complete = true);
    assert_string_equal(published(&world), "p,b");
    flow_close(&flow);
    world_close(&world);
}

/* Overwrite: a slice that is done is not read again, so its rows have to survive the process. */
static void test_what_is_settled_of_an_overwrite_survives(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "compression: gzip\n");
    flow_open(&flow, &world, WRITE_OVERWRITE);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD, .slice = 0);
    COMMIT(&flow, .ids = "p", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_PUBLISH, .slice = 0, .cursor = "done");
    flow_close(&flow);
    flow_open(&flow, &world, WRITE_OVERWRITE);
    assert_string_equal(cursor_of(&flow, "s0"), "done");
    COMMIT(&flow, .ids = "q", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .outcome = SLICE_PUBLISH, .slice = 1, .complete = true);
    const char *manifest = content_of(&world, "shop/orders/0000000004/manifest.json");
    assert_non_null(strstr(manifest, "\"rows\":3"));
    assert_int_equal(files_in(&world, "shop/.stage-orders"), 0);
    flow_close(&flow);
    world_close(&world);
}

static void test_a_settled_part_that_is_gone_or_cut_is_an_error(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    struct fs_entry *entries;
    size_t count;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_OVERWRITE);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD, .slice = 0);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_PUBLISH, .slice = 0, .cursor = "done");
    flow_close(&flow);
    assert_int_equal(fs_list(path_of(&world, "shop/.stage-orders"), 10, &world.arena, &entries, &count, &world.err), 0);
    assert_int_equal(count, 1);
    const char *part = arena_printf(&world.arena, "shop/.stage-orders/%s", entries[0].name);
    assert_int_equal(truncate(path_of(&world, part), 3), 0);
    flow_open(&flow, &world, WRITE_OVERWRITE);
    const struct step last = {.outcome = SLICE_PUBLISH, .slice = 1, .complete = true};
    assert_int_equal(flow_commit(&flow, &last), ERR_DESTINATION);
    assert_non_null(strstr(world.err.message, "its size is not what was written"));
    flow_close(&flow);
    assert_int_equal(unlink(path_of(&world, part)), 0);
    struct destination *destination = destination_acquired(&world);
    assert_int_equal(flow_try(&flow, &world, destination, WRITE_OVERWRITE), ERR_DESTINATION);
    assert_non_null(strstr(world.err.message, "the file is gone"));
    WRITER_CSV.close(destination);
    schema_free(flow.schema);
    world_close(&world);
}

static void test_other_columns_or_a_full_part_begin_a_new_one(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD);
    schema_add(flow.schema, STR("colour"), TYPE_STRING, false);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_HOLD);
    flow.destination->format.part_bytes = 1;
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH, .complete = true);
    assert_string_equal(published(&world), "a,b,c");
    assert_int_equal(files_in(&world, "shop/orders/0000000002"), 5); /* three parts */
    flow_close(&flow);
    world_close(&world);
}

static void test_a_disk_that_fails_while_spooling_ends_the_flow(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    volatile_world(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD);
    write_text(&world, "shop/orders", "a file where the folder of loads belongs");
    const struct step last = {.ids = "b", .outcome = SLICE_PUBLISH, .complete = true};
    assert_int_equal(flow_commit(&flow, &last), ERR_DESTINATION);
    assert_int_equal(flow_commit(&flow, &last), ERR_DESTINATION); /* row b is in the spool already */
    assert_non_null(strstr(world.err.message, "cannot go on"));
    flow_close(&flow);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_rows_become_the_part_they_are_published_in),
        cmocka_unit_test(test_the_books_count_spooled_rows_with_their_publication),
        cmocka_unit_test(test_an_interrupted_run_leaves_nothing_of_them),
        cmocka_unit_test(test_each_slice_is_published_by_itself),
        cmocka_unit_test(test_a_restart_drops_what_is_spooled_of_its_slice_only),
        cmocka_unit_test(test_what_is_settled_of_an_overwrite_survives),
        cmocka_unit_test(test_a_settled_part_that_is_gone_or_cut_is_an_error),
        cmocka_unit_test(test_other_columns_or_a_full_part_begin_a_new_one),
        cmocka_unit_test(test_a_disk_that_fails_while_spooling_ends_the_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
