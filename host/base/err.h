/* err: how a failure travels from the place that understands it to the one line a user reads.
 *
 * What can fail returns `int`: 0, or a negative `enum err_class`. The last parameter is a `struct err *` (the caller's, on its
 * stack), untouched on success. The lowest place that understands the failure sets the message; each level up may prepend one
 * piece of context; only the top prints. Nobody logs on the way.
 *
 *     if (fd < 0)
 *         return err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
 *     ...
 *     if ((rc = fs_read_file(path, &text, err)) != 0)
 *         return err_context(err, "connector '%s'", name);      // "connector 'shop': cannot open ..."
 *
 * Messages: lower case, no full stop, "could not" (may work later) or "cannot" (never), names quoted, expected against got.
 * The hint is the remedy: one sentence that says what to do. Thread: an err belongs to one thread. */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

enum err_class {
    ERR_CONFIG = -1,       /* usage, sluice.yaml, a connector's config */
    ERR_AUTH = -2,         /* credentials refused, or needing a new login */
    ERR_PERMISSION = -3,   /* known, but not allowed; also a request to a host that is not allowed */
    ERR_RATE_LIMIT = -4,   /* told to wait, and the wait is over its limit */
    ERR_TRANSIENT = -5,    /* may heal: network, 5xx, a cut body */
    ERR_STALLED = -6,      /* no progress, and nobody waits on a declared limit */
    ERR_SOURCE = -7,       /* the source refuses this request for good: 400, 404, 422, a redirect loop */
    ERR_DATA = -8,         /* a cap or a rule about data was passed: page too large, page loop, reject limit */
    ERR_SCHEMA = -9,       /* the target has other types, or is gone; the shrink guard */
    ERR_DESTINATION = -10, /* anything else of the destination */
    ERR_CONNECTOR = -11,   /* a connector's bug: script error, sandbox limit */
    ERR_HELD = -12,        /* another sync holds the pipeline, or has taken it over */
    ERR_CANCELLED = -13,   /* asked to stop */
    ERR_NOMEM = -14,       /* a memory cap, by its name in the message */
    ERR_BUG = -15,         /* ours */
};

struct err {
    int class;          /* enum err_class; 0 while nothing failed */
    bool is_too_much;   /* asking for less may help: a time-out, 408, 413, 504, a body over its cap */
    char message[1024]; /* one line, complete enough to show as it is */
    char hint[512];     /* what to do; empty when there is nothing to say */
};

#define ERR_INIT ((struct err){0})

/* What a class means to the outside. One row per class; see err.c. */
struct err_class_info {
    int class;
    const char *name; /* "rate_limit": in JSON events and logs */
    int exit_code;    /* of the process, see `sluice help exit-codes` */
    int http_status;  /* of the service */
    bool retryable;   /* may the same request be sent again? */
    bool heals;       /* may the same sync go through later, with nothing changed? */
    const char *hint; /* when the place of failure had none */
};

/* Sets class and message (printf), drops an older hint, returns `class`. A message past the array is cut, at a whole character;
 * line ends and other control characters, as servers send them, become spaces, and bytes that are not UTF-8 become '?'.
 * Arguments may point into `err`. */
int err_set(struct err *err, int class, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets the remedy (printf) and returns err->class, so that `return err_hint(err, ...)` reads on after err_set. */
int err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Prepends "CONTEXT: " to the message and returns err->class. */
int err_context(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Copies a failure to another struct (from a thread's err to its owner's). Returns its class. */
int err_copy(struct err *to, const struct err *from);

/* The row of a class; an unknown number gives the row of ERR_BUG. Never NULL. */
const struct err_class_info *err_class_info(int class);
const struct err_class_info *err_class_named(const char *name); /* NULL when there is none */

/* The hint to print: the failure's own, else its class's. Never NULL, may be "". */
const char *err_hint_text(const struct err *err);

#endif
