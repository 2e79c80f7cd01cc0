/* buf: see buf.h. Capacity doubles from 256 bytes; one byte beyond it is kept for the NUL. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

char *buf_reserve(struct buf *buf, size_t size)
{
    if (buf->failed || size > buf->max - buf->size) {
        buf->failed = true;
        return NULL;
    }
    if (size > buf->capacity - buf->size) {
        size_t capacity = buf->capacity ? buf->capacity : 256;
        while (capacity < buf->size + size) capacity *= 2;
        if (capacity > buf->max) capacity = buf->max;
        buf->data = mem_resize(buf->data, capacity + 1);
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

void buf_advance(struct buf *buf, size_t size)
{
    CHECK(size <= buf->capacity - buf->size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    if (size == 0) return;
    char *place = buf_reserve(buf, size);
    if (!place) return;
    memcpy(place, data, size);
    buf_advance(buf, size);
}

void buf_append_str(struct buf *buf, struct str s)
{
    buf_append(buf, s.data, s.size);
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = mem_alloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    buf_append(buf, text, (size_t)size);
    free(text);
}

void buf_append_json_string(struct buf *buf, struct str text)
{
    static const char HEX[] = "0123456789abcdef";
    buf_append_char(buf, '"');
    for (size_t i = 0; i < text.size;) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80) {
            size_t length = utf8_length((struct str){text.data + i, text.size - i});
            if (length == 0) buf_append_text(buf, UTF8_REPLACEMENT);
            else buf_append(buf, text.data + i, length);
            i += length ? length : 1;
            continue;
        }
        if (c == '"' || c == '\\') {
            buf_append_char(buf, '\\');
            buf_append_char(buf, (char)c);
        } else if (c == '\n') {
            buf_append_text(buf, "\\n");
        } else if (c == '\t') {
            buf_append_text(buf, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            const char escape[] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
            buf_append(buf, escape, sizeof escape);
        } else {
            buf_append_char(buf, (char)c);
        }
        i++;
    }
    buf_append_char(buf, '"');
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data, buf->size};
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_steal(struct buf *buf)
{
    char *data = buf->data ? buf->data : mem_strdup("");
    *buf = BUF_INIT(buf->max);
    return data;
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
    if (buf->data) buf->data[0] = '\0';
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT(buf->max);
}
