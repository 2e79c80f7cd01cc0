/* buf: see buf.h. Capacity doubles from 256 bytes up to the maximum; one byte beyond it is kept for the NUL, which stands
 * behind the content from the first allocation on. */
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
    if (!buf->data || size > buf->capacity - buf->size) {
        size_t needed = buf->size + size, capacity = buf->capacity ? buf->capacity : 256;
        while (capacity < needed) capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
        if (capacity > buf->max) capacity = buf->max;
        CHECK(capacity < SIZE_MAX);
        buf->data = mem_resize(buf->data, capacity + 1);
        buf->capacity = capacity;
        buf->data[buf->size] = '\0';
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
    char small[256];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = (size_t)size < sizeof small ? small : mem_alloc((size_t)size + 1);
    if (text != small) vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    buf_append(buf, text, (size_t)size);
    if (text != small) free(text);
}

/* Bytes that may stand in a JSON string as they are. */
static size_t plain_run(struct str text)
{
    size_t at = 0;
    while (at < text.size) {
        unsigned char c = (unsigned char)text.data[at];
        size_t length = 1;
        if (c >= 0x80)
            length = utf8_length((struct str){text.data + at, text.size - at});
        else if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            break;
        if (length == 0) break;
        at += length;
    }
    return at;
}

void buf_append_json_string(struct buf *buf, struct str text)
{
    buf_append_char(buf, '"');
    while (text.size) {
        size_t plain = plain_run(text);
        buf_append(buf, text.data, plain);
        text = (struct str){text.data + plain, text.size - plain};
        if (text.size == 0) break;
        unsigned char c = (unsigned char)text.data[0];
        if (c >= 0x80)
            buf_append_text(buf, UTF8_REPLACEMENT);
        else if (c == '"' || c == '\\')
            buf_printf(buf, "\\%c", c);
        else if (c == '\n')
            buf_append_text(buf, "\\n");
        else if (c == '\t')
            buf_append_text(buf, "\\t");
        else
            buf_printf(buf, "\\u%04x", c);
        text = (struct str){text.data + 1, text.size - 1};
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
