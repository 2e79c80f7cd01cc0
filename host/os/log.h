/* log: one sink for all that is said while running, with handles that form a tree.
 *
 * A handle has a name ("shop", "shop.orders") and inherits the sink. Lines go to stderr, one write() each, as text for people
 * ("shop.orders: page 3", "warning: shop.orders: ...") or as JSON
 * ({"at":"...","level":"warn","name":"shop.orders","message":"..."}). Everything passes the redactor of os/secret.h first, and
 * control characters from outside are escaped, so no terminal is harmed. A message over 64 KiB is cut. Thread-safe. A sink that
 * cannot be written to is no error: the sync goes on.
 *
 *     struct log *log = log_child(parent, "orders");
 *     log_info(log, "page %d: %zu records", page, count); */
#ifndef SLUICE_OS_LOG_H
#define SLUICE_OS_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log;
struct secrets;

/* The root handle, without a name. `fd` is where lines go (2). With `secrets` NULL nothing is redacted. */
struct log *log_new(int fd, enum log_format format, enum log_level level, struct secrets *secrets);
struct log *log_child(struct log *parent, const char *name); /* freed with its root */
void log_free(struct log *root);

bool log_wants(const struct log *log, enum log_level level);
void log_at(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);
/* One event, a whole JSON object without line breaks, on a line of its own, whatever the format: for --log-format json and for
 * the pipe between `sluice run` and its parent. Secrets are replaced inside string values only, so that it stays JSON and its
 * keys and numbers stay as they are, whatever a secret looks like. */
void log_event(struct log *log, struct str json);
/* Called before and after each line, so that a live display can move out of the way; NULL to remove. They run under the log's
 * lock and must not log. */
void log_set_hooks(struct log *log, void (*before)(void *context), void (*after)(void *context), void *context);

#define log_error(log, ...) log_at((log), LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...) log_at((log), LOG_WARN, __VA_ARGS__)
#define log_info(log, ...) log_at((log), LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_at((log), LOG_DEBUG, __VA_ARGS__)

#endif
