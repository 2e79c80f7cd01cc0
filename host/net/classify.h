/* classify: what an answer's status means. Pure. */
#ifndef SLUICE_NET_CLASSIFY_H
#define SLUICE_NET_CLASSIFY_H

#include <stdbool.h>

#include "net/http.h"

struct verdict {
    int class;         /* 0, or enum err_class */
    bool was_not_done; /* the source says it did not do what was asked: even what must not be done twice may be sent again */
    const char *hint;  /* "": the class's own will do */
};

struct verdict classify(const struct http_response *response);

/* 301, 302, 303, 307, 308: a redirect that can be followed. */
bool classify_is_redirect(int status);

/* The method to follow it with (RFC 9110 15.4): a 303 asks for GET, and so do 301 and 302 in answer to POST, as everybody does.
 */
const char *classify_redirect_method(int status, const char *method);

/* "Not Found"; "" when we have no word for it. */
const char *classify_status_text(int status);

#endif
