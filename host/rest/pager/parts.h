/* parts: what the files of the pager share: its state, what a page says beside its records, and the table of kinds. Only they
 * include this. */
#ifndef SLUICE_REST_PAGER_PARTS_H
#define SLUICE_REST_PAGER_PARTS_H

#include "base/buf.h"
#include "base/json.h"
#include "rest/pager.h"
#include "rest/pager/loop.h"

struct pager {
    const struct pages *pages; /* that move: those inside capped_keyset, else as `declared` */
    const struct pages *declared;
    struct page_place place;
    int64_t size;    /* records asked for per page: as declared, or less for a while; 0: not declared */
    int calm;        /* pages since it became less */
    struct buf next; /* the token or URL that place points into */
    int64_t seen;    /* raw records up to here, earlier runs of the same slice included; capped_keyset: since its last start */
    uint64_t read;   /* pages of this run */
    struct trail trail;
    struct echo echo;
    bool is_over, is_capped;
    int64_t total, total_pages; /* as the newest page says; -1: it does not */
    /* time_next */
    const char *first_time; /* NULL: not told */
    struct buf warning;
    /* capped_keyset */
    struct buf key;      /* that place points into: all of this lap comes behind it */
    struct buf last_key; /* of the newest record */
    int direction;       /* of keys that are numbers; 0: not known yet */
};

/* What the page says beside its records; -1: it does not say. */
struct page_says {
    int more;
    int64_t total, total_pages;
    struct json_value next;
};

struct pager_kind {
    const char *name;
    /* Goes to the first page (`position` is NULL), or to the position. */
    int (*resume)(struct pager *pager, const struct cJSON *position, struct err *err);
    /* Moves on: 1, 0 when it is over, or a negative class. */
    int (*move)(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err);
    /* Writes the members of a position; NULL: there are none. */
    void (*write)(const struct pager *pager, struct json_writer *writer);
    bool counts_records;
};

const struct pager_kind *pager_kind_of(const struct pages *pages);
extern const struct pager_kind PAGER_PAGE, PAGER_OFFSET;                                                        /* counted.c */
extern const struct pager_kind PAGER_CURSOR, PAGER_NEXT_URL, PAGER_LINK, PAGER_HEADER_TOKEN, PAGER_LAST_RECORD; /* tokens.c */
extern const struct pager_kind PAGER_TIME_NEXT;                                                                 /* time.c */

/* Is there more? By what is known, from the surest to the weakest: no records, the flag, counts, the stop rule. */
bool pager_goes_on(const struct pager *pager, const struct page_facts *facts, const struct page_says *says);

/* Puts the text of a token, URL, time or key into `into`; 0: there is none. `where`: the key of `pages` that led to it. */
int pager_take_text(struct buf *into, struct str text, struct err *err);
int pager_take_value(struct buf *into, const struct json_value *value, const char *where, const char *path, struct err *err);

bool pager_read_number(const struct cJSON *position, const char *key, int64_t *number);
void pager_write_number(struct json_writer *writer, const char *key, int64_t number);

int pager_loop(struct err *err, const char *what, struct str text); /* DATA "page loop" */

/* keyset.c: capped_keyset around what the pages inside it did (`moved`), and the way back to a position. */
int pager_keyset_move(struct pager *pager, const struct page_facts *facts, int moved, struct err *err);
int pager_keyset_resume(struct pager *pager, const struct cJSON *position, struct err *err);
/* Caps of other kinds: DATA, and pager_capped, when a query cannot give all there is. */
int pager_check_cap(struct pager *pager, const struct page_says *says, int moved, struct err *err);
/* Would the next page go past the cap? */
bool pager_is_full(const struct pager *pager);

#endif
