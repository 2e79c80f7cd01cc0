/* wire: the frames between the host and a worker, both ends of the codec. Pure: buffers in, buffers out; stream.h does the I/O.
 *
 *     frame   = u32 length | u8 type | u32 id | payload        little-endian; length counts type, id and payload
 *     payload = fields one after the other: bytes as u32 size + bytes, numbers as 8 bytes
 *
 * One request at a time: the host sends LOAD or a CALL with an id, the worker answers with the same id by exactly one
 * DESCRIPTION, RESULT or FAIL; before that it may send LOG frames, and CRYPTO frames which the host answers with CRYPTO_RESULT.
 * A worker that runs a native plugin has requests of its own (session.h).
 *
 * Either end treats the other as hostile. Decoding never reads past a payload, copies nothing (views into the frame), and
 * refuses what is cut, what is too long, what is unknown, and bytes behind the last field.
 *
 *     struct buf out = BUF_INIT(WIRE_MAX_BYTES);
 *     wire_write_call(&out, 7, &call);                          // a complete frame
 *     rc = wire_frame_parse(bytes, size, &frame, &consumed, err);
 *     rc = wire_read_call(&frame, &call, err); */
#ifndef SLUICE_WIRE_WIRE_H
#define SLUICE_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    WIRE_PREFIX_BYTES = 4,              /* the length */
    WIRE_HEADER_BYTES = 9,              /* length, type, id */
    WIRE_MAX_BYTES = 17 * 1024 * 1024,  /* a frame with its header */
    WIRE_MAX_RESULT = 16 * 1024 * 1024, /* records or a value from one call */
    WIRE_MAX_FILES = 200,
};

enum wire_type {
    WIRE_LOAD = 1,      /* host -> worker: struct wire_load */
    WIRE_DESCRIPTION,   /* worker -> host: JSON */
    WIRE_CALL_VALUE,    /* host -> worker: struct wire_call */
    WIRE_CALL_RECORDS,  /* host -> worker: struct wire_call */
    WIRE_RESULT,        /* worker -> host: JSON, or NDJSON */
    WIRE_FAIL,          /* worker -> host: struct wire_fail; after any kind but SCRIPT and SYNTAX the worker is gone */
    WIRE_LOG,           /* worker -> host: a line */
    WIRE_CRYPTO,        /* worker -> host: struct wire_crypto */
    WIRE_CRYPTO_RESULT, /* host -> worker: struct wire_crypto_result */
    /* Native plugins only, see session.h: */
    WIRE_PLUGIN,   /* host -> worker, in place of LOAD: struct wire_plugin; answered by DESCRIPTION */
    WIRE_CHECK,    /* host -> worker: struct wire_open; answered by RESULT */
    WIRE_OPEN,     /* host -> worker: struct wire_open; answered by RESULT */
    WIRE_PAGE,     /* host -> worker: struct wire_page */
    WIRE_ROWS,     /* worker -> host: struct wire_rows */
    WIRE_CLOSE,    /* host -> worker: nothing; answered by RESULT */
    WIRE_NOTE,     /* worker -> host: struct wire_note */
    WIRE_RESOLVE,  /* worker -> host, before the answer: struct wire_resolve */
    WIRE_RESOLVED, /* host -> worker: struct wire_resolved */
    WIRE_HTTP,     /* worker -> host, before the answer: struct wire_http */
    WIRE_ANSWERED, /* host -> worker: struct wire_answered */
    WIRE_STOP,     /* host -> worker, during a request: what runs should come to an end; has no answer */
    WIRE_INPUT,    /* worker -> host, before the answer: nothing; answered by ANSWERED */
    WIRE_SETUP,    /* host -> worker: struct wire_open; answered by RESULT */
    WIRE_TEARDOWN, /* host -> worker: struct wire_open; answered by RESULT */
    WIRE_TYPE_END,
};

struct wire_frame {
    enum wire_type type;
    uint32_t id;
    struct str payload;
};

struct wire_file {
    struct str name;
    struct str bytes;
};

struct wire_load {
    int64_t now_us;
    uint64_t seed;
    uint64_t load_cpu_ms, call_cpu_ms, memory_bytes;
    struct wire_file files[WIRE_MAX_FILES];
    size_t file_count;
};

struct wire_call {
    bool is_records;
    struct str name;         /* value: "streams.orders.path"; records: the `records` function, or empty */
    struct str map_name;     /* records: the `map` function, or empty */
    struct str records_path; /* records: where map finds its records */
    struct str context_json;
    struct str page;
};

enum wire_fail_kind {
    WIRE_FAIL_SCRIPT = 1,
    WIRE_FAIL_SYNTAX,
    WIRE_FAIL_MEMORY,
    WIRE_FAIL_DEADLINE,
    WIRE_FAIL_PROTOCOL,
    WIRE_FAIL_REFUSED, /* the plugin does not pass the checks of loading */
    WIRE_FAIL_PLUGIN,  /* a callback of the plugin failed, and says why */
    WIRE_FAIL_KIND_END
};

struct wire_fail {
    enum wire_fail_kind kind;
    struct str message; /* "init.lua:12: attempt to index a nil value" */
    struct str traceback;
    uint64_t error;  /* PLUGIN: enum sluice_error */
    struct str hint; /* what to do; may be empty */
};

enum wire_crypto_op { WIRE_HMAC = 1, WIRE_DIGEST, WIRE_BASE64, WIRE_CRYPTO_OP_END };
enum wire_encoding { WIRE_HEX = 1, WIRE_BASE64_TEXT, WIRE_BASE64_URL, WIRE_RAW, WIRE_ENCODING_END };

/* Text that may hold secrets: plain bytes, or parts: a JSON list as in a value's "$parts". */
struct wire_text {
    bool is_parts;
    struct str bytes;
};

struct wire_crypto {
    enum wire_crypto_op op;
    enum wire_encoding encoding;
    struct str algorithm; /* "sha256"; empty for BASE64 */
    struct wire_text key; /* HMAC only */
    struct wire_text message;
};

struct wire_crypto_result {
    bool failed;
    struct str bytes; /* or the message */
};

/* Cuts the first frame off `bytes`. 0 and *consumed = 0 when it is not complete yet. ERR_DATA when it can never become a frame.
 */
int wire_frame_parse(struct str bytes, struct wire_frame *frame, size_t *consumed, struct err *err) MUST_USE;

/* Each appends one frame; `out` fails when the frame would pass its maximum. */
void wire_write_load(struct buf *out, uint32_t id, const struct wire_load *load);
void wire_write_call(struct buf *out, uint32_t id, const struct wire_call *call);
void wire_write_text(struct buf *out, enum wire_type type, uint32_t id, struct str text); /* DESCRIPTION, RESULT, LOG */
void wire_write_fail(struct buf *out, uint32_t id, const struct wire_fail *fail);
void wire_write_crypto(struct buf *out, uint32_t id, const struct wire_crypto *crypto);
void wire_write_crypto_result(struct buf *out, uint32_t id, const struct wire_crypto_result *result);

/* A frame of one text whose bytes are appended in place: begin, append to `out`, end. */
size_t wire_begin_text(struct buf *out, enum wire_type type, uint32_t id); /* returns the mark for wire_end_text */
void wire_end_text(struct buf *out, size_t mark);

/* Each checks the frame's type and reads its payload; views into the frame. ERR_DATA. */
int wire_read_load(const struct wire_frame *frame, struct wire_load *load, struct err *err) MUST_USE;
int wire_read_call(const struct wire_frame *frame, struct wire_call *call, struct err *err) MUST_USE;
int wire_read_text(const struct wire_frame *frame, struct str *text, struct err *err) MUST_USE;
int wire_read_fail(const struct wire_frame *frame, struct wire_fail *fail, struct err *err) MUST_USE;
int wire_read_crypto(const struct wire_frame *frame, struct wire_crypto *crypto, struct err *err) MUST_USE;
int wire_read_crypto_result(const struct wire_frame *frame, struct wire_crypto_result *result, struct err *err) MUST_USE;

const char *wire_type_name(unsigned type); /* "load"; "unknown" past the end */

#endif
