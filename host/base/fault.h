/* fault: labelled places where a test can make the process die, fail, wait or stop. Compiled in only with SLUICE_FAULTS (the
 * dev, asan and tsan presets); in a release the macros are nothing at all, and the variables below mean nothing.
 *
 *     FAULT_POINT("sync.commit.after");                              // kill, delay, stop
 *     if (rc == 0) rc = FAULT_FAILS("csv.manifest.written", err);    // these and error: as if the step before had failed
 *     if (FAULT_STRIKES("pg.commit.sent")) ...                       // the same for failures of another kind: see
 * PG_FAULT_POINT
 *
 * SLUICE_FAULT=LABEL:N:ACTION[,...] is read once, at the first point that is passed. N counts this process's passages of the
 * label from 1; 0 means each of them. Actions: `kill` (SIGKILL), `error`, `delay` (50 ms, or `delay=MS`), `stop` (SIGSTOP).
 * SLUICE_FAULT_LOG=FILE gets a line "LABEL" per passage ("LABEL error" where it can fail) and "LABEL struck ACTION" when a
 * fault strikes: what there is to enumerate, and whether it was reached. A variable that cannot be read ends the process.
 *
 * Every process reads and counts for itself: the children of a `sluice run` of several pipelines inherit the variable, each
 * meets its own N-th passage. Workers never do: their environment is empty, and no layer they link has a point. Labels:
 * WHERE.STEP[.before|after], each at one place of the code. tests/fault/README.md lists them; a test compares. Thread: any. The
 * only state is what was read, and a count per fault. */
#ifndef SLUICE_BASE_FAULT_H
#define SLUICE_BASE_FAULT_H

#include <stdbool.h>

#include "base/err.h"

#ifdef SLUICE_FAULTS

/* Passes the point; true when it shall fail now. */
bool fault_pass(const char *label, bool can_fail);

#define FAULT_POINT(label) ((void)fault_pass(label, false))
#define FAULT_STRIKES(label) fault_pass(label, true)
#define FAULT_FAILS(label, err) (FAULT_STRIKES(label) ? err_set(err, ERR_DESTINATION, "fault at '%s'", label) : 0)

#else

#define FAULT_POINT(label) ((void)0)
#define FAULT_STRIKES(label) false
#define FAULT_FAILS(label, err) 0

#endif

#endif
