/* authorize: what a browser login begins with and is held against (RFC 6749 4.1, PKCE of RFC 7636 with S256): a state and a
 * verifier that nobody can guess, the URL to open, and where the browser comes back to. */
#ifndef SLUICE_NET_AUTHORIZE_H
#define SLUICE_NET_AUTHORIZE_H

#include "base/arena.h"
#include "base/err.h"
#include "net/auth.h"

enum { AUTHORIZE_SECRET_SIZE = 65 }; /* 256 bits in hex, terminated */

struct authorization {
    char state[AUTHORIZE_SECRET_SIZE];
    char verifier[AUTHORIZE_SECRET_SIZE];
    const char *redirect_uri; /* with the port */
    const char *path;         /* of the redirect */
    const char *url;          /* to be opened; holds no secret that the browser may not see */
};

/* The port that the redirect names; 0: any. CONFIG when it does not lead to this machine by http. */
int authorize_port(const struct auth_oauth2 *oauth2, struct arena *arena, int *port, struct err *err) MUST_USE;
/* A new login, whose redirect comes to `port`. Texts live in `arena`. */
int authorize_begin(const struct auth_oauth2 *oauth2, int port, struct arena *arena, struct authorization *out,
                    struct err *err) MUST_USE;
/* Appends the challenge that goes with a verifier (RFC 7636 4.2, S256). */
void authorize_challenge(struct str verifier, struct buf *out);

#endif
