/* wire: see wire.h. A reader is a cursor that fails once and then gives empty values, so each decoder is a list of takes and
 * one check at the end; a writer appends to a buf, whose own failure flag does the same for the other direction. */
#include "wire/wire.h"

#include <string.h>

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    const char *problem; /* NULL while all is well */
};

static void put_u32_at(char *place, uint32_t value)
{
    const unsigned char bytes[] = {(unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
                                   (unsigned char)(value >> 24)};
    memcpy(place, bytes, sizeof bytes);
}

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(struct buf *out, uint32_t value)
{
    char bytes[4];
    put_u32_at(bytes, value);
    buf_append(out, bytes, sizeof bytes);
}

static void put_number(struct buf *out, uint64_t value)
{
    put_u32(out, (uint32_t)value);
    put_u32(out, (uint32_t)(value >> 32));
}

static void put_bytes(struct buf *out, struct str bytes)
{
    if (bytes.size > WIRE_MAX_BYTES) {
        out->failed = true;
        return;
    }
    put_u32(out, (uint32_t)bytes.size);
    buf_append_str(out, bytes);
}

static size_t begin(struct buf *out, enum wire_type type, uint32_t id)
{
    size_t mark = out->size;
    put_u32(out, 0);
    buf_append_char(out, (char)type);
    put_u32(out, id);
    return mark;
}

static void end(struct buf *out, size_t mark)
{
    if (out->failed) return;
    size_t length = out->size - mark - WIRE_PREFIX_BYTES;
    if (length + WIRE_PREFIX_BYTES > WIRE_MAX_BYTES)
        out->failed = true;
    else
        put_u32_at(out->data + mark, (uint32_t)length);
}

static uint64_t take_number(struct cursor *cursor)
{
    if (cursor->problem || cursor->end - cursor->at < 8) {
        if (!cursor->problem) cursor->problem = "it is cut in a number";
        return 0;
    }
    uint64_t value = get_u32(cursor->at) | (uint64_t)get_u32(cursor->at + 4) << 32;
    cursor->at += 8;
    return value;
}

/* A number from `low` to `high`, else a problem and `low`. */
static uint64_t take_within(struct cursor *cursor, uint64_t low, uint64_t high)
{
    uint64_t value = take_number(cursor);
    if (!cursor->problem && (value < low || value > high)) cursor->problem = "a number in it is out of range";
    return cursor->problem ? low : value;
}

static struct str take_bytes(struct cursor *cursor)
{
    if (cursor->problem) return STR("");
    if (cursor->end - cursor->at < 4) {
        cursor->problem = "it is cut in a size";
        return STR("");
    }
    size_t size = get_u32(cursor->at);
    cursor->at += 4;
    if (size > (size_t)(cursor->end - cursor->at)) {
        cursor->problem = "a field is longer than the frame";
        return STR("");
    }
    struct str bytes = {(const char *)cursor->at, size};
    cursor->at += size;
    return bytes;
}

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
};

const char *wire_type_name(unsigned type)
{
    return type > 0 && type < WIRE_TYPE_END ? TYPE_NAMES[type] : "unknown";
}

static struct cursor open_payload(const struct wire_frame *frame, bool type_fits)
{
    const unsigned char *at = (const unsigned char *)frame->payload.data;
    return (struct cursor){at, at + frame->payload.size, type_fits ? NULL : "it came out of turn"};
}

static int close_payload(const struct wire_frame *frame, struct cursor *cursor, struct err *err)
{
    if (!cursor->problem && cursor->at != cursor->end) cursor->problem = "bytes follow its last field";
    if (!cursor->problem) return 0;
    return err_set(err, ERR_DATA, "cannot read a '%s' frame: %s", wire_type_name(frame->type), cursor->problem);
}

int wire_frame_parse(struct str bytes, struct wire_frame *frame, size_t *consumed, struct err *err)
{
    *consumed = 0;
    if (bytes.size < WIRE_PREFIX_BYTES) return 0;
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t length = get_u32(at);
    if (length < WIRE_HEADER_BYTES - WIRE_PREFIX_BYTES)
        return err_set(err, ERR_DATA, "cannot read a frame of %zu bytes", length);
    if (length > WIRE_MAX_BYTES - WIRE_PREFIX_BYTES)
        return err_set(err, ERR_DATA, "cannot read a frame of %zu bytes, the limit is %d", length, WIRE_MAX_BYTES);
    if (bytes.size > WIRE_PREFIX_BYTES && (at[4] == 0 || at[4] >= WIRE_TYPE_END))
        return err_set(err, ERR_DATA, "cannot read a frame of unknown type %d", at[4]);
    if (bytes.size - WIRE_PREFIX_BYTES < length) return 0;
    *frame = (struct wire_frame){.type = (enum wire_type)at[4],
                                 .id = get_u32(at + 5),
                                 .payload = {bytes.data + WIRE_HEADER_BYTES, length + WIRE_PREFIX_BYTES - WIRE_HEADER_BYTES}};
    *consumed = WIRE_PREFIX_BYTES + length;
    return 0;
}

void wire_write_load(struct buf *out, uint32_t id, const struct wire_load *load)
{
    size_t mark = begin(out, WIRE_LOAD, id);
    put_number(out, (uint64_t)load->now_us);
    put_number(out, load->seed);
    put_number(out, load->load_cpu_ms);
    put_number(out, load->call_cpu_ms);
    put_number(out, load->memory_bytes);
    put_number(out, load->file_count);
    for (size_t i = 0; i < load->file_count; i++) {
        put_bytes(out, load->files[i].name);
        put_bytes(out, load->files[i].bytes);
    }
    end(out, mark);
}

int wire_read_load(const struct wire_frame *frame, struct wire_load *load, struct err *err)
{
    struct cursor cursor = open_payload(frame, frame->type == WIRE_LOAD);
    load->now_us = (int64_t)take_number(&cursor);
    load->seed = take_number(&cursor);
    load->load_cpu_ms = take_within(&cursor, 1, 3600 * 1000);
    load->call_cpu_ms = take_within(&cursor, 1, 3600 * 1000);
    load->memory_bytes = take_within(&cursor, 1024 * 1024, UINT32_MAX);
    load->file_count = (size_t)take_within(&cursor, 0, WIRE_MAX_FILES);
    for (size_t i = 0; i < load->file_count && !cursor.problem; i++) {
        load->files[i].name = take_bytes(&cursor);
        load->files[i].bytes = take_bytes(&cursor);
    }
    return close_payload(frame, &cursor, err);
}

void wire_write_call(struct buf *out, uint32_t id, const struct wire_call *call)
{
    size_t mark = begin(out, call->is_records ? WIRE_CALL_RECORDS : WIRE_CALL_VALUE, id);
    put_bytes(out, call->name);
    put_bytes(out, call->map_name);
    put_bytes(out, call->records_path);
    put_bytes(out, call->context_json);
    put_bytes(out, call->page);
    end(out, mark);
}

int wire_read_call(const struct wire_frame *frame, struct wire_call *call, struct err *err)
{
    struct cursor cursor = open_payload(frame, frame->type == WIRE_CALL_VALUE || frame->type == WIRE_CALL_RECORDS);
    call->is_records = frame->type == WIRE_CALL_RECORDS;
    call->name = take_bytes(&cursor);
    call->map_name = take_bytes(&cursor);
    call->records_path = take_bytes(&cursor);
    call->context_json = take_bytes(&cursor);
    call->page = take_bytes(&cursor);
    return close_payload(frame, &cursor, err);
}

size_t wire_begin_text(struct buf *out, enum wire_type type, uint32_t id)
{
    size_t mark = begin(out, type, id);
    put_u32(out, 0);
    return mark;
}

void wire_end_text(struct buf *out, size_t mark)
{
    if (out->failed) return;
    size_t size = out->size - mark - WIRE_HEADER_BYTES - 4;
    put_u32_at(out->data + mark + WIRE_HEADER_BYTES, (uint32_t)size);
    end(out, mark);
}

void wire_write_text(struct buf *out, enum wire_type type, uint32_t id, struct str text)
{
    size_t mark = begin(out, type, id);
    put_bytes(out, text);
    end(out, mark);
}

int wire_read_text(const struct wire_frame *frame, struct str *text, struct err *err)
{
    bool fits = frame->type == WIRE_DESCRIPTION || frame->type == WIRE_RESULT || frame->type == WIRE_LOG;
    struct cursor cursor = open_payload(frame, fits);
    *text = take_bytes(&cursor);
    return close_payload(frame, &cursor, err);
}

void wire_write_fail(struct buf *out, uint32_t id, const struct wire_fail *fail)
{
    size_t mark = begin(out, WIRE_FAIL, id);
    put_number(out, fail->kind);
    put_bytes(out, fail->message);
    put_bytes(out, fail->traceback);
    end(out, mark);
}

int wire_read_fail(const struct wire_frame *frame, struct wire_fail *fail, struct err *err)
{
    struct cursor cursor = open_payload(frame, frame->type == WIRE_FAIL);
    fail->kind = (enum wire_fail_kind)take_within(&cursor, WIRE_FAIL_SCRIPT, WIRE_FAIL_KIND_END - 1);
    fail->message = take_bytes(&cursor);
    fail->traceback = take_bytes(&cursor);
    return close_payload(frame, &cursor, err);
}

static void put_text(struct buf *out, const struct wire_text *text)
{
    put_number(out, text->is_parts);
    put_bytes(out, text->bytes);
}

static struct wire_text take_text(struct cursor *cursor)
{
    bool is_parts = take_within(cursor, 0, 1) != 0;
    return (struct wire_text){is_parts, take_bytes(cursor)};
}

void wire_write_crypto(struct buf *out, uint32_t id, const struct wire_crypto *crypto)
{
    size_t mark = begin(out, WIRE_CRYPTO, id);
    put_number(out, crypto->op);
    put_number(out, crypto->encoding);
    put_bytes(out, crypto->algorithm);
    put_text(out, &crypto->key);
    put_text(out, &crypto->message);
    end(out, mark);
}

int wire_read_crypto(const struct wire_frame *frame, struct wire_crypto *crypto, struct err *err)
{
    struct cursor cursor = open_payload(frame, frame->type == WIRE_CRYPTO);
    crypto->op = (enum wire_crypto_op)take_within(&cursor, WIRE_HMAC, WIRE_CRYPTO_OP_END - 1);
    crypto->encoding = (enum wire_encoding)take_within(&cursor, WIRE_HEX, WIRE_ENCODING_END - 1);
    crypto->algorithm = take_bytes(&cursor);
    crypto->key = take_text(&cursor);
    crypto->message = take_text(&cursor);
    return close_payload(frame, &cursor, err);
}

void wire_write_crypto_result(struct buf *out, uint32_t id, const struct wire_crypto_result *result)
{
    size_t mark = begin(out, WIRE_CRYPTO_RESULT, id);
    put_number(out, result->failed);
    put_bytes(out, result->bytes);
    end(out, mark);
}

int wire_read_crypto_result(const struct wire_frame *frame, struct wire_crypto_result *result, struct err *err)
{
    struct cursor cursor = open_payload(frame, frame->type == WIRE_CRYPTO_RESULT);
    result->failed = take_within(&cursor, 0, 1) != 0;
    result->bytes = take_bytes(&cursor);
    return close_payload(frame, &cursor, err);
}
