/* jwt: signed JSON Web Tokens of one's own (RFC 7519, compact JWS of RFC 7515): as a bearer token, as the assertion of a token
 * call, or as the client's assertion in one (RFC 7523).
 *
 *     struct jwt jwt = {.algorithm = STR("RS256"), .key = pem, .issuer = client_id, .audience = token_url, .lifetime_ms =
 * 120000}; rc = jwt_write(&jwt, clock_wall_us(clock), &out, err);
 *
 * Pure but for the randomness of `has_id` and of some algorithms. Texts belong to the caller. */
#ifndef SLUICE_NET_JWT_H
#define SLUICE_NET_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum jwt_key_encoding { JWT_KEY_TEXT, JWT_KEY_HEX, JWT_KEY_BASE64 };

struct jwt_claim {
    struct str name;
    struct str json; /* its value */
};

struct jwt {
    struct str algorithm; /* RS, PS, ES or HS with 256, 384 or 512; EdDSA */
    struct str key;       /* a private key in PEM, also with "\n" written out for line breaks; for HS the secret */
    enum jwt_key_encoding key_encoding; /* HS: how the secret is written */
    const char *key_place;              /* names the key in messages: "http.auth.key" */
    struct str key_id;                  /* here and below: empty is left out */
    struct str issuer, subject, audience;
    int64_t lifetime_ms;            /* from `iat` to `exp` */
    bool has_id;                    /* a `jti` that no other token has */
    const struct jwt_claim *claims; /* further ones; they win over those above */
    size_t claim_count;
};

enum { JWT_MAX_BYTES = 64 * 1024 };

/* How much of its life a token has when it is made: `iat` lies up to 30 s in the past, for servers whose clock is behind. */
int64_t jwt_life_ms(const struct jwt *jwt);

/* Appends HEADER.CLAIMS.SIGNATURE for this instant. CONFIG, naming key_place and never the key, when the key cannot be read or
 * does not fit the algorithm. */
int jwt_write(const struct jwt *jwt, int64_t now_us, struct buf *out, struct err *err) MUST_USE;

/* Appends the bytes of a shared secret that is written so; base64 in either alphabet. False: it is not, or is empty. */
bool jwt_decode_secret(struct str text, enum jwt_key_encoding encoding, struct buf *secret) MUST_USE;

#endif
