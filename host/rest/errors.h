/* errors: what an answer means by the connector's own rules, before its status decides (net/classify).
 *
 * Rules are looked at in order, those of the stream before those of `http`; the first that fits decides. They see every whole
 * answer, whatever its status: some sources say 200 and mean "no". What a rule wants done travels in two ways: whether to ask
 * again is the client's to know (a verdict), the rest is the reader's (the action).
 *
 *     struct error_judge judge = {.lists = {&stream->errors, &description->errors}, .source = &source, .arena = arena};
 *     errors_judge(&judge, &request);
 *     rc = client_send(session, &request, arena, &response, err);
 *     if (judge.found.action == ACTION_IGNORE) ...
 *
 * Rules are read-only; a judge belongs to one thread. */
#ifndef SLUICE_REST_ERRORS_H
#define SLUICE_REST_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/classify.h"

struct node;
struct option_table;
struct page_place;
struct request_source;

enum error_action {
    ACTION_NONE,         /* no rule fits: the status decides */
    ACTION_RETRY,        /* the same request again, within `http.retry` */
    ACTION_RATE_LIMITED, /* again after the wait, and everybody else who shares the limit waits, too */
    ACTION_REFRESH_AUTH, /* again with new credentials, once */
    ACTION_FAIL,         /* an error at once */
    ACTION_IGNORE,       /* no records here, and no further pages */
    ACTION_SPLIT_WINDOW, /* it is asked for in halves */
    ACTION_SKIP_SLICE,   /* the same, and people are told */
    ACTION_SKIP_STREAM,  /* this stream cannot be had; the others go on, nothing of it is stored as done */
    ACTION_RESET_PAGES,  /* the slice begins again at its first page */
    ACTION_SHRINK_PAGE,  /* the same page again, asked for in half the size */
    ACTION_REJECT,       /* as skip_slice, and the answer is kept among the rejects */
};

enum { ERROR_PATH_MAX = 256 };

enum error_test { TEST_NONE, TEST_EQUALS, TEST_CONTAINS, TEST_EXISTS, TEST_ABSENT };

struct error_statuses {
    int from, to;
};

/* What to do, as a rule or a function says it. */
struct error_finding {
    enum error_action action;
    int64_t wait_ms;  /* -1: not said */
    int class;        /* FAIL: of the error */
    const char *hint; /* "": none */
};

struct error_rule {
    const struct error_statuses *statuses;
    size_t status_count; /* 0: any */
    const char *header;  /* what is tested: this header, */
    const char *path;    /* or the values at this path of the body; neither: the body's text */
    enum error_test test;
    const struct str *texts; /* EQUALS, CONTAINS */
    size_t text_count;
    const char *function; /* says what to do; NULL: `finding` does */
    struct error_finding finding;
};

struct error_rules {
    const struct error_rule *list;
    size_t count;
};

/* Does the rule's condition hold? Pure. */
bool error_rule_fits(const struct error_rule *rule, const struct http_response *response);

struct error_judge {
    const struct error_rules *lists[2]; /* NULL: none */
    const struct request_source *source;
    const struct page_place *place; /* of the request in hand; may be NULL */
    struct arena *arena;            /* what functions give lives here */
    struct error_finding found;     /* on the newest answer */
    struct str body;                /* REJECT: of that answer, in the arena */
    struct http_judge judge;
};

/* Makes it the judge of a request's answers, until the next request. */
void errors_judge(struct error_judge *judge, struct http_request *request);

/* Compiles the finding of a map that passed `table` (a rule's or a function's result). */
void errors_read_finding(const struct option_table *table, const struct node *node, struct arena *arena,
                         struct error_finding *finding);
const char *error_action_name(enum error_action action); /* "skip_slice"; "" for NONE */

#endif
