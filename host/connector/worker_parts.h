/* worker_parts: what worker.c (its life), worker_ask.c (a request and its answer) and worker_aside.c (what it asks meanwhile)
 * share. Nobody else includes this. */
#ifndef SLUICE_CONNECTOR_WORKER_PARTS_H
#define SLUICE_CONNECTOR_WORKER_PARTS_H

#include "connector/worker.h"
#include "wire/session.h"
#include "wire/stream.h"

struct worker {
    const char *name; /* the connector's */
    const char *what; /* "connector", "parser": for messages */
    const struct connector_options *options;
    struct connector_limits limits;
    struct process *process; /* NULL once it was ended */
    struct wire_stream stream;
    struct buf out;     /* the frame going out */
    struct buf scratch; /* an answer of sluice.crypto */
    uint32_t id;
    unsigned log_lines; /* in this request */
    bool is_native;
    const struct native_http *http;                   /* sends the plugin's requests; NULL: nobody */
    const struct native_input *input;                 /* the body that it parses; NULL: none */
    bool was_stopped;                                 /* it was told that no more is wanted */
    void (*passed)(void *context, const char *check); /* inspecting: who is told; else NULL */
    void *passed_context;
};

void worker_end(struct worker *worker); /* its process */

/* What a plugin's failure means, by enum sluice_error; a plugin cannot say that it is our bug. */
int worker_class_of(uint64_t error);

/* Sends what is in `out` and waits for the frame `answer`; its text. */
int worker_ask_frame(struct worker *worker, enum wire_type answer, struct wire_frame *frame, struct err *err) MUST_USE;
int worker_ask_text(struct worker *worker, enum wire_type answer, struct str *text, struct err *err) MUST_USE;

/* What comes before the answer: a line, a question. 1: it was none of that. */
int worker_take_aside(struct worker *worker, const struct wire_frame *frame, struct wire_wait wait, struct err *err) MUST_USE;

#endif
