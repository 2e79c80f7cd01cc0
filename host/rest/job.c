/* job: see job.h. */
#include "rest/job.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/jsonscan.h"

enum { SHOWN_MAX = 300 }; /* of a state and an error in messages */

/* A text or number at the path; false: it is not there, or something else. */
static bool find_text(struct str json, const char *path, struct arena *arena, struct str *text)
{
    struct json_value found;
    if (json.size == 0 || !jsonscan_find(json.data, json.size, path, &found)) return false;
    bool is_scalar =
        found.kind == JSON_STRING || found.kind == JSON_NUMBER || found.kind == JSON_TRUE || found.kind == JSON_FALSE;
    if (!is_scalar) return false;
    *text = found.kind == JSON_STRING ? jsonscan_text(&found, arena, NULL) : found.raw;
    return text->data && text->size > 0;
}

static struct str with_padding(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.size + JSONSCAN_PADDING);
    memcpy(copy, text.data, text.size);
    return (struct str){copy, text.size};
}

int job_learn(const struct job_description *job, struct str known, struct str answer, struct arena *arena, struct str *learned,
              struct err *err)
{
    struct buf json = BUF_INIT((size_t)6 * JOB_MAX_CAPTURES * JOB_MAX_VALUE);
    struct json_writer writer = JSON_WRITER(&json);
    int rc = 0;
    json_open(&writer, '{');
    for (size_t i = 0; i < job->capture_count && rc == 0; i++) {
        const struct job_capture *capture = &job->captures[i];
        struct str value = {0};
        bool keeps = i == 0 && known.size; /* its id never changes */
        bool found =
            (!keeps && find_text(answer, capture->path, arena, &value)) || find_text(known, capture->name, arena, &value);
        if (!found && i == 0) {
            rc = err_set(err, ERR_DATA, "the answer has no id of the job at '%s'", capture->path);
            err_hint(err, "job.id must lead to it; look at what the source answers");
        } else if (found && value.size > JOB_MAX_VALUE) {
            rc = err_set(err, ERR_DATA, "job.%s is longer than %d bytes", capture->name, JOB_MAX_VALUE);
        } else if (found) {
            json_member(&writer, capture->name);
            json_text(&writer, value);
        }
    }
    json_close(&writer, '}');
    if (rc == 0) *learned = with_padding(arena, buf_str(&json));
    buf_release(&json);
    return rc;
}

static bool is_one_of(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(text, str_from(list[i]))) return true;
    return false;
}

int job_phase(const struct job_description *job, struct str answer, struct arena *arena, enum job_phase *phase,
              const char **told, struct err *err)
{
    struct str state, reason = {0};
    if (!find_text(answer, job->state_path, arena, &state)) {
        err_set(err, ERR_DATA, "the answer has no state of the job at '%s'", job->state_path);
        return err_hint(err, "job.poll.state must lead to it; look at what the source answers");
    }
    *phase = is_one_of(state, job->done, job->done_count)       ? JOB_DONE
             : is_one_of(state, job->failed, job->failed_count) ? JOB_FAILED
                                                                : JOB_RUNNING;
    if (job->error_path && *phase == JOB_FAILED) (void)find_text(answer, job->error_path, arena, &reason);
    if (state.size > SHOWN_MAX) state.size = SHOWN_MAX;
    if (reason.size > SHOWN_MAX) reason.size = SHOWN_MAX;
    *told = arena_printf(arena, "'" STR_FMT "'%s" STR_FMT, STR_ARG(state), reason.size ? ": " : "", STR_ARG(reason));
    return 0;
}

int64_t job_pause_ms(const struct job_description *job, uint64_t polls)
{
    int64_t pause_ms = job->every_ms;
    for (uint64_t i = 0; i < polls && pause_ms < job->up_to_ms; i++) pause_ms += pause_ms / 2 + 1;
    return pause_ms < job->up_to_ms ? pause_ms : job->up_to_ms;
}

bool job_is_known(const struct job_description *job, struct str known)
{
    struct arena arena = ARENA_INIT(0);
    struct str id;
    bool is_known = find_text(known, job->captures[0].name, &arena, &id);
    arena_release(&arena);
    return is_known;
}
