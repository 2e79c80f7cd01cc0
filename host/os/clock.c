/* clock: see clock.h. The fake one is advanced by whichever thread sleeps, so its two times are atomic. */
#include "os/clock.h"

#include <time.h>

#include "os/cancel.h"

static int64_t read_clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(struct clock *clock)
{
    (void)clock;
    return read_clock_us(CLOCK_REALTIME);
}

static int64_t system_now_ms(struct clock *clock)
{
    (void)clock;
    return read_clock_us(CLOCK_BOOTTIME) / 1000; /* the same for all processes; goes on while the machine sleeps */
}

static bool system_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    (void)clock;
    return !cancel_wait_ms(cancel, milliseconds);
}

struct clock *clock_system(void)
{
    static const struct clock SYSTEM = {system_wall_us, system_now_ms, system_sleep_ms};
    return (struct clock *)(uintptr_t)&SYSTEM; /* stateless: nobody writes through it */
}

static int64_t fake_wall_us(struct clock *clock)
{
    return __atomic_load_n(&((struct clock_fake *)clock)->wall, __ATOMIC_SEQ_CST);
}

static int64_t fake_now_ms(struct clock *clock)
{
    return __atomic_load_n(&((struct clock_fake *)clock)->now, __ATOMIC_SEQ_CST);
}

static bool fake_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    struct clock_fake *fake = (struct clock_fake *)clock;
    if (cancel_stopping(cancel)) return false;
    if (milliseconds < 0) milliseconds = 0;
    clock_fake_advance(fake, milliseconds);
    __atomic_add_fetch(&fake->slept_ms, milliseconds, __ATOMIC_SEQ_CST);
    return true;
}

void clock_fake_init(struct clock_fake *fake, int64_t wall_us)
{
    *fake = (struct clock_fake){.clock = {fake_wall_us, fake_now_ms, fake_sleep_ms}, .wall = wall_us};
}

void clock_fake_advance(struct clock_fake *fake, int64_t milliseconds)
{
    __atomic_add_fetch(&fake->wall, milliseconds * 1000, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&fake->now, milliseconds, __ATOMIC_SEQ_CST);
}
