/* event: what a request holds: events, as lines for the journal, or a question that is answered at once.
 *
 * A body is one JSON object, or a list of them, which are as many events; or a form (form.h), which is as one. A line is the
 * event as it came, numbers and all, in one line of JSON, with two members behind its own: "_event_id", by which it is the same
 * when it is sent again, and
 * "_received_at". */
#ifndef SLUICE_HOOK_EVENT_H
#define SLUICE_HOOK_EVENT_H

#include "base/buf.h"
#include "hook/verify.h"

enum hook_kind {
    HOOK_EVENTS, /* `lines` */
    HOOK_ANSWER, /* `reply` of `type`, and nothing to keep */
    HOOK_BAD,    /* `why`: the body cannot be read, or lacks something */
};

enum { HOOK_EVENTS_MAX = 1000, HOOK_LINES_MAX = 2 * HOOK_BODY_MAX };

struct hook_outcome {
    enum hook_kind kind;
    size_t count;     /* of the events */
    struct buf lines; /* each ends with "\n" */
    const char *type, *reply;
    const char *why; /* "Missing required fields: event_id, data.id" */
};

#define HOOK_OUTCOME ((struct hook_outcome){.lines = BUF_INIT(HOOK_LINES_MAX)})

/* Of a request that was verified. */
void hook_read(const struct hook_settings *settings, const struct hook_request *request, struct arena *arena,
               struct hook_outcome *out);
/* Of a request that carries nothing: the question of a sender who wants to know who we are (meta). False when it is none, or is
 * asked with another token. */
bool hook_greets(const struct hook_settings *settings, const char *mode, const char *token, const char *challenge);

#endif
