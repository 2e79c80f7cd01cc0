/* json: small documents of the control plane (token answers, manifests, state values), on top of cJSON.
 *
 * Not for data: cJSON keeps numbers as doubles. Rows and cursors go through jsonscan.
 *
 * Documents belong to the caller: json_free. The accessors below accept NULL and give NULL (or false), so lookups chain.
 *
 *     struct cJSON *answer = NULL;
 *     if ((rc = json_parse(body, 64 * 1024, &answer, err)) != 0) return err_context(err, "token answer");
 *     const char *token = json_string(json_get(answer, "access_token"));
 *     ...
 *     json_free(answer); */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"

struct cJSON;

/* Makes cJSON allocate through base/check. Once, at the start of the program. */
void json_init(void);

/* Strict by RFC 8259: one value, nothing behind it, at most `max` bytes, at most JSONSCAN_MAX_DEPTH deep. Refused too is what a
 * C string or a double cannot hold: NUL in text (also \u0000), lone surrogates, numbers like 1e400. Of a repeated key the last
 * one counts. ERR_DATA with the byte offset of the mistake; *out is set only on success. */
int json_parse(struct str text, size_t max, struct cJSON **out, struct err *err) MUST_USE;
void json_free(struct cJSON *json);

const struct cJSON *json_get(const struct cJSON *object, const char *key); /* case-sensitive */
const struct cJSON *json_path(const struct cJSON *root, const char *path); /* "error.details.0.reason"; "$" or "": root */
const char *json_string(const struct cJSON *json);                         /* NULL unless a string */
bool json_number(const struct cJSON *json, double *value);                 /* a number, or a string holding one */
bool json_boolean(const struct cJSON *json, bool *value);                  /* true or false */
bool json_is_object(const struct cJSON *json);
bool json_is_array(const struct cJSON *json);
const struct cJSON *json_first(const struct cJSON *container); /* iterate: first, then next */
const struct cJSON *json_next(const struct cJSON *item);
const char *json_key(const struct cJSON *item); /* its name in the object */

/* Appends `json` (not NULL) without spaces, the keys sorted by bytes at every level. */
void json_print(const struct cJSON *json, struct buf *out);

/* Writing without a tree: a writer over a buf that puts the commas.
 *
 *     struct json_writer w = JSON_WRITER(&buf);
 *     json_open(&w, '{'); json_member(&w, "rows"); json_int(&w, 12); json_close(&w, '}');        // {"rows":12} */
struct json_writer {
    struct buf *out;
    bool needs_comma;
};

#define JSON_WRITER(buffer) ((struct json_writer){.out = (buffer)})

void json_open(struct json_writer *writer, char bracket);  /* '{' or '[' */
void json_close(struct json_writer *writer, char bracket); /* '}' or ']' */
void json_member(struct json_writer *writer, const char *key);
void json_text(struct json_writer *writer, struct str text);
void json_cstr(struct json_writer *writer, const char *text); /* NULL writes null */
void json_int(struct json_writer *writer, int64_t value);
void json_bool(struct json_writer *writer, bool value);
void json_raw(struct json_writer *writer, struct str json); /* a value already in JSON, not empty */

#endif
