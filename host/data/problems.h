/* problems: mistakes collected while something is checked, to be shown all at once.
 *
 *     struct problems problems = PROBLEMS_INIT(&arena);
 *     option_check(&TABLE, node, "pipelines.shop", &problems);
 *     for (size_t i = 0; i < problems_listed(&problems); i++) print(&problems.list[i]);
 *     return problems_to_err(&problems, ERR_CONFIG, err);
 *
 * Texts are made one line and cut to a kilobyte, and at most PROBLEMS_MAX are kept (later ones only counted): hostile input
 * cannot fill the arena. One thread at a time. */
#ifndef SLUICE_DATA_PROBLEMS_H
#define SLUICE_DATA_PROBLEMS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "data/node.h"

struct problem {
    const char *file; /* or NULL */
    unsigned line;    /* or 0 */
    const char *message;
    const char *hint; /* or NULL */
};

struct problems {
    struct arena *arena; /* owns the texts */
    struct problem *list;
    size_t count;    /* all of them, also those past the list's end */
    size_t capacity; /* of the list, at most PROBLEMS_MAX */
};

enum { PROBLEMS_MAX = 100 };

#define PROBLEMS_INIT(arena_pointer) ((struct problems){.arena = (arena_pointer)})

/* Adds a mistake at `node` (NULL: no place). */
void problems_add(struct problems *problems, const struct node *node, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_hint(struct problems *problems, const char *format, ...) PRINTF_LIKE(2, 3); /* for the newest one */
size_t problems_listed(const struct problems *problems);                                  /* how many are in `list` */
void problem_describe(const struct problem *problem, struct buf *out);                    /* appends "FILE:LINE: message" */
/* The first mistake as an err of `class` ("FILE:LINE: message (and N more)", with its hint); 0 when there is none. */
int problems_to_err(const struct problems *problems, int class, struct err *err);

#endif
