/* roster: the pipelines of sluice.yaml as the service knows them, each with its schedules; read anew when the file changes.
 *
 * A file that is wrong changes nothing: the roster stays as it was and says what is wrong, once. Secrets are not looked at
 * (`${NAME}` stays as it is): each sync is a process of its own that reads the file, too.
 *
 * One thread reads it anew and uses what changes in it (records, look_ms). Others look at the rest between roster_hold and
 * roster_let_go, and not for long: that thread waits for them. */
#ifndef SLUICE_SERVICE_ROSTER_H
#define SLUICE_SERVICE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/problems.h"
#include "service/cadence.h"
#include "sync/project.h"

struct roster;

struct roster_pipeline {
    const struct pipeline *pipeline;
    struct cadences cadences;
    struct cadence_record *records; /* of cadences.list, as last seen in the store */
    bool is_known;                  /* records were read */
    int64_t look_ms;                /* not looked at again before; INT64_MAX: never by itself */
};

struct roster *roster_new(const char *file);
void roster_free(struct roster *roster); /* NULL is fine */

/* Reads the file when it has changed since, or `anyway`. False when it was not read or is wrong (*problems says how; they live
 * as long as the roster is not read again). What is returned by the functions below is valid until the next true. */
bool roster_read(struct roster *roster, bool anyway, struct problems *problems);

const struct project *roster_project(const struct roster *roster); /* NULL until one was read */
struct roster_pipeline *roster_list(struct roster *roster, size_t *count);
/* While it is held, nothing that was returned goes away. Any number of threads may hold it, each once. */
void roster_hold(struct roster *roster);
void roster_let_go(struct roster *roster);
/* The names of all, for who takes long over each: hold, find and let go one by one. Holds it itself. */
const char **roster_names(struct roster *roster, struct arena *arena, size_t *count);

struct roster_pipeline *roster_find(struct roster *roster, const char *name); /* NULL when it is not in the file */

#endif
