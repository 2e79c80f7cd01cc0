/* url: taking URLs apart, putting them together, showing them. The one place that uses libcurl's URL parser: what is checked is
 * parsed by the code that later connects.
 *
 *     struct url url;
 *     if ((rc = url_parse(text, &arena, &url, err)) != 0) ...           // url.host, url.port, url.text
 *     struct buf next = BUF_INIT(URL_MAX_BYTES);
 *     rc = url_resolve(str_from(response.url), STR("?page=2"), &next, err);
 *     url_set_param(&next, STR("limit"), STR("100"));
 *
 * Any scheme parses (which ones may be spoken is guard.h's matter), but never a URL with a user or password in it, with a host
 * that is not plain ASCII, or with control characters. Spaces and bytes over 127 behind the host are percent-encoded, fragments
 * are dropped. Pure functions, no limit on threads. */
#ifndef SLUICE_NET_URL_H
#define SLUICE_NET_URL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct secrets;

enum { URL_MAX_BYTES = 256 * 1024 };

struct url {
    const char *scheme; /* "https"; lower case */
    const char *host;   /* "api.example.com", "127.0.0.1", "::1"; lower case, number spellings normalised, no brackets */
    int port;           /* the scheme's own when none is written; 0 when the scheme has none we know */
    const char *path;   /* "/orders", as it stands on the wire; at least "/" */
    const char *query;  /* "page=2", as it stands on the wire; NULL: none */
    const char *text;   /* the whole, normalised, without a fragment and without the scheme's own port */
};

/* Reads an absolute URL; the parts live in `arena`. CONFIG with the reason; *url is untouched then. */
int url_parse(struct str text, struct arena *arena, struct url *url, struct err *err) MUST_USE;

/* Appends to `out` the absolute URL that `reference` (absolute or relative, RFC 3986 5.2) means at `base`. Meant for what a
 * source sends: a reference that is empty or cannot be read is DATA. */
int url_resolve(struct str base, struct str reference, struct buf *out, struct err *err) MUST_USE;

/* The same scheme, host and port (RFC 6454 4)? */
bool url_same_origin(const struct url *a, const struct url *b);

/* Appends `text` percent-encoded, all but RFC 3986's unreserved characters: right for a segment of a path and for a name or
 * value in a query or a form. */
void url_encode(struct str text, struct buf *out);

/* Appends "name=value" with both encoded, behind "&" unless `form` is empty: a form's body, or a query without its "?". */
void url_add_form(struct buf *form, struct str name, struct str value);

/* Sets a parameter of a URL without a fragment: those of that name (written plainly or as we encode it) are taken out, then it
 * is added at the end. `url` must have room: check failed. */
void url_set_param(struct buf *url, struct str name, struct str value);

/* Appends a URL as it may be printed: secrets replaced, also the values of parameters that are named like credentials or
 * signatures ("access_token", "X-Amz-Signature"), user and password left out, cut to 400 bytes with "...". `secrets` may be
 * NULL. */
void url_redact(struct str url, const struct secrets *secrets, struct buf *out);

#endif
