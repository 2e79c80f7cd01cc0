/* What the answers of a job say. */
#include "rest_unit.h"

#include "base/jsonscan.h"
#include "rest/job.h"

static const char *const DONE[] = {"Done", "100", "true"};
static const char *const FAILED[] = {"Failed"};
static const struct job_capture CAPTURES[] = {{"id", "job.id"}, {"url", "result.url"}};
static const struct job_description JOB = {
    .captures = CAPTURES,
    .capture_count = 2,
    .state_path = "state",
    .error_path = "why",
    .done = DONE,
    .done_count = 3,
    .failed = FAILED,
    .failed_count = 1,
    .every_ms = 500,
    .up_to_ms = 30000,
};

static struct str padded(struct arena *arena, const char *text)
{
    char *copy = arena_alloc(arena, strlen(text) + JSONSCAN_PADDING);
    memcpy(copy, text, strlen(text));
    return (struct str){copy, strlen(text)};
}

static const char *learn(struct arena *arena, const char *known, const char *answer)
{
    struct err err = ERR_INIT;
    struct str learned;
    if (job_learn(&JOB, padded(arena, known), padded(arena, answer), arena, &learned, &err) != 0)
        return arena_printf(arena, "%d %s", err.class, err.message);
    return arena_text(arena, learned);
}

static void test_the_id_stays_and_the_newest_capture_counts(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    assert_string_equal(learn(&arena, "", "{\"job\":{\"id\":75}}"), "{\"id\":\"75\"}");
    assert_string_equal(learn(&arena, "{\"id\":\"75\"}", "{\"job\":{\"id\":76},\"result\":{\"url\":\"a\\u00e9\\\"\"}}"),
                        "{\"id\":\"75\",\"url\":\"a\xc3\xa9\\\"\"}");
    assert_string_equal(learn(&arena, "{\"id\":\"75\",\"url\":\"a\"}", "{\"result\":{\"url\":null}}"),
                        "{\"id\":\"75\",\"url\":\"a\"}");
    assert_string_equal(learn(&arena, "{\"id\":\"75\",\"url\":\"a\"}", "{\"result\":{\"url\":\"b\"}}"),
                        "{\"id\":\"75\",\"url\":\"b\"}");
    arena_release(&arena);
}

static void test_an_answer_without_an_id_or_with_a_huge_one_is_refused(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    const char *const BAD[] = {"{}", "{\"job\":{\"id\":\"\"}}", "{\"job\":{\"id\":null}}", "{\"job\":{\"id\":[1]}}", "[]", "7"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) assert_non_null(strstr(learn(&arena, "", BAD[i]), "no id of the job"));
    char *huge = arena_alloc(&arena, JOB_MAX_VALUE + 2);
    memset(huge, 'x', JOB_MAX_VALUE + 1);
    assert_non_null(strstr(learn(&arena, "", arena_printf(&arena, "{\"job\":{\"id\":\"%s\"}}", huge)), "is longer than"));
    assert_non_null(strstr(learn(&arena, "{\"url\":\"a\"}", "{}"), "no id of the job"));
    assert_false(job_is_known(&JOB, padded(&arena, "{\"url\":\"a\"}")));
    assert_false(job_is_known(&JOB, padded(&arena, "nonsense")));
    assert_true(job_is_known(&JOB, padded(&arena, "{\"id\":\"75\"}")));
    arena_release(&arena);
}

static void test_states_are_compared_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *told;
        enum job_phase phase;
    } CASES[] = {
        {"{\"state\":\"Done\",\"why\":\"x\"}", "'Done'", JOB_DONE},
        {"{\"state\":100}", "'100'", JOB_DONE},
        {"{\"state\":true}", "'true'", JOB_DONE},
        {"{\"state\":\"done\"}", "'done'", JOB_RUNNING},
        {"{\"state\":\"Failed\"}", "'Failed'", JOB_FAILED},
        {"{\"state\":\"Failed\",\"why\":\"no luck\"}", "'Failed': no luck", JOB_FAILED},
    };
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    enum job_phase phase;
    const char *told;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(job_phase(&JOB, padded(&arena, CASES[i].answer), &arena, &phase, &told, &err), 0);
        assert_string_equal(told, CASES[i].told);
        assert_int_equal(phase, CASES[i].phase);
    }
    assert_int_equal(job_phase(&JOB, padded(&arena, "{\"state\":null}"), &arena, &phase, &told, &err), ERR_DATA);
    arena_release(&arena);
}

static void test_pauses_grow_to_the_longest(void **state)
{
    (void)state;
    assert_int_equal(job_pause_ms(&JOB, 0), 500);
    int64_t before = 500;
    for (uint64_t polls = 1; polls < 20; polls++) {
        int64_t pause_ms = job_pause_ms(&JOB, polls);
        assert_true(pause_ms > before || pause_ms == 30000);
        assert_true(pause_ms <= before + before / 2 + 1);
        before = pause_ms;
    }
    assert_int_equal(before, 30000);
    assert_int_equal(job_pause_ms(&JOB, UINT64_MAX), 30000);
}

static void refused(const char *job, const char *keys, const char *part)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    const char *json = arena_printf(&arena,
                                    "{\"name\":\"t\",\"version\":\"1\",\"http\":{\"base\":\"http://a.test\"},"
                                    "\"streams\":{\"s\":{\"path\":\"/s\"%s,\"job\":{%s}}}}",
                                    keys, job);
    description_check(json_node(&arena, json), &problems);
    assert_problem(&problems, part);
    arena_release(&arena);
}

#define POLL "\"poll\":{\"path\":\"/j/{{job.id}}\",\"state\":\"state\",\"done\":\"Done\"}"

static void test_mistakes_in_a_declaration(void **state)
{
    (void)state;
    refused("\"create\":{\"path\":\"/j\"}," POLL, "", "check: every stream has a job");
    refused("\"create\":{\"path\":\"/j/{{job.id}}\"}," POLL, "", "'job.id' does not exist here");
    refused("\"create\":{\"path\":\"/j\"},\"capture\":{\"a.b\":\"x\"}," POLL, "", "'a.b' is no name");
    refused("\"create\":{\"path\":\"/j\"},\"capture\":{\"id\":\"x\"}," POLL, "", "'id' is no name");
    refused("\"create\":{\"path\":\"/j\"},\"capture\":{\"url\":\"x\"},\"delete\":{\"path\":\"{{job.urk}}\"}," POLL, "",
            "did you mean 'job.url'?");
    refused("\"create\":{\"path\":\"/j\"},\"poll\":{\"path\":\"/j\",\"state\":\"s\",\"done\":\"x\",\"every\":\"2m\"}", "",
            "every <= up_to");
    refused("\"create\":{\"path\":\"/j\"},\"poll\":{\"path\":\"/j\",\"state\":\"s\",\"done\":[]}", "", "expected at least one");
    refused("\"create\":{\"path\":\"/j\"},\"timeout\":0," POLL, "", "timeout: must be above zero");
    refused("\"create\":{\"path\":\"/j\"}", "", "poll");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_id_stays_and_the_newest_capture_counts),
        cmocka_unit_test(test_an_answer_without_an_id_or_with_a_huge_one_is_refused),
        cmocka_unit_test(test_states_are_compared_as_text),
        cmocka_unit_test(test_pauses_grow_to_the_longest),
        cmocka_unit_test(test_mistakes_in_a_declaration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
