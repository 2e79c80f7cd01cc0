/* monitor: see monitor.h. */
#include "service/monitor.h"

#include <math.h>
#include <string.h>

#include "base/time.h"

static const int64_t DAY_MS = 24 * 3600000;

const char *const MONITOR_NAMES[MONITOR_KINDS] = {"failed", "stale", "rejects", "volume"};

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

static const char *look_at_freshness(const struct monitor_settings *settings, const struct monitor_facts *facts,
                                     struct arena *arena)
{
    char age[TIME_TEXT_MAX], limit[TIME_TEXT_MAX];
    int64_t since_ms = facts->succeeded_ms ? facts->succeeded_ms : facts->first_ms;
    if (settings->freshness_ms == 0 || !facts->runs_by_itself || facts->is_paused || since_ms == 0) return NULL;
    if (facts->now_ms - since_ms <= settings->freshness_ms) return NULL;
    time_write_span(facts->now_ms - since_ms, age);
    time_write_span(settings->freshness_ms, limit);
    return arena_printf(arena, "no sync went well for %s (the limit is %s)", age, limit);
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
    default:
        return look_at_volume(settings, facts, arena);
    }
}
