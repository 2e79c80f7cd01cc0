/* codec: what payloads are made of, for wire.c and session.c only.
 *
 * A reader is a cursor that fails once and then gives empty values, so each decoder is a list of takes and one check at the
 * end; a writer appends to a buf, whose own failure flag does the same for the other direction. */
#ifndef SLUICE_WIRE_CODEC_H
#define SLUICE_WIRE_CODEC_H

#include "wire/wire.h"

struct wire_cursor {
    const unsigned char *at;
    const unsigned char *end;
    const char *problem; /* NULL while all is well */
};

void wire_put_u32_at(char *place, uint32_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_number(struct buf *out, uint64_t value);
void wire_put_bytes(struct buf *out, struct str bytes);
size_t wire_begin(struct buf *out, enum wire_type type, uint32_t id);
void wire_end(struct buf *out, size_t mark);

uint32_t wire_get_u32(const unsigned char *at);
uint64_t wire_take_number(struct wire_cursor *cursor);
/* A number from `low` to `high`, else a problem and `low`. */
uint64_t wire_take_within(struct wire_cursor *cursor, uint64_t low, uint64_t high);
struct str wire_take_bytes(struct wire_cursor *cursor);
struct wire_cursor wire_open_payload(const struct wire_frame *frame, bool type_fits);
int wire_close_payload(const struct wire_frame *frame, struct wire_cursor *cursor, struct err *err) MUST_USE;

#endif
