/* scheme: how senders of webhooks sign what they send. One row per sender, from its documentation; `hmac` and `token` are for
 * the others, described by the pipeline. Pure. */
#ifndef SLUICE_HOOK_SCHEME_H
#define SLUICE_HOOK_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "os/crypto.h"

/* Where in its header a signature stands. */
enum hook_form {
    HOOK_WHOLE, /* "sha256=AB..": behind `mark` */
    HOOK_PAIRS, /* "t=1,v1=AB,v1=CD": each that is named `mark` */
    HOOK_LIST,  /* "v1,AB v1,CD": behind `mark` in each */
};

/* What a sender asks before it sends, or to see that we are who we say. */
enum hook_challenge {
    HOOK_NO_CHALLENGE,
    HOOK_SLACK, /* {"type": "url_verification", "challenge": ".."}: the same back */
    HOOK_ZOOM,  /* {"event": "endpoint.url_validation", "payload": {"plainToken": ".."}}: that, and its HMAC */
    HOOK_META,  /* GET ?hub.mode=subscribe&hub.verify_token=..&hub.challenge=..: the challenge back, as text */
};

struct hook_scheme {
    const char *name;
    const char *header; /* of the signature; NULL: nothing is signed */
    enum hook_form form;
    const char *mark; /* "": none */
    bool is_token;    /* the header is the secret itself */
    enum crypto_hash hash;
    bool is_base64;        /* the signature; else hexadecimal */
    bool has_base64_key;   /* the secret is base64, behind "whsec_" if that is there */
    const char *message;   /* what is signed: {body} {timestamp} {id} {method} {url} {form} among other text */
    const char *timestamp; /* its header, or the pair's name; NULL: none. Seconds, milliseconds or RFC 3339 */
    int64_t tolerance_ms;  /* it may be so much older or newer than our clock; 0: any */
    const char *id;        /* "header:NAME" or a path in the body; NULL: the digest of the event's text */
    bool decodes_url;      /* HubSpot's rule: %3A %2F %3F %40 %21 %24 %27 %28 %29 %2A %2C %3B of the url are decoded */
    enum hook_challenge challenge;
};

extern const struct hook_scheme HOOK_SCHEMES[];
extern const size_t HOOK_SCHEME_COUNT;
extern const char HOOK_SCHEME_NAMES[]; /* "stripe|github|..": for the option table */

const struct hook_scheme *hook_scheme_find(struct str name); /* NULL when there is none */

#endif
