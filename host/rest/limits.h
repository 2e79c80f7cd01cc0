/* limits: `http.rate_limit` of a connector, and the `rate_limit` of a pipeline that replaces it: from nodes to a limiter's
 * rules.
 *
 *     limits_compile(node, "http.rate_limit", config_table, arena, &limits, problems);        // a map, or a list of maps
 *     limits_check_streams(&limits, "http.rate_limit", description, problems);
 *     rc = limits_rules(&limits, config, now_us, base_path, arena, &rules, err);              // once a configuration is there
 *
 * Everything lives in the arena. */
#ifndef SLUICE_REST_LIMITS_H
#define SLUICE_REST_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "data/node.h"
#include "data/problems.h"
#include "net/limit.h"
#include "rest/config.h"

struct description;
struct template;

struct limit_description {
    struct limiter_rule rule;    /* its path is behind the base's; no pool */
    const struct template *pool; /* NULL: the default */
};

struct limits {
    const struct limit_description *list;
    size_t count;
};

/* Checks and compiles. `config`: what a template may name; NULL: there are no templates (in a pipeline). Mistakes go to
 * `problems`, and *limits is empty then. */
void limits_compile(const struct node *node, const char *path, const struct config_table *config, struct arena *arena,
                    struct limits *limits, struct problems *problems);

/* The streams that a `match` names must be there. */
void limits_check_streams(const struct limits *limits, const char *path, const struct description *description,
                          struct problems *problems);

/* limits->count rules for one configuration. `base_path` is that of http.base. CONFIG when a pool has no value. */
int limits_rules(const struct limits *limits, const struct config *config, int64_t now_us, const char *base_path,
                 struct arena *arena, const struct limiter_rule **rules, struct err *err) MUST_USE;

#endif
