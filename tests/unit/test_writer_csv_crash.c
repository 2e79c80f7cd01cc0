/* The CSV writer when things go wrong: crashes between any two steps (the files are left as they would be, or the process
 * really dies), damage, and two owners at once. What is published and what the state says must always agree. */
#include "csv_world.h"

#include <signal.h>
#include <sys/wait.h>

/* --- crashes ---------------------------------------------------------------------------------------------------------- */

static void test_what_no_commit_names_is_removed(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
    COMMIT(&flow, .ids = "b", .outcome = SLICE_HOLD);
    flow_close(&flow);
    /* A crash before the link of commit 4: everything is written, nothing is true. */
    write_text(&world, "shop/orders/.0000000004/part-00001.csv", "\"id\"\n\"lost\"\n");
    write_text(&world, "shop/orders/.0000000004/manifest.json", "{}");
    write_text(&world, "shop/.stage-orders/0000000004.rows", "\"lost\"\n");
    write_text(&world, ".sluice/shop/orders/rejects/0000000004.ndjson", "{}\n");
    write_text(&world, ".sluice/shop/orders/commits/.0000000004-0123", "{\"commit\":");
    flow_open(&flow, &world, WRITE_APPEND);
    assert_false(is_there(&world, "shop/orders/.0000000004"));
    assert_false(is_there(&world, "shop/.stage-orders/0000000004.rows"));
    assert_true(is_there(&world, "shop/.stage-orders/0000000003.rows"));
    assert_string_equal(cursor_of(&flow, "s0"), "1");
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH, .cursor = "2");
    assert_string_equal(published(&world), "a,b,c");
    flow_close(&flow);
    world_close(&world);
}

static void test_a_rename_that_was_cut_off_is_finished(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
    flow_close(&flow);
    assert_int_equal(rename(path_of(&world, "shop/orders/0000000002"), path_of(&world, "shop/orders/.0000000002")), 0);
    assert_string_equal(published(&world), "");
    flow_open(&flow, &world, WRITE_APPEND);
    assert_string_equal(published(&world), "a");
    flow_close(&flow);
    /* The same before a reset, after which no commit names the load any more. */
    assert_int_equal(rename(path_of(&world, "shop/orders/0000000002"), path_of(&world, "shop/orders/.0000000002")), 0);
    struct destination *destination = destination_acquired(&world);
    const struct state_entry reset = {.kind = NULL};
    assert_int_equal(WRITER_CSV.state_write(destination, "orders", &reset, &world.err), 0);
    WRITER_CSV.close(destination);
    flow_open(&flow, &world, WRITE_APPEND);
    assert_string_equal(published(&world), "a");
    assert_null(cursor_of(&flow, "s0"));
    flow_close(&flow);
    world_close(&world);
}

static void test_a_process_that_dies_leaves_nothing_half_done(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    pid_t child = fork();
    if (child == 0) {
        flow_open(&flow, &world, WRITE_APPEND);
        COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
        COMMIT(&flow, .ids = "b", .outcome = SLICE_HOLD, .cursor = "2");
        _exit(0); /* without releasing the lease */
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    flow_open(&flow, &world, WRITE_APPEND); /* at once: its owner is dead on this host */
    assert_string_equal(cursor_of(&flow, "s0"), "2");
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH);
    assert_string_equal(published(&world), "a,b,c");
    flow_close(&flow);
    world_close(&world);
}

/* Commits one row per load, alternately held and published, the cursor being the row, and says so after each, for ever. */
static void write_rows_for_ever(struct world *world, int told)
{
    struct flow flow;
    flow_open(&flow, world, WRITE_APPEND);
    const char *cursor = cursor_of(&flow, "s0");
    for (long row = cursor ? strtol(cursor, NULL, 10) + 1 : 1;; row++) {
        const char *text = arena_printf(&world->arena, "%ld", row);
        COMMIT(&flow, .ids = text, .outcome = row % 3 == 0 ? SLICE_PUBLISH : SLICE_HOLD, .cursor = text);
        if (write(told, "c", 1) != 1) _exit(1);
    }
}

static void test_killed_at_any_instant_no_row_is_lost_or_doubled(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    long last = 0;
    world_open(&world, "");
    for (int round = 0; round < 60; round++) {
        int told[2];
        char byte;
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (child == 0) {
            close(told[0]);
            write_rows_for_ever(&world, told[1]);
        }
        close(told[1]);
        long committed = 0;
        for (int i = 0; i <= round % 5; i++) committed += read(told[0], &byte, 1);
        assert_int_equal(kill(child, SIGKILL), 0); /* somewhere in the next commit */
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(told[0]);
        assert_int_equal(committed, round % 5 + 1);

        flow_open(&flow, &world, WRITE_APPEND);
        long reached = strtol(cursor_of(&flow, "s0"), NULL, 10);
        assert_true(reached >= last + committed);
        last = reached;
        flow_close(&flow);
    }
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .outcome = SLICE_PUBLISH, .complete = true);
    struct buf expected = BUF_INIT(1 << 20);
    for (long row = 1; row <= last; row++) buf_printf(&expected, "%s%ld", row > 1 ? "," : "", row);
    assert_string_equal(published(&world), buf_text(&expected));
    buf_release(&expected);
    flow_close(&flow);
    world_close(&world);
}

static void test_a_consumer_may_remove_loads(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
    COMMIT(&flow, .ids = "b", .outcome = SLICE_PUBLISH, .cursor = "2");
    flow_close(&flow);
    assert_int_equal(fs_remove_tree(world.root, "shop/orders", &world.err), 0);
    flow_open(&flow, &world, WRITE_APPEND);
    assert_string_equal(cursor_of(&flow, "s0"), "2");
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH, .cursor = "3");
    assert_string_equal(published(&world), "c");
    flow_close(&flow);
    world_close(&world);
}

static void test_damage_is_an_error_with_a_way_out(void **state)
{
    (void)state;
    static const char *const garbage[] = {"", "garbage", "{\"commit\":{}}\n{\"end\":{\"lines\":1,\"sha256\":\"00\"}}\n", "\n"};
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        struct world world;
        struct flow flow;
        world_open(&world, "");
        flow_open(&flow, &world, WRITE_APPEND);
        COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
        flow_close(&flow);
        write_text(&world, ".sluice/shop/orders/commits/0000000002", garbage[i]);
        struct destination *destination = destination_acquired(&world);
        assert_int_equal(flow_try(&flow, &world, destination, WRITE_APPEND), ERR_DESTINATION);
        assert_non_null(strstr(world.err.message, "commits/0000000002"));
        assert_non_null(strstr(world.err.hint, "state reset"));
        schema_free(flow.schema);
        const struct state_entry reset = {.kind = NULL};
        assert_int_equal(WRITER_CSV.state_write(destination, "orders", &reset, &world.err), 0);
        assert_int_equal(flow_try(&flow, &world, destination, WRITE_APPEND), 0);
        assert_null(cursor_of(&flow, "s0"));
        flow_close(&flow);
        world_close(&world);
    }
}

static void test_a_changed_byte_in_a_commit_or_stage_is_noticed(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD, .cursor = "17");
    char *rows = arena_strdup(&world.arena, content_of(&world, "shop/.stage-orders/0000000002.rows"));
    rows[1] = 'z';
    write_text(&world, "shop/.stage-orders/0000000002.rows", rows);
    const struct step publish = {.outcome = SLICE_PUBLISH};
    assert_int_equal(flow_commit(&flow, &publish), ERR_DESTINATION);
    assert_non_null(strstr(world.err.message, "check sum"));
    assert_string_equal(published(&world), "");
    flow_close(&flow);

    char *text = arena_strdup(&world.arena, content_of(&world, ".sluice/shop/orders/commits/0000000002"));
    *strstr(text, "17") = '9';
    write_text(&world, ".sluice/shop/orders/commits/0000000002", text);
    assert_int_equal(flow_try(&flow, &world, destination_acquired(&world), WRITE_APPEND), ERR_DESTINATION);
    assert_non_null(strstr(world.err.message, "check sum"));
    flow_close(&flow);
    world_close(&world);
}

static void test_lost_state_beside_loads_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH);
    flow_close(&flow);
    assert_int_equal(fs_remove_tree(world.root, ".sluice", &world.err), 0);
    assert_int_equal(flow_try(&flow, &world, destination_acquired(&world), WRITE_APPEND), ERR_SCHEMA);
    assert_non_null(strstr(world.err.message, "do not know"));
    assert_string_equal(published(&world), "a");
    flow_close(&flow);
    world_close(&world);
}

/* --- two owners ------------------------------------------------------------------------------------------------------- */

static void test_a_held_pipeline_is_refused_until_its_lease_ends(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, "");
    struct destination *first = destination_acquired(&world);
    struct destination *second = destination_open(&world);
    assert_int_equal(WRITER_CSV.acquire(second, &world.err), ERR_HELD);
    assert_non_null(strstr(world.err.message, "pipeline 'shop' is held"));
    assert_non_null(strstr(world.err.hint, "2024-01-01T00:00:30"));
    clock_fake_advance(&world.clock, 20000);
    assert_int_equal(WRITER_CSV.renew(first, 0, &world.err), 0);
    clock_fake_advance(&world.clock, 20000);
    assert_int_equal(WRITER_CSV.acquire(second, &world.err), ERR_HELD);
    assert_int_equal(WRITER_CSV.renew(first, 600000, &world.err), 0); /* a long wait is announced */
    clock_fake_advance(&world.clock, 655000);
    assert_int_equal(WRITER_CSV.acquire(second, &world.err), ERR_HELD);
    clock_fake_advance(&world.clock, 6000);
    assert_int_equal(WRITER_CSV.acquire(second, &world.err), 0);
    assert_int_equal(WRITER_CSV.renew(first, 0, &world.err), ERR_HELD);
    WRITER_CSV.close(first); /* must not release what is not its own */
    struct destination *third = destination_open(&world);
    assert_int_equal(WRITER_CSV.acquire(third, &world.err), ERR_HELD);
    WRITER_CSV.close(second);
    assert_int_equal(WRITER_CSV.acquire(third, &world.err), 0);
    WRITER_CSV.close(third);
    world_close(&world);
}

static void test_an_overtaken_owner_cannot_commit(void **state)
{
    (void)state;
    struct world world;
    struct flow first, second;
    world_open(&world, "");
    flow_open(&first, &world, WRITE_APPEND);
    COMMIT(&first, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
    clock_fake_advance(&world.clock, 31000);
    struct destination *successor = destination_acquired(&world);
    COMMIT(&first, .ids = "b", .outcome = SLICE_PUBLISH, .cursor = "2"); /* not fenced yet: it counts, and is seen */
    assert_int_equal(flow_try(&second, &world, successor, WRITE_APPEND), 0);
    assert_string_equal(cursor_of(&second, "s0"), "2");
    const struct step late = {.ids = "late", .outcome = SLICE_PUBLISH, .cursor = "late"};
    assert_int_equal(flow_commit(&first, &late), ERR_HELD);
    COMMIT(&second, .ids = "c", .outcome = SLICE_PUBLISH, .cursor = "3");
    assert_string_equal(published(&world), "a,b,c");
    assert_string_equal(cursor_of(&second, "s0"), "3");
    WRITER_CSV.flow_close(first.writer);
    schema_free(first.schema);
    assert_int_equal(flow_try(&first, &world, first.destination, WRITE_APPEND), ERR_HELD);
    flow_close(&first);
    flow_close(&second);
    world_close(&world);
}

static void test_folding_keeps_everything_and_still_fences(void **state)
{
    (void)state;
    struct world world;
    struct flow first, second;
    world_open(&world, "");
    flow_open(&first, &world, WRITE_APPEND);
    COMMIT(&first, .ids = "x", .outcome = SLICE_HOLD, .slice = 1, .cursor = "held");
    clock_fake_advance(&world.clock, 31000);
    assert_int_equal(flow_try(&second, &world, destination_acquired(&world), WRITE_APPEND), 0);
    for (int i = 0; i < 150; i++) {
        const char *cursor = arena_printf(&world.arena, "%d", i);
        COMMIT(&second, .ids = NULL, .outcome = SLICE_HOLD, .cursor = cursor);
    }
    assert_false(is_there(&world, ".sluice/shop/orders/commits/0000000003")); /* the number the first one will try for */
    struct fs_entry *entries;
    size_t count;
    assert_int_equal(fs_list(path_of(&world, ".sluice/shop/orders/commits"), 1000, &world.arena, &entries, &count, &world.err),
                     0);
    assert_in_range(count, 1, 100);
    const struct step late = {.ids = "late", .outcome = SLICE_PUBLISH};
    assert_int_equal(flow_commit(&first, &late), ERR_HELD);
    assert_true(is_there(&world, ".sluice/shop/orders/commits/0000000003")); /* below a snapshot, where nobody reads it */
    assert_string_equal(cursor_of(&second, "s0"), "149");
    assert_string_equal(cursor_of(&second, "s1"), "held");
    flow_close(&first);
    flow_close(&second);

    flow_open(&second, &world, WRITE_APPEND);
    assert_string_equal(cursor_of(&second, "s0"), "149");
    COMMIT(&second, .ids = NULL, .outcome = SLICE_HOLD, .complete = true);
    assert_string_equal(published(&world), "x");
    flow_close(&second);
    world_close(&world);
}

UNIT_TESTS(cmocka_unit_test(test_what_no_commit_names_is_removed), cmocka_unit_test(test_a_rename_that_was_cut_off_is_finished),
           cmocka_unit_test(test_a_process_that_dies_leaves_nothing_half_done),
           cmocka_unit_test(test_killed_at_any_instant_no_row_is_lost_or_doubled),
           cmocka_unit_test(test_a_consumer_may_remove_loads), cmocka_unit_test(test_damage_is_an_error_with_a_way_out),
           cmocka_unit_test(test_a_changed_byte_in_a_commit_or_stage_is_noticed),
           cmocka_unit_test(test_lost_state_beside_loads_is_refused),
           cmocka_unit_test(test_a_held_pipeline_is_refused_until_its_lease_ends),
           cmocka_unit_test(test_an_overtaken_owner_cannot_commit),
           cmocka_unit_test(test_folding_keeps_everything_and_still_fences))
