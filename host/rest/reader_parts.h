/* reader_parts: what a reader is made of, shared by reader.c (pages and their parts), reader_answer.c (an answer that is whole
 * and a document), reader_widen.c (what is asked for beside a page) and reader_facts.c (what the pager is told). Nobody else
 * includes this. */
#ifndef SLUICE_REST_READER_PARTS_H
#define SLUICE_REST_READER_PARTS_H

#include "base/jsonscan.h"
#include "rest/ahead.h"
#include "rest/chunks.h"
#include "rest/errors.h"
#include "rest/format/parts.h"
#include "rest/reader.h"

enum { WANTED_PATHS_MAX = PAGER_PATHS_MAX + 1, READER_DIFFERING_MAX = 8 };

struct reader {
    struct reader_options options;
    const struct stream_description *stream;
    struct pager *pager;
    struct arena arena; /* of the page in hand */
    struct error_judge judge;
    struct arena kept;    /* as long as the reader */
    struct chunks chunks; /* the first group is what `options.source` asks for */
    bool groups_differ;   /* the answers to the groups of a page do not hold the same records */
    bool asks_beside;     /* the request in hand is not the page's own */
    struct ahead *ahead;  /* pages requested before their turn; NULL: none */
    struct reader *lanes[AHEAD_MAX];
    size_t lane_count;
    uint64_t pages;
    /* An answer that comes in parts. */
    struct http_response response;
    struct parts *parts; /* NULL: none is in hand */
    struct spool *spool; /* of a stream, made for its first answer */
    size_t part_records;
    uint64_t part_hash;
    /* The slice's job. */
    char *job; /* what `source.job` points to; NULL: there is none, or none any more */
    struct arena job_arena;
    bool job_has_ended; /* done or failed, as a poll has said */
    bool asks_job;      /* the request in hand is one of the job's own */
    bool is_started, is_over, has_all;
    /* Of a native stream: */
    struct native_page *native; /* bytes that are being read in parts */
    char *checkpoint;           /* the newest one that was handed on */
    bool is_uncovered;          /* rows were handed on behind it */
    bool request_failed;        /* the plugin's newest one */
    enum reader_end end;
};

/* Builds the request for the page in hand. */
int reader_request(struct reader *reader, struct http_request *request, struct err *err);

/* Does the stream ask for more than one answer a page? */
static inline bool reader_widens(const struct reader *reader)
{
    return reader->chunks.count > 1 || reader->stream->enrich_count > 0;
}
/* Asks for what else the page needs, and puts it into the answer; what is found in it is found anew. TRANSIENT with
 * `groups_differ` when its groups do not have the same records; is_too_much when it becomes too large. */
int reader_widen(struct reader *reader, struct http_response *response, const char *const *paths, struct json_value *found,
                 size_t path_count, struct err *err);

/* Is the body a whole JSON document? Finds the paging fields on the way. TRANSIENT when not, DATA when it never can be taken.
 */
int reader_survey(const struct block *body, const char *const *paths, struct json_value *found, size_t count, struct err *err);
/* Nothing, and nothing after it. */
bool reader_has_no_content(const struct reader *reader, const struct http_response *response);
/* The answer's documents, one after the other. */
struct parts *reader_parts_of(const struct reader *reader, const struct http_response *response);
/* Makes the file that a streamed body goes to, if the stream has such and there is none yet. */
int reader_open_spool(const struct stream_description *stream, const char *state_folder, struct arena *arena,
                      struct spool **spool, struct err *err);
/* Sends until the answer is a document, or the policy gives up. */
int reader_fetch(struct reader *reader, struct http_request *request, struct http_response *response, const char *const *paths,
                 struct json_value *found, size_t path_count, struct err *err);

/* What a failed request means for the slice. */
enum reader_end reader_end_of(const struct reader *reader, const struct err *err);
/* The text, or NULL (and it is freed) when it holds a secret: what is stored is stored in the clear. */
char *reader_without_secret(const struct reader *reader, char *text);

/* Makes the job, or takes it over, and waits until it can be downloaded. Sets reader->end when it fails, and is_over when a
 * rule says that there is nothing. */
int reader_begin_job(struct reader *reader, struct err *err);
/* Nobody asks for it again: deletes it at the source, if that can be done. */
void reader_end_job(struct reader *reader);

/* The next page of a native stream, or a part of it. As reader_next. */
int reader_native_page(struct reader *reader, struct page *page, struct err *err);

struct counting {
    size_t records;
    struct str last; /* as it stands in the body */
};
int reader_count(const struct reader *reader, const struct block *body, struct counting *counting, struct err *err);
bool reader_has_records(const struct reader *reader, const struct block *body);
/* Tells the pager what the answer holds. 1: there is a next page; 0: that was the last; or a class. */
int reader_move_on(struct reader *reader, const struct http_response *response, const struct json_value *found,
                   struct err *err);

#endif
