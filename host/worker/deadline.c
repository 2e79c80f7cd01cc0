/* deadline: see deadline.h. A POSIX timer on the process's CPU clock that repeats every DEADLINE_GRACE_MS; the pointer to the
 * deadline travels in the signal itself, so there is no global. */
#include "worker/deadline.h"

#include <errno.h>
#include <stddef.h>

static void on_timer(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    struct deadline *deadline = info->si_value.sival_ptr;
    if (info->si_code != SI_TIMER || deadline->held > 0) return;
    int saved_errno = errno;
    deadline->fired = deadline->fired + 1;
    if (deadline->fired == 1)
        deadline->soon(deadline->context);
    else
        deadline->now(deadline->context);
    errno = saved_errno;
}

int deadline_init(struct deadline *deadline, void (*soon)(void *context), void (*now)(void *context), void *context)
{
    *deadline = (struct deadline){.soon = soon, .now = now, .context = context};
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF, .sigev_value.sival_ptr = deadline};
    if (sigaction(SIGPROF, &action, NULL) != 0) return -1;
    return timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &deadline->timer);
}

static void set_timer(struct deadline *deadline, uint64_t first_ms, uint64_t repeat_ms)
{
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(first_ms / 1000), .tv_nsec = (long)(first_ms % 1000) * 1000000},
        .it_interval = {.tv_sec = 0, .tv_nsec = (long)repeat_ms * 1000000},
    };
    timer_settime(deadline->timer, 0, &spec, NULL);
}

void deadline_arm(struct deadline *deadline, uint64_t cpu_ms)
{
    deadline->fired = 0;
    set_timer(deadline, cpu_ms ? cpu_ms : 1, DEADLINE_GRACE_MS);
}

void deadline_disarm(struct deadline *deadline)
{
    set_timer(deadline, 0, 0);
    deadline->fired = 0;
}
