/* reference: ${NAME} and ${file:PATH} in sluice.yaml, replaced in a copy of the tree.
 *
 * ${NAME} is an environment variable; an unset one is a mistake, an empty one is an empty text. ${file:PATH} is a file's
 * content without the newline at its end, relative to sluice.yaml's folder, refused when others than its owner may read it (as
 * ssh does with keys).
 * "$${" stands for "${". A file's content is registered as a secret; what a variable holds is one only where the connector or
 * the destination says so (an URL from the environment shall stay readable in messages). */
#ifndef SLUICE_SYNC_REFERENCE_H
#define SLUICE_SYNC_REFERENCE_H

#include <stdbool.h>

#include "base/arena.h"
#include "data/node.h"
#include "data/option.h"

struct secrets;

/* Returns the tree with every reference replaced. `is_used(context, path)` says whether a part ("pipelines.shop",
 * "pipelines.shop.webhook", "destinations.warehouse") is needed; others keep their references. What is below one that is needed
 * is asked about, too. `is_replayed`: nothing will be sent, so what is not set or cannot be read becomes the text "replayed".
 * Mistakes go to `problems`. */
const struct node *reference_expand(const struct node *root, const char *folder, bool is_replayed,
                                    bool (*is_used)(void *context, const char *path), void *context, struct secrets *secrets,
                                    struct arena *arena, struct problems *problems);

#endif
