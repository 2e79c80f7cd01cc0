/* The service's store: one job of a pipeline at a time, leases, fences, retries; in a file and in PostgreSQL alike. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/process.h"
#include "pg/query.h"
#include "pg_server.h"
#include "service/store.h"
#include "unit.h"

static struct pg_server server;

struct fixture {
    char folder[64], url[256];
    bool is_postgres;
    struct store *store;
    struct arena arena;
    struct err err;
};

#define OK(call) assert_int_equal((call), 0)

static struct store *open_store(const char *url)
{
    struct sql_settings settings = {.url = url};
    struct store *store;
    struct err err = ERR_INIT;
    int rc = store_open(&settings, &store, &err);
    if (rc) fail_msg("%s", err.message);
    return store;
}

static int setup_file(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/sluice-store-XXXXXX");
    if (!mkdtemp(fixture->folder)) return -1;
    snprintf(fixture->url, sizeof fixture->url, "%s/service.db", fixture->folder);
    fixture->store = open_store(fixture->url);
    *state = fixture;
    return 0;
}

static void on_server(const char *sql)
{
    struct pg *pg;
    struct err err = ERR_INIT;
    const struct pg_settings settings = {.url = server.url, .application_name = "test"};
    OK(pg_open(&settings, &pg, &err));
    OK(pg_exec(pg, sql, &err));
    pg_close(pg);
}

static int setup_postgres(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!server.pid && !pg_server_start(&server)) skip();
    on_server("DROP SCHEMA IF EXISTS sluice_service CASCADE");
    fixture->is_postgres = true;
    snprintf(fixture->url, sizeof fixture->url, "postgres:///postgres?host=%s&user=sluice", server.folder);
    fixture->store = open_store(fixture->url);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    arena_release(&fixture->arena);
    if (fixture->folder[0] && fs_remove_tree("/tmp", fixture->folder + strlen("/tmp/"), &fixture->err) != 0) return -1;
    free(fixture);
    return 0;
}

/* --- what the tests do ------------------------------------------------------------------------------------------------- */

static void join(struct fixture *fixture, const char *node)
{
    struct process_identity identity;
    uint64_t left;
    process_identity(&identity);
    OK(store_join(fixture->store, node, &identity, &left, &fixture->err));
}

static int64_t request(struct fixture *fixture, const char *pipeline)
{
    const struct job_request request = {.pipeline = pipeline, .trigger = "request"};
    int64_t job;
    bool is_new;
    OK(store_request(fixture->store, &request, &job, &is_new, &fixture->err));
    return job;
}

static void note_nothing(void *context, const char *pipeline)
{
    (void)context, (void)pipeline;
}

static bool allow(void *context, const char *pipeline)
{
    const char *refused = context;
    return !refused || strcmp(pipeline, refused) != 0;
}

static size_t claim(struct fixture *fixture, const char *node, const char *refused, struct job **jobs)
{
    const struct claim_policy policy = {.runs = note_nothing, .may_start = allow, .context = (void *)(uintptr_t)refused};
    size_t count;
    OK(store_claim(fixture->store, node, &policy, &fixture->arena, jobs, &count, &fixture->err));
    return count;
}

static struct job *job_of(struct fixture *fixture, int64_t id)
{
    struct job *job;
    OK(store_job(fixture->store, id, &fixture->arena, &job, &fixture->err));
    assert_non_null(job);
    return job;
}

static bool end_job(struct fixture *fixture, const struct job *job, const char *status, int64_t retry_ms)
{
    const struct job_end end = {.status = status,
                                .exit_code = strcmp(status, "succeeded") == 0 ? 0 : 4,
                                .records = 7,
                                .error = "it's so",
                                .error_class = "transient",
                                .retry_ms = retry_ms};
    bool is_ours;
    OK(store_end(fixture->store, job, &end, &is_ours, &fixture->err));
    return is_ours;
}

/* --- the tests --------------------------------------------------------------------------------------------------------- */

static void test_a_pipeline_has_one_job_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    join(fixture, "a");
    int64_t first = request(fixture, "shop");
    assert_int_equal(request(fixture, "shop"), first);
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    assert_int_equal(jobs[0].id, first);
    assert_int_equal(jobs[0].attempt, 1);
    assert_int_equal(request(fixture, "shop"), first);
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 0);
    struct job *running = job_of(fixture, first);
    assert_string_equal(running->status, "running");
    assert_true(end_job(fixture, running, "succeeded", 0));
    assert_false(end_job(fixture, running, "failed", 0));
    struct job *ended = job_of(fixture, first);
    assert_string_equal(ended->status, "succeeded");
    assert_int_equal(ended->records, 7);
    assert_true(ended->ended_ms >= ended->started_ms && ended->started_ms >= ended->requested_ms);
    assert_true(request(fixture, "shop") > first);
}

static void test_a_key_gives_the_same_job_even_when_it_ended(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    const struct job_request keyed = {.pipeline = "shop", .trigger = "request", .idempotency_key = "k1"};
    int64_t first, again;
    bool is_new;
    join(fixture, "a");
    OK(store_request(fixture->store, &keyed, &first, &is_new, &fixture->err));
    assert_true(is_new);
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    assert_true(end_job(fixture, &jobs[0], "succeeded", 0));
    OK(store_request(fixture->store, &keyed, &again, &is_new, &fixture->err));
    assert_false(is_new);
    assert_int_equal(again, first);
}

static void test_what_is_held_back_holds_nothing_else_back(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    join(fixture, "a");
    request(fixture, "first");
    request(fixture, "second");
    request(fixture, "third");
    assert_int_equal(claim(fixture, "a", "second", &jobs), 2);
    assert_string_equal(jobs[0].pipeline, "first");
    assert_string_equal(jobs[1].pipeline, "third");
    assert_int_equal(claim(fixture, "b", NULL, &jobs), 1);
}

static void test_a_retry_waits_and_counts(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    join(fixture, "a");
    int64_t id = request(fixture, "shop");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    assert_true(end_job(fixture, &jobs[0], "queued", 3600000));
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 0);
    struct job *job = job_of(fixture, id);
    assert_string_equal(job->status, "queued");
    assert_string_equal(job->error, "it's so");
    assert_true(job->not_before_ms >= job->requested_ms + 3600000);
    assert_int_equal(job->attempt, 1);
}

static void test_who_was_overtaken_ends_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs, *again;
    join(fixture, "a");
    join(fixture, "b");
    int64_t id = request(fixture, "shop");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    OK(store_leave(fixture->store, "a", &fixture->err));
    assert_int_equal(job_of(fixture, id)->attempt, 0);
    assert_int_equal(claim(fixture, "b", NULL, &again), 1);
    assert_false(end_job(fixture, &jobs[0], "failed", 0));
    assert_string_equal(job_of(fixture, id)->status, "running");
    assert_string_equal(job_of(fixture, id)->node, "b");
    assert_true(end_job(fixture, &again[0], "succeeded", 0));
}

static void test_the_jobs_of_a_dead_process_are_taken_up(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    struct process_identity dead;
    uint64_t left;
    process_identity(&dead);
    dead.pid = 4194303; /* of this boot, and nobody's */
    OK(store_join(fixture->store, "dead", &dead, &left, &fixture->err));
    request(fixture, "shop");
    assert_int_equal(claim(fixture, "dead", NULL, &jobs), 1);
    struct process_identity us;
    process_identity(&us);
    OK(store_join(fixture->store, "a", &us, &left, &fixture->err));
    assert_int_equal(left, 1);
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
}

static void test_a_lease_ends_by_the_databases_clock(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    uint64_t left;
    join(fixture, "a");
    join(fixture, "b");
    int64_t id = request(fixture, "shop");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    OK(store_beat(fixture->store, "b", &left, &fixture->err));
    assert_int_equal(left, 0);
    struct sql *sql;
    const struct sql_settings settings = {.url = fixture->url};
    OK(sql_open(&settings, &sql, &fixture->err));
    OK(sql_run(sql, "UPDATE @jobs SET lease_ms = {now} - 1", SQL_NONE, NULL, &fixture->err));
    sql_close(sql);
    OK(store_beat(fixture->store, "b", &left, &fixture->err));
    assert_int_equal(left, 1);
    assert_string_equal(job_of(fixture, id)->status, "queued");
}

static void test_cancelling(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    int64_t *cancelled, queued = request(fixture, "waits");
    size_t count;
    bool found;
    join(fixture, "a");
    OK(store_cancel(fixture->store, queued, &found, &fixture->err));
    assert_true(found);
    assert_string_equal(job_of(fixture, queued)->status, "cancelled");
    int64_t running = request(fixture, "runs");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    OK(store_cancel(fixture->store, running, &found, &fixture->err));
    assert_true(found);
    OK(store_cancelled(fixture->store, "a", &fixture->arena, &cancelled, &count, &fixture->err));
    assert_int_equal(count, 1);
    assert_int_equal(cancelled[0], running);
    assert_true(end_job(fixture, &jobs[0], "cancelled", 0));
    OK(store_cancel(fixture->store, running, &found, &fixture->err));
    assert_false(found);
}

static int64_t schedule(struct fixture *fixture, struct cadence_record *cadence, int64_t now_ms)
{
    int64_t job;
    OK(store_schedule(fixture->store, "shop", "[\"orders\"]", cadence, 1, now_ms, &job, &fixture->err));
    return job;
}

static void test_a_schedule_moves_once(void **state)
{
    struct fixture *fixture = *state;
    struct cadence_record list[] = {{.stream = "", .runs_at_once = true}, {.stream = "orders"}};
    int64_t now_ms;
    OK(store_now(fixture->store, &now_ms, &fixture->err));
    OK(store_cadences(fixture->store, "shop", list, 2, &fixture->err));
    assert_int_equal(list[0].last_ms, 0);
    assert_in_range(list[1].last_ms, now_ms - 1000, now_ms + 60000);
    struct cadence_record seen = list[0];
    int64_t job = schedule(fixture, &seen, now_ms);
    assert_true(job > 0);
    assert_string_equal(job_of(fixture, job)->streams, "[\"orders\"]");
    assert_int_equal(schedule(fixture, &seen, now_ms + 1), 0); /* it is busy */
    bool found;
    OK(store_cancel(fixture->store, job, &found, &fixture->err));
    assert_int_equal(schedule(fixture, &seen, now_ms + 1), 0); /* it has moved on since it was looked at */
    OK(store_cadences(fixture->store, "shop", &seen, 1, &fixture->err));
    assert_int_equal(seen.last_ms, now_ms);
    OK(store_pause(fixture->store, "shop", true, &fixture->err));
    assert_int_equal(schedule(fixture, &seen, now_ms + 2), 0);
    OK(store_pause(fixture->store, "shop", false, &fixture->err));
    assert_true(schedule(fixture, &seen, now_ms + 2) > job);
}

static void test_a_paused_pipeline_runs_only_on_request(void **state)
{
    struct fixture *fixture = *state;
    struct cadence_record cadence = {.stream = "", .runs_at_once = true};
    struct job *jobs;
    bool found;
    join(fixture, "a");
    OK(store_cadences(fixture->store, "shop", &cadence, 1, &fixture->err));
    int64_t scheduled = schedule(fixture, &cadence, 1000);
    OK(store_pause(fixture->store, "shop", true, &fixture->err));
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 0);
    OK(store_cancel(fixture->store, scheduled, &found, &fixture->err));
    request(fixture, "shop");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
}

static void test_events_are_kept_in_order_and_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct job_event *events;
    size_t count;
    char json[64];
    int64_t id = request(fixture, "shop");
    for (int i = 1; i <= STORE_EVENTS_PER_JOB + 5; i++) {
        snprintf(json, sizeof json, "{\"text\":\"it's %d\"}", i);
        OK(store_event(fixture->store, id, str_from(json), &fixture->err));
    }
    OK(store_events(fixture->store, id, 0, 3, &fixture->arena, &events, &count, &fixture->err));
    assert_int_equal(count, 3);
    assert_string_equal(events[0].json, "{\"text\":\"it's 6\"}");
    assert_int_equal(events[1].number, events[0].number + 1);
    OK(store_events(fixture->store, id, events[2].number, 5000, &fixture->arena, &events, &count, &fixture->err));
    assert_int_equal(count, STORE_EVENTS_PER_JOB - 3);
    assert_string_equal(events[count - 1].json, json);
}

static void test_lines_are_of_many_jobs_by_time(void **state)
{
    struct fixture *fixture = *state;
    struct log_line *lines;
    size_t count;
    int64_t a = request(fixture, "a"), b = request(fixture, "b");
    OK(store_event(fixture->store, a, STR("{\"n\":1}"), &fixture->err));
    OK(store_event(fixture->store, b, STR("{\"n\":2}"), &fixture->err));
    OK(store_event(fixture->store, a, STR("{\"n\":3}"), &fixture->err));
    struct log_filter filter = {.limit = 2};
    OK(store_lines(fixture->store, &filter, &fixture->arena, &lines, &count, &fixture->err));
    assert_int_equal(count, 2);
    assert_true(lines[0].at_ms <= lines[1].at_ms);
    filter = (struct log_filter){.pipeline = "a", .limit = 10};
    OK(store_lines(fixture->store, &filter, &fixture->arena, &lines, &count, &fixture->err));
    assert_int_equal(count, 2);
    assert_string_equal(lines[0].json, "{\"n\":1}");
    assert_string_equal(lines[1].pipeline, "a");
    filter.after = lines[0];
    OK(store_lines(fixture->store, &filter, &fixture->arena, &lines, &count, &fixture->err));
    assert_int_equal(count, 1);
    assert_string_equal(lines[0].json, "{\"n\":3}");
    filter = (struct log_filter){.job = b, .limit = 10};
    OK(store_lines(fixture->store, &filter, &fixture->arena, &lines, &count, &fixture->err));
    assert_int_equal(count, 1);
    assert_int_equal(lines[0].job, b);
}

static void test_progress_is_the_newest_and_ends_with_the_job(void **state)
{
    struct fixture *fixture = *state;
    struct job_event *list;
    struct job *jobs;
    size_t count;
    join(fixture, "a");
    int64_t id = request(fixture, "shop");
    assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
    OK(store_progress(fixture->store, id, "orders", STR("{\"records\":1}"), &fixture->err));
    OK(store_progress(fixture->store, id, "it's", STR("{\"records\":5}"), &fixture->err));
    OK(store_progress(fixture->store, id, "orders", STR("{\"records\":2}"), &fixture->err));
    OK(store_progress_of(fixture->store, id, &fixture->arena, &list, &count, &fixture->err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].json, "{\"records\":5}");
    assert_string_equal(list[1].json, "{\"records\":2}");
    assert_true(end_job(fixture, &jobs[0], "succeeded", 0));
    OK(store_progress_of(fixture->store, id, &fixture->arena, &list, &count, &fixture->err));
    assert_int_equal(count, 0);
}

static void test_history_is_listed_and_trimmed(void **state)
{
    struct fixture *fixture = *state;
    struct job *jobs;
    size_t count;
    join(fixture, "a");
    for (int i = 0; i < 3; i++) {
        request(fixture, i == 1 ? "other" : "shop");
        assert_int_equal(claim(fixture, "a", NULL, &jobs), 1);
        assert_true(end_job(fixture, &jobs[0], i == 2 ? "failed" : "succeeded", 0));
    }
    struct job_filter filter = {.limit = 10};
    OK(store_jobs(fixture->store, &filter, &fixture->arena, &jobs, &count, &fixture->err));
    assert_int_equal(count, 3);
    assert_true(jobs[0].id > jobs[1].id);
    filter = (struct job_filter){.pipeline = "shop", .status = "succeeded", .limit = 10};
    OK(store_jobs(fixture->store, &filter, &fixture->arena, &jobs, &count, &fixture->err));
    assert_int_equal(count, 1);
    OK(store_trim(fixture->store, 3600000, &fixture->err));
    filter = (struct job_filter){.limit = 2};
    OK(store_jobs(fixture->store, &filter, &fixture->arena, &jobs, &count, &fixture->err));
    assert_int_equal(count, 2);
    usleep(5000);
    OK(store_trim(fixture->store, 1, &fixture->err));
    OK(store_jobs(fixture->store, &filter, &fixture->arena, &jobs, &count, &fixture->err));
    assert_int_equal(count, 0);
}

/* --- several at once ---------------------------------------------------------------------------------------------------- */

enum { NODES = 4, PIPELINES = 60 };

struct node {
    const char *url;
    char name[16];
    size_t claimed;
};

static void *work_as_node(void *context)
{
    struct node *node = context;
    struct fixture own = {.store = open_store(node->url)};
    struct job *jobs;
    join(&own, node->name);
    for (int idle = 0; idle < 40;) {
        size_t count = claim(&own, node->name, NULL, &jobs);
        for (size_t i = 0; i < count; i++) assert_true(end_job(&own, &jobs[i], "succeeded", 0));
        node->claimed += count;
        idle = count ? 0 : idle + 1;
        if (!count) usleep(5000);
    }
    store_close(own.store);
    arena_release(&own.arena);
    return NULL;
}

static void test_nodes_share_jobs_and_take_none_twice(void **state)
{
    struct fixture *fixture = *state;
    struct node nodes[NODES];
    pthread_t threads[NODES];
    char name[16];
    size_t claimed = 0;
    for (int i = 0; i < PIPELINES; i++) {
        snprintf(name, sizeof name, "p%d", i);
        request(fixture, name);
    }
    for (int i = 0; i < NODES; i++) {
        nodes[i] = (struct node){.url = fixture->url};
        snprintf(nodes[i].name, sizeof nodes[i].name, "n%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, work_as_node, &nodes[i]), 0);
    }
    for (int i = 0; i < NODES; i++) {
        pthread_join(threads[i], NULL);
        claimed += nodes[i].claimed;
    }
    assert_int_equal(claimed, PIPELINES);
}

struct machines {
    const char *place;
    char elsewhere[64]; /* the machine that was named */
};

static const char *place_of(void *context, const char *pipeline)
{
    return strcmp(pipeline, "anywhere") == 0 ? NULL : ((struct machines *)context)->place;
}

static bool allow_all(void *context, const char *pipeline)
{
    (void)context, (void)pipeline;
    return true;
}

static void note_elsewhere(void *context, const char *pipeline, const char *host)
{
    struct machines *machines = context;
    snprintf(machines->elsewhere, sizeof machines->elsewhere, "%s on %s", pipeline, host);
}

static size_t claim_on(struct fixture *fixture, const char *node, struct machines *machines, struct job **jobs)
{
    const struct claim_policy policy = {
        .runs = note_nothing, .may_start = allow_all, .place = place_of, .is_elsewhere = note_elsewhere, .context = machines};
    size_t count;
    machines->elsewhere[0] = '\0';
    OK(store_claim(fixture->store, node, &policy, &fixture->arena, jobs, &count, &fixture->err));
    return count;
}

static void test_what_is_kept_on_a_machine_stays_there(void **state)
{
    struct fixture *fixture = *state;
    struct machines machines = {.place = "staging ./files"};
    struct process_identity identity;
    struct job *jobs;
    uint64_t left;
    process_identity(&identity);
    OK(store_join(fixture->store, "a", &identity, &left, &fixture->err));
    snprintf(identity.host, sizeof identity.host, "other");
    OK(store_join(fixture->store, "b", &identity, &left, &fixture->err));
    request(fixture, "files");
    assert_int_equal(claim_on(fixture, "b", &machines, &jobs), 1);
    assert_true(end_job(fixture, &jobs[0], "succeeded", 0));
    request(fixture, "files");
    request(fixture, "anywhere");
    assert_int_equal(claim_on(fixture, "a", &machines, &jobs), 1);
    assert_string_equal(jobs[0].pipeline, "anywhere");
    assert_string_equal(machines.elsewhere, "files on other");
    machines.place = "staging ./moved";
    assert_int_equal(claim_on(fixture, "a", &machines, &jobs), 1);
    machines.place = "staging ./files";
    assert_true(end_job(fixture, &jobs[0], "succeeded", 0));
    request(fixture, "files");
    assert_int_equal(claim_on(fixture, "b", &machines, &jobs), 1);
}

static void test_a_store_of_a_newer_sluice_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sql *sql;
    struct store *store;
    const struct sql_settings settings = {.url = fixture->url};
    OK(sql_open(&settings, &sql, &fixture->err));
    OK(sql_run(sql, "UPDATE @meta SET value = '99' WHERE key = 'version'", SQL_NONE, NULL, &fixture->err));
    sql_close(sql);
    assert_int_equal(store_open(&settings, &store, &fixture->err), ERR_CONFIG);
    assert_non_null(strstr(fixture->err.message, "newer sluice"));
}

static void test_a_lost_connection_is_opened_anew(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_ms;
    if (!fixture->is_postgres) return;
    on_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice serve'");
    struct err err = ERR_INIT;
    assert_int_equal(store_now(fixture->store, &now_ms, &err), ERR_TRANSIENT);
    OK(store_now(fixture->store, &now_ms, &fixture->err));
}

#define BOTH(test)                                                                                                             \
    {#test " (file)", test, setup_file, teardown, NULL},                                                                       \
    {                                                                                                                          \
#test " (postgres)", test, setup_postgres, teardown, NULL                                                              \
    }

static int stop_server(void **state)
{
    (void)state;
    if (server.pid) pg_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_pipeline_has_one_job_at_a_time),
        BOTH(test_a_key_gives_the_same_job_even_when_it_ended),
        BOTH(test_what_is_held_back_holds_nothing_else_back),
        BOTH(test_a_retry_waits_and_counts),
        BOTH(test_who_was_overtaken_ends_nothing),
        BOTH(test_the_jobs_of_a_dead_process_are_taken_up),
        BOTH(test_a_lease_ends_by_the_databases_clock),
        BOTH(test_cancelling),
        BOTH(test_a_schedule_moves_once),
        BOTH(test_a_paused_pipeline_runs_only_on_request),
        BOTH(test_events_are_kept_in_order_and_bounded),
        BOTH(test_lines_are_of_many_jobs_by_time),
        BOTH(test_progress_is_the_newest_and_ends_with_the_job),
        BOTH(test_history_is_listed_and_trimmed),
        BOTH(test_nodes_share_jobs_and_take_none_twice),
        BOTH(test_what_is_kept_on_a_machine_stays_there),
        BOTH(test_a_store_of_a_newer_sluice_is_refused),
        BOTH(test_a_lost_connection_is_opened_anew),
    };
    return cmocka_run_group_tests(tests, NULL, stop_server);
}
