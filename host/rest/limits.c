/* How it works: a map at a time, by the table of its kind; a key that a kind does not have is not asked for. */
#include "rest/limits.h"

#include <string.h>

#include "base/time.h"
#include "rest/description.h"
#include "rest/template.h"
#include "rest/vocabulary.h"

/* One map on its way. */
struct limit_in_hand {
    const struct node *node;
    const struct option_table *table;
    const char *path;
    const struct config_table *config;
    struct arena *arena;
    struct problems *problems;
};

static const struct {
    const char *name;
    enum limiter_kind kind;
} KINDS[] = {
    {"bucket", LIMITER_BUCKET}, {"window", LIMITER_WINDOW}, {"concurrency", LIMITER_CONCURRENCY},
    {"cost", LIMITER_COST},     {"quota", LIMITER_QUOTA},
};

static enum limiter_kind kind_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
        if (strcmp(name, KINDS[i].name) == 0) return KINDS[i].kind;
    check_failed(__FILE__, __LINE__, "a kind of limit in the vocabulary that nobody reads");
}

static void complain(const struct limit_in_hand *hand, const char *key, const char *what)
{
    const struct node *place = node_get(hand->node, key);
    problems_add(hand->problems, place ? place : hand->node, "%s.%s: %s", hand->path, key, what);
}

static void read_match(const struct limit_in_hand *hand, struct limiter_match *match)
{
    const struct node *node = node_get(hand->node, "match"), *streams = node_get(node, "streams");
    if (!node_is(node, NODE_MAP)) return;
    match->method = option_text(&VOCABULARY_LIMIT_MATCH, node, "method");
    match->path = option_text(&VOCABULARY_LIMIT_MATCH, node, "path");
    if (match->path && match->path[0] != '/' && match->path[0] != '*') complain(hand, "match", "a path begins with '/' or '*'");
    if (!streams || streams->kind == NODE_NULL) return;
    match->stream_count = streams->kind == NODE_LIST ? streams->count : 1;
    const char **names = arena_array(hand->arena, const char *, match->stream_count + 1);
    for (size_t i = 0; i < match->stream_count; i++)
        names[i] = node_cstr(streams->kind == NODE_LIST ? &streams->children[i] : streams, "");
    match->streams = names;
}

static const struct limit_learn *read_learn(const struct limit_in_hand *hand)
{
    const struct node *node = option_find(hand->table, STR("learn")) ? node_get(hand->node, "learn") : NULL;
    if (!node_is(node, NODE_MAP) || node->count == 0) return NULL;
    struct limit_learn *learn = arena_new(hand->arena, struct limit_learn);
    const struct option_table *table = &VOCABULARY_LIMIT_LEARN;
    *learn = (struct limit_learn){
        .limit = option_text(table, node, "limit"),
        .remaining = option_text(table, node, "remaining"),
        .used = option_text(table, node, "used"),
        .reset = option_text(table, node, "reset"),
        .cost = option_text(table, node, "cost"),
        .rate = option_text(table, node, "rate"),
        .usage = option_text(table, node, "usage"),
    };
    if (learn->used && !learn->limit) complain(hand, "learn", "'used' says nothing without 'limit'");
    return learn;
}

static void read_quota(const struct limit_in_hand *hand, struct limiter_rule *rule)
{
    const char *zone = option_text(hand->table, hand->node, "zone");
    rule->by_calendar = strcmp(option_text(hand->table, hand->node, "reset"), "midnight") == 0;
    rule->stop_at = option_number(hand->table, hand->node, "stop_at");
    if (rule->stop_at <= 0) complain(hand, "stop_at", "must be above zero");
    if (zone && !rule->by_calendar) complain(hand, "zone", "goes with reset = \"midnight\"");
    if (zone && !time_parse_offset(str_from(zone), &rule->zone_s)) complain(hand, "zone", "expected an offset like '+02:00'");
    if (rule->by_calendar && option_is_set(hand->node, "per")) complain(hand, "per", "goes with reset = \"rolling\"");
    bool is_told = rule->learn && (rule->learn->usage || (rule->learn->limit && (rule->learn->remaining || rule->learn->used)));
    if (rule->requests == 0 && !is_told)
        complain(hand, "requests",
                 "is missing, and nothing says where the source tells (learn.usage, or learn.limit with one of "
                 "remaining and used)");
    if (rule->requests > 0 && rule->stop_at > 0 && (double)rule->requests * rule->stop_at < 1)
        complain(hand, "stop_at", "leaves nothing of it");
}

static int64_t integer_or_0(const struct limit_in_hand *hand, const char *key)
{
    return option_is_set(hand->node, key) ? option_integer(hand->table, hand->node, key) : 0;
}

static void read_numbers(const struct limit_in_hand *hand, struct limiter_rule *rule)
{
    bool has_per = rule->kind != LIMITER_CONCURRENCY;
    rule->requests = integer_or_0(hand, rule->kind == LIMITER_COST ? "points" : "requests");
    if (has_per) {
        rule->weight = option_integer(hand->table, hand->node, "weight");
        rule->per_ms = option_duration_ms(hand->table, hand->node, "per");
        if (rule->per_ms <= 0) complain(hand, "per", "must be above zero");
    }
    if (rule->kind == LIMITER_BUCKET || rule->kind == LIMITER_COST) rule->burst = integer_or_0(hand, "burst");
    if (rule->kind == LIMITER_BUCKET && rule->burst == 0) rule->kind = LIMITER_WINDOW;
    if (rule->kind == LIMITER_COST && rule->burst == 0) rule->burst = rule->requests;
    if (option_find(hand->table, STR("slow_down")) && option_is_set(hand->node, "slow_down"))
        rule->slow_down = option_number(hand->table, hand->node, "slow_down");
    int64_t most = rule->burst ? rule->burst : rule->requests;
    if (most > 0 && rule->weight > most) complain(hand, "weight", "a request would count as more than there are");
}

static void read_pool(const struct limit_in_hand *hand, struct limit_description *limit)
{
    struct template_scope scope = {.config = hand->config, .roots = TEMPLATE_CONFIG, .refuse_secrets = true};
    const struct node *pool = node_get(hand->node, "pool");
    const char *path = arena_printf(hand->arena, "%s.pool", hand->path);
    if (!pool || pool->kind == NODE_NULL) return;
    if (!hand->config)
        limit->rule.pool = option_text(hand->table, hand->node, "pool");
    else
        limit->pool = template_compile(node_text(pool), pool, path, &scope, hand->arena, hand->problems);
}

static void read_limit(struct limit_in_hand *hand, struct limit_description *limit)
{
    const struct vocabulary_kind *kind = vocabulary_check_kind(&VOCABULARY_RATE_LIMIT, hand->node, hand->path, hand->problems);
    *limit = (struct limit_description){0};
    if (!kind) return;
    struct limiter_rule *rule = &limit->rule;
    hand->table = kind->table;
    rule->kind = kind_named(kind->name);
    rule->name = option_text(hand->table, hand->node, "name");
    rule->learn = read_learn(hand);
    read_match(hand, &rule->match);
    read_pool(hand, limit);
    read_numbers(hand, rule);
    if (rule->kind == LIMITER_QUOTA) read_quota(hand, rule);
}

void limits_compile(const struct node *node, const char *path, const struct config_table *config, struct arena *arena,
                    struct limits *limits, struct problems *problems)
{
    size_t before = problems->count, count = node->kind == NODE_LIST ? node->count : 1;
    *limits = (struct limits){0};
    if (count > LIMITER_RULES_MAX) {
        problems_add(problems, node, "%s: %d limits at most, got %zu", path, LIMITER_RULES_MAX, count);
        return;
    }
    struct limit_description *list = arena_array(arena, struct limit_description, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct limit_in_hand hand = {.node = node, .path = path, .config = config, .arena = arena, .problems = problems};
        if (node->kind == NODE_LIST) {
            hand.node = &node->children[i];
            hand.path = arena_printf(arena, "%s[%zu]", path, i + 1);
        }
        read_limit(&hand, &list[i]);
    }
    if (problems->count == before) *limits = (struct limits){list, count};
}

void limits_check_streams(const struct limits *limits, const char *path, const struct description *description,
                          struct problems *problems)
{
    for (size_t i = 0; i < limits->count; i++) {
        const struct limiter_match *match = &limits->list[i].rule.match;
        for (size_t s = 0; s < match->stream_count; s++) {
            if (description_stream(description, match->streams[s])) continue;
            problems_add(problems, NULL, "%s: match names the stream '%s', which is not there", path, match->streams[s]);
            const char *nearest = str_nearest(str_from(match->streams[s]), &description->streams[0].name,
                                              description->stream_count, sizeof description->streams[0]);
            if (nearest) problems_hint(problems, "did you mean '%s'?", nearest);
        }
    }
}

int limits_rules(const struct limits *limits, const struct config *config, int64_t now_us, const char *base_path,
                 struct arena *arena, const struct limiter_rule **rules, struct err *err)
{
    struct limiter_rule *list = arena_array(arena, struct limiter_rule, limits->count + 1);
    const struct template_values values = {.config = config, .now_us = now_us};
    size_t base_size = strlen(base_path);
    while (base_size && base_path[base_size - 1] == '/') base_size--;
    *rules = list;
    for (size_t i = 0; i < limits->count; i++) {
        bool has_secret = false;
        list[i] = limits->list[i].rule;
        if (list[i].match.path)
            list[i].match.path = arena_printf(arena, "%.*s%s", (int)base_size, base_path, list[i].match.path);
        if (!limits->list[i].pool) continue;
        int rc = template_text(limits->list[i].pool, &values, arena, &list[i].pool, &has_secret, err);
        if (rc != 0) return err_context(err, "rate_limit.pool");
    }
    return 0;
}
