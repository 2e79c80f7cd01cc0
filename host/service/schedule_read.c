/* schedule_read: the key `schedule` as written, checked, and made into what schedule.c computes with. Each key is read by its
 * own function, which adds its mistakes and goes on, so that all of them are told at once. */
#include <string.h>

#include "base/map.h"
#include "os/zone.h"
#include "service/schedule.h"

enum { MINUTES_OF_DAY = 24 * 60, MINUTES_OF_WEEK = 7 * MINUTES_OF_DAY, SHOWN_MAX = 60 };
#define EVERY_MIN_MS 60000LL
#define EVERY_MAX_MS (366 * 86400000LL)
#define JITTER_MAX_MS (12 * 3600000LL)
#define EVERY_DAY 0x7f

static const struct option BLACKOUT_ARRAY[] = {
    {"days", OPTION_LIST, 0, "*", NULL, NULL, "on which it begins: MON-FRI, [SAT, SUN]"},
    {"from", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "08:00"},
    {"to", OPTION_STRING, OPTION_REQUIRED, NULL, NULL, NULL, "17:30; before `from`: on the next day; 24:00 is midnight"},
};
static const struct option_table BLACKOUT_OPTIONS = OPTION_TABLE("a blackout", BLACKOUT_ARRAY);

static const struct option SCHEDULE_ARRAY[] = {
    {"every", OPTION_DURATION, 0, NULL, NULL, NULL, "interval, 1m to 366d; when in it is the pipeline's own, by its name"},
    {"cron", OPTION_STRING, 0, NULL, NULL, NULL,
     "minute, hour, day of month, month, day of week: \"30 2 * * MON-FRI\"; or @hourly, @daily, @weekly, @monthly, @yearly"},
    {"continuous", OPTION_BOOLEAN, 0, "false", NULL, NULL, "again as soon as a run has ended"},
    {"timezone", OPTION_STRING, 0, "UTC", NULL, NULL, "of cron and blackout: Europe/Oslo"},
    {"jitter", OPTION_DURATION, 0, "0s", NULL, NULL,
     "delays each run by up to this, 12h at most, never as far as the next one"},
    {"blackout", OPTION_LIST_OF, 0, NULL, NULL, &BLACKOUT_OPTIONS, "when nothing is started: runs wait for its end"},
};
const struct option_table SCHEDULE_OPTIONS = OPTION_TABLE("a schedule", SCHEDULE_ARRAY);

/* What one schedule is read with. */
struct reading {
    const char *path; /* for messages */
    struct arena *arena;
    struct problems *problems;
    struct schedule *out;
};

/* A scalar of the map; NULL for what is not there, and for what option_check has complained about. */
static const struct node *scalar(const struct node *map, const char *key)
{
    const struct node *node = node_get(map, key);
    return node && node_is_scalar(node) ? node : NULL;
}

static struct str shown(struct str text)
{
    return text.size > SHOWN_MAX ? (struct str){text.data, SHOWN_MAX} : text;
}

static void add_err(struct reading *reading, const struct node *node, const char *path, const struct err *err)
{
    problems_add(reading->problems, node, "%s: %s", path, err->message);
    if (err->hint[0]) problems_hint(reading->problems, "%s", err->hint);
}

/* --- what there is to write ---------------------------------------------------------------------------------------------- */

/* The duration was parsed; the grid's offset is the same part of the name's hash for every interval, so that grids of intervals
 * that divide one another meet. */
static void read_every(struct reading *reading, const struct node *node, const char *path, int64_t every_ms)
{
    struct schedule *out = reading->out;
    if (every_ms < EVERY_MIN_MS) {
        problems_add(reading->problems, node, "%s: an interval is at least 1m, got " STR_FMT, path,
                     STR_ARG(shown(node_text(node))));
        problems_hint(reading->problems, "a bare number is seconds; `continuous` runs again as soon as a run has ended");
    } else if (every_ms > EVERY_MAX_MS) {
        problems_add(reading->problems, node, "%s: an interval is at most 366d, got " STR_FMT, path,
                     STR_ARG(shown(node_text(node))));
    } else if (every_ms % 1000 != 0) {
        problems_add(reading->problems, node, "%s: an interval is of whole seconds, got " STR_FMT, path,
                     STR_ARG(shown(node_text(node))));
    }
    out->kind = SCHEDULE_EVERY;
    out->text = arena_printf(reading->arena, "every " STR_FMT, STR_ARG(node_text(node)));
    out->every_ms = every_ms;
    if (every_ms >= 1000) out->offset_ms = (int64_t)(out->seed % (uint64_t)(every_ms / 1000)) * 1000;
}

static void read_cron(struct reading *reading, const struct node *node, const char *path)
{
    struct err err = ERR_INIT;
    if (cron_parse(node_text(node), &reading->out->cron, &err) != 0) add_err(reading, node, path, &err);
    reading->out->kind = SCHEDULE_CRON;
    reading->out->text = arena_printf(reading->arena, "cron " STR_FMT, STR_ARG(str_trim(node_text(node))));
}

static void read_scalar(struct reading *reading, const struct node *node)
{
    struct str text = node_text(node);
    int64_t every_ms;
    if (str_equal(text, STR("manual"))) return;
    if (str_equal(text, STR("continuous"))) {
        reading->out->kind = SCHEDULE_CONTINUOUS;
        reading->out->text = "continuous";
    } else if (duration_parse(text, &every_ms)) {
        read_every(reading, node, reading->path, every_ms);
    } else if (cron_is_like(text)) {
        read_cron(reading, node, reading->path);
    } else {
        problems_add(reading->problems, node, "%s: '" STR_FMT "' is no schedule", reading->path, STR_ARG(shown(text)));
        problems_hint(reading->problems, "an interval such as 15m, cron such as \"30 2 * * *\", continuous, manual, or a map");
    }
}

static void read_timezone(struct reading *reading, const struct node *map)
{
    struct err err = ERR_INIT;
    const struct node *node = scalar(map, "timezone");
    if (node && zone_load(node_cstr(node, ""), reading->arena, &reading->out->zone, &err) != 0)
        add_err(reading, node, arena_printf(reading->arena, "%s.timezone", reading->path), &err);
}

static void read_jitter(struct reading *reading, const struct node *map)
{
    int64_t jitter_ms;
    const struct node *node = scalar(map, "jitter");
    const struct schedule *out = reading->out;
    if (!node || !duration_parse(node_text(node), &jitter_ms)) return;
    if (jitter_ms > JITTER_MAX_MS || jitter_ms % 1000 != 0)
        problems_add(reading->problems, node, "%s.jitter: expected whole seconds, 12h at most, got " STR_FMT, reading->path,
                     STR_ARG(shown(node_text(node))));
    else if (out->kind == SCHEDULE_EVERY && jitter_ms >= out->every_ms)
        problems_add(reading->problems, node, "%s.jitter: it must be shorter than the interval", reading->path);
    else if (jitter_ms > 0 && out->kind == SCHEDULE_CONTINUOUS)
        problems_add(reading->problems, node, "%s.jitter: a continuous schedule has none", reading->path);
    reading->out->jitter_ms = jitter_ms;
}

/* --- blackouts ----------------------------------------------------------------------------------------------------------- */

/* "8:00", "17:30", "24:00" -> minutes of the day. */
static bool parse_time_of_day(struct str text, int *minutes)
{
    size_t colon = text.size == 5 ? 2 : 1;
    if ((text.size != 4 && text.size != 5) || text.data[colon] != ':') return false;
    int number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (i == colon) continue;
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (text.data[i] - '0');
    }
    *minutes = number / 100 * 60 + number % 100;
    return number % 100 < 60 && *minutes <= MINUTES_OF_DAY;
}

static bool read_time_of_day(struct reading *reading, const struct node *map, const char *key, const char *path, int *minutes)
{
    const struct node *node = scalar(map, key);
    if (!node) return false;
    if (parse_time_of_day(node_text(node), minutes)) return true;
    problems_add(reading->problems, node, "%s.%s: expected a time of day, got '" STR_FMT "'", path, key,
                 STR_ARG(shown(node_text(node))));
    problems_hint(reading->problems, "hours and minutes: 08:00");
    return false;
}

static uint32_t read_days(struct reading *reading, const struct node *node, const char *path)
{
    uint32_t all = 0;
    if (!node || node->kind == NODE_NULL) return EVERY_DAY;
    for (size_t i = 0; i < (node->kind == NODE_LIST ? node->count : 1); i++) {
        const struct node *days = node->kind == NODE_LIST ? &node->children[i] : node;
        struct err err = ERR_INIT;
        uint32_t weekdays = 0;
        if (!node_is_scalar(days)) continue;
        if (cron_parse_weekdays(node_text(days), &weekdays, &err) != 0)
            add_err(reading, days, arena_printf(reading->arena, "%s.days", path), &err);
        all |= weekdays;
    }
    return all;
}

static void read_blackout(struct reading *reading, const struct node *map, const char *path, struct blackout *out)
{
    int from = 0, to = 0;
    out->weekdays = read_days(reading, node_get(map, "days"), path);
    bool has_from = read_time_of_day(reading, map, "from", path, &from),
         has_to = read_time_of_day(reading, map, "to", path, &to);
    if (!has_from || !has_to) return;
    out->from_minute = from % MINUTES_OF_DAY;
    out->length_minutes = to > out->from_minute ? to - out->from_minute : to - out->from_minute + MINUTES_OF_DAY;
}

/* Does a week have a minute outside of all of them? */
static bool leaves_time(const struct blackout *blackouts, size_t count)
{
    bool is_out[MINUTES_OF_WEEK] = {0};
    for (size_t i = 0; i < count; i++)
        for (int day = 0; day < 7; day++)
            for (int m = 0; (blackouts[i].weekdays >> day & 1) && m < blackouts[i].length_minutes; m++)
                is_out[(day * MINUTES_OF_DAY + blackouts[i].from_minute + m) % MINUTES_OF_WEEK] = true;
    return memchr(is_out, false, sizeof is_out) != NULL;
}

static void read_blackouts(struct reading *reading, const struct node *map)
{
    const struct node *list = node_get(map, "blackout");
    if (!list || (list->kind != NODE_LIST && !(list->kind == NODE_MAP && list->count == 0))) return;
    if (list->count > SCHEDULE_BLACKOUTS_MAX) {
        problems_add(reading->problems, list, "%s.blackout: at most %d, got %zu", reading->path, SCHEDULE_BLACKOUTS_MAX,
                     list->count);
        return;
    }
    struct blackout *blackouts = arena_array(reading->arena, struct blackout, list->count + 1);
    for (size_t i = 0; i < list->count; i++)
        read_blackout(reading, &list->children[i], arena_printf(reading->arena, "%s.blackout[%zu]", reading->path, i),
                      &blackouts[i]);
    reading->out->blackouts = blackouts;
    reading->out->blackout_count = list->count;
    if (leaves_time(blackouts, list->count)) return;
    problems_add(reading->problems, list, "%s.blackout: it covers all of the week, so nothing would ever run", reading->path);
    problems_hint(reading->problems, "write `schedule: manual` for a pipeline that never runs by itself");
}

/* --- a map, or a word ---------------------------------------------------------------------------------------------------- */

static void read_kind(struct reading *reading, const struct node *map)
{
    const struct node *every = scalar(map, "every"), *cron = scalar(map, "cron"), *continuous = scalar(map, "continuous");
    bool is_continuous = continuous && str_equal_nocase(node_text(continuous), STR("true"));
    int64_t every_ms;
    if (!node_get(map, "every") + !node_get(map, "cron") + !is_continuous != 2) {
        problems_add(reading->problems, map, "%s: expected one of every, cron and continuous", reading->path);
        problems_hint(reading->problems, "such as { every: 15m } or { cron: \"30 2 * * *\", timezone: Europe/Oslo }");
    }
    if (is_continuous) {
        reading->out->kind = SCHEDULE_CONTINUOUS;
        reading->out->text = "continuous";
    }
    if (every && duration_parse(node_text(every), &every_ms))
        read_every(reading, every, arena_printf(reading->arena, "%s.every", reading->path), every_ms);
    if (cron) read_cron(reading, cron, arena_printf(reading->arena, "%s.cron", reading->path));
}

void schedule_read(const struct node *node, const char *path, const char *pipeline, const struct schedule *parent,
                   struct arena *arena, struct schedule *out, struct problems *problems)
{
    struct reading reading = {path, arena, problems, out};
    const size_t before = problems->count;
    struct schedule fresh = {
        .kind = SCHEDULE_MANUAL, .text = "manual", .zone = zone_utc(), .seed = hash_stable(str_from(pipeline))};
    if (parent) {
        fresh.zone = parent->zone;
        fresh.jitter_ms = parent->jitter_ms;
        fresh.blackouts = parent->blackouts;
        fresh.blackout_count = parent->blackout_count;
    }
    *out = fresh;
    if (!node || node->kind == NODE_NULL) return;
    if (node->kind == NODE_MAP) {
        option_check(&SCHEDULE_OPTIONS, node, path, problems);
        read_kind(&reading, node);
        read_timezone(&reading, node);
        read_jitter(&reading, node);
        read_blackouts(&reading, node);
    } else if (node_is_scalar(node)) {
        read_scalar(&reading, node);
    } else {
        problems_add(problems, node, "%s: expected a schedule, got %s", path, node_kind_name(node->kind));
    }
    if (problems->count > before) *out = fresh;
}
