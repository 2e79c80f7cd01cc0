/* parsing: see parsing.h. A session is closed when the next one is wanted: who needs no other ends the process. */
#include "connector/parsing.h"

#include <string.h>

#include "connector/native.h"
#include "connector/parser.h"
#include "connector/worker.h"
#include "rest/config.h"

static const struct parser *find(const struct connector_options *options, const char *name)
{
    for (size_t i = 0; i < options->parser_count; i++)
        if (strcmp(options->parsers[i]->name, name) == 0) return options->parsers[i];
    return NULL;
}

static int start(struct parsing_worker *parsing, const struct connector_options *options, const struct parser *parser,
                 struct err *err)
{
    struct str description; /* known already */
    parsing_release(parsing);
    parsing->parser = parser;
    parsing->grant = (struct connector_grant){.profile = "parse"};
    parsing->options = *options;
    parsing->options.grant = &parsing->grant;
    return worker_start(&parser->sources, &parsing->options, &parsing->worker, &description, err);
}

/* What the format configures, with the parser's defaults. It was found to be right when the connector was prepared. */
static int read_config(const struct parser *parser, const struct format *format, struct arena *arena,
                       struct connector_grant *grant, struct err *err)
{
    struct problems problems = PROBLEMS_INIT(arena);
    const struct config *config;
    config_resolve(&parser->config, format->config, "format.config", NULL, arena, &config, &problems);
    if (problems.count) return err_set(err, ERR_CONFIG, "parser '%s': %s", parser->name, problems.list[0].message);
    struct connector_setting *settings = arena_array(arena, struct connector_setting, parser->config.count + 1);
    grant->settings = settings;
    grant->setting_count = 0;
    for (size_t i = 0; i < parser->config.count; i++)
        if (config->values[i].is_set)
            settings[grant->setting_count++] =
                (struct connector_setting){config->values[i].entry->name, config->values[i].text.data};
    return 0;
}

int parsing_open(struct parsing_worker *parsing, const struct connector_options *options, const struct format *format,
                 const struct native_slice *slice, struct err *err)
{
    const struct parser *parser = find(options, format->plugin);
    struct arena arena = ARENA_INIT(0);
    if (!parser) return err_set(err, ERR_BUG, "the parser '%s' was not loaded", format->plugin);
    int rc = parsing->worker && parsing->parser == parser ? 0 : start(parsing, options, parser, err);
    if (rc == 0 && parsing->has_session) rc = native_close(parsing->worker, err);
    parsing->has_session = false;
    if (rc == 0) rc = read_config(parser, format, &arena, &parsing->grant, err);
    if (rc == 0) rc = native_open(parsing->worker, &parsing->options, slice, err);
    parsing->grant.setting_count = 0;
    parsing->has_session = rc == 0;
    arena_release(&arena);
    return rc;
}

int parsing_next(struct parsing_worker *parsing, const struct native_input *input, struct budget *budget,
                 struct native_page *page, struct err *err)
{
    int rc = native_parse(parsing->worker, input, budget, page, err);
    parsing->has_session = rc == 0;
    return rc;
}

void parsing_release(struct parsing_worker *parsing)
{
    worker_free(parsing->worker);
    *parsing = (struct parsing_worker){0};
}
