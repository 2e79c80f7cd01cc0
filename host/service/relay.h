/* relay: asks another command of this program, and gives what it printed. So the service itself holds no secret and opens no
 * source or destination: each question is a process that dies with its answer, with the walls of a sync around it. */
#ifndef SLUICE_SERVICE_RELAY_H
#define SLUICE_SERVICE_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct clock;

enum { RELAY_WORDS_MAX = 24, RELAY_TIMEOUT_MS = 60000 };

/* Runs `sluice WORDS..` and appends its standard output to `out`, whose maximum counts. 0 when it ended with 0. Else what it
 * said: class, message and hint of its first error, in JSON lines (`--log-format json`); CONFIG with its first line when it has
 * no such lines and ended with 2; STALLED when it took longer than RELAY_TIMEOUT_MS; BUG when it failed and said nothing. */
int relay_ask(const char *const *words, size_t count, struct clock *clock, struct buf *out, struct err *err) MUST_USE;

#endif
