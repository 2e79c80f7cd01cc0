/* describe: the two halves of compiling a description, shared between description.c (the connector and http) and
 * describe_stream.c (streams). Nobody else includes this. */
#ifndef SLUICE_REST_DESCRIBE_H
#define SLUICE_REST_DESCRIBE_H

#include "rest/description.h"

struct describing {
    const struct config_table *config;
    struct arena *arena;
    struct problems *problems;
};

/* Compiles what makes a request, from a map that passed `table` (a stream's or the check's). */
void describe_request(const struct describing *with, const struct option_table *table, const struct node *node,
                      const char *path, struct template_scope *scope, struct request_description *request);

/* A map of params or headers; NULL when the key is absent. `allows_lists`: a value may be a list. */
const struct operand *describe_pairs(const struct describing *with, const struct node *map, const char *key, const char *path,
                                     bool allows_lists, struct template_scope *scope);

void describe_stream(const struct describing *with, const struct node *node, struct stream_description *stream);

/* Is a function anywhere in this? NULL has none. */
bool operand_calls(const struct operand *operand);

#endif
