/* worker: one sandboxed process from this side: start it, send it a connector's sources, ask it, end it.
 *
 *     struct worker *worker;
 *     struct str description;
 *     rc = worker_start(&sources, &options, &worker, &description, err);    // description: valid until the next call
 *     rc = worker_call(worker, &call, arena, &result, err);
 *     worker_free(worker);
 *
 * A worker that passes a limit, crashes, is silent, or talks out of turn is ended, and every later call fails; one whose
 * function only raised an error goes on. Calls come one at a time. */
#ifndef SLUICE_CONNECTOR_WORKER_H
#define SLUICE_CONNECTOR_WORKER_H

#include "base/arena.h"
#include "base/err.h"
#include "connector/connector.h"
#include "wire/wire.h"

struct native_http;
struct native_input;
struct worker;

/* `sources` and `options` must outlive the worker. On failure *out is NULL. */
int worker_start(const struct connector_sources *sources, const struct connector_options *options, struct worker **out,
                 struct str *description, struct err *err) MUST_USE;
/* Of a native plugin: the same, telling `passed` of each check of loading. */
int worker_inspect(const struct connector_sources *sources, const struct connector_options *options,
                   void (*passed)(void *context, const char *check), void *context, struct worker **out,
                   struct str *description, struct err *err) MUST_USE;
int worker_call(struct worker *worker, const struct wire_call *call, struct arena *arena, struct str *result,
                struct err *err) MUST_USE;
void worker_free(struct worker *worker); /* NULL is fine */

/* The requests of a native plugin's session (wire/session.h): a frame is written to worker_begin's buffer under its id, then
 * worker_ask sends it and waits for the frame that answers it, whose payload is valid until the next one. */
struct buf *worker_begin(struct worker *worker, uint32_t *id);
/* While it is asked: who sends the plugin's requests; NULL: nobody. */
void worker_let_send(struct worker *worker, const struct native_http *http);
/* ... and the body that it may read; NULL: none. */
void worker_let_read(struct worker *worker, const struct native_input *input);
int worker_ask(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err) MUST_USE;

#endif
