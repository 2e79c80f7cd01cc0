/* wire: what either end reads of a frame lies within it, and written again gives the same bytes: no frame has two readings. */
#include "fuzz.h"

#include "wire/session.h"
#include "wire/wire.h"

/* The same for the frames of a native plugin; 1: it is none. */
static int session_again(const struct wire_frame *frame, struct buf *out, struct err *err)
{
    static struct wire_open open; /* 200 settings */
    struct wire_plugin plugin;
    struct wire_page page;
    struct wire_rows rows;
    struct wire_note note;
    struct wire_resolve resolve;
    struct wire_resolved resolved;
    static struct wire_http http;
    static struct wire_answered answered;
    int rc;
    switch (frame->type) {
    case WIRE_PLUGIN:
        if ((rc = wire_read_plugin(frame, &plugin, err)) == 0) wire_write_plugin(out, frame->id, &plugin);
        return rc;
    case WIRE_OPEN:
    case WIRE_CHECK:
    case WIRE_SETUP:
    case WIRE_TEARDOWN:
        if ((rc = wire_read_open(frame, &open, err)) == 0) wire_write_open(out, frame->type, frame->id, &open);
        return rc;
    case WIRE_PAGE:
        if ((rc = wire_read_page(frame, &page, err)) == 0) wire_write_page(out, frame->id, &page);
        return rc;
    case WIRE_ROWS:
        if ((rc = wire_read_rows(frame, &rows, err)) == 0) wire_write_rows(out, frame->id, &rows);
        return rc;
    case WIRE_NOTE:
        if ((rc = wire_read_note(frame, &note, err)) == 0) wire_write_note(out, frame->id, &note);
        return rc;
    case WIRE_RESOLVE:
        if ((rc = wire_read_resolve(frame, &resolve, err)) == 0) wire_write_resolve(out, frame->id, &resolve);
        return rc;
    case WIRE_RESOLVED:
        if ((rc = wire_read_resolved(frame, &resolved, err)) == 0) wire_write_resolved(out, frame->id, &resolved);
        return rc;
    case WIRE_HTTP:
        if ((rc = wire_read_http(frame, &http, err)) == 0) wire_write_http(out, frame->id, &http);
        return rc;
    case WIRE_ANSWERED:
        if ((rc = wire_read_answered(frame, &answered, err)) == 0) wire_write_answered(out, frame->id, &answered);
        return rc;
    default:
        return 1;
    }
}

/* Reads a frame as what it says it is and writes it again. */
static int again(const struct wire_frame *frame, struct buf *out, struct err *err)
{
    static struct wire_load load; /* 200 files */
    struct wire_call call;
    struct wire_fail fail;
    struct wire_crypto crypto;
    struct wire_crypto_result result;
    struct str text;
    int rc = session_again(frame, out, err);
    if (rc <= 0) return rc;
    switch (frame->type) {
    case WIRE_LOAD:
        if ((rc = wire_read_load(frame, &load, err)) == 0) wire_write_load(out, frame->id, &load);
        return rc;
    case WIRE_CALL_VALUE:
    case WIRE_CALL_RECORDS:
        if ((rc = wire_read_call(frame, &call, err)) == 0) wire_write_call(out, frame->id, &call);
        return rc;
    case WIRE_FAIL:
        if ((rc = wire_read_fail(frame, &fail, err)) == 0) wire_write_fail(out, frame->id, &fail);
        return rc;
    case WIRE_CRYPTO:
        if ((rc = wire_read_crypto(frame, &crypto, err)) == 0) wire_write_crypto(out, frame->id, &crypto);
        return rc;
    case WIRE_CRYPTO_RESULT:
        if ((rc = wire_read_crypto_result(frame, &result, err)) == 0) wire_write_crypto_result(out, frame->id, &result);
        return rc;
    default:
        if ((rc = wire_read_text(frame, &text, err)) == 0) wire_write_text(out, frame->type, frame->id, text);
        return rc;
    }
}

/* The readers of other messages refuse it. */
static void refused_by_others(const struct wire_frame *frame)
{
    static struct wire_load load;
    struct wire_call call;
    struct wire_fail fail;
    struct str text;
    struct err err = ERR_INIT;
    if (frame->type != WIRE_LOAD) CHECK(wire_read_load(frame, &load, &err) == ERR_DATA);
    if (frame->type != WIRE_FAIL) CHECK(wire_read_fail(frame, &fail, &err) == ERR_DATA);
    if (frame->type != WIRE_CALL_VALUE && frame->type != WIRE_CALL_RECORDS)
        CHECK(wire_read_call(frame, &call, &err) == ERR_DATA);
    if (frame->type == WIRE_LOAD || frame->type == WIRE_FAIL) CHECK(wire_read_text(frame, &text, &err) == ERR_DATA);
}

void fuzz(struct str input)
{
    struct buf out = BUF_INIT(WIRE_MAX_BYTES);
    for (size_t consumed = 1; consumed > 0;) {
        struct err err = ERR_INIT;
        struct wire_frame frame;
        int rc = wire_frame_parse(input, &frame, &consumed, &err);
        CHECK(rc == 0 || (rc == ERR_DATA && err.message[0]));
        if (rc != 0) break;
        CHECK(consumed <= input.size);
        if (consumed == 0) break;
        CHECK(frame.type > 0 && frame.type < WIRE_TYPE_END && frame.payload.data + frame.payload.size == input.data + consumed);
        buf_clear(&out);
        rc = again(&frame, &out, &err);
        CHECK(rc == 0 || (rc == ERR_DATA && strstr(err.message, wire_type_name(frame.type))));
        if (rc == 0) CHECK(str_equal(buf_str(&out), (struct str){input.data, consumed}));
        refused_by_others(&frame);
        input.data += consumed;
        input.size -= consumed;
    }
    buf_release(&out);
}
