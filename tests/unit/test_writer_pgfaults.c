/* The commit protocol under faults, on a real server: two owners, takeover, cut connections, a lost COMMIT reply, killed
 * processes, a crashed server. Whatever happens, the table equals the rows of the loads said to be committed, each once, and
 * the state names exactly them. */
#include "writer_fixture.h"

#include <pthread.h>

#include "pg_proxy.h"

/* Rows `first` .. `first` + 9 and a cursor at the last one, in one load. */
static int commit_ten(struct flow *flow, int64_t first, struct err *err)
{
    struct order orders[10];
    char cursor[24];
    for (int i = 0; i < 10; i++) orders[i] = (struct order){first + i, "row", "1.5", first + i};
    snprintf(cursor, sizeof(cursor), "%lld", (long long)first + 9);
    return commit_orders(flow, "all", SLICE_PUBLISH, cursor, false, orders, 10, err);
}

static void expect_exactly(const char *schema, long rows)
{
    char query[256], expected[64];
    snprintf(query, sizeof(query), "SELECT count(*), count(DISTINCT id), coalesce(max(id), 0) FROM %s.orders", schema);
    snprintf(expected, sizeof(expected), "%ld|%ld|%ld", rows, rows, rows);
    assert_string_equal(rows_of(query), expected);
}

/* Until a condition of the server holds; the test's own time limit ends it. */
static void wait_until(const char *condition)
{
    while (strcmp(rows_of(condition), "true") != 0) usleep(2000);
}

static void expire_lease(const char *pipeline)
{
    char statement[160];
    snprintf(statement, sizeof(statement), "UPDATE _sluice.leases SET until = now() - interval '1 s' WHERE pipeline = '%s'",
             pipeline);
    sql(statement);
}

static void test_a_second_sync_is_told_who_holds_the_pipeline(void **state)
{
    struct target first, second;
    struct err err = ERR_INIT;
    char pid[24];
    (void)state;
    target_open(&first, "held1");
    target_acquire(&first);
    assert_int_equal(PG->renew(first.destination, 0, &err), 0);
    target_open(&second, "held1");
    assert_int_equal(PG->acquire(second.destination, &err), ERR_HELD);
    snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    assert_int_equal(PG->renew(second.destination, 0, &err), ERR_HELD);
    /* A long wait is covered. */
    assert_int_equal(PG->renew(first.destination, 3600000, &err), 0);
    assert_string_equal(rows_of("SELECT until > now() + interval '1 h' FROM _sluice.leases WHERE pipeline = 'held1'"), "true");
    PG->release(first.destination);
    assert_int_equal(PG->acquire(second.destination, &err), 0);
    target_close(&first);
    target_close(&second);
}

static void test_a_dead_owner_is_replaced_at_once(void **state)
{
    struct target target;
    int status;
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        target_open(&target, "dead1");
        target_acquire(&target);
        _exit(0); /* without a word to the server */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(rows_of("SELECT until > now() + interval '10 s' FROM _sluice.leases WHERE pipeline = 'dead1'"), "true");
    target_open(&target, "dead1");
    target_acquire(&target);
    assert_int_equal(number_of("SELECT fence FROM _sluice.leases WHERE pipeline = 'dead1'"), 2);
    target_close(&target);
}

static void test_a_replaced_owner_cannot_commit(void **state)
{
    struct target first, second;
    struct flow old, new;
    struct err err = ERR_INIT;
    (void)state;
    target_open(&first, "fence1");
    target_acquire(&first);
    flow_begin(&old, &first, WRITE_APPEND);
    assert_int_equal(commit_ten(&old, 1, &err), 0);
    expire_lease("fence1");
    target_open(&second, "fence1");
    target_acquire(&second);
    flow_begin(&new, &second, WRITE_APPEND);
    assert_string_equal(stored_cursor(&new), "10");
    assert_int_equal(commit_ten(&old, 11, &err), ERR_HELD);
    assert_int_equal(PG->renew(first.destination, 0, &err), ERR_HELD);
    /* Nor change columns. */
    schema_add(old.schema, STR("extra"), TYPE_STRING, false);
    assert_int_equal(commit_ten(&old, 11, &err), ERR_HELD);
    assert_int_equal(commit_ten(&new, 11, &err), 0);
    expect_exactly("fence1", 20);
    flow_end(&old);
    flow_end(&new);
    target_close(&first);
    target_close(&second);
}

struct committer {
    struct flow *flow;
    int64_t first;
    int rc;
    struct err err;
};

static void *commit_in_thread(void *context)
{
    struct committer *committer = context;
    committer->rc = commit_ten(committer->flow, committer->first, &committer->err);
    return NULL;
}

/* Rows going into SCHEMA.orders wait while the test holds advisory lock 99. */
static void hold_up_inserts(const char *schema)
{
    char statement[512];
    snprintf(statement, sizeof(statement),
             "CREATE FUNCTION %s.hold_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
             "pg_catalog.pg_advisory_xact_lock_shared(99); "
             "RETURN NEW; END'; CREATE TRIGGER hold_up BEFORE INSERT ON %s.orders FOR EACH ROW EXECUTE FUNCTION %s.hold_up(); "
             "SELECT pg_advisory_lock(99)",
             schema, schema, schema);
    sql(statement);
}

#define SOMEONE_WAITS "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 AND NOT granted"

static void test_an_owner_is_replaced_while_it_copies(void **state)
{
    struct target first, second;
    struct flow old, new;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    target_open(&first, "fence2");
    target_acquire(&first);
    flow_begin(&old, &first, WRITE_APPEND);
    assert_int_equal(commit_ten(&old, 1, &err), 0);
    hold_up_inserts("fence2");
    struct committer committer = {.flow = &old, .first = 11};
    pthread_create(&thread, NULL, commit_in_thread, &committer);
    wait_until(SOMEONE_WAITS);
    expire_lease("fence2");
    target_open(&second, "fence2");
    target_acquire(&second);
    flow_begin(&new, &second, WRITE_APPEND); /* does not wait for the old owner's COPY */
    sql("SELECT pg_advisory_unlock(99)");
    pthread_join(thread, NULL);
    assert_int_equal(committer.rc, ERR_HELD);
    expect_exactly("fence2", 10);
    assert_int_equal(commit_ten(&new, 11, &err), 0);
    expect_exactly("fence2", 20);
    flow_end(&old);
    flow_end(&new);
    target_close(&first);
    target_close(&second);
}

static void test_abort_ends_a_wait_and_stop_does_not(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    target_open(&target, "abort1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_int_equal(commit_ten(&flow, 1, &err), 0);
    hold_up_inserts("abort1");
    struct committer committer = {.flow = &flow, .first = 11};
    pthread_create(&thread, NULL, commit_in_thread, &committer);
    wait_until(SOMEONE_WAITS);
    cancel_fire(target.cancel, CANCEL_STOP);
    sql("SELECT pg_advisory_unlock(99)");
    pthread_join(thread, NULL);
    assert_int_equal(committer.rc, 0);
    sql("SELECT pg_advisory_lock(99)");
    committer.first = 21;
    pthread_create(&thread, NULL, commit_in_thread, &committer);
    wait_until(SOMEONE_WAITS);
    cancel_fire(target.cancel, CANCEL_ABORT);
    pthread_join(thread, NULL); /* while the row still waits */
    assert_int_equal(committer.rc, ERR_CANCELLED);
    sql("SELECT pg_advisory_unlock(99)");
    expect_exactly("abort1", 20);
    flow_end(&flow);
    target_close(&target);
}

static void test_a_lost_commit_reply_is_resolved(void **state)
{
    static const enum pg_proxy_cut CUTS[] = {CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT};
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    struct pg_proxy proxy;
    char url[160];
    (void)state;
    assert_int_equal(pg_proxy_start(&proxy, server.folder), 0);
    snprintf(url, sizeof(url), "host=%s user=sluice dbname=postgres", proxy.folder);
    target_open_at(&target, "reply1", url);
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_int_equal(commit_ten(&flow, 1, &err), 0);
    for (int i = 0; i < 10; i++) {
        atomic_store(&proxy.cut, CUTS[i % 2]);
        if (commit_ten(&flow, 11 + 10 * i, &err) != 0) fail_msg("%s", err.message);
        assert_int_equal(atomic_load(&proxy.cuts), i + 1);
        expect_exactly("reply1", 20 + 10 * i);
    }
    assert_string_equal(stored_cursor(&flow), "110");
    assert_string_equal(rows_of("SELECT sum(written), sum(emitted) FROM _sluice.loads WHERE pipeline = 'reply1'"), "110|110");

    /* Each place where the client's bytes of a load can be cut, merges included. */
    flow_end(&flow);
    PG->release(target.destination);
    target_close(&target);
    target_open_at(&target, "reply2", url);
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND_DEDUP);
    must_commit(&flow, "all", SLICE_PUBLISH, "0", true, NULL, 0);
    long at = 1, rows = 0;
    int cuts = atomic_load(&proxy.cuts);
    for (;; at += 97) {
        atomic_store(&proxy.at_byte, at);
        atomic_store(&proxy.cut, CUT_AT_BYTE);
        if (commit_ten(&flow, rows + 1, &err) != 0) fail_msg("cut at %ld: %s", at, err.message);
        rows += 10;
        if (atomic_load(&proxy.cuts) == cuts) break; /* past the end of a load */
        cuts = atomic_load(&proxy.cuts);
    }
    atomic_store(&proxy.cut, CUT_NEVER);
    assert_true(rows > 200);
    expect_exactly("reply2", rows);
    flow_end(&flow);
    target_close(&target);
    pg_proxy_stop(&proxy);
}

struct killer {
    const char *pipeline;
    _Atomic int stop;
    long kills;
};

/* Ends the pipeline's connections again and again, wherever they are. */
static void *kill_connections(void *context)
{
    struct killer *killer = context;
    struct pg *pg;
    struct err err = ERR_INIT;
    char name[80];
    snprintf(name, sizeof(name), "sluice:%s", killer->pipeline);
    if (pg_open(&(struct pg_settings){.url = server.url}, &pg, &err) != 0) return NULL;
    for (unsigned i = 1; !atomic_load(&killer->stop); i++) {
        struct pg_result *result;
        if (pg_query(pg, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", PG_PARAMS(name),
                     &result, &err) == 0)
            killer->kills += (long)pg_rows(result);
        pg_free(result);
        usleep(2000 + i * 7919 % 22000);
    }
    pg_close(pg);
    return NULL;
}

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
        for (int i = 0; i < 150; i++)
            if (commit_ten(&flow, 1 + 10 * i, &err) != 0) fail_msg("%s", err.message);
        atomic_store(&killer.stop, 1);
        pthread_join(thread, NULL);
        assert_true(killer.kills > 3);
        expect_exactly(pipeline, 1500);
        assert_string_equal(stored_cursor(&flow), "1500");
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

static void test_a_lock_in_the_way_of_a_new_column_is_waited_for(void **state)
{
    struct target target;
    struct flow flow;
    struct err err = ERR_INIT;
    pthread_t thread;
    (void)state;
    target_open(&target, "lock1");
    target_acquire(&target);
    flow_begin(&flow, &target, WRITE_APPEND);
    assert_int_equal(commit_ten(&flow, 1, &err), 0);
    schema_add(flow.schema, STR("extra"), TYPE_STRING, false);
    sql("BEGIN; SELECT * FROM lock1.orders");
    struct committer committer = {.flow = &flow, .first = 11};
    pthread_create(&thread, NULL, commit_in_thread, &committer);
    /* The ALTER gives up its place in the queue, so that other readers get through, and comes back. */
    wait_until("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'lock1.orders'::regclass AND NOT granted");
    wait_until("SELECT count(*) = 0 FROM pg_locks WHERE relation = 'lock1.orders'::regclass AND NOT granted");
    sql("COMMIT");
    pthread_join(thread, NULL);
    if (committer.rc != 0) fail_msg("%s", committer.err.message);
    expect_exactly("lock1", 20);
    flow_end(&flow);
    target_close(&target);
}

FIXTURE_TESTS(cmocka_unit_test(test_a_second_sync_is_told_who_holds_the_pipeline),
              cmocka_unit_test(test_a_dead_owner_is_replaced_at_once), cmocka_unit_test(test_a_replaced_owner_cannot_commit),
              cmocka_unit_test(test_an_owner_is_replaced_while_it_copies),
              cmocka_unit_test(test_abort_ends_a_wait_and_stop_does_not),
              cmocka_unit_test(test_a_lost_commit_reply_is_resolved),
              cmocka_unit_test(test_ended_connections_lose_and_double_nothing),
              cmocka_unit_test(test_killed_processes_lose_and_double_nothing),
              cmocka_unit_test(test_a_publication_that_is_killed_is_finished_by_the_next_run),
              cmocka_unit_test(test_finished_builds_are_published_by_the_next_run_as_it_opens),
              cmocka_unit_test(test_a_crashed_server_is_waited_for),
              cmocka_unit_test(test_a_lock_in_the_way_of_a_new_column_is_waited_for))
