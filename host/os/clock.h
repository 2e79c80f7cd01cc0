/* clock: the time, as something a test can replace. Everything that reads the time or sleeps takes a `struct clock *`.
 *
 * Wall time is microseconds since 1970 UTC; it may jump. Monotonic time is milliseconds since some point; it does not.
 * The system's counts from boot, suspended time included, and is the same for all processes of the machine. */
#ifndef SLUICE_OS_CLOCK_H
#define SLUICE_OS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct cancel;

struct clock {
    int64_t (*wall_us)(struct clock *clock);
    int64_t (*now_ms)(struct clock *clock);
    /* Sleeps; returns early, false, when `cancel` (may be NULL) fires. */
    bool (*sleep_ms)(struct clock *clock, int64_t milliseconds, struct cancel *cancel);
};

struct clock *clock_system(void); /* one shared, stateless object */

/* A clock for tests: stands still until advanced; sleeping advances it at once. */
struct clock_fake {
    struct clock clock;
    int64_t wall;
    int64_t now;
    int64_t slept_ms; /* in all */
};
void clock_fake_init(struct clock_fake *fake, int64_t wall_us);
void clock_fake_advance(struct clock_fake *fake, int64_t milliseconds);

static inline int64_t clock_wall_us(struct clock *clock)
{
    return clock->wall_us(clock);
}
static inline int64_t clock_now_ms(struct clock *clock)
{
    return clock->now_ms(clock);
}
static inline bool clock_sleep_ms(struct clock *clock, int64_t ms, struct cancel *cancel)
{
    return clock->sleep_ms(clock, ms, cancel);
}

#endif
