/* cancel: one token for "stop", everywhere. Tokens form a tree: firing one fires those below it.
 *
 * Two strengths: CANCEL_STOP asks to end at the next checkpoint (first SIGTERM); CANCEL_ABORT means now (second signal, a
 * failure elsewhere in the sync). A token can be tested, waited on with a time limit, and polled as a file descriptor.
 * Thread-safe. cancel_fire is safe in a signal handler. */
#ifndef SLUICE_OS_CANCEL_H
#define SLUICE_OS_CANCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollfd;

enum cancel_level { CANCEL_NONE = 0, CANCEL_STOP = 1, CANCEL_ABORT = 2 };

struct cancel;

struct cancel *cancel_new(struct cancel *parent); /* parent may be NULL; it must outlive the child; at most 8 levels */
void cancel_free(struct cancel *cancel);
void cancel_fire(struct cancel *cancel, enum cancel_level level); /* never lowers a level */
enum cancel_level cancel_level(const struct cancel *cancel);      /* of itself or anything above it; NULL gives NONE */
bool cancel_stopping(const struct cancel *cancel);                /* level >= STOP */
bool cancel_aborted(const struct cancel *cancel);                 /* level >= ABORT */
bool cancel_wait_ms(struct cancel *cancel, int64_t milliseconds); /* true when it fired (STOP or more), false after the time */
int cancel_fd(struct cancel *cancel);                             /* readable once fired (STOP or more); do not read from it */

/* poll(2) that also ends when `cancel` (may be NULL) reaches `level`: CANCEL_FIRED then, else how many of the `count` (at most
 * CANCEL_POLL_MAX) descriptors are ready, 0 when the time is over. `timeout_ms` -1 waits for ever. Goes on after signals. */
enum { CANCEL_FIRED = -1, CANCEL_POLL_MAX = 16 };
int cancel_poll(struct cancel *cancel, enum cancel_level level, struct pollfd *fds, size_t count, int64_t timeout_ms);

#endif
