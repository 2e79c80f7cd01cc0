/* problems: see problems.h. A text is composed in a struct err first, which cuts it and makes it one line. */
#include "data/problems.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { FIRST_CAPACITY = 8 };

static void grow(struct problems *problems)
{
    size_t capacity = problems->capacity ? problems->capacity * 2 : FIRST_CAPACITY;
    if (capacity > PROBLEMS_MAX) capacity = PROBLEMS_MAX;
    struct problem *list = arena_array(problems->arena, struct problem, capacity);
    if (problems->count) memcpy(list, problems->list, problems->count * sizeof *list);
    problems->list = list;
    problems->capacity = capacity;
}

size_t problems_listed(const struct problems *problems)
{
    return problems->count < PROBLEMS_MAX ? problems->count : PROBLEMS_MAX;
}

void problems_add(struct problems *problems, const struct node *node, const char *format, ...)
{
    if (problems->count >= PROBLEMS_MAX) {
        problems->count++;
        return;
    }
    if (problems->count == problems->capacity) grow(problems);
    struct err text = ERR_INIT;
    char message[sizeof text.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)err_set(&text, ERR_CONFIG, "%s", message);
    problems->list[problems->count++] = (struct problem){
        .file = node ? node->file : NULL,
        .line = node ? node->line : 0,
        .message = arena_strdup(problems->arena, text.message),
    };
}

void problems_hint(struct problems *problems, const char *format, ...)
{
    if (problems->count == 0 || problems->count > PROBLEMS_MAX) return;
    struct err text = ERR_INIT;
    char hint[sizeof text.hint];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(hint, sizeof hint, format, arguments);
    va_end(arguments);
    (void)err_hint(&text, "%s", hint);
    problems->list[problems->count - 1].hint = arena_strdup(problems->arena, text.hint);
}

int problems_to_err(const struct problems *problems, int class, struct err *err)
{
    if (problems->count == 0) return 0;
    const struct problem *first = &problems->list[0];
    char place[256] = "", more[64] = "";
    if (first->file && first->line)
        snprintf(place, sizeof place, "%s:%u: ", first->file, first->line);
    else if (first->file)
        snprintf(place, sizeof place, "%s: ", first->file);
    if (problems->count > 1) snprintf(more, sizeof more, " (and %zu more)", problems->count - 1);
    struct str message = str_from(first->message);
    size_t room = sizeof err->message - 1 - strlen(place) - strlen(more);
    if (message.size > room) message.size = room; /* cut before what stands behind it */
    message.size = utf8_valid_prefix(message);
    int rc = err_set(err, class, "%s" STR_FMT "%s", place, STR_ARG(message), more);
    if (first->hint) err_hint(err, "%s", first->hint);
    return rc;
}

void problem_describe(const struct problem *problem, struct buf *out)
{
    if (problem->file) buf_printf(out, "%s:", problem->file);
    if (problem->file && problem->line) buf_printf(out, "%u:", problem->line);
    if (problem->file) buf_append_char(out, ' ');
    buf_append_text(out, problem->message);
}
