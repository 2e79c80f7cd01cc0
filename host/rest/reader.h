/* reader: the fetching side of one slice: page after page, complete and verified.
 *
 * It builds the request, sends it through the client, makes sure that the answer is a whole JSON document, reads from it only
 * what paging needs, and hands the body on, so that the next request leaves while this page is being decoded. An answer that is
 * cut, empty or HTML where JSON is due is asked for again, with the client's retry policy, before it is an error (TRANSIENT).
 *
 *     reader = reader_new(&options);
 *     while ((rc = reader_next(reader, &page, err)) > 0) { ... page_release(&page); }
 *     reader_free(reader);
 *
 * One thread. The functions given to it are used here for requests and next pages; the decoding thread uses the same in turn.
 */
#ifndef SLUICE_REST_READER_H
#define SLUICE_REST_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/block.h"
#include "net/client.h"
#include "rest/description.h"
#include "rest/request.h"

struct budget;
struct cancel;
struct clock;
struct native_page;
struct log;
struct secrets;

/* How a stream of a plugin is read. */
struct native_order {
    struct str tables; /* native_slice.tables; empty: the stream's declared fields */
    struct budget *budget;
    bool incremental, continuous, sample;
    /* The newest checkpoint that is durable, a text to be freed; NULL: none. May be NULL. */
    char *(*committed)(void *context);
    void *context;
};

struct reader_options {
    struct request_source source; /* with stream set; all it points to must outlive the reader */
    struct client *client;        /* whose allowed hosts a next page's URL must be among */
    struct session *session;      /* this thread's */
    const char *position;         /* resume text of an earlier run; NULL: the first page */
    struct retry_policy retry;
    struct clock *clock;
    struct cancel *cancel;
    struct log *log;          /* may be NULL */
    const char *state_folder; /* holds bodies of streams while they are read, see fs_state_folder; NULL: the default */
    const char *job;          /* of a stream with a job: the one that an earlier run made, see job.h; NULL: none */
    const char *old_jobs;     /* that nobody will ask for again, a line each: they are deleted first; NULL: none */
    void (*job_made)(void *context, const char *job); /* told of each one that was made, before it is waited for; may be NULL */
    void *job_context;
    struct secrets *secrets;    /* a position that holds one is not given out; may be NULL */
    struct native_order native; /* of a native stream */
};

/* A page, or a part of one: a large answer, and one of rows (rest/format/parts.h), is handed on a document at a time. Nothing
 * covers a part but the last. */
struct page {
    struct block *body;       /* JSON, but for a function that parses; the caller's reference */
    struct native_page *rows; /* of a native stream that gives rows; `body` is their block then; NULL: it is not */
    uint64_t number;          /* 0-based, in this run of the slice */
    uint64_t lap;             /* pages_overlap: its records may come again in the next lap */
    bool continues;           /* more of this page follows */
    bool last;
    char *token;      /* the source's own, behind this page; NULL: it has none */
    bool has_records; /* known only where tokens are looked for */
    char *position;   /* where a later run goes on after this page; NULL: nowhere, or it was the last */
    char *added;      /* what the stream adds to its records, see reshape_page; NULL: nothing */
    char *context;    /* the context (JSON) for the stream's record functions; NULL when it has none */
};

void page_release(struct page *page);

struct reader;

struct reader *reader_new(const struct reader_options *options); /* the options are copied */
void reader_free(struct reader *reader);                         /* NULL is fine */

/* 1: a page; 0: there are no more; or a negative class. After an error or the end it gives no more pages. */
int reader_next(struct reader *reader, struct page *page, struct err *err) MUST_USE;

/* What an error of reader_next is to the slice: the end of its flow, or something a rule of the connector (errors.h) or the
 * place it happened at has an answer to. */
enum reader_end {
    READER_FAILED,
    READER_STARTS_OVER,   /* the slice starts again from its beginning: by a rule, or because the source refused the position
                             that was to be resumed at (400, 404, 410, 422 on the first request) */
    READER_TOKEN_REFUSED, /* likewise, of the sync token it was to begin at */
    READER_SPLITS_WINDOW, /* what was asked for is too much: by a rule, it took too long (a time-out, 408, 413, 504), or it is
                             more than a query gives (pages.cap) */
    READER_SKIPS_SLICE,   /* what was read of it is all there is */
    READER_REJECTS,       /* the same, and reader_rejected is kept */
    READER_SKIPS_STREAM,  /* the stream cannot be had */
};
enum reader_end reader_end(const struct reader *reader);
struct str reader_rejected(const struct reader *reader); /* the answer's body, its first 64 KiB; until reader_free */

/* Sends a native plugin's own request: its URL may be a path behind the base. As client_send, and PERMISSION for hosts that are
 * not allowed; an answer of 400 or more is an error by what it means. */
int native_send(struct session *session, const struct request_source *source, struct http_request *request, struct arena *arena,
                struct http_response *response, struct err *err) MUST_USE;

/* The connector's check: sends its check request, or the first stream's first page where there is none. `source->request` and
 * `source->stream` are set here. */
int reader_check(struct session *session, const struct request_source *source, struct err *err) MUST_USE;

#endif
