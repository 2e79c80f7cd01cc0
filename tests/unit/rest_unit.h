/* rest_unit: what the tests of the vocabulary share: descriptions from JSON, configurations, and one look at what went wrong.
 */
#ifndef SLUICE_TESTS_REST_UNIT_H
#define SLUICE_TESTS_REST_UNIT_H

#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/time.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/config.h"
#include "rest/description.h"

/* The shop connector of the README, as its worker sends it. */
#define SHOP_DESCRIPTION                                                                                                       \
    "{\"name\":\"shop\",\"version\":\"1.0.0\",\"title\":\"Shop\","                                                             \
    "\"config\":{\"base_url\":{\"type\":\"string\",\"required\":true,\"title\":\"API base URL\"},"                             \
    "\"api_key\":{\"type\":\"string\",\"secret\":true,\"required\":true},"                                                     \
    "\"start\":{\"type\":\"timestamp\",\"default\":\"2024-01-01T00:00:00Z\"}},"                                                \
    "\"http\":{\"base\":\"{{config.base_url}}\",\"auth\":{\"kind\":\"bearer\",\"token\":\"{{config.api_key}}\"},"              \
    "\"rate_limit\":{\"requests\":10,\"per\":\"1s\",\"burst\":100}},"                                                          \
    "\"check\":{\"path\":\"/health\"},"                                                                                        \
    "\"streams\":{\"orders\":{\"path\":\"/orders\",\"records\":\"orders\",\"primary_key\":\"id\","                             \
    "\"pages\":{\"kind\":\"page\",\"param\":\"page\",\"start\":1,\"size\":1000,\"size_param\":\"limit\",\"more\":\"has_"       \
    "more\"},"                                                                                                                 \
    "\"cursor\":{\"field\":\"updated_at\",\"param\":\"updated_after\",\"start\":\"{{config.start}}\",\"lookback\":\"5m\"},"    \
    "\"fields\":{\"id\":\"string\",\"customer_id\":\"string\",\"total_amount\":\"decimal\",\"status\":\"string\","             \
    "\"created_at\":\"timestamp\",\"updated_at\":\"timestamp\"}}}}"

static inline const struct node *json_node(struct arena *arena, const char *json)
{
    const struct node *node = NULL;
    struct err err = ERR_INIT;
    if (node_from_json(str_from(json), arena, &node, &err) != 0) fail_msg("test JSON: %s", err.message);
    return node;
}

/* One text with every message and hint, to be searched. */
static inline const char *problem_text(const struct problems *problems, struct arena *arena)
{
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < problems_listed(problems); i++)
        buf_printf(&text, "%s [%s]\n", problems->list[i].message, problems->list[i].hint ? problems->list[i].hint : "");
    const char *copy = arena_text(arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

static inline void assert_problem(const struct problems *problems, const char *part)
{
    const char *text = problem_text(problems, problems->arena);
    if (!strstr(text, part)) fail_msg("expected a problem with '%s', got:\n%s", part, text[0] ? text : "none");
}

static inline void assert_no_problem(const struct problems *problems)
{
    if (problems->count) fail_msg("expected no problem, got:\n%s", problem_text(problems, problems->arena));
}

static inline const struct config *config_of(struct arena *arena, const char *table_json, const char *values_json)
{
    struct problems problems = PROBLEMS_INIT(arena);
    struct config_table *table = arena_new(arena, struct config_table);
    const struct config *config = NULL;
    config_table_read(json_node(arena, table_json), arena, table, &problems);
    config_resolve(table, json_node(arena, values_json), "config", NULL, arena, &config, &problems);
    assert_no_problem(&problems);
    return config;
}

/* A description compiled with a configuration; neither may be wrong. */
static inline const struct description *description_of(struct arena *arena, const char *json, const char *values_json,
                                                       const struct config **config)
{
    struct problems problems = PROBLEMS_INIT(arena);
    const struct node *root = json_node(arena, json);
    const struct description *description = NULL;
    struct config_table *table = arena_new(arena, struct config_table);
    config_table_read(node_get(root, "config"), arena, table, &problems);
    config_resolve(table, json_node(arena, values_json), "config", NULL, arena, config, &problems);
    assert_no_problem(&problems);
    description_compile(root, *config, arena, &description, &problems);
    assert_no_problem(&problems);
    return description;
}

static inline int64_t instant(const char *text)
{
    int64_t us = 0;
    enum time_zone_mark mark;
    assert_true(time_parse_iso(str_from(text), &us, &mark));
    return us;
}

#endif
