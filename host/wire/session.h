/* session: the frames of a native plugin, as wire.h has those of a script.
 *
 *     host                                worker
 *     PLUGIN   what it may, its config -> DESCRIPTION      loaded, checked, described
 *     OPEN     a slice                 -> RESULT
 *     PAGE     what is durable by now  -> ROWS             as often as it is asked
 *     CLOSE                            -> RESULT
 *     CHECK                            -> RESULT           proves the configuration, as OPEN has it; instead of a slice
 *     SETUP, TEARDOWN   a slice        -> RESULT           what the source holds for the pipeline; instead of reading it
 *
 * NOTE, RESOLVE, HTTP and, in a page of a parser, INPUT may come before any answer; FAIL in its place. STOP may come while a
 * request is being answered. INPUT asks for more of the body that is parsed: ANSWERED has a piece, which is empty behind the
 * last one. Rows travel as they are in memory: 16-byte values whose data is a place in the frame's texts. */
#ifndef SLUICE_WIRE_SESSION_H
#define SLUICE_WIRE_SESSION_H

#include "wire/wire.h"

enum {
    WIRE_MAX_PORTS = 64,
    WIRE_MAX_PATHS = 64,
    WIRE_MAX_CONFIG = 200,
    WIRE_MAX_ADDRESSES = 32,
    WIRE_MAX_HEADERS = 200,
    WIRE_ADDRESS_BYTES = 46,       /* of an address as text, with its NUL (INET6_ADDRSTRLEN) */
    WIRE_PIECE_BYTES = 256 * 1024, /* of a body, at most */
};

struct wire_setting {
    struct str name, value;
};

struct wire_plugin {
    uint64_t profile; /* enum sluice_profile: the walls to be raised; the plugin's own must be the same, unless `inspects` */
    bool inspects;    /* it is only described, behind the walls of `parse` */
    bool traces;      /* NOTE frames tell of the checks of loading, one by one */
    uint64_t load_cpu_ms, call_cpu_ms;
    uint64_t ports[WIRE_MAX_PORTS]; /* TCP, that may be connected to */
    size_t port_count;
    struct str paths[WIRE_MAX_PATHS]; /* files and folders that may be read */
    size_t path_count;
};

struct wire_open {
    struct wire_setting config[WIRE_MAX_CONFIG]; /* only now: whatever is loaded before the last wall stands knows no secret */
    size_t config_count;
    struct str stream;
    bool has_state, has_from, has_to, has_values;
    struct str state, from, to, values;
    struct str tables; /* JSON: [["orders",[["id","integer"],..]],..] */
    int64_t now_us;
    bool incremental, continuous, sample;
    bool parses; /* a body that comes by INPUT */
};

struct wire_page {
    bool has_committed; /* a checkpoint of this session is durable: */
    struct str committed;
};

/* A page. `values` has the rows' values one after the other, as many for each as its table has columns; where a value has data,
 * its first 8 bytes of content are the place in `texts`. */
struct wire_rows {
    bool has_more;
    bool has_checkpoint;
    struct str checkpoint;
    bool is_bytes;         /* `texts` is a body of the stream's format, and nothing else is there */
    struct str operations; /* a byte a row */
    struct str tables;     /* two bytes a row */
    struct str values;     /* 16 bytes a value */
    struct str texts;
};

struct wire_note {
    uint64_t level; /* enum sluice_log_level */
    struct str text;
};

struct wire_resolve {
    struct str name;
    uint64_t port;
};

struct wire_resolved {
    bool failed;
    uint64_t error; /* enum sluice_error */
    struct str message, hint;
    struct str addresses[WIRE_MAX_ADDRESSES];
    size_t count;
};

/* A request for the host to send. */
struct wire_http {
    struct str method, url, body;
    bool idempotent;
    struct wire_setting headers[WIRE_MAX_HEADERS];
    size_t header_count;
};

struct wire_answered {
    bool failed;
    uint64_t error; /* enum sluice_error */
    struct str message, hint;
    uint64_t status;
    struct wire_setting headers[WIRE_MAX_HEADERS];
    size_t header_count;
    struct str body;
};

void wire_write_plugin(struct buf *out, uint32_t id, const struct wire_plugin *plugin);
void wire_write_open(struct buf *out, enum wire_type type, uint32_t id,
                     const struct wire_open *open); /* OPEN, CHECK, SETUP, TEARDOWN */
void wire_write_page(struct buf *out, uint32_t id, const struct wire_page *page);
void wire_write_rows(struct buf *out, uint32_t id, const struct wire_rows *rows);
void wire_write_bare(struct buf *out, enum wire_type type, uint32_t id); /* CLOSE, STOP, INPUT */
void wire_write_note(struct buf *out, uint32_t id, const struct wire_note *note);
void wire_write_resolve(struct buf *out, uint32_t id, const struct wire_resolve *resolve);
void wire_write_http(struct buf *out, uint32_t id, const struct wire_http *http);
void wire_write_answered(struct buf *out, uint32_t id, const struct wire_answered *answered);
void wire_write_resolved(struct buf *out, uint32_t id, const struct wire_resolved *resolved);

/* Each checks the frame's type and reads its payload; views into the frame. ERR_DATA. */
int wire_read_plugin(const struct wire_frame *frame, struct wire_plugin *plugin, struct err *err) MUST_USE;
int wire_read_open(const struct wire_frame *frame, struct wire_open *open, struct err *err) MUST_USE;
int wire_read_page(const struct wire_frame *frame, struct wire_page *page, struct err *err) MUST_USE;
/* What the values say is not looked at. */
int wire_read_rows(const struct wire_frame *frame, struct wire_rows *rows, struct err *err) MUST_USE;
int wire_read_note(const struct wire_frame *frame, struct wire_note *note, struct err *err) MUST_USE;
int wire_read_resolve(const struct wire_frame *frame, struct wire_resolve *resolve, struct err *err) MUST_USE;
int wire_read_http(const struct wire_frame *frame, struct wire_http *http, struct err *err) MUST_USE;
int wire_read_answered(const struct wire_frame *frame, struct wire_answered *answered, struct err *err) MUST_USE;
int wire_read_resolved(const struct wire_frame *frame, struct wire_resolved *resolved, struct err *err) MUST_USE;

#endif
