/* err: see err.h. The table below is the only place that knows what a class means to the outside. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const struct err_class_info CLASSES[] = {
    {ERR_CONFIG, "config", 2, 400, false, "correct the configuration and run again"},
    {ERR_AUTH, "auth", 3, 502, false, "check the credentials in the pipeline's config"},
    {ERR_PERMISSION, "permission", 3, 403, false, "grant the missing permission at the source, or allow the host"},
    {ERR_RATE_LIMIT, "rate_limit", 4, 503, true, "run again later, or lower `rate_limit` in the pipeline"},
    {ERR_TRANSIENT, "transient", 4, 503, true, "run again; the sync resumes where it stopped"},
    {ERR_STALLED, "stalled", 4, 504, true, "run again; the sync resumes where it stopped"},
    {ERR_SOURCE, "source", 4, 502, false, "check the connector's request against the API's documentation"},
    {ERR_DATA, "data", 5, 422, false, ""},
    {ERR_SCHEMA, "schema", 5, 409, false, ""},
    {ERR_DESTINATION, "destination", 6, 502, false, "check the destination with `sluice check`"},
    {ERR_CONNECTOR, "connector", 7, 500, false, "mend the connector; rows already committed are untouched"},
    {ERR_HELD, "held", 9, 409, false, "wait until the other sync ends, or stop it"},
    {ERR_CANCELLED, "cancelled", 143, 503, false, ""},
    {ERR_NOMEM, "memory", 1, 500, false, ""},
    {ERR_BUG, "bug", 1, 500, false, "this is a bug in sluice; please report it with the command that showed it"},
};

const struct err_class_info *err_class_info(int class)
{
    for (size_t i = 0; i < ARRAY_SIZE(CLASSES); i++)
        if (CLASSES[i].class == class) return &CLASSES[i];
    return &CLASSES[ARRAY_SIZE(CLASSES) - 1];
}

int err_set(struct err *err, int class, const char *format, ...)
{
    char message[sizeof err->message]; /* the arguments may point into `err` */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(err->message, message, sizeof message);
    err->class = class;
    err->hint[0] = '\0';
    return class;
}

int err_hint(struct err *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->hint, sizeof err->hint, format, arguments);
    va_end(arguments);
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
    memcpy(err->message, message, sizeof message);
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
