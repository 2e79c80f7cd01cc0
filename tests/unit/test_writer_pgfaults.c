/* The commit protocol against other owners and a bad network, on a real server: the lease, takeover, a lost COMMIT reply, locks
 * in the way. */
#include "writer_fixture.h"

#include "pg_proxy.h"

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
              cmocka_unit_test(test_a_lock_in_the_way_of_a_new_column_is_waited_for))
