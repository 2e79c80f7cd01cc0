/* outlook: what a run would do now, found out without doing it. Nothing is written, no lease is taken, and the source is asked
 * for nothing but its lists of streams and fields, where planning needs them.
 *
 *     rc = outlook_make(prepared, &arena, &outlook, err);      // prepared as for a run
 *     for (i < outlook.count) ... outlook.flows[i] ...
 *
 * A flow that would fail at its start says why in `refusal`, or one of its targets does. */
#ifndef SLUICE_SYNC_OUTLOOK_H
#define SLUICE_SYNC_OUTLOOK_H

#include "sync/sync.h"

struct flow_outlook {
    const struct flow_plan *plan;
    const char *cursor;        /* as it is stored; NULL: none */
    bool goes_on;              /* with what an interrupted run left */
    const char *parts;         /* how many parts have state of their own; NULL: none */
    bool has_token;            /* the source's own says where to begin */
    size_t windows, done;      /* of the plan; done: by that run */
    const char *from, *to;     /* what is read: the first window's beginning, the last one's end; "": open */
    size_t partitions;         /* by lists; 0: not read in parts, or by a parent */
    const char *parent;        /* read once for each of its records; NULL: none */
    uint64_t requests;         /* at least; without a parent's and those of further pages */
    const char *request;       /* the first, "GET https://..", without secrets; NULL: not known before */
    const char *after;         /* the newest that the cursor can be then; NULL: what comes says it */
    struct target_look *looks; /* of plan->tables */
    struct err refusal;        /* class 0: none */
};

struct outlook {
    struct flow_outlook *flows;
    size_t count;
};

/* Errors: those of the destination, of what the source is asked for, and of functions. */
int outlook_make(struct sync_prepared *prepared, struct arena *arena, struct outlook *out, struct err *err) MUST_USE;

#endif
