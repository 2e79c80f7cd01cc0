/* err: see err.h. The table below is the only place that knows what a class means to the outside. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct err_class_info CLASSES[] = {
    {ERR_CONFIG, "config", 2, 400, false, false, "correct the configuration and run again"},
    {ERR_AUTH, "auth", 3, 502, false, false, "check the credentials in the pipeline's config"},
    {ERR_PERMISSION, "permission", 3, 403, false, false, "grant the missing permission at the source, or allow the host"},
    {ERR_RATE_LIMIT, "rate_limit", 4, 503, true, true, "run again later, or lower `rate_limit` in the pipeline"},
    {ERR_TRANSIENT, "transient", 4, 503, true, true, "run again; the sync resumes where it stopped"},
    {ERR_STALLED, "stalled", 4, 504, true, true, "run again; the sync resumes where it stopped"},
    {ERR_SOURCE, "source", 4, 502, false, false, "check the connector's request against the API's documentation"},
    {ERR_DATA, "data", 5, 422, false, false, ""},
    {ERR_SCHEMA, "schema", 5, 409, false, false, ""},
    {ERR_DESTINATION, "destination", 6, 502, false, true, "check the destination with `sluice check`"},
    {ERR_CONNECTOR, "connector", 7, 500, false, false, "mend the connector; rows already committed are untouched"},
    {ERR_HELD, "held", 9, 409, false, true, "wait until the other sync ends, or stop it"},
    {ERR_CANCELLED, "cancelled", 143, 503, false, false, ""},
    {ERR_NOMEM, "memory", 1, 500, false, true, ""},
    {ERR_BUG, "bug", 1, 500, false, false, "this is a bug in sluice; please report it with the command that showed it"},
};

const struct err_class_info *err_class_info(int class)
{
    for (size_t i = 0; i < ARRAY_SIZE(CLASSES); i++)
        if (CLASSES[i].class == class) return &CLASSES[i];
    return &CLASSES[ARRAY_SIZE(CLASSES) - 1];
}

const struct err_class_info *err_class_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(CLASSES); i++)
        if (strcmp(CLASSES[i].name, name) == 0) return &CLASSES[i];
    return NULL;
}

/* Makes `text`, of an array of `size` bytes, one line of UTF-8: control characters (a server's message may have several lines,
 * or a terminal's escapes) become spaces, bytes that are no character become '?', and a character cut in half by the array's
 * end goes. */
static void make_one_line(char *text, size_t size)
{
    size_t length = strlen(text);
    if (length + 1 == size) {
        size_t start = length; /* of the last character */
        while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) start--;
        if (start > 0) start--;
        if (utf8_length((struct str){text + start, length - start}) == 0) length = start;
    }
    while (length > 0 && (unsigned char)text[length - 1] <= ' ') length--;
    text[length] = '\0';
    for (size_t i = 0, bytes; i < length; i += bytes) {
        unsigned char c = (unsigned char)text[i];
        bytes = utf8_length((struct str){text + i, length - i});
        if (bytes == 0) {
            text[i] = '?';
            bytes = 1;
        } else if (c < ' ' || c == 0x7f) {
            text[i] = ' ';
        } else if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0) {
            text[i] = text[i + 1] = ' '; /* U+0080 to U+009F */
        }
    }
}

int err_set(struct err *err, int class, const char *format, ...)
{
    char message[sizeof err->message]; /* the arguments may point into `err` */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    make_one_line(message, sizeof message);
    memcpy(err->message, message, strlen(message) + 1);
    err->class = class;
    err->is_too_much = false;
    err->hint[0] = '\0';
    return class;
}

int err_hint(struct err *err, const char *format, ...)
{
    char hint[sizeof err->hint];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(hint, sizeof hint, format, arguments);
    va_end(arguments);
    make_one_line(hint, sizeof hint);
    memcpy(err->hint, hint, strlen(hint) + 1);
    return err->class;
}

int err_context(struct err *err, const char *format, ...)
{
    char message[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t used = strlen(message);
    snprintf(message + used, sizeof message - used, ": %s", err->message);
    make_one_line(message, sizeof message);
    memcpy(err->message, message, strlen(message) + 1);
    return err->class;
}

int err_copy(struct err *to, const struct err *from)
{
    *to = *from;
    return to->class;
}

const char *err_hint_text(const struct err *err)
{
    return err->hint[0] ? err->hint : err_class_info(err->class)->hint;
}
