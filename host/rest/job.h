/* job: what the answers of an asynchronous job say: made, running, done, failed. A state machine without I/O: rest/reader_job.c
 * sends what it asks for.
 *
 * What is known of a job is one JSON object, its text of record: {"id":"7501","url":".."}. It is what {{job.NAME}} sees, and it
 * is state, so that a later run polls and downloads the same job instead of making another.
 *
 *     rc = job_learn(description, known, answer, &arena, &known, err);           // after create and after each poll
 *     rc = job_phase(description, answer, &arena, &phase, &state, err);
 *     wait_ms = job_pause_ms(description, polls);                                // until the next poll
 *
 * Answers are complete JSON with JSONSCAN_PADDING bytes behind them. Pure. */
#ifndef SLUICE_REST_JOB_H
#define SLUICE_REST_JOB_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "rest/description.h"

enum { JOB_MAX_VALUE = 64 * 1024, JOB_MAX_CAPTURES = 20 };

enum job_phase { JOB_RUNNING, JOB_DONE, JOB_FAILED };

/* What is known (empty: nothing) with what the answer adds: texts and numbers at the declared paths; what it does not have
 * stays as it was. The result lives in `arena` and has the padding of a template value. DATA when there is no id by now, or a
 * value is over JOB_MAX_VALUE. */
int job_learn(const struct job_description *job, struct str known, struct str answer, struct arena *arena, struct str *learned,
              struct err *err) MUST_USE;

/* What a poll's answer says. *told (in `arena`): the state and what the source says of a failure. DATA when there is no state.
 */
int job_phase(const struct job_description *job, struct str answer, struct arena *arena, enum job_phase *phase,
              const char **told, struct err *err) MUST_USE;

/* How long to wait before poll number `polls` (0: the first): `every`, each half as long again, never above `up_to`. */
int64_t job_pause_ms(const struct job_description *job, uint64_t polls);

/* Is this the text of a job that this description can go on with? */
bool job_is_known(const struct job_description *job, struct str known);

#endif
