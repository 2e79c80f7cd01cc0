#include "kafka/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kafka/json.h"

enum { MESSAGE_MAX = 500 };

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) abort();
    return memory;
}

char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(allocate(1, size), text, size);
}

void text_reserve(struct text *text, size_t more)
{
    if (text->room - text->size > more) return;
    text->room = 2 * (text->size + more) + 64;
    text->data = realloc(text->data, text->room);
    if (!text->data) abort();
}

void text_put(struct text *text, const char *data, size_t size)
{
    text_reserve(text, size);
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

void text_puts(struct text *text, const char *data)
{
    text_put(text, data, strlen(data));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    if (size < 0) abort();
    text_reserve(text, (size_t)size);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
    text->size += (size_t)size;
    va_end(again);
    va_end(list);
}

/* The valid characters that begin at `data`, in bytes. */
static size_t valid_prefix(const char *data, size_t size)
{
    size_t length = 1;
    while (length < size && length < 4 && !utf8_is_valid(data, length)) length++;
    return utf8_is_valid(data, length) ? length : 0;
}

void text_json(struct text *text, const char *data, size_t size)
{
    text_puts(text, "\"");
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)data[i];
        size_t length = c < 0x80 ? 1 : valid_prefix(data + i, size - i);
        if (length == 0)
            text_puts(text, "\xef\xbf\xbd");
        else if (c < 0x20)
            text_printf(text, "\\u%04x", (unsigned)c);
        else if (c == '"' || c == '\\')
            text_printf(text, "\\%c", c);
        else
            text_put(text, data + i, length);
        i += length ? length : 1;
    }
    text_puts(text, "\"");
}

void text_base64(struct text *text, const char *data, size_t size)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) bits = bits << 8 | (i + k < size ? (unsigned char)data[i + k] : 0);
        for (size_t k = 0; k < 4; k++) text_put(text, i + k <= size ? &DIGITS[bits >> (18 - 6 * k) & 63] : "=", 1);
    }
}

void text_clear(struct text *text)
{
    text->size = 0;
}

void text_release(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

int fail(struct sluice_session *session, enum sluice_error error, const char *hint, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    return sluice_fail(session, error, message, hint);
}

void say(struct sluice_session *session, enum sluice_log_level level, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    sluice_log(session, level, message);
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
