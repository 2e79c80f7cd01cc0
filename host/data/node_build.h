/* node_build: makes a tree of nodes from the events of a parser, within the limits of node.h. Shared by node.c and yaml.c.
 *
 *     struct node_build build;
 *     node_build_init(&build, arena, "sluice.yaml");
 *     node_build_open(&build, NODE_MAP, 1);
 *     node_build_key(&build, STR("url"), 2);
 *     node_build_scalar(&build, NODE_STRING, true, STR("x"), 2);
 *     node_build_close(&build);
 *     ... node_build_root(&build) ...
 *     node_build_release(&build);
 *
 * Each step is false when a limit was passed or a key repeated; `fault` then says which. Texts are copied into the arena. */
#ifndef SLUICE_DATA_NODE_BUILD_H
#define SLUICE_DATA_NODE_BUILD_H

#include "data/node.h"

enum node_fault { NODE_FAULT_NONE, NODE_FAULT_DEPTH, NODE_FAULT_COUNT, NODE_FAULT_MEMORY, NODE_FAULT_REPEATED };

struct node_build {
    struct arena *arena;
    const char *file;
    struct node *pending; /* children of all open containers, the outermost's first; at the end the root alone */
    size_t count, capacity;
    size_t total; /* nodes made so far */
    size_t depth; /* open containers */
    struct {
        struct node node;
        size_t first; /* of its children in `pending` */
    } open[NODE_MAX_DEPTH];
    struct str key; /* of the next value; data NULL when none was given */
    unsigned key_line;
    enum node_fault fault;
    const struct node *repeated, *original; /* with NODE_FAULT_REPEATED: the second of its name, and the first */
};

void node_build_init(struct node_build *build, struct arena *arena, const char *file);
void node_build_release(struct node_build *build); /* what is only needed while building; the tree stays */

bool node_build_key(struct node_build *build, struct str key, unsigned line);
bool node_build_scalar(struct node_build *build, enum node_kind kind, bool plain, struct str text, unsigned line);
bool node_build_open(struct node_build *build, enum node_kind kind, unsigned line);
bool node_build_close(struct node_build *build);

bool node_build_wants_key(const struct node_build *build); /* is the next thing a key? */
const struct node *node_build_root(struct node_build *build);
/* Sets `err` (class ERR_NOMEM or `class`) to "PLACE: what the fault is"; returns the class. `place` is "sluice.yaml:3". */
int node_build_error(const struct node_build *build, int class, const char *place, struct err *err);

#endif
