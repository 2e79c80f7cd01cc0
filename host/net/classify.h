/* classify: what an answer means: by whoever asked, who may know better, else by its status. */
#ifndef SLUICE_NET_CLASSIFY_H
#define SLUICE_NET_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http.h"

struct verdict {
    int class;         /* 0: an answer to give to whoever asked; or enum err_class */
    bool was_not_done; /* the source says it did not do what was asked: even what must not be done twice may be sent again */
    bool renews_auth;  /* once, if the credentials can be renewed */
    int64_t wait_ms;   /* that the source asks for before it is asked again; -1: it does not say */
    const char *hint;  /* "": the class's own will do */
};

/* By its status. Pure. */
struct verdict classify(const struct http_response *response);

/* Whoever asked, as a judge of the answers. A session has one question in hand, so it is called from one thread. */
struct http_judge {
    /* Does it know what the answer means? Then *verdict, which is filled as by classify before, is what it says. 0, or a
     * failure of its own, which ends the request. */
    int (*judge)(void *context, const struct http_response *response, struct verdict *verdict, struct err *err);
    void *context;
};

/* 301, 302, 303, 307, 308: a redirect that can be followed. */
bool classify_is_redirect(int status);

/* The method to follow it with (RFC 9110 15.4): a 303 asks for GET, and so do 301 and 302 in answer to POST, as everybody does.
 */
const char *classify_redirect_method(int status, const char *method);

/* "Not Found"; "" when we have no word for it. */
const char *classify_status_text(int status);

#endif
