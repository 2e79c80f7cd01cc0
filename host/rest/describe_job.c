/* How it works: the requests are compiled in the order in which they are sent, since each may name what those before it gave.
 * What creates the job is told of the slice and the cursor; the polls and the download also know the job. */
#include "rest/describe.h"

#include "base/check.h"
#include "rest/job.h"
#include "rest/vocabulary.h"

static const char *const *read_states(const struct describing *with, const struct node *list, size_t *count)
{
    bool is_there = list && list->kind != NODE_NULL;
    *count = !is_there ? 0 : list->kind == NODE_LIST ? list->count : 1;
    const char **states = arena_array(with->arena, const char *, *count + 1);
    for (size_t i = 0; i < *count; i++)
        states[i] = arena_text(with->arena, node_text(list->kind == NODE_LIST ? &list->children[i] : list));
    return states;
}

static bool is_name(struct str name)
{
    bool ok = name.size > 0;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        ok = ok && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
    }
    return ok;
}

static void read_captures(const struct stream_in_hand *hand, const struct node *node, struct job_description *job,
                          struct template_scope *scope)
{
    const struct node *map = node_get(node, "capture");
    size_t count = map && map->kind == NODE_MAP ? map->count : 0;
    struct job_capture *captures = arena_array(hand->with->arena, struct job_capture, count + 1);
    const char **names = arena_array(hand->with->arena, const char *, count + 1);
    const char *place = describe_below(hand, "job.capture");
    captures[0] = (struct job_capture){"id", option_text(&VOCABULARY_JOB, node, "id")};
    for (size_t i = 0; i < count; i++) {
        const struct node *path = &map->children[i];
        captures[i + 1] =
            (struct job_capture){arena_text(hand->with->arena, path->key), arena_text(hand->with->arena, node_text(path))};
        if (!is_name(path->key) || str_equal(path->key, STR("id")))
            problems_add(hand->with->problems, path, "%s: '" STR_FMT "' is no name", place, STR_ARG(path->key));
    }
    if (count >= JOB_MAX_CAPTURES)
        problems_add(hand->with->problems, map, "%s: more than %d values", place, JOB_MAX_CAPTURES - 1);
    for (size_t i = 0; i <= count; i++) names[i] = captures[i].name;
    job->captures = captures;
    job->capture_count = count + 1;
    scope->job_names = names;
    scope->job_name_count = count + 1;
}

static void check_times(const struct stream_in_hand *hand, const struct node *node, const struct job_description *job)
{
    if (job->every_ms <= 0 || job->up_to_ms < job->every_ms)
        problems_add(hand->with->problems, node_get(node, "poll"), "%s: expected 0 < every <= up_to",
                     describe_below(hand, "job.poll"));
    if (job->timeout_ms <= 0)
        problems_add(hand->with->problems, node_get(node, "timeout"), "%s: must be above zero",
                     describe_below(hand, "job.timeout"));
    if (hand->stream->pages.parallel > 1)
        problems_add(hand->with->problems, node_get(hand->node, "pages"), "%s: 'parallel' does not go together with a job",
                     describe_below(hand, "pages"));
}

void describe_job(const struct stream_in_hand *hand, struct template_scope *scope)
{
    const struct describing *with = hand->with;
    const struct node *node = node_get(hand->node, "job"), *create = node_get(node, "create"), *poll = node_get(node, "poll"),
                      *abort_node = node_get(node, "abort"), *remove = node_get(node, "delete");
    if (!node || node->kind != NODE_MAP) return;
    struct job_description *job = arena_new(with->arena, struct job_description);
    unsigned page_roots = scope->roots & TEMPLATE_PAGE;
    read_captures(hand, node, job, scope);
    scope->roots &= ~(unsigned)TEMPLATE_PAGE;
    describe_request(with, &VOCABULARY_JOB_CREATE, create, describe_below(hand, "job.create"), scope, &job->create);
    if (option_boolean(&VOCABULARY_JOB_CREATE, create, "idempotent")) job->create.idempotent = true;
    scope->roots |= TEMPLATE_JOB;
    describe_request(with, &VOCABULARY_JOB_POLL, poll, describe_below(hand, "job.poll"), scope, &job->poll);
    job->poll.idempotent = true;
    job->aborts = abort_node && abort_node->kind == NODE_MAP;
    if (job->aborts) {
        describe_request(with, &VOCABULARY_JOB_ABORT, abort_node, describe_below(hand, "job.abort"), scope, &job->abort);
        job->abort.idempotent = true;
    }
    job->removes = remove && remove->kind == NODE_MAP;
    if (job->removes) {
        describe_request(with, &VOCABULARY_JOB_DELETE, remove, describe_below(hand, "job.delete"), scope, &job->remove);
        job->remove.idempotent = true;
    }
    scope->roots |= page_roots;
    job->state_path = option_text(&VOCABULARY_JOB_POLL, poll, "state");
    job->error_path = option_text(&VOCABULARY_JOB_POLL, poll, "error");
    job->done = read_states(with, node_get(poll, "done"), &job->done_count);
    job->failed = read_states(with, node_get(poll, "failed"), &job->failed_count);
    job->every_ms = option_duration_ms(&VOCABULARY_JOB_POLL, poll, "every");
    job->up_to_ms = option_duration_ms(&VOCABULARY_JOB_POLL, poll, "up_to");
    job->timeout_ms = option_duration_ms(&VOCABULARY_JOB, node, "timeout");
    job->retries = option_integer(&VOCABULARY_JOB, node, "retries");
    job->slots = option_integer(&VOCABULARY_JOB, node, "slots");
    if (job->done_count == 0)
        problems_add(with->problems, poll, "%s: expected at least one", describe_below(hand, "job.poll.done"));
    hand->stream->job = job;
    check_times(hand, node, job);
}
