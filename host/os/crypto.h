/* crypto: digests, authentication codes, signatures, encodings of bytes, randomness. The one place that knows libcrypto.
 *
 * Functions that cannot fail return nothing: a libcrypto that lacks SHA-256 is a broken installation and ends the process.
 * All are thread-safe; a `struct digest` belongs to one thread. Encoders append to a capped buf: check buf->failed. */
#ifndef SLUICE_OS_CRYPTO_H
#define SLUICE_OS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Makes libcrypto allocate through base/check, whoever uses it: short of memory its version 3 crashes in places. Once, at the
 * start of the program, before anything of libcrypto was used. */
void crypto_init(void);

enum crypto_hash { CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512 };

enum {
    CRYPTO_HASH_MAX = 64, /* bytes of the largest */
    SHA256_SIZE = 32,
    SHA256_HEX_SIZE = 65, /* with the terminator */
};

bool crypto_hash_from_name(struct str name, enum crypto_hash *hash); /* "sha1" "sha256" "sha384" "sha512" */

/* Digest of `data`; returns its size. (FIPS 180-4) */
size_t crypto_hash(enum crypto_hash hash, struct str data, unsigned char out[CRYPTO_HASH_MAX]);
void crypto_sha256(struct str data, unsigned char out[SHA256_SIZE]);
void crypto_sha256_hex(struct str data, char out[SHA256_HEX_SIZE]); /* terminated, lower case */

/* SHA-256 piece by piece. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t size);
void digest_end(struct digest *digest, unsigned char out[SHA256_SIZE]); /* then ready for the next message */
void digest_free(struct digest *digest);

/* HMAC (RFC 2104); returns its size. */
size_t crypto_hmac(enum crypto_hash hash, struct str key, struct str data, unsigned char out[CRYPTO_HASH_MAX]);

/* Signs `data` as the JSON Web Algorithm `algorithm` says (RFC 7518: RS, PS, ES with 256, 384, 512; RFC 8037: EdDSA with an
 * Ed25519 key), with a private key in PEM (PKCS#8 or the older forms, no passphrase). Appends the raw signature; for ES it is r
 * || s. CONFIG for an unknown algorithm, a key that cannot be read or does not fit the algorithm. */
int crypto_sign(struct str algorithm, struct str private_key_pem, struct str data, struct buf *out, struct err *err) MUST_USE;

/* How many certificates a list in PEM form holds; 0 when any of it cannot be read. Text around them is passed over. */
size_t crypto_count_certificates(struct str pem);

/* AES-256-GCM (NIST SP 800-38D). Sealed: a nonce drawn at random, the ciphertext, the tag; so one key serves for 2^32 messages.
 * `about` is bound to it without being in it: what was sealed about one thing does not open as another. */
enum { CRYPTO_KEY_SIZE = 32 };
void crypto_seal(const unsigned char key[CRYPTO_KEY_SIZE], struct str about, struct str plain, struct buf *out);
/* False, with `out` as it was, for another key, another `about`, or bytes that were changed. */
bool crypto_open(const unsigned char key[CRYPTO_KEY_SIZE], struct str about, struct str sealed, struct buf *out) MUST_USE;

void crypto_hex(struct str data, struct buf *out);                       /* lower case */
void crypto_hex_text(const unsigned char *data, size_t size, char *out); /* the same; writes 2 * size + 1 bytes, terminated */
void crypto_base64(struct str data, struct buf *out);                    /* RFC 4648 section 4, padded */
void crypto_base64url(struct str data, struct buf *out); /* RFC 4648 section 5, without padding, as JWT wants it */
/* Reads section 4 strictly: padded, nothing but the alphabet, unused bits zero. False leaves `out` as it was. */
bool crypto_base64_decode(struct str text, struct buf *out) MUST_USE;
/* Reads section 5, with or without padding, as strictly. */
bool crypto_base64url_decode(struct str text, struct buf *out) MUST_USE;

void crypto_random(void *out, size_t size);    /* from the system's generator */
bool crypto_equal(struct str a, struct str b); /* in a time that depends on the sizes only */
void crypto_wipe(void *data, size_t size);     /* that the compiler does not remove */

#endif
