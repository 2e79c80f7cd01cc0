/* pgoutput: a place that moves through the bytes, and stays broken once something did not fit. */
#include "postgres/pgoutput.h"

#include <string.h>

/* Between 1970 and 2000, where PostgreSQL's time begins. */
static const int64_t EPOCH_US = 946684800000000;

struct place {
    char *at, *end;
    bool is_broken;
};

static uint64_t number(struct place *place, size_t bytes)
{
    uint64_t value = 0;
    if (place->is_broken || (size_t)(place->end - place->at) < bytes) {
        place->is_broken = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) value = value << 8 | (unsigned char)*place->at++;
    return value;
}

static char byte(struct place *place)
{
    return (char)number(place, 1);
}

static const char *text(struct place *place)
{
    char *start = place->at, *end = place->is_broken ? NULL : memchr(start, 0, (size_t)(place->end - start));
    if (!end) {
        place->is_broken = true;
        return "";
    }
    place->at = end + 1;
    return start;
}

static void tuple(struct place *place, struct pgoutput_value *room, struct pgoutput_tuple *out)
{
    uint64_t count = number(place, 2);
    if (count > PGOUTPUT_COLUMNS_MAX) place->is_broken = true;
    *out = (struct pgoutput_tuple){(uint16_t)count, room};
    for (uint64_t i = 0; i < count && !place->is_broken; i++) {
        room[i] = (struct pgoutput_value){byte(place), NULL, 0};
        if (room[i].kind == 'n' || room[i].kind == 'u') continue;
        if (room[i].kind != 't' && room[i].kind != 'b') place->is_broken = true;
        uint64_t size = number(place, 4);
        if (place->is_broken || (uint64_t)(place->end - place->at) < size) {
            place->is_broken = true;
            return;
        }
        room[i].data = place->at;
        room[i].size = (uint32_t)size;
        place->at += size;
    }
}

static void relation(struct pgoutput *room, struct place *place, struct pgoutput_message *message)
{
    message->relation = (uint32_t)number(place, 4);
    message->schema = text(place);
    message->name = text(place);
    message->identity = byte(place);
    message->column_count = (uint16_t)number(place, 2);
    message->columns = room->columns;
    if (message->column_count > PGOUTPUT_COLUMNS_MAX) place->is_broken = true;
    for (size_t i = 0; i < message->column_count && !place->is_broken; i++) {
        room->columns[i].is_key = number(place, 1) & 1;
        room->columns[i].name = text(place);
        room->columns[i].type = (uint32_t)number(place, 4);
        number(place, 4); /* typmod */
    }
}

/* I: N; U: K or O, then N, or N alone; D: K or O. */
static void row(struct pgoutput *room, struct place *place, struct pgoutput_message *message)
{
    message->relation = (uint32_t)number(place, 4);
    char kind = byte(place);
    if (message->tag != 'I' && (kind == 'K' || kind == 'O')) {
        message->has_whole_old = kind == 'O';
        tuple(place, room->old, &message->old);
        if (message->tag == 'D') return;
        kind = byte(place);
    }
    if (kind != 'N' || message->tag == 'D') place->is_broken = true;
    tuple(place, room->fresh, &message->fresh);
}

bool pgoutput_read(struct pgoutput *room, char *data, size_t size, struct pgoutput_message *message)
{
    struct place place = {data, data + size, false};
    *message = (struct pgoutput_message){.tag = byte(&place)};
    switch (message->tag) {
    case 'B':
        message->lsn = number(&place, 8);
        message->time_us = (int64_t)(number(&place, 8) + (uint64_t)EPOCH_US);
        message->xid = (uint32_t)number(&place, 4);
        break;
    case 'C':
        number(&place, 1);
        number(&place, 8);
        message->lsn = number(&place, 8);
        message->time_us = (int64_t)(number(&place, 8) + (uint64_t)EPOCH_US);
        break;
    case 'R':
        relation(room, &place, message);
        break;
    case 'I':
    case 'U':
    case 'D':
        row(room, &place, message);
        break;
    case 'T':
        message->truncated_count = (uint32_t)number(&place, 4);
        number(&place, 1);
        message->truncated = place.at;
        if ((size_t)(place.end - place.at) / 4 < message->truncated_count) return false;
        place.at += 4 * (size_t)message->truncated_count;
        break;
    case 'O':
    case 'Y':
    case 'M':
        return !place.is_broken; /* nothing in them is needed */
    default:
        return false;
    }
    return !place.is_broken && place.at == place.end;
}

uint32_t pgoutput_truncated(const struct pgoutput_message *message, uint32_t index)
{
    struct place place = {(char *)(uintptr_t)message->truncated + 4 * (size_t)index,
                          (char *)(uintptr_t)message->truncated + 4 * (size_t)index + 4, false};
    return (uint32_t)number(&place, 4);
}

bool wal_frame_read(char *data, size_t size, struct wal_frame *frame)
{
    struct place place = {data, data + size, false};
    *frame = (struct wal_frame){.kind = byte(&place)};
    if (frame->kind == 'w') {
        number(&place, 8);
        frame->end = number(&place, 8);
        number(&place, 8);
        frame->data = place.at;
        frame->size = (size_t)(place.end - place.at);
        return !place.is_broken;
    }
    frame->end = number(&place, 8);
    number(&place, 8);
    frame->wants_reply = number(&place, 1) == 1;
    return frame->kind == 'k' && !place.is_broken && place.at == place.end;
}

static void put(char *out, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8) out[i] = (char)(value & 255);
}

void wal_status_write(char out[STATUS_SIZE], uint64_t received, uint64_t flushed, int64_t now_us, bool asks)
{
    out[0] = 'r';
    put(out + 1, received);
    put(out + 9, flushed);
    put(out + 17, flushed);
    put(out + 25, (uint64_t)(now_us - EPOCH_US));
    out[33] = asks;
}
