/* monitor_settings: see monitor_settings.h. */
#include "sync/monitor_settings.h"

#include <string.h>

#include "base/check.h"

static const char *const KINDS[] = {"failed", "stale", "rejects", "volume", "schema"};

static const struct option STREAM_ARRAY[] = {
    {"freshness", OPTION_DURATION, OPTION_REQUIRED, NULL, NULL, NULL, "as the pipeline's; 0: not watched"},
};
static const struct option_table STREAM_MONITOR_OPTIONS = OPTION_TABLE("monitors of a stream", STREAM_ARRAY);

static const struct option MONITOR_ARRAY[] = {
    {"freshness", OPTION_DURATION, 0, "25h", NULL, NULL,
     "so long may pass between two syncs that went well, where it runs by itself; 0: not watched"},
    {"volume", OPTION_NUMBER, 0, "2", "0..1000", NULL,
     "yesterday's rows may be so many standard deviations from those of the six days before; 0: not watched"},
    {"by_weekday", OPTION_BOOLEAN, 0, "false", NULL, NULL, "... from those of the same weekday in the six weeks before"},
    {"rejects", OPTION_INTEGER, 0, NULL, "0..1000000000", NULL, "a sync may reject so many records; default: not watched"},
    {"schema", OPTION_BOOLEAN, 0, "true", NULL, NULL,
     "told for a day: undeclared fields became columns of a table that was there, values of another type than their column "
     "came"},
    {"streams", OPTION_MAP_OF, 0, NULL, NULL, &STREAM_MONITOR_OPTIONS, "limits of single streams"},
};
const struct option_table MONITOR_OPTIONS = OPTION_TABLE("monitors", MONITOR_ARRAY);

static const struct stream_freshness *read_streams(const struct node *streams, struct arena *arena, size_t *count)
{
    *count = streams && streams->kind == NODE_MAP ? streams->count : 0;
    struct stream_freshness *list = arena_array(arena, struct stream_freshness, *count + 1);
    for (size_t i = 0; i < *count; i++)
        list[i] = (struct stream_freshness){
            .stream = arena_text(arena, streams->children[i].key),
            .limit_ms = option_duration_ms(&STREAM_MONITOR_OPTIONS, &streams->children[i], "freshness")};
    return list;
}

void monitor_settings_read(const struct node *node, struct arena *arena, struct monitor_settings *out)
{
    *out = (struct monitor_settings){
        .freshness_ms = option_duration_ms(&MONITOR_OPTIONS, node, "freshness"),
        .volume = option_number(&MONITOR_OPTIONS, node, "volume"),
        .by_weekday = option_boolean(&MONITOR_OPTIONS, node, "by_weekday"),
        .rejects = option_is_set(node, "rejects") ? option_integer(&MONITOR_OPTIONS, node, "rejects") : -1,
        .schema = option_boolean(&MONITOR_OPTIONS, node, "schema"),
    };
    out->streams = read_streams(node_get(node, "streams"), arena, &out->stream_count);
}

static const struct option ALERT_ARRAY[] = {
    {"webhook", OPTION_STRING, OPTION_SECRET, NULL, NULL, NULL,
     "URL that takes {\"text\": ..}, as Slack's incoming webhooks do"},
    {"command", OPTION_LIST, 0, NULL, NULL, NULL,
     "program (with its path) and arguments; gets the alert as JSON on its standard input"},
    {"statsd", OPTION_STRING, 0, NULL, NULL, NULL, "HOST:PORT of a DogStatsD server, which gets the alert as an event"},
    {"on", OPTION_LIST, 0, NULL, NULL, NULL, "only for these: failed, stale, rejects, volume, schema; default: all"},
    {"repeat", OPTION_DURATION, 0, "24h", NULL, NULL, "told again after so long, while it lasts"},
    {"allow_private", OPTION_BOOLEAN, 0, "false", NULL, NULL,
     "the webhook may be on this machine or in the own network, and without TLS"},
};
const struct option_table ALERT_OPTIONS = OPTION_TABLE("an alert", ALERT_ARRAY);

/* A list as texts of their own, ended by NULL; NULL when it is absent. */
static const char **copy_texts(const struct node *node, const char *key, struct arena *arena, size_t *count)
{
    *count = 0;
    if (!option_is_set(node, key)) return NULL;
    const char *const *texts = option_texts(node, key, arena, count);
    const char **copy = arena_array(arena, const char *, *count + 1);
    for (size_t i = 0; i < *count; i++) copy[i] = arena_strdup(arena, texts[i]);
    copy[*count] = NULL;
    return copy;
}

void alert_target_read(const struct node *node, struct arena *arena, struct alert_target *out)
{
    size_t words;
    *out = (struct alert_target){.webhook = arena_strdup(arena, option_text(&ALERT_OPTIONS, node, "webhook")),
                                 .repeat_ms = option_duration_ms(&ALERT_OPTIONS, node, "repeat"),
                                 .allow_private = option_boolean(&ALERT_OPTIONS, node, "allow_private")};
    out->statsd = arena_strdup(arena, option_text(&ALERT_OPTIONS, node, "statsd"));
    out->command = copy_texts(node, "command", arena, &words);
    out->on = copy_texts(node, "on", arena, &out->on_count);
}

void alerts_check(const struct node *alerts, struct problems *problems)
{
    for (size_t i = 0; alerts && alerts->kind == NODE_LIST && i < alerts->count; i++) {
        const struct node *alert = &alerts->children[i], *command = node_get(alert, "command");
        int ways = option_is_set(alert, "webhook") + option_is_set(alert, "command") + option_is_set(alert, "statsd");
        if (ways != 1) problems_add(problems, alert, "service.alerts.%zu: expected one of webhook, command, statsd", i);
        const struct node *program = command && command->kind == NODE_LIST && command->count ? &command->children[0] : command;
        if (program && node_cstr(program, "")[0] != '/')
            problems_add(problems, command, "service.alerts.%zu: the command begins with the whole path of a program", i);
        const struct node *on = node_get(alert, "on");
        for (size_t k = 0; on && on->kind == NODE_LIST && k < on->count; k++) {
            size_t known = 0;
            while (known < ARRAY_SIZE(KINDS) && strcmp(KINDS[known], node_cstr(&on->children[k], "")) != 0) known++;
            if (known == ARRAY_SIZE(KINDS))
                problems_add(problems, on, "service.alerts.%zu: on: expected failed, stale, rejects, volume or schema", i);
        }
    }
}
