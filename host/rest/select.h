/* select: choices in a description: {"$select": "mode", "cases": {"a": .., "b": ..}} stands for the case that config.mode
 * names.
 *
 * Resolving copies the tree with every choice replaced by its case. Without a configuration the same tree has variants: as
 * many as are needed so that every case of every choice, nested ones too, appears in at least one of them. */
#ifndef SLUICE_REST_SELECT_H
#define SLUICE_REST_SELECT_H

#include <stddef.h>

#include "base/arena.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/config.h"

/* Checks the shape of every choice below `root` against the config table: the entry exists, cases fit its values and cover
 * them. */
void select_check(const struct node *root, const struct config_table *table, struct problems *problems);

/* The tree as `config` chooses. Mistakes (no case for a value) go to `problems`; the node is then null. */
const struct node *select_resolve(const struct node *root, const struct config *config, struct arena *arena,
                                  struct problems *problems);

size_t select_variants(const struct node *root); /* at least 1 */
const struct node *select_variant(const struct node *root, size_t variant, struct arena *arena);

#endif
