/* auth: credentials, from the description's `auth` to what a request carries.
 *
 * A `struct auth_spec` is what `auth` says, with its values resolved; a `struct auth` runs it: it is shared by all threads of a
 * client and holds the one token cache. client.c is its caller; others only fill a spec:
 *
 *     struct auth_spec spec = {.kind = AUTH_BEARER, .token = secrets_by_name(secrets, "config.api_key")};
 *     rc = auth_new(&spec, &options, &auth, err);          // then client_options.auth owns it
 *
 * All that a spec points to must outlive the auth.
 *
 * oauth2: the token is fetched when first needed and again when it is about to end (expires_in less 60 s or a tenth, whichever
 * is more) or was refused. One thread fetches, the others wait for it and share its result, also its failure. A server that
 * refuses is not asked again. With a store (token_store.h), all processes with the same credential share the tokens: one
 * fetches under the store's lock, the others find what it brought; and it is stored before it is used. */
#ifndef SLUICE_NET_AUTH_H
#define SLUICE_NET_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/http.h"
#include "net/jwt.h"
#include "os/crypto.h"

struct clock;
struct url;
struct secrets;
struct token_store;

/* --- what is wanted ------------------------------------------------------------------------------ */

enum auth_kind {
    AUTH_NONE,
    AUTH_BEARER,
    AUTH_BASIC,
    AUTH_API_KEY,
    AUTH_OAUTH2,
    AUTH_JWT,
    AUTH_SIGV4,
    AUTH_OAUTH1,
    AUTH_HMAC,
    AUTH_SESSION,
};
enum auth_grant {
    AUTH_CLIENT_CREDENTIALS,
    AUTH_REFRESH_TOKEN,
    AUTH_PASSWORD,
    AUTH_JWT_BEARER,
    AUTH_AUTHORIZATION_CODE, /* somebody logs in by a browser (auth_redeem); from then on as AUTH_REFRESH_TOKEN */
    AUTH_DEVICE_CODE,        /* the same by a browser that is elsewhere (device.h) */
};
/* What a call is for. */
enum auth_call {
    AUTH_CALL_TOKEN,       /* as the grant says */
    AUTH_CALL_CODE,        /* for what a browser brought back */
    AUTH_CALL_DEVICE,      /* to device_url: for a code to be typed in elsewhere */
    AUTH_CALL_DEVICE_CODE, /* has somebody? */
};
enum auth_client { AUTH_CLIENT_BODY, AUTH_CLIENT_BASIC, AUTH_CLIENT_ASSERTION }; /* how the client says who it is */
enum auth_place { AUTH_IN_HEADER, AUTH_IN_QUERY, AUTH_IN_COOKIE };
enum auth_encoding { AUTH_HEX, AUTH_BASE64, AUTH_BASE64URL };

struct auth_pair {
    struct str name, value;
};

/* A text with holes that are filled when a request is signed: {{sign.timestamp}} and so on. */
enum auth_part_kind {
    AUTH_PART_TEXT,
    AUTH_PART_TIMESTAMP,    /* unix seconds */
    AUTH_PART_TIMESTAMP_MS, /* unix milliseconds */
    AUTH_PART_TIME,         /* 2026-01-15T10:30:00Z */
    AUTH_PART_NONCE,        /* 32 random hex digits, new for each request */
    AUTH_PART_METHOD,       /* "POST" */
    AUTH_PART_URL,          /* the whole, as sent */
    AUTH_PART_HOST,         /* as the Host header has it */
    AUTH_PART_PATH,         /* of the URL, without its query */
    AUTH_PART_QUERY,        /* without "?" */
    AUTH_PART_TARGET,       /* path, and "?" and query where there is one */
    AUTH_PART_BODY,         /* as sent; here and below empty when sign_body is false */
    AUTH_PART_BODY_SHA256,  /* in hex */
    AUTH_PART_BODY_SHA256_BASE64,
    AUTH_PART_SIGNATURE, /* in headers and parameters only */
};
struct auth_part {
    enum auth_part_kind kind;
    struct str text; /* of AUTH_PART_TEXT */
};
struct auth_text {
    const struct auth_part *parts;
    size_t count;
};
struct auth_sign_field {
    struct str name;
    struct auth_text value;
};

struct auth_sign {
    struct str key;
    enum jwt_key_encoding key_encoding;
    struct auth_text message;
    enum crypto_hash hash;
    enum auth_encoding encoding;
    const struct auth_sign_field *headers;
    size_t header_count;
    const struct auth_sign_field *params; /* of the query; not over a token call */
    size_t param_count;
    bool sign_body;
};

struct auth_oauth2 {
    enum auth_grant grant;
    const char *token_url;               /* absolute */
    struct str client_id, client_secret; /* empty: not sent */
    struct str refresh_token;            /* the configured one; newer ones come from the store */
    struct str scope;                    /* empty: not sent */
    const struct auth_pair *params;      /* further parameters */
    size_t param_count;
    bool json; /* the call's body is JSON instead of a form */
    enum auth_client client;
    struct str username, password;            /* AUTH_PASSWORD */
    struct str login;                         /* of auth_is_login: whose login it is: the pipeline's name */
    const char *authorize_url;                /* and where it begins: absolute */
    const char *redirect_url;                 /* and where the browser comes back: on this machine; without a port: any */
    const char *device_url;                   /* or, by a browser that is elsewhere: absolute; empty: not possible */
    const struct auth_pair *authorize_params; /* of either */
    size_t authorize_param_count;
    struct jwt *assertion;        /* AUTH_JWT_BEARER and AUTH_CLIENT_ASSERTION */
    const struct auth_sign *sign; /* NULL: the call is not signed */
    enum auth_call call;          /* what this call is for */
};

/* A fact of the token call's or the login's answer that is kept with the token. */
struct auth_capture {
    struct str name;
    const char *path; /* in the answer */
};

/* kind jwt: where the token is shown for another one, which requests then carry (GitHub Apps). */
struct auth_exchange {
    const char *url;       /* absolute; NULL: requests carry the JWT itself */
    const char *token_key; /* a path in the answer */
};

struct auth_sigv4 {
    struct str access_key, secret_key;
    struct str session_token; /* empty: none */
    struct str region, service;
};

enum auth_oauth1_method { AUTH_HMAC_SHA256, AUTH_HMAC_SHA1, AUTH_PLAINTEXT };

struct auth_oauth1 {
    struct str consumer_key, consumer_secret;
    struct str token, token_secret; /* empty: none, the consumer speaks for itself */
    struct str realm;               /* empty: none */
    enum auth_oauth1_method method;
};

enum auth_source { AUTH_FROM_BODY, AUTH_FROM_HEADER, AUTH_FROM_COOKIE };

/* A login call whose answer has a token, which goes as `prefix`, `name` and `into` say. */
struct auth_session {
    const char *login_url; /* absolute */
    const char *method;    /* "POST" */
    struct str body;       /* as sent; empty: none */
    bool json;             /* what it is; else a form */
    const struct auth_pair *headers;
    size_t header_count;
    struct str username, password; /* shown by Basic authentication; empty: it is not */
    enum auth_source from;
    const char *token;   /* its path in the answer, or the name of the header or cookie */
    int64_t lifetime_ms; /* how long it lasts; 0: as the answer says, or until it is refused */
};

enum { AUTH_POOL_MAX = 64 };

struct auth_spec {
    enum auth_kind kind;
    const struct str *pool;              /* bearer, api_key: several, `token` or `key` being the first */
    size_t pool_count;                   /* 0: there is only that one */
    struct str token;                    /* bearer */
    struct str prefix;                   /* bearer, jwt: "Bearer"; api_key, session: "" (put before it, with a space between) */
    struct str username, password;       /* basic */
    struct str key;                      /* api_key */
    struct str name;                     /* api_key, session: of the header, parameter or cookie */
    enum auth_place into;                /* api_key, session */
    const struct auth_capture *captures; /* oauth2, session */
    size_t capture_count;
    struct auth_oauth2 oauth2;
    struct jwt jwt;
    struct auth_exchange exchange; /* jwt */
    struct auth_sigv4 sigv4;
    struct auth_oauth1 oauth1;
    struct auth_sign hmac;
    struct auth_session session;
};

struct auth_options {
    struct clock *clock;
    struct secrets *secrets;   /* new tokens are registered for redaction; may be NULL */
    struct token_store *store; /* NULL: tokens last as long as the process; owned from here on */
    bool fetches_always;       /* a stored access token is not used at first: what is recorded must hold the token call */
};

/* Are there tokens that a store should keep? */
bool auth_keeps_tokens(const struct auth_spec *spec);
/* Does somebody log in, by a browser? */
bool auth_is_login(const struct auth_spec *spec);
/* The credential's name, a digest: equal where the tokens of one are those of the other. By the refresh token where there is
 * one, since a server that rotates it knows it by nothing else; otherwise by all that a token call says. */
void auth_identity(const struct auth_spec *spec, char out[SHA256_HEX_SIZE]);

/* The spec of one of a pool. */
struct auth_spec auth_of_pool(const struct auth_spec *spec, size_t i);

struct auth;

/* Checks the spec: CONFIG when a value is missing or holds what a header cannot. The store is taken over in any case. */
int auth_new(const struct auth_spec *spec, const struct auth_options *options, struct auth **out, struct err *err) MUST_USE;
void auth_free(struct auth *auth); /* NULL is fine; wipes tokens */

/* "Basic dXNlcjpwdw==" (RFC 7617). */
struct str auth_basic_value(struct str username, struct str password, struct arena *arena);

/* --- for the client ------------------------------------------------------------------------------ */

/* How the token call is sent: as a request without credentials, with guard, limits and retries. Gives 0 with any answer that is
 * final, also a refusal (4xx): what it means is read here. */
struct auth_sender {
    int (*send)(void *context, const struct http_request *request, struct arena *arena, struct http_response *response,
                struct err *err);
    void *context;
};

/* What one request carries. At most one of header, parameter and cookie is there: an empty name means none. */
struct auth_credentials {
    struct http_header header;
    struct auth_pair param;  /* as it is: to be encoded */
    struct auth_pair cookie; /* as it stands on the wire; goes along with the request's other cookies */
    uint64_t generation;     /* for auth_refused */
};

/* The credentials of the moment, in `arena`; fetches a token when there is none that is good. AUTH when it is refused, CONFIG,
 * or what the sender gives. */
int auth_credentials(struct auth *auth, const struct auth_sender *sender, struct arena *arena,
                     struct auth_credentials *credentials, struct err *err) MUST_USE;

enum { AUTH_SIGNING_HEADERS_MAX = 4 }; /* of kinds whose headers are not declared */

/* What signs one request. */
struct auth_signature {
    const struct http_header *headers; /* they replace its own of the same names */
    size_t header_count;
    const char *url;          /* where it goes, with further parameters; NULL: where it went anyhow */
    const struct str *params; /* the names of these */
    size_t param_count;
};

/* Signs a request which is otherwise ready, `url` being where it goes. Asked for each time that it is sent, at the last moment,
 * since the time is signed too. Of a kind that does not sign: nothing. */
int auth_sign_request(const struct auth *auth, const struct http_request *request, const struct url *url, struct arena *arena,
                      struct auth_signature *signature, struct err *err) MUST_USE;

/* A request with credentials of this generation was answered 401. True when asking auth_credentials again gives others. */
bool auth_refused(struct auth *auth, uint64_t generation);

/* auth_is_login: gets and stores tokens for what a browser login brought (code, redirect_uri, code_verifier), or for a device's
 * code. `error` is the server's own word for why not (RFC 6749 5.2), empty when it has none or there was no answer. */
enum { AUTH_ERROR_MAX = 64 };
int auth_redeem(struct auth *auth, const struct auth_sender *sender, enum auth_call call, const struct auth_pair *params,
                size_t count, char error[AUTH_ERROR_MAX], struct err *err) MUST_USE;
/* What the store holds, without asking anybody. */
struct auth_stored {
    bool has_access_token, has_refresh_token;
    int64_t renew_at_us; /* of the access token, wall clock; INT64_MAX: when it is refused */
};
int auth_look(struct auth *auth, struct auth_stored *stored, struct err *err) MUST_USE;
int auth_forget(struct auth *auth, struct err *err) MUST_USE; /* empties the store */

/* Appends the captured fact of that name, once a token was fetched or found; nothing when the answer had none. Not while
 * others ask for credentials. */
void auth_fact(const struct auth *auth, struct str name, struct buf *out);

const char *auth_kind_name(const struct auth *auth); /* "bearer" */

#endif
