/* The commit protocol under crashes, on a real server: ended connections, killed processes, a crashed server. Whatever happens,
 * the table equals the rows of the loads said to be committed, each once, and the state names exactly them. */
#include "writer_fixture.h"

static void test_ended_connections_lose_and_double_nothing(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t m = 0; m < ARRAY_SIZE(MODES); m++) {
        struct target target;
        struct flow flow;
        struct err err = ERR_INIT;
        pthread_t thread;
        char pipeline[16];
        snprintf(pipeline, sizeof(pipeline), "killed%zu", m);
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin(&flow, &target, MODES[m]);
        must_commit(&flow, "all", SLICE_PUBLISH, "0", true, NULL, 0);
        struct killer killer = {.pipeline = pipeline};
        pthread_create(&thread, NULL, kill_connections, &killer);
        long rows = 0;
        for (; atomic_load(&killer.kills) < 20; rows += 10) {
            if (commit_ten(&flow, rows + 1, &err) != 0) fail_msg("%s", err.message);
            atomic_fetch_add(&killer.loads, 1);
        }
        atomic_store(&killer.stop, 1);
        pthread_join(thread, NULL);
        expect_exactly(pipeline, rows);
        assert_int_equal(strtol(stored_cursor(&flow), NULL, 10), rows);
        flow_end(&flow);
        target_close(&target);
    }
}

/* A whole sync: goes on from the stored cursor to `last`, holding back every third load. */
static void sync_to(const char *pipeline, enum write_mode mode, int64_t last)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    target_open(&target, pipeline);
    target_acquire(&target);
    flow_begin(&flow, &target, mode);
    int64_t at = strtoll(stored_cursor(&flow), NULL, 10); /* "-" is 0 */
    must_commit(&flow, "all", SLICE_RESTART, NULL, false, NULL, 0);
    for (int i = 0; at < last; at += 10, i++) {
        if (i % 3 == 2) {
            struct order orders[10];
            char cursor[24];
            for (int o = 0; o < 10; o++) orders[o] = (struct order){at + 1 + o, "row", "1.5", at + 1 + o};
            snprintf(cursor, sizeof(cursor), "%lld", (long long)at + 10);
            must_commit(&flow, "all", SLICE_HOLD, NULL, false, orders, 5);
            must_commit(&flow, "all", SLICE_PUBLISH, cursor, at + 10 >= last, orders + 5, 5);
        } else if (commit_ten(&flow, at + 1, &err) != 0) {
            fail_msg("%s", err.message);
        }
    }
    must_commit(&flow, NULL, SLICE_PUBLISH, NULL, true, NULL, 0);
    flow_end(&flow);
    target_close(&target);
}

static void test_killed_processes_lose_and_double_nothing(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t m = 0; m < ARRAY_SIZE(MODES); m++) {
        char pipeline[16], books[256];
        int status = 0, kills = 0;
        snprintf(pipeline, sizeof(pipeline), "crash%zu", m);
        for (unsigned round = 0; round < 20; round++) {
            pid_t pid = fork();
            if (pid == 0) {
                sync_to(pipeline, MODES[m], 2000);
                _exit(0);
            }
            usleep(6000 + round * 104729 % 60000);
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            kills += WIFSIGNALED(status) ? 1 : 0;
        }
        assert_true(kills > 3);
        sync_to(pipeline, MODES[m], 2000);
        expect_exactly(pipeline, 2000);
        snprintf(books, sizeof(books),
                 "SELECT sum(emitted) = sum(written) + sum(unchanged) + sum(deduplicated) + sum(discarded), sum(written) "
                 "FROM _sluice.loads WHERE pipeline = '%s'",
                 pipeline);
        assert_string_equal(rows_of(books), "true|2000");
    }
}

static void test_a_publication_that_is_killed_is_finished_by_the_next_run(void **state)
{
    int status = 0, kills = 0;
    (void)state;
    for (unsigned round = 0; round < 25; round++) {
        char pipeline[16];
        snprintf(pipeline, sizeof(pipeline), "pub%u", round);
        pid_t pid = fork();
        if (pid == 0) {
            sync_to(pipeline, WRITE_APPEND_DEDUP, 30);
            _exit(0);
        }
        usleep(10000 + round * 2500);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status) ? 1 : 0;
        sync_to(pipeline, WRITE_APPEND_DEDUP, 40);
        expect_exactly(pipeline, 40);
    }
    assert_true(kills > 0);
    assert_int_equal(number_of("SELECT count(*) FROM _sluice.builds WHERE pipeline LIKE 'pub%' AND kind = 'build'"), 0);
    assert_int_equal(number_of("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_sluice\\_build%' AND relkind = 'r'"), 0);
}

static void test_finished_builds_are_published_by_the_next_run_as_it_opens(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t m = 0; m < ARRAY_SIZE(MODES); m++) {
        struct target target;
        struct flow flow;
        char pipeline[16], text[256];
        snprintf(pipeline, sizeof(pipeline), "finish%zu", m);
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin(&flow, &target, MODES[m]);
        must_commit(&flow, "other", SLICE_HOLD, NULL, false, ORDERS({31, "a", "1", 1}));
        flow_end(&flow);
        target_close(&target);
        /* A reader of the build keeps the rename waiting, and the run dies there. */
        snprintf(text, sizeof(text), "SELECT table_name FROM _sluice.builds WHERE pipeline = '%s'", pipeline);
        char build[80];
        snprintf(build, sizeof(build), "%s", rows_of(text));
        snprintf(text, sizeof(text), "BEGIN; SELECT * FROM %s.%s", pipeline, build);
        sql(text);
        pid_t pid = fork();
        if (pid == 0) {
            sync_to(pipeline, MODES[m], 30);
            _exit(0);
        }
        snprintf(text, sizeof(text), "SELECT count(*) > 0 FROM pg_locks WHERE relation = '%s.%s'::regclass AND NOT granted",
                 pipeline, build);
        wait_until(text);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        sql("COMMIT");
        snprintf(text, sizeof(text), "SELECT building, publishing FROM _sluice.heads WHERE pipeline = '%s'", pipeline);
        assert_string_equal(rows_of(text), "true|true");
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin(&flow, &target, MODES[m]);
        assert_string_equal(rows_of(text), "false|false");
        expect_exactly(pipeline, 31);
        assert_string_equal(stored_cursor(&flow), "30");
        flow_end(&flow);
        target_close(&target);
    }
}

static void *commit_many(void *context)
{
    struct committer *committer = context;
    for (int i = 0; i < 200 && committer->rc == 0; i++)
        committer->rc = commit_ten(committer->flow, 1 + 10 * i, &committer->err);
    return NULL;
}

static void test_a_crashed_server_is_waited_for(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    target_open(&target, "server1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "all", SLICE_PUBLISH, "0", true, NULL, 0);
    struct committer committer = {.flow = &flow};
    pthread_create(&thread, NULL, commit_many, &committer);
    wait_until("SELECT count(*) > 20 FROM server1.orders");
    pg_close(admin);
    pg_server_end(&server, SIGQUIT);
    assert_true(pg_server_run(&server));
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &admin, &err), 0);
    pthread_join(thread, NULL);
    if (committer.rc != 0) fail_msg("%s", committer.err.message);
    expect_exactly("server1", 2000);
    assert_int_equal(PG->renew(target.destination, 0, &err), 0);
    flow_end(&flow);
    target_close(&target);
}

static void crash_server(void)
{
    struct err err = ERR_INIT;
    pg_close(admin);
    pg_server_end(&server, SIGQUIT);
    assert_true(pg_server_run(&server));
    assert_int_equal(pg_open(&(struct pg_settings){.url = server.url}, &admin, &err), 0);
}

/* "p" or "u" of the pipeline's only stage. */
static const char *persistence_of(const char *pipeline)
{
    char query[256];
    snprintf(query, sizeof(query),
             "SELECT c.relpersistence FROM pg_class c JOIN _sluice.builds b ON b.table_name = c.relname WHERE b.kind = 'stage' "
             "AND b.pipeline = '%s'",
             pipeline);
    return rows_of(query);
}

static void expect_orders(const char *pipeline, const char *orders, const char *books)
{
    char query[512];
    snprintf(query, sizeof(query), "SELECT id, name FROM %s.orders ORDER BY id, name", pipeline);
    assert_string_equal(rows_of(query), orders);
    snprintf(query, sizeof(query),
             "SELECT sum(emitted) = sum(written) + sum(unchanged) + sum(deduplicated) + sum(discarded), sum(written), "
             "sum(discarded) FROM _sluice.loads WHERE pipeline = '%s'",
             pipeline);
    assert_string_equal(rows_of(query), books);
    snprintf(query, sizeof(query), "SELECT rows FROM _sluice.builds WHERE kind = 'stage' AND pipeline = '%s'", pipeline);
    assert_string_equal(rows_of(query), "0");
}

static void test_a_crashed_server_keeps_held_rows_that_a_position_covers(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t m = 0; m < ARRAY_SIZE(MODES); m++) {
        struct target target;
        struct flow flow;
        char pipeline[16];
        snprintf(pipeline, sizeof(pipeline), "keeps%zu", m);
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin_as(&flow, &target, MODES[m], true);
        must_commit(&flow, "s", SLICE_PUBLISH, "1", true, ORDERS({1, "a", "1", 1}));
        must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({2, "b", "1", 2}));
        assert_string_equal(persistence_of(pipeline), "p");
        crash_server();
        must_commit(&flow, "s", SLICE_PUBLISH, "3", true, ORDERS({3, "c", "1", 3}));
        expect_orders(pipeline, "1|a;2|b;3|c", "true|3|0");
        assert_string_equal(stored_cursor(&flow), "3");
        flow_end(&flow);
        target_close(&target);
    }
}

static void test_a_crashed_server_takes_only_held_rows_that_are_read_again(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND, WRITE_APPEND_DEDUP};
    (void)state;
    for (size_t m = 0; m < 2 * ARRAY_SIZE(MODES); m++) {
        enum write_mode mode = MODES[m / 2];
        bool crash_is_between_runs = m % 2;
        struct target target;
        struct flow flow;
        struct err err = ERR_INIT;
        char pipeline[16], table[64];
        snprintf(pipeline, sizeof(pipeline), "takes%zu", m);
        snprintf(table, sizeof(table), "SELECT id FROM %s.orders", pipeline);
        target_open(&target, pipeline);
        target_acquire(&target);
        flow_begin(&flow, &target, mode);
        must_commit(&flow, "s", SLICE_PUBLISH, "1", true, ORDERS({1, "a", "1", 1}));
        must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({2, "b", "1", 2}));
        must_commit(&flow, "t", SLICE_HOLD, NULL, false, ORDERS({5, "e", "1", 5}));
        assert_string_equal(persistence_of(pipeline), "u");
        if (crash_is_between_runs) flow_end(&flow);
        crash_server();
        /* The run that was going on neither publishes what is left, nor adds to it. */
        if (!crash_is_between_runs) {
            assert_int_equal(commit_orders(&flow, "s", SLICE_PUBLISH, "3", true, ORDERS({3, "c", "1", 3}), &err),
                             ERR_DESTINATION);
            assert_non_null(strstr(err.message, "2 rows of stream 'orders'"));
            assert_int_equal(commit_orders(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({3, "c", "1", 3}), &err),
                             ERR_DESTINATION);
            assert_int_equal(commit_orders(&flow, "s", SLICE_RESTART, NULL, false, NULL, 0, &err), ERR_DESTINATION);
            assert_string_equal(rows_of(table), "1");
            assert_string_equal(stored_cursor(&flow), "1");
            flow_end(&flow);
        }
        /* The next one starts both slices again, and the books know what was lost. */
        flow_begin(&flow, &target, mode);
        assert_string_equal(stored_cursor(&flow), "1");
        struct load_slice slices[] = {{.slice = 0, .id = "s", .outcome = SLICE_RESTART},
                                      {.slice = 1, .id = "t", .outcome = SLICE_RESTART}};
        struct arena arena = ARENA_INIT(0);
        struct state nothing = STATE_INIT(&arena);
        struct load restart = {.slices = slices, .slice_count = 2, .state = &nothing, .counts = &flow.counts};
        if (PG->commit(flow.writer, &restart, &err) != 0) fail_msg("restart: %s", err.message);
        arena_release(&arena);
        must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({2, "b", "1", 2}));
        must_commit(&flow, "s", SLICE_PUBLISH, "3", false, ORDERS({3, "c", "1", 3}));
        must_commit(&flow, "t", SLICE_HOLD, NULL, false, ORDERS({5, "e", "1", 5}));
        must_commit(&flow, "t", SLICE_PUBLISH, "6", true, ORDERS({6, "f", "1", 6}));
        expect_orders(pipeline, "1|a;2|b;3|c;5|e;6|f", "true|5|2");
        flow_end(&flow);
        target_close(&target);
    }
}

static void test_a_stage_with_rows_only_becomes_safer(void **state)
{
    struct target target;
    struct flow flow;
    (void)state;
    target_open(&target, "switch1");
    target_acquire(&target);
    flow_begin_as(&flow, &target, WRITE_APPEND_DEDUP, true);
    must_commit(&flow, "s", SLICE_PUBLISH, "1", true, ORDERS({1, "a", "1", 1}));
    must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({2, "old", "1", 2}, {2, "older", "1", 1}));
    flow_end(&flow);
    /* The stream is no longer resumable, but a position covers what waits. */
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({3, "c", "1", 2}));
    assert_string_equal(persistence_of("switch1"), "p");
    must_commit(&flow, "s", SLICE_PUBLISH, "3", true, ORDERS({2, "b", "1", 3}));
    assert_int_equal(flow.counts.deduplicated, 2);
    must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({4, "d", "1", 4}));
    assert_string_equal(persistence_of("switch1"), "u");
    flow_end(&flow);
    /* And back, with a row in it. */
    flow_begin_as(&flow, &target, WRITE_APPEND_DEDUP, true);
    must_commit(&flow, "s", SLICE_HOLD, NULL, false, ORDERS({5, "e", "1", 5}));
    assert_string_equal(persistence_of("switch1"), "p");
    crash_server();
    must_commit(&flow, "s", SLICE_PUBLISH, "6", true, ORDERS({3, "c", "1", 2}, {6, "f", "1", 6}));
    expect_orders("switch1", "1|a;2|b;3|c;4|d;5|e;6|f", "true|6|0");
    flow_end(&flow);
    target_close(&target);
}

FIXTURE_TESTS(cmocka_unit_test(test_ended_connections_lose_and_double_nothing),
              cmocka_unit_test(test_killed_processes_lose_and_double_nothing),
              cmocka_unit_test(test_a_publication_that_is_killed_is_finished_by_the_next_run),
              cmocka_unit_test(test_finished_builds_are_published_by_the_next_run_as_it_opens),
              cmocka_unit_test(test_a_crashed_server_is_waited_for),
              cmocka_unit_test(test_a_crashed_server_keeps_held_rows_that_a_position_covers),
              cmocka_unit_test(test_a_crashed_server_takes_only_held_rows_that_are_read_again),
              cmocka_unit_test(test_a_stage_with_rows_only_becomes_safer))
