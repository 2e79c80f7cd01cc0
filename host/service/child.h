/* child: a `sluice run` of one pipeline in a process of its own, that tells what happens as JSON lines. The parent of several
 * pipelines (cli/children) and the service (service/runner) start their syncs this way.
 *
 * A child dies with its parent. It has the parent's environment and a process group of its own, so that a key at a terminal
 * reaches it through the parent only.
 *
 *     if ((rc = child_start(words, count, &child, err)) != 0) ...
 *     poll child_fd(child) ...
 *     if (!child_read(child, on_line, context)) child_end(child, &end);        // it closed its end: it is over
 *
 * One thread at a time uses a child. */
#ifndef SLUICE_SERVICE_CHILD_H
#define SLUICE_SERVICE_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "os/process.h"

struct child;

enum { CHILD_WORDS_MAX = 160, CHILD_LINE_MAX = 256 * 1024 };

/* Starts this program with `words` behind "run", and with `--log-format json`. Errors as process_start. */
int child_start(const char *const *words, size_t count, struct child **out, struct err *err) MUST_USE;
/* The same in two steps, so that several start at the same time; child_begun frees one that could not. The words stay until
 * then. */
int child_begin(const char *const *words, size_t count, struct child **out, struct err *err) MUST_USE;
int child_begun(struct child *child, struct err *err) MUST_USE;

int child_fd(const struct child *child); /* readable when there is something to child_read */
/* Reads what is there; `line` is called with each complete line, without its end. A line over CHILD_LINE_MAX comes in pieces.
 * False once the child has closed its end. */
bool child_read(struct child *child, void (*line)(void *context, struct str line), void *context);
void child_kill(struct child *child, int signal_number);
/* Waits for its end, which is there or near, and frees it. */
void child_end(struct child *child, struct process_end *end);

#endif
