/* ahead: pages that are requested before their turn, by threads of their own, where it is known which come next.
 *
 *     ahead = ahead_new(count, contexts, run);               // a context for each thread
 *     ahead_want(ahead, places, count);                      // once a page: the one in hand, and those that follow it
 *     struct ahead_page *page = ahead_take(ahead, &place);   // NULL: nobody was asked for it
 *     ahead_free(ahead);
 *
 * Only the order of asking changes: whoever takes pages goes on as if they had been asked for one after the other, and what was
 * asked for in vain (the place turned out to be another) is dropped. One thread uses it. */
#ifndef SLUICE_REST_AHEAD_H
#define SLUICE_REST_AHEAD_H

#include "base/err.h"
#include "net/http.h"
#include "rest/pager.h"

enum { AHEAD_MAX = 16 };

struct ahead_page {
    struct page_place place;
    int rc;                        /* of `response`; a page that failed is asked for again in its turn, by the rules of that */
    struct http_response response; /* the taker's; its headers and URL live until ahead_want */
    struct json_value found[PAGER_PATHS_MAX]; /* at pager_paths */
};

/* Fetches page->place. Each context is one thread's. */
typedef void ahead_run(void *context, struct ahead_page *page);

struct ahead;

struct ahead *ahead_new(size_t count, void *const *contexts, ahead_run *run); /* NULL when there are no threads to be had */
void ahead_free(struct ahead *ahead);                                         /* waits for what is under way; NULL is fine */

void ahead_want(struct ahead *ahead, const struct page_place *places, size_t count);
struct ahead_page *ahead_take(struct ahead *ahead, const struct page_place *place);

#endif
