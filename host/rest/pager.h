/* pager: the pages of one slice, as a state machine without I/O: what the next request carries, and when it is over.
 *
 *     pager = pager_new(&stream->pages);
 *     rc = pager_start(pager, resume, err);                // resume: a position of an earlier run, or empty
 *     do { send pager_place(pager); fill facts;
 *     } while ((rc = pager_next(pager, &facts, err)) > 0);
 *
 * Ends: an empty page (page, offset), a short page where the stream says so, a `more` or `last` flag, a total, no next token
 * (absent, null, false, empty). What counts is the raw number of records, before any filter. An answer that could make it
 * run for ever is DATA "page loop": a token or URL that comes again, after however many pages, or non-empty bodies that repeat;
 * so is passing max_pages. A position is JSON text of the request that comes next; a stream that declares itself `stable` can
 * be resumed there. */
#ifndef SLUICE_REST_PAGER_H
#define SLUICE_REST_PAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "base/str.h"

enum pages_kind {
    PAGES_NONE,
    PAGES_PAGE,
    PAGES_OFFSET,
    PAGES_CURSOR,
    PAGES_NEXT_URL,
    PAGES_LINK_HEADER,
    PAGES_HEADER_TOKEN,
    PAGES_LAST_RECORD,
    PAGES_TIME_NEXT,
    PAGES_CAPPED_KEYSET,
    PAGES_KIND_COUNT
};

enum pages_stop { STOP_EMPTY, STOP_SHORT };

/* The `pages` of a stream. Paths and names are NULL when not declared. */
struct pages {
    enum pages_kind kind;
    const char *param;         /* carries the number, offset or token */
    const char *size_param;    /* carries the size */
    bool sends_size;           /* by size_param or a template: a smaller one can be asked for */
    bool into_body;            /* both go into the body instead of the query */
    int64_t start;             /* page, offset: the first one */
    const char *first_token;   /* cursor, header_token, last_record, time_next: sent with the first request */
    int64_t size;              /* 0: not declared */
    const char *more;          /* path of a flag that is true while pages follow */
    const char *last;          /* path of a flag that is true on the last page */
    const char *total;         /* path of the number of records in all */
    const char *total_pages;   /* path of the number of pages in all */
    const char *next;          /* path of the token or URL */
    const char *next_function; /* instead of the path: "streams.orders.pages.next" */
    const char *relation;      /* link_header: "next" */
    const char *header;        /* header_token: its name */
    const char *end;           /* header_token: the value that means the end, beside none */
    const char *field;         /* last_record: path within the record */
    const char *format;        /* time_next: of its times */
    int64_t cap;               /* so many records are all that one query gives; 0: no cap */
    const char *key;           /* capped_keyset: path within a record of what the next query begins behind */
    const char *key_param;     /* capped_keyset: carries it */
    const char *key_start;     /* capped_keyset: sent with the first query */
    bool key_into_body;
    bool inclusive;            /* capped_keyset: the filter lets the key's own value through again */
    const struct pages *inner; /* capped_keyset: what pages up to the cap; NULL for other kinds */
    bool keep_params;          /* later requests carry the stream's own parameters too */
    enum pages_stop stop;
    int64_t max_pages;
    int64_t parallel; /* page, offset: so many requests at once, where the source tells the total; 1: one after the other */
    bool stable;
};

enum { PAGER_TOKEN_MAX = 64 * 1024, PAGER_PATHS_MAX = 5, PAGER_CALM = 10 };

/* What the request in hand carries. Unused parts are empty. */
struct page_place {
    uint64_t index; /* 0-based, counted from where this run began */
    bool has_number;
    int64_t number; /* page: its number */
    bool has_offset;
    int64_t offset;   /* offset: records before it */
    struct str token; /* cursor and its like: the token; time_next: the time */
    struct str url;   /* next_url, link_header: where to go, absolute; empty: the stream's own path */
    struct str key;   /* capped_keyset: the query gives what comes behind it */
    int64_t size;     /* records to ask for; 0: as declared */
    uint64_t lap;     /* pages_overlap: the records of one lap may come again in the next, no later */
    bool own_params;  /* the stream's own parameters go with it */
};

/* What is known about the page just read. */
struct page_facts {
    const struct json_value *found; /* the values at pager_paths, in that order; text in the body */
    bool records_known;             /* false: the connector's own function finds them */
    size_t records;                 /* raw; asked for when pager_counts_records says so */
    uint64_t body_hash;
    bool (*has_records)(void *context); /* asked when two bodies are the same: did this one hold records? */
    void *context;
    struct str url;         /* that answered: what a relative next URL is resolved against */
    struct str link;        /* link_header: the next target, empty when there is none */
    struct str header;      /* header_token: its value, empty when there is none */
    struct json_value last; /* the value at pager_last_path in the last record */
    struct str next_json;   /* next function: its result */
};

struct pager;

struct pager *pager_new(const struct pages *pages); /* which must outlive it */
void pager_free(struct pager *pager);               /* NULL is fine */

/* time_next: when the first page begins, where `start` does not say; it must outlive the pager. Before pager_start. */
void pager_first_time(struct pager *pager, const char *time);

/* Goes to the first page, or to `position`. DATA when a position cannot be read or is of another kind of pages. */
int pager_start(struct pager *pager, struct str position, struct err *err) MUST_USE;
const struct page_place *pager_place(const struct pager *pager); /* valid until pager_next */

/* Moves on. 1: there is a next page; 0: that was the last; or a negative class. */
int pager_next(struct pager *pager, const struct page_facts *facts, struct err *err) MUST_USE;

/* May the page in hand be asked for in half the size? Not when its size is 1 or not declared, when the place depends on it
 * (page numbers), or is a URL of the source's making. */
bool pager_can_shrink(const struct pager *pager);
void pager_shrink(struct pager *pager); /* does so, from here on; after PAGER_CALM pages that came the size doubles again */

/* The place `steps` behind the one in hand, where totals say that there is one and how large pages are; false: that is not
 * known. It is a guess: a page with fewer records, or another total, moves what follows. */
bool pager_ahead(const struct pager *pager, int64_t steps, struct page_place *place);
/* Takes the place for the one in hand: for a pager that does not move. */
void pager_go(struct pager *pager, const struct page_place *place);

bool pager_capped(const struct pager *pager);         /* after an error: it is the cap; smaller windows would get by */
const char *pager_warning(const struct pager *pager); /* what the user should hear of the last move; NULL: nothing */

/* Where pager_place stands, as JSON text to be freed; NULL when the stream is not stable or it is over. */
char *pager_position(const struct pager *pager);

size_t pager_paths(const struct pages *pages, const char *paths[PAGER_PATHS_MAX]);
bool pager_counts_records(const struct pages *pages);
const char *pager_last_path(const struct pages *pages);      /* of the value wanted of the last record; NULL: none */
bool pages_overlap(const struct pages *pages);               /* may a record come again in a later page? */
const struct pages *pages_moving(const struct pages *pages); /* those inside capped_keyset, else the same */
const char *pages_kind_name(enum pages_kind kind);

#endif
