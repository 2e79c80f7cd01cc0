/* lint: what is allowed in a description and will be regretted. Pure: it looks at the description's tree, all cases of its
 * choices included, and calls nothing.
 *
 *     struct findings findings = FINDINGS_INIT(&arena);
 *     lint_description(root, &findings);            // a root that passed description_check
 *     lint_compare(old_root, root, &findings);      // is NEW a safe successor of OLD?
 *
 * An *error* will fail or leak sooner or later, a *warning* costs something in most cases, a *note* is worth a look. */
#ifndef SLUICE_REST_LINT_H
#define SLUICE_REST_LINT_H

#include <stddef.h>

#include "base/arena.h"
#include "data/node.h"

enum finding_level { FINDING_ERROR, FINDING_WARNING, FINDING_NOTE, FINDING_LEVELS };

struct finding {
    enum finding_level level;
    const char *rule;    /* "unmarked-secret": the same in every version */
    const char *place;   /* "config.token" */
    const char *message; /* one line */
    const char *hint;    /* what to do; "": nothing to say */
};

struct findings {
    struct arena *arena;
    struct finding *list;
    size_t count, capacity;
    size_t by_level[FINDING_LEVELS];
};

#define FINDINGS_INIT(arena_pointer) ((struct findings){.arena = (arena_pointer)})

/* Adds a finding; once only, however many cases of a choice have it. */
void findings_add(struct findings *findings, enum finding_level level, const char *rule, const char *place, const char *message,
                  const char *hint);
const char *finding_level_name(enum finding_level level); /* "error" */

void lint_description(const struct node *root, struct findings *findings);

/* What breaks pipelines and tables of the old version needs a new major version (semver.org): a stream, field, mode or config
 * entry that is gone, another type, key or cursor, a config entry that must be given now. */
void lint_compare(const struct node *old, const struct node *new, struct findings *findings);

#endif
