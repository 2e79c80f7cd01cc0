/* signals: how a process is asked to stop. SIGTERM or SIGINT fires a cancel token with CANCEL_STOP, the next one with
 * CANCEL_ABORT.
 *
 *     struct signals *signals;
 *     if ((rc = signals_new(cancel, &signals, err)) != 0) ...           // in main, before any other thread starts
 *     ...
 *     int received = signals_received(signals);                        // exit code: 128 + the signal, 130 or 143
 *     signals_free(signals);
 *
 * The signals are blocked and read by a thread of its own from a signalfd: no handler, no global, nothing interrupted. Also:
 * SIGPIPE is ignored (a closed pipe is an errno), SIGCHLD gets its default back (a parent may have left it ignored, and then
 * children vanish unseen). Threads started later inherit the mask; children started by process.h get a clean one.
 *
 * SIGHUP (the terminal went) stops like SIGTERM, unless the process was started to ignore it (nohup), or the program has
 * another use for it (signals_hangup_fd). */
#ifndef SLUICE_OS_SIGNALS_H
#define SLUICE_OS_SIGNALS_H

#include <stdbool.h>

#include "base/err.h"

struct cancel;
struct signals;

/* One per process at a time. `cancel` outlives it. */
int signals_new(struct cancel *cancel, struct signals **out, struct err *err) MUST_USE;
int signals_received(const struct signals *signals); /* the first one that came: SIGTERM, SIGINT, SIGHUP, or 0 */
/* From its first call on, SIGHUP stops nothing: the descriptor (not to be read) is readable when one came, until
 * signals_hung_up has said so. */
int signals_hangup_fd(struct signals *signals);
bool signals_hung_up(struct signals *signals);
void signals_free(struct signals *signals); /* restores the mask of the calling thread; NULL is fine */

#endif
