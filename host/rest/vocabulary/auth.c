/* auth: the keys of each way to log in. */
#include "rest/vocabulary/tables.h"

static const struct option AUTH_NONE[] = {KIND};

/* Several credentials where one would do, each with an allowance of its own at the source. */
#define POOL(what)                                                                                                             \
    {                                                                                                                          \
        "pool", OPTION_STRING, SECRET, NULL, NULL, NULL,                                                                       \
            "further " what " with limits of their own, between commas: `{{config." what "}}` of type list; each request "     \
            "takes the one with the most left"                                                                                 \
    }

static const struct option AUTH_BEARER[] = {
    KIND,
    {"token", OPTION_STRING, SECRET, NULL, NULL, NULL, "sent as `Authorization: PREFIX TOKEN`; may be left out beside `pool`"},
    POOL("tokens"),
    {"prefix", OPTION_STRING, TEMPLATE, "Bearer", NULL, NULL, "the word before the token"},
};
static const struct option AUTH_BASIC[] = {
    KIND,
    {"username", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "user name, or a key that stands in its place"},
    {"password", OPTION_STRING, SECRET, "", NULL, NULL, "password; may be empty"},
};
static const struct option AUTH_API_KEY[] = {
    KIND,
    {"key", OPTION_STRING, SECRET, NULL, NULL, NULL, "the key; may be left out beside `pool`"},
    POOL("keys"),
    {"name", OPTION_STRING, TEMPLATE, "X-API-Key", NULL, NULL, "header, parameter or cookie that carries it"},
    {"into", OPTION_ENUM, 0, "header", "header|query|cookie", NULL,
     "where it goes; percent-encoded as a query or a cookie needs it"},
    {"prefix", OPTION_STRING, TEMPLATE, "", NULL, NULL, "put before the key, with a space between"},
};

/* How a secret is written that is no text. */
#define KEY_ENCODING(help)                                                                                                     \
    {                                                                                                                          \
        "key_encoding", OPTION_ENUM, 0, "text", "text|hex|base64", NULL, help                                                  \
    }

/* An HMAC over a request, wherever one is made. */
#define SIGN_OPTIONS(headers_flags, headers_help)                                                                              \
    {"key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "key of the HMAC"}, KEY_ENCODING("how the key is written"),    \
        {"message",                                                                                                            \
         OPTION_STRING,                                                                                                        \
         REQUIRED,                                                                                                             \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         NULL,                                                                                                                 \
         "what is signed; knows {{sign.NAME}} beside config: timestamp, timestamp_ms, time, nonce, method, url, host, path, "  \
         "query, target, body, body_sha256, body_sha256_base64"},                                                              \
        {"algorithm", OPTION_ENUM, 0, "sha256", "sha1|sha256|sha384|sha512", NULL, "hash of the HMAC"},                        \
        {"encoding", OPTION_ENUM, 0, "hex", "hex|base64|base64url", NULL, "how the signature is written"},                     \
        {"headers", OPTION_MAP_OF, (headers_flags) | TEMPLATE, NULL, NULL, NULL, headers_help},                                \
    {                                                                                                                          \
        "sign_body", OPTION_BOOLEAN, 0, "true", NULL, NULL,                                                                    \
            "false: {{sign.body}} and its digests are those of nothing although a body is sent"                                \
    }

static const struct option SIGN[] = {
    SIGN_OPTIONS(REQUIRED, "headers of the token call; know {{sign.signature}} beside the names of `message`"),
};
const struct option_table VOCABULARY_SIGN = OPTION_TABLE("a signed token call", SIGN);

static const struct option AUTH_HMAC[] = {
    KIND,
    SIGN_OPTIONS(0, "headers of each request; know {{sign.signature}} beside the names of `message`"),
    {"params", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL,
     "query parameters of each request; those without {{sign.signature}} are in {{sign.query}}"},
};

static const struct option AUTH_OAUTH1[] = {
    KIND,
    {"consumer_key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "which application asks"},
    {"consumer_secret", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "its secret"},
    {"token", OPTION_STRING, SECRET, NULL, NULL, NULL, "on whose behalf; without one the application speaks for itself"},
    {"token_secret", OPTION_STRING, SECRET, NULL, NULL, NULL, "the token's secret"},
    {"method", OPTION_ENUM, 0, "HMAC-SHA256", "HMAC-SHA256|HMAC-SHA1|PLAINTEXT", NULL, "how requests are signed"},
    {"realm", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "sent unsigned; NetSuite: the account, `1234567_SB1`"},
};

/* What a signed token holds, wherever one is made. */
#define JWT_OPTIONS(lifetime)                                                                                                  \
    {"algorithm",                                                                                                              \
     OPTION_ENUM,                                                                                                              \
     0,                                                                                                                        \
     "RS256",                                                                                                                  \
     "RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|HS256|HS384|HS512|EdDSA",                                          \
     NULL,                                                                                                                     \
     "how it is signed (RFC 7518, RFC 8037)"},                                                                                 \
        {"key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "private key in PEM; HS: the shared secret"},              \
        KEY_ENCODING("HS: how the secret is written"),                                                                         \
        {"key_id", OPTION_STRING, TEMPLATE, "", NULL, NULL, "`kid`: which key it is, for the server"},                         \
        {"issuer", OPTION_STRING, TEMPLATE, "", NULL, NULL, "`iss`"},                                                          \
        {"subject", OPTION_STRING, TEMPLATE, "", NULL, NULL, "`sub`"},                                                         \
        {"audience", OPTION_STRING, TEMPLATE, "", NULL, NULL, "`aud`"},                                                        \
        {"claims", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL, "further claims; they win over those above"},                    \
    {                                                                                                                          \
        "lifetime", OPTION_DURATION, 0, lifetime, NULL, NULL, "from `iat`, half a minute ago, to `exp`"                        \
    }

static const struct option ASSERTION[] = {JWT_OPTIONS("2m")};
const struct option_table VOCABULARY_ASSERTION = OPTION_TABLE("an assertion", ASSERTION);

static const struct option EXCHANGE[] = {
    {"url", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL,
     "POSTed to with the signed token; absolute, or a path behind `http.base`; its host is allowed"},
    {"token", OPTION_STRING, 0, "token", NULL, NULL,
     "path of the token in the answer; its end is in `expires_at` or `expires_in`"},
};
const struct option_table VOCABULARY_EXCHANGE = OPTION_TABLE("an exchange of a signed token", EXCHANGE);

static const struct option AUTH_JWT[] = {
    KIND,
    JWT_OPTIONS("5m"),
    {"prefix", OPTION_STRING, TEMPLATE, "Bearer", NULL, NULL, "the word before the token"},
    {"exchange", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_EXCHANGE,
     "the token is shown once for another one, which requests carry"},
};

static const struct option AUTH_OAUTH2[] = {
    KIND,
    {"grant", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "client_credentials, refresh_token, password, jwt_bearer, authorization_code or device_code"},
    {"token_url", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL,
     "absolute, or a path behind `http.base`; its host is allowed"},
    {"client_id", OPTION_STRING, SECRET, NULL, NULL, NULL, "the client; left out where `sign` says who asks"},
    {"client_secret", OPTION_STRING, SECRET, NULL, NULL, NULL, "its secret"},
    {"refresh_token", OPTION_STRING, SECRET, NULL, NULL, NULL,
     "grant refresh_token: the first one; newer ones are kept by the host"},
    {"username", OPTION_STRING, SECRET, NULL, NULL, NULL, "grant password: who logs in"},
    {"password", OPTION_STRING, SECRET, "", NULL, NULL, "grant password: the password"},
    {"assertion", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_ASSERTION,
     "grant jwt_bearer: what is shown; credentials assertion: how the client says who it is (RFC 7523)"},
    {"authorize_url", OPTION_STRING, TEMPLATE, NULL, NULL, NULL,
     "grant authorization_code: where the browser logs in; absolute"},
    {"authorize_params", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL,
     "further parameters of that URL, or of device_authorization_url"},
    {"device_authorization_url", OPTION_STRING, TEMPLATE, NULL, NULL, NULL,
     "grant device_code, or authorization_code with `login --device`: where a code is asked for that is typed in on another "
     "device "
     "(RFC 8628); absolute, or a path behind `http.base`"},
    {"redirect_url", OPTION_STRING, TEMPLATE, "http://127.0.0.1/callback", NULL, NULL,
     "grant authorization_code: where the browser comes back, as registered: 127.0.0.1 or localhost; without a port, any free "
     "one"},
    {"scope", OPTION_STRING, TEMPLATE, NULL, NULL, NULL, "scopes, as the server wants them separated"},
    {"params", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL, "further parameters of the token call"},
    {"capture", OPTION_MAP_OF, 0, NULL, NULL, NULL,
     "facts of the token call's answer, as `name = \"path\"`: requests know them as {{auth.name}}"},
    {"body", OPTION_ENUM, 0, "form", "form|json", NULL, "how the token call is written"},
    {"credentials", OPTION_ENUM, 0, "body", "body|basic|assertion", NULL,
     "how the client says who it is: id and secret in the body or by Basic authentication, or a signed assertion"},
    {"sign", OPTION_MAP, 0, NULL, NULL, &VOCABULARY_SIGN, "signs the token call with an HMAC"},
};

static const struct option AUTH_SESSION[] = {
    KIND,
    {"login_url", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL,
     "absolute, or a path behind `http.base`; its host is allowed"},
    {"method", OPTION_ENUM, 0, "POST", "POST|PUT|GET", NULL, "of the login; with GET `params` are its query"},
    {"params", OPTION_ANY, TEMPLATE, NULL, NULL, NULL, "a map: what the login says; a JSON body may hold maps and lists"},
    {"body", OPTION_ENUM, 0, "json", "json|form", NULL, "how `params` are written"},
    {"headers", OPTION_MAP_OF, TEMPLATE, NULL, NULL, NULL, "headers of the login"},
    {"username", OPTION_STRING, SECRET, NULL, NULL, NULL, "who logs in, where the login takes Basic authentication (RFC 7617)"},
    {"password", OPTION_STRING, SECRET, NULL, NULL, NULL, "the password that goes with it"},
    {"token", OPTION_STRING, REQUIRED, NULL, NULL, NULL,
     "path of the token in the answer, or the name of the header or cookie that has it"},
    {"from", OPTION_ENUM, 0, "body", "body|header|cookie", NULL, "where in the answer the token is"},
    {"into", OPTION_ENUM, 0, "header", "header|query|cookie", NULL, "how requests carry it; from a cookie: as that cookie"},
    {"name", OPTION_STRING, TEMPLATE, "Authorization", NULL, NULL, "header, parameter or cookie that carries it"},
    {"prefix", OPTION_STRING, TEMPLATE, "", NULL, NULL, "put before the token, with a space between"},
    {"lifetime", OPTION_DURATION, 0, NULL, NULL, NULL,
     "how long a token lasts; default: as the answer says, or until it is refused"},
    {"capture", OPTION_MAP_OF, 0, NULL, NULL, NULL,
     "facts of the login's answer, as `name = \"path\"`: requests know them as {{auth.name}}"},
};

static const struct option AUTH_SIGV4[] = {
    KIND,
    {"access_key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "the access key's id"},
    {"secret_key", OPTION_STRING, REQUIRED | SECRET, NULL, NULL, NULL, "its secret"},
    {"session_token", OPTION_STRING, SECRET, NULL, NULL, NULL, "of temporary credentials"},
    {"region", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL, "`us-east-1`"},
    {"service", OPTION_STRING, REQUIRED | TEMPLATE, NULL, NULL, NULL, "`execute-api`, `s3` and so on, as the service signs"},
};

static const struct option_table AUTH_HMAC_TABLE = OPTION_TABLE("auth hmac", AUTH_HMAC);
static const struct option_table AUTH_OAUTH1_TABLE = OPTION_TABLE("auth oauth1", AUTH_OAUTH1);
static const struct option_table AUTH_SESSION_TABLE = OPTION_TABLE("auth session", AUTH_SESSION);
static const struct option_table AUTH_SIGV4_TABLE = OPTION_TABLE("auth sigv4", AUTH_SIGV4);
static const struct option_table AUTH_NONE_TABLE = OPTION_TABLE("auth none", AUTH_NONE);
static const struct option_table AUTH_BEARER_TABLE = OPTION_TABLE("auth bearer", AUTH_BEARER);
static const struct option_table AUTH_BASIC_TABLE = OPTION_TABLE("auth basic", AUTH_BASIC);
static const struct option_table AUTH_API_KEY_TABLE = OPTION_TABLE("auth api_key", AUTH_API_KEY);
static const struct option_table AUTH_OAUTH2_TABLE = OPTION_TABLE("auth oauth2", AUTH_OAUTH2);
static const struct option_table AUTH_JWT_TABLE = OPTION_TABLE("auth jwt", AUTH_JWT);

static const struct vocabulary_kind AUTH_KINDS[] = {
    {"none", &AUTH_NONE_TABLE, "no credentials"},
    {"bearer", &AUTH_BEARER_TABLE, "a fixed token in the Authorization header"},
    {"basic", &AUTH_BASIC_TABLE, "user name and password (RFC 7617)"},
    {"api_key", &AUTH_API_KEY_TABLE, "a fixed key in a header, parameter or cookie"},
    {"oauth2", &AUTH_OAUTH2_TABLE, "a token that is fetched and refreshed by the host (RFC 6749)"},
    {"jwt", &AUTH_JWT_TABLE, "a token of one's own, signed for each few minutes (RFC 7519)"},
    {"hmac", &AUTH_HMAC_TABLE, "a declared signature over each request"},
    {"oauth1", &AUTH_OAUTH1_TABLE, "OAuth 1.0a over each request (RFC 5849)"},
    {"session", &AUTH_SESSION_TABLE, "a token or cookie that a login call gives"},
    {"sigv4", &AUTH_SIGV4_TABLE, "AWS Signature Version 4 over each request"},
};
const struct vocabulary_kinds VOCABULARY_AUTH = {"auth", NULL, AUTH_KINDS, ARRAY_SIZE(AUTH_KINDS)};
