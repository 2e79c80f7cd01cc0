/* deadline: a limit on CPU time that code under it cannot catch, swallow or outlast.
 *
 * When the time is up a signal calls `soon`, which may arrange an orderly end; a little later, `now`, which must end the
 * process. Both run in the signal handler: async-signal-safe calls only. Time spent waiting does not count.
 *
 *     deadline_init(&deadline, set_hook, end_now, host);
 *     deadline_arm(&deadline, 10000);
 *     ... run the script ...
 *     deadline_disarm(&deadline);
 *
 * One process has one of these. It works after the walls are up, if initialised before. */
#ifndef SLUICE_WORKER_DEADLINE_H
#define SLUICE_WORKER_DEADLINE_H

#include <signal.h>
#include <stdint.h>
#include <time.h>

enum { DEADLINE_GRACE_MS = 100 };

struct deadline {
    timer_t timer;
    void (*soon)(void *context);
    void (*now)(void *context);
    void *context;
    volatile sig_atomic_t fired; /* signals since it was armed */
    volatile sig_atomic_t held;  /* > 0: in the middle of a frame; the signal is put off */
};

int deadline_init(struct deadline *deadline, void (*soon)(void *context), void (*now)(void *context), void *context);
void deadline_arm(struct deadline *deadline, uint64_t cpu_ms); /* from now; replaces an earlier one */
void deadline_disarm(struct deadline *deadline);

/* Between these two the signal does nothing but come again: for writing a frame whole. */
static inline void deadline_hold(struct deadline *deadline)
{
    deadline->held = deadline->held + 1;
}

static inline void deadline_unhold(struct deadline *deadline)
{
    deadline->held = deadline->held - 1;
}

#endif
