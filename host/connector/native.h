/* native: what is particular to a plugin's worker: its description, as the vocabulary has it, and its sessions. */
#ifndef SLUICE_CONNECTOR_NATIVE_H
#define SLUICE_CONNECTOR_NATIVE_H

#include "connector/connector.h"
#include "connector/worker.h"
#include "rest/native.h"

/* What a plugin's worker says of it becomes a description like any other: `name`, `version` and `profile` are those of the
 * descriptor. ERR_CONFIG when it is no JSON, names functions that the plugin does not have, or native streams without `page`.
 */
int native_description(const char *connector, struct str told, struct arena *arena, struct str *json, struct err *err) MUST_USE;

/* `slice` NULL: of a check. */
int native_ask(struct worker *worker, const struct connector_options *options, enum native_question question,
               const struct native_slice *slice, const struct native_http *http, struct err *err) MUST_USE;
int native_open(struct worker *worker, const struct connector_options *options, const struct native_slice *slice,
                struct err *err) MUST_USE;
int native_close(struct worker *worker, struct err *err) MUST_USE;
int native_next(struct worker *worker, const struct native_http *http, const char *committed, struct budget *budget,
                struct native_page *page, struct err *err) MUST_USE;
/* Of a parser: the next page, made of what it takes from `input`. */
int native_parse(struct worker *worker, const struct native_input *input, struct budget *budget, struct native_page *page,
                 struct err *err) MUST_USE;

#endif
