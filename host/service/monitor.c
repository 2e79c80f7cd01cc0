/* monitor: see monitor.h. */
#include "service/monitor.h"

#include <math.h>
#include <string.h>

#include "base/time.h"

enum { SCHEMA_TEXT_MAX = 1500 };
static const int64_t DAY_MS = 24 * 3600000;

const char *const MONITOR_NAMES[MONITOR_KINDS] = {"failed", "stale", "rejects", "volume", "schema"};

double monitor_deviation(const uint64_t *samples, size_t count, uint64_t value, double *mean)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) sum += (double)samples[i];
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) squares += ((double)samples[i] - *mean) * ((double)samples[i] - *mean);
    double deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    if (deviation < *mean / 20) deviation = *mean / 20;
    if (deviation < 1) deviation = 1;
    return ((double)value - *mean) / deviation;
}

static const char *look_at_failure(const struct monitor_facts *facts, struct arena *arena)
{
    if (!facts->status || strcmp(facts->status, "failed") != 0) return NULL;
    return arena_printf(arena, "the newest sync failed: %.500s", facts->error ? facts->error : "it did not say why");
}

static const char *say_stale(const char *what, int64_t age_ms, int64_t limit_ms, struct arena *arena)
{
    char age[TIME_TEXT_MAX], limit[TIME_TEXT_MAX];
    time_write_span(age_ms, age);
    time_write_span(limit_ms, limit);
    return arena_printf(arena, "no sync%s went well for %s (the limit is %s)", what, age, limit);
}

/* Its limit; -1: none of its own. */
static int64_t own_limit(const struct monitor_settings *settings, const char *stream)
{
    for (size_t i = 0; i < settings->stream_count; i++)
        if (strcmp(settings->streams[i].stream, stream) == 0) return settings->streams[i].limit_ms;
    return -1;
}

/* A stream that nobody reads any more is not stale: without a limit of its own it must have been tried lately. */
static const char *look_at_stream(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                  const struct stream_record *stream, struct arena *arena)
{
    int64_t own_ms = own_limit(settings, stream->stream), limit_ms = own_ms >= 0 ? own_ms : settings->freshness_ms;
    int64_t since_ms = stream->succeeded_ms ? stream->succeeded_ms : facts->first_ms, age_ms = facts->now_ms - since_ms;
    if (limit_ms == 0 || age_ms <= limit_ms || (own_ms < 0 && facts->now_ms - stream->seen_ms > limit_ms)) return NULL;
    return say_stale(arena_printf(arena, " of stream %s", stream->stream), age_ms, limit_ms, arena);
}

static const char *look_at_freshness(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                     struct arena *arena)
{
    const char *found = NULL;
    int64_t since_ms = facts->succeeded_ms ? facts->succeeded_ms : facts->first_ms, age_ms = facts->now_ms - since_ms;
    if (!facts->runs_by_itself || facts->is_paused || since_ms == 0) return NULL;
    if (settings->freshness_ms && age_ms > settings->freshness_ms) return say_stale("", age_ms, settings->freshness_ms, arena);
    for (size_t i = 0; !facts->is_endless && i < facts->stream_count && !found; i++)
        found = look_at_stream(settings, facts, &facts->streams[i], arena);
    return found;
}

static const char *look_at_schema(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                  struct arena *arena)
{
    const char *found = NULL;
    for (size_t i = 0; settings->schema && i < facts->stream_count; i++) {
        const struct stream_record *stream = &facts->streams[i];
        if (stream->changed_ms == 0 || facts->now_ms - stream->changed_ms > DAY_MS) continue;
        found = arena_printf(arena, "%s%s%s: %s", found ? found : "", found ? "; " : "", stream->stream, stream->changes);
        if (strlen(found) > SCHEMA_TEXT_MAX) return arena_printf(arena, "%.*s ..", SCHEMA_TEXT_MAX, found);
    }
    return found;
}

static const char *look_at_rejects(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                   struct arena *arena)
{
    if (settings->rejects < 0 || facts->rejected <= (uint64_t)settings->rejects) return NULL;
    return arena_printf(arena, "the newest sync rejected %llu records (the limit is %lld)", (unsigned long long)facts->rejected,
                        (long long)settings->rejects);
}

static const char *look_at_volume(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                  struct arena *arena)
{
    uint64_t samples[MONITOR_SAMPLES];
    size_t step = settings->by_weekday ? 7 : 1;
    double mean;
    int64_t today_ms = facts->now_ms - facts->now_ms % DAY_MS,
            oldest_ms = today_ms - (int64_t)(MONITOR_SAMPLES * step + 1) * DAY_MS;
    if (settings->volume <= 0 || facts->is_paused || facts->first_ms == 0 || facts->first_ms > oldest_ms) return NULL;
    for (size_t i = 0; i < MONITOR_SAMPLES; i++) samples[i] = facts->written[(i + 1) * step];
    double deviation = monitor_deviation(samples, MONITOR_SAMPLES, facts->written[0], &mean);
    if (fabs(deviation) <= settings->volume) return NULL;
    return arena_printf(arena, "%llu rows were written yesterday, about %.0f on %s before (%+.1f standard deviations)",
                        (unsigned long long)facts->written[0], mean, settings->by_weekday ? "the same weekdays" : "the days",
                        deviation);
}

const char *monitor_look(enum monitor_kind kind, const struct monitor_settings *settings, const struct monitor_facts *facts,
                         struct arena *arena)
{
    switch (kind) {
    case MONITOR_FAILED:
        return look_at_failure(facts, arena);
    case MONITOR_STALE:
        return look_at_freshness(settings, facts, arena);
    case MONITOR_REJECTS:
        return look_at_rejects(settings, facts, arena);
    case MONITOR_SCHEMA:
        return look_at_schema(settings, facts, arena);
    default:
        return look_at_volume(settings, facts, arena);
    }
}
