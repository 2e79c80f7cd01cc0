/* codec: see codec.h. */
#include "wire/codec.h"

#include <string.h>

void wire_put_u32_at(char *place, uint32_t value)
{
    const unsigned char bytes[] = {(unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
                                   (unsigned char)(value >> 24)};
    memcpy(place, bytes, sizeof bytes);
}

uint32_t wire_get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void wire_put_u32(struct buf *out, uint32_t value)
{
    char bytes[4];
    wire_put_u32_at(bytes, value);
    buf_append(out, bytes, sizeof bytes);
}

void wire_put_number(struct buf *out, uint64_t value)
{
    wire_put_u32(out, (uint32_t)value);
    wire_put_u32(out, (uint32_t)(value >> 32));
}

void wire_put_bytes(struct buf *out, struct str bytes)
{
    if (bytes.size > WIRE_MAX_BYTES) {
        out->failed = true;
        return;
    }
    wire_put_u32(out, (uint32_t)bytes.size);
    buf_append_str(out, bytes);
}

size_t wire_begin(struct buf *out, enum wire_type type, uint32_t id)
{
    size_t mark = out->size;
    wire_put_u32(out, 0);
    buf_append_char(out, (char)type);
    wire_put_u32(out, id);
    return mark;
}

void wire_end(struct buf *out, size_t mark)
{
    if (out->failed) return;
    size_t length = out->size - mark - WIRE_PREFIX_BYTES;
    if (length + WIRE_PREFIX_BYTES > WIRE_MAX_BYTES)
        out->failed = true;
    else
        wire_put_u32_at(out->data + mark, (uint32_t)length);
}

uint64_t wire_take_number(struct wire_cursor *cursor)
{
    if (cursor->problem || cursor->end - cursor->at < 8) {
        if (!cursor->problem) cursor->problem = "it is cut in a number";
        return 0;
    }
    uint64_t value = wire_get_u32(cursor->at) | (uint64_t)wire_get_u32(cursor->at + 4) << 32;
    cursor->at += 8;
    return value;
}

uint64_t wire_take_within(struct wire_cursor *cursor, uint64_t low, uint64_t high)
{
    uint64_t value = wire_take_number(cursor);
    if (!cursor->problem && (value < low || value > high)) cursor->problem = "a number in it is out of range";
    return cursor->problem ? low : value;
}

struct str wire_take_bytes(struct wire_cursor *cursor)
{
    if (cursor->problem) return STR("");
    if (cursor->end - cursor->at < 4) {
        cursor->problem = "it is cut in a size";
        return STR("");
    }
    size_t size = wire_get_u32(cursor->at);
    cursor->at += 4;
    if (size > (size_t)(cursor->end - cursor->at)) {
        cursor->problem = "a field is longer than the frame";
        return STR("");
    }
    struct str bytes = {(const char *)cursor->at, size};
    cursor->at += size;
    return bytes;
}

struct wire_cursor wire_open_payload(const struct wire_frame *frame, bool type_fits)
{
    const unsigned char *at = (const unsigned char *)frame->payload.data;
    return (struct wire_cursor){at, at + frame->payload.size, type_fits ? NULL : "it came out of turn"};
}

int wire_close_payload(const struct wire_frame *frame, struct wire_cursor *cursor, struct err *err)
{
    if (!cursor->problem && cursor->at != cursor->end) cursor->problem = "bytes follow its last field";
    if (!cursor->problem) return 0;
    return err_set(err, ERR_DATA, "cannot read a '%s' frame: %s", wire_type_name(frame->type), cursor->problem);
}
