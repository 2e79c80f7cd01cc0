/* text: memory that is there or ends the process (a plugin's process holds nothing that must be saved), texts that grow, and
 * failures with a formatted message. */
#ifndef SLUICE_KAFKA_TEXT_H
#define SLUICE_KAFKA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/plugin.h>

#define LIKE_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* A text that grows. Zeroed: empty; `data` is NULL until something was put, and ended by NUL then. */
struct text {
    char *data;
    size_t size, room;
};

void *allocate(size_t count, size_t size); /* zeroed; to be freed */
char *copy_text(const char *text);

void text_put(struct text *text, const char *data, size_t size);
void text_reserve(struct text *text, size_t more); /* room for so many bytes; nothing moves until they are put */
void text_puts(struct text *text, const char *data);
void text_printf(struct text *text, const char *format, ...) LIKE_PRINTF(2, 3);
/* As a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD. */
void text_json(struct text *text, const char *data, size_t size);
void text_base64(struct text *text, const char *data, size_t size);
void text_clear(struct text *text); /* keeps its memory */
void text_release(struct text *text);

/* sluice_fail with a message of up to 500 bytes; a negative number. */
int fail(struct sluice_session *session, enum sluice_error error, const char *hint, const char *format, ...) LIKE_PRINTF(4, 5);
void say(struct sluice_session *session, enum sluice_log_level level, const char *format, ...) LIKE_PRINTF(3, 4);

int64_t now_ms(void); /* of a clock that only goes on */

#endif
