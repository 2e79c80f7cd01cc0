/* connector_parts: what the subcommands of `sluice connector` share. Only they include this. */
#ifndef SLUICE_CLI_CONNECTOR_PARTS_H
#define SLUICE_CLI_CONNECTOR_PARTS_H

#include <stdbool.h>

#include "connector/connector.h"
#include "data/node.h"
#include "rest/config.h"

/* A connector's description, checked. */
struct loaded_connector {
    const struct connector *connector;
    struct str json;
    const struct node *root;
    struct config_table config;
};

/* Finds, runs and checks it. 0, or the exit code after what is wrong was printed. */
int connector_load(const char *name, struct arena *arena, struct loaded_connector *loaded);

/* Each prints to stdout and returns the exit code. */
int connector_docs(const struct loaded_connector *loaded);
int connector_config_schema(const struct loaded_connector *loaded);
int connector_lint(const struct loaded_connector *loaded, const struct loaded_connector *old, bool is_strict, bool as_json,
                   struct arena *arena);

/* Makes ./connectors/NAME, from a curl command, HAR session or OpenAPI document if `from` names one. */
int connector_new(const char *name, const char *from, struct arena *arena);
/* Makes ./plugins/NAME, a native plugin in C. */
int connector_new_native(const char *name, struct arena *arena);

#endif
