/* parser: a native plugin that parses the bodies of answers for connectors whose streams name it in their `format`.
 *
 *     rc = parser_load(&path, connector, "fixed", &options, arena, &parser, err);     // found, read, described
 *     options.parsers = &parser, options.parser_count = 1;                            // connector.h: functions parse by it
 *
 * Like a connector's, its code runs in a worker of its own and nowhere else; here are its bytes and what it declares. */
#ifndef SLUICE_CONNECTOR_PARSER_H
#define SLUICE_CONNECTOR_PARSER_H

#include "connector/connector.h"
#include "rest/config.h"

struct parser {
    const char *name; /* as formats name it: the file's */
    struct connector_sources sources;
    struct config_table config; /* what it declares */
};

/* Finds NAME.so: in the connector's own folder (or the one its file is in), then where connectors are looked up. CONFIG when
 * there is none, its file cannot be trusted, or it is no parser; CONNECTOR for what its code does while it is described. */
int parser_load(const struct connector_path *path, const struct connector *connector, const char *name,
                const struct connector_options *options, struct arena *arena, const struct parser **out,
                struct err *err) MUST_USE;

#endif
