/* wire: see wire.h. */
#include "wire/wire.h"

#include "wire/codec.h"

static const char *const TYPE_NAMES[WIRE_TYPE_END] = {
    [WIRE_LOAD] = "load",
    [WIRE_DESCRIPTION] = "description",
    [WIRE_CALL_VALUE] = "call_value",
    [WIRE_CALL_RECORDS] = "call_records",
    [WIRE_RESULT] = "result",
    [WIRE_FAIL] = "fail",
    [WIRE_LOG] = "log",
    [WIRE_CRYPTO] = "crypto",
    [WIRE_CRYPTO_RESULT] = "crypto_result",
    [WIRE_PLUGIN] = "plugin",
    [WIRE_CHECK] = "check",
    [WIRE_OPEN] = "open",
    [WIRE_PAGE] = "page",
    [WIRE_ROWS] = "rows",
    [WIRE_CLOSE] = "close",
    [WIRE_NOTE] = "note",
    [WIRE_RESOLVE] = "resolve",
    [WIRE_RESOLVED] = "resolved",
    [WIRE_HTTP] = "http",
    [WIRE_ANSWERED] = "answered",
    [WIRE_STOP] = "stop",
    [WIRE_INPUT] = "input",
    [WIRE_SETUP] = "setup",
    [WIRE_TEARDOWN] = "teardown",
};

const char *wire_type_name(unsigned type)
{
    return type > 0 && type < WIRE_TYPE_END ? TYPE_NAMES[type] : "unknown";
}

int wire_frame_parse(struct str bytes, struct wire_frame *frame, size_t *consumed, struct err *err)
{
    *consumed = 0;
    if (bytes.size < WIRE_PREFIX_BYTES) return 0;
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t length = wire_get_u32(at);
    if (length < WIRE_HEADER_BYTES - WIRE_PREFIX_BYTES)
        return err_set(err, ERR_DATA, "cannot read a frame of %zu bytes", length);
    if (length > WIRE_MAX_BYTES - WIRE_PREFIX_BYTES)
        return err_set(err, ERR_DATA, "cannot read a frame of %zu bytes, the limit is %d", length, WIRE_MAX_BYTES);
    if (bytes.size > WIRE_PREFIX_BYTES && (at[4] == 0 || at[4] >= WIRE_TYPE_END))
        return err_set(err, ERR_DATA, "cannot read a frame of unknown type %d", at[4]);
    if (bytes.size - WIRE_PREFIX_BYTES < length) return 0;
    *frame = (struct wire_frame){.type = (enum wire_type)at[4],
                                 .id = wire_get_u32(at + 5),
                                 .payload = {bytes.data + WIRE_HEADER_BYTES, length + WIRE_PREFIX_BYTES - WIRE_HEADER_BYTES}};
    *consumed = WIRE_PREFIX_BYTES + length;
    return 0;
}

void wire_write_load(struct buf *out, uint32_t id, const struct wire_load *load)
{
    size_t mark = wire_begin(out, WIRE_LOAD, id);
    wire_put_number(out, (uint64_t)load->now_us);
    wire_put_number(out, load->seed);
    wire_put_number(out, load->load_cpu_ms);
    wire_put_number(out, load->call_cpu_ms);
    wire_put_number(out, load->memory_bytes);
    wire_put_number(out, load->file_count);
    for (size_t i = 0; i < load->file_count; i++) {
        wire_put_bytes(out, load->files[i].name);
        wire_put_bytes(out, load->files[i].bytes);
    }
    wire_end(out, mark);
}

int wire_read_load(const struct wire_frame *frame, struct wire_load *load, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_LOAD);
    load->now_us = (int64_t)wire_take_number(&cursor);
    load->seed = wire_take_number(&cursor);
    load->load_cpu_ms = wire_take_within(&cursor, 1, 3600 * 1000);
    load->call_cpu_ms = wire_take_within(&cursor, 1, 3600 * 1000);
    load->memory_bytes = wire_take_within(&cursor, 1024 * 1024, UINT32_MAX);
    load->file_count = (size_t)wire_take_within(&cursor, 0, WIRE_MAX_FILES);
    for (size_t i = 0; i < load->file_count && !cursor.problem; i++) {
        load->files[i].name = wire_take_bytes(&cursor);
        load->files[i].bytes = wire_take_bytes(&cursor);
    }
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_call(struct buf *out, uint32_t id, const struct wire_call *call)
{
    size_t mark = wire_begin(out, call->is_records ? WIRE_CALL_RECORDS : WIRE_CALL_VALUE, id);
    wire_put_bytes(out, call->name);
    wire_put_bytes(out, call->map_name);
    wire_put_bytes(out, call->records_path);
    wire_put_bytes(out, call->context_json);
    wire_put_bytes(out, call->page);
    wire_end(out, mark);
}

int wire_read_call(const struct wire_frame *frame, struct wire_call *call, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_CALL_VALUE || frame->type == WIRE_CALL_RECORDS);
    call->is_records = frame->type == WIRE_CALL_RECORDS;
    call->name = wire_take_bytes(&cursor);
    call->map_name = wire_take_bytes(&cursor);
    call->records_path = wire_take_bytes(&cursor);
    call->context_json = wire_take_bytes(&cursor);
    call->page = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

size_t wire_begin_text(struct buf *out, enum wire_type type, uint32_t id)
{
    size_t mark = wire_begin(out, type, id);
    wire_put_u32(out, 0);
    return mark;
}

void wire_end_text(struct buf *out, size_t mark)
{
    if (out->failed) return;
    size_t size = out->size - mark - WIRE_HEADER_BYTES - 4;
    wire_put_u32_at(out->data + mark + WIRE_HEADER_BYTES, (uint32_t)size);
    wire_end(out, mark);
}

void wire_write_text(struct buf *out, enum wire_type type, uint32_t id, struct str text)
{
    size_t mark = wire_begin(out, type, id);
    wire_put_bytes(out, text);
    wire_end(out, mark);
}

int wire_read_text(const struct wire_frame *frame, struct str *text, struct err *err)
{
    bool fits = frame->type == WIRE_DESCRIPTION || frame->type == WIRE_RESULT || frame->type == WIRE_LOG;
    struct wire_cursor cursor = wire_open_payload(frame, fits);
    *text = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_fail(struct buf *out, uint32_t id, const struct wire_fail *fail)
{
    size_t mark = wire_begin(out, WIRE_FAIL, id);
    wire_put_number(out, fail->kind);
    wire_put_bytes(out, fail->message);
    wire_put_bytes(out, fail->traceback);
    wire_put_number(out, fail->error);
    wire_put_bytes(out, fail->hint);
    wire_end(out, mark);
}

int wire_read_fail(const struct wire_frame *frame, struct wire_fail *fail, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_FAIL);
    fail->kind = (enum wire_fail_kind)wire_take_within(&cursor, WIRE_FAIL_SCRIPT, WIRE_FAIL_KIND_END - 1);
    fail->message = wire_take_bytes(&cursor);
    fail->traceback = wire_take_bytes(&cursor);
    fail->error = wire_take_within(&cursor, 0, 7);
    fail->hint = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

static void put_text(struct buf *out, const struct wire_text *text)
{
    wire_put_number(out, text->is_parts);
    wire_put_bytes(out, text->bytes);
}

static struct wire_text take_text(struct wire_cursor *cursor)
{
    bool is_parts = wire_take_within(cursor, 0, 1) != 0;
    return (struct wire_text){is_parts, wire_take_bytes(cursor)};
}

void wire_write_crypto(struct buf *out, uint32_t id, const struct wire_crypto *crypto)
{
    size_t mark = wire_begin(out, WIRE_CRYPTO, id);
    wire_put_number(out, crypto->op);
    wire_put_number(out, crypto->encoding);
    wire_put_bytes(out, crypto->algorithm);
    put_text(out, &crypto->key);
    put_text(out, &crypto->message);
    wire_end(out, mark);
}

int wire_read_crypto(const struct wire_frame *frame, struct wire_crypto *crypto, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_CRYPTO);
    crypto->op = (enum wire_crypto_op)wire_take_within(&cursor, WIRE_HMAC, WIRE_CRYPTO_OP_END - 1);
    crypto->encoding = (enum wire_encoding)wire_take_within(&cursor, WIRE_HEX, WIRE_ENCODING_END - 1);
    crypto->algorithm = wire_take_bytes(&cursor);
    crypto->key = take_text(&cursor);
    crypto->message = take_text(&cursor);
    return wire_close_payload(frame, &cursor, err);
}

void wire_write_crypto_result(struct buf *out, uint32_t id, const struct wire_crypto_result *result)
{
    size_t mark = wire_begin(out, WIRE_CRYPTO_RESULT, id);
    wire_put_number(out, result->failed);
    wire_put_bytes(out, result->bytes);
    wire_end(out, mark);
}

int wire_read_crypto_result(const struct wire_frame *frame, struct wire_crypto_result *result, struct err *err)
{
    struct wire_cursor cursor = wire_open_payload(frame, frame->type == WIRE_CRYPTO_RESULT);
    result->failed = wire_take_within(&cursor, 0, 1) != 0;
    result->bytes = wire_take_bytes(&cursor);
    return wire_close_payload(frame, &cursor, err);
}
