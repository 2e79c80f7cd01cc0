/* walls: see walls.h. The order matters: what needs a privilege or a system call comes before the wall that takes it away.
 *
 * "Ends with its host" stands on three legs: a kill signal when the thread that forked us ends (the host keeps one for it), a
 * signal when the channel hangs up, which also covers a host that only closed it, and reading its end. The first is set again
 * here because a change of user clears it.
 *
 * There is no RLIMIT_CPU: it counts over a worker's whole life, and a long sync uses much. Deadlines per call are deadline.h's.
 */
#include "worker/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "worker/sanitizer.h"

enum { NOBODY = 65534 };

static const char *const WALL_NAMES[WALL_COUNT] = {
    [WALL_DESCRIPTORS] = "descriptors", [WALL_HANGUP] = "hangup",     [WALL_USER] = "user",
    [WALL_LIMITS] = "limits",           [WALL_DUMPABLE] = "dumpable", [WALL_PRIVILEGES] = "no_new_privs",
    [WALL_LANDLOCK] = "landlock",       [WALL_SECCOMP] = "seccomp",
};

void wall_is_up(struct wall_state *state, const char *detail)
{
    state->is_up = true;
    snprintf(state->detail, sizeof state->detail, "%s", detail);
}

void wall_is_down(struct wall_state *state, const char *what)
{
    state->is_up = false;
    snprintf(state->detail, sizeof state->detail, "%s: %s", what, strerror(errno));
}

void walls_raise_descriptors(unsigned first, struct wall_state *state)
{
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) {
        wall_is_up(state, "");
        return;
    }
    for (int fd = (int)first; fd < 1024; fd++) close(fd);
    wall_is_up(state, "closed one by one up to 1024");
}

/* Runs for data too; only a hang-up ends the process. Async-signal-safe. */
static void on_channel_event(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    int saved_errno = errno;
    struct pollfd channel = {.fd = info->si_fd, .events = 0};
    if (poll(&channel, 1, 0) == 1 && (channel.revents & (POLLHUP | POLLERR))) _exit(0);
    errno = saved_errno;
}

void walls_raise_hangup(int channel_fd, struct wall_state *state)
{
    struct sigaction action = {.sa_sigaction = on_channel_event, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    int flags = fcntl(channel_fd, F_GETFL);
    if (sigaction(SIGIO, &action, NULL) != 0 || flags < 0 || fcntl(channel_fd, F_SETOWN, getpid()) != 0 ||
        fcntl(channel_fd, F_SETSIG, SIGIO) != 0 || fcntl(channel_fd, F_SETFL, flags | O_ASYNC) != 0)
        wall_is_down(state, "no signal on hang-up");
    else if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        wall_is_down(state, "no signal when the host ends");
    else
        wall_is_up(state, "");
}

void walls_raise_user(struct wall_state *state)
{
    if (geteuid() != 0)
        wall_is_up(state, "not started as root");
    else if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
        wall_is_down(state, "stays root");
    else
        wall_is_up(state, "nobody");
}

void walls_raise_limits(const struct wall_limit *limits, size_t count, struct wall_state *state)
{
    for (size_t i = 0; i < count; i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};
        bool is_address_space = limits[i].resource == RLIMIT_AS || limits[i].resource == RLIMIT_DATA;
        if (SLUICE_SANITIZED && is_address_space) continue;
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) != 0) {
            wall_is_down(state, "a limit was refused");
            return;
        }
    }
    wall_is_up(state, SLUICE_SANITIZED ? "without address space: sanitizer build" : "");
}

void walls_raise_prctl(int option, unsigned long value, struct wall_state *state)
{
    if (prctl(option, value, 0, 0, 0) != 0)
        wall_is_down(state, "refused");
    else
        wall_is_up(state, "");
}

void walls_raise(int channel_fd, struct walls *walls)
{
    static const struct wall_limit LIMITS[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_FSIZE, 0},
        {RLIMIT_NPROC, 0},
        {RLIMIT_NOFILE, 8},
        {RLIMIT_MEMLOCK, 0},
        {RLIMIT_STACK, 8 * 1024 * 1024},
        {RLIMIT_AS, WALLS_LUA_BYTES + WALLS_OTHER_BYTES},
    };
    static const struct landlock_rules NOTHING = {0};
    *walls = (struct walls){0};
    struct wall_state *wall = walls->wall;
    walls_raise_descriptors(channel_fd < 2 ? 3 : (unsigned)channel_fd + 1, &wall[WALL_DESCRIPTORS]);
    walls_raise_user(&wall[WALL_USER]);
    walls_raise_hangup(channel_fd, &wall[WALL_HANGUP]); /* after the change of user: the signal is checked against it */
    walls_raise_limits(LIMITS, ARRAY_SIZE(LIMITS), &wall[WALL_LIMITS]);
    walls_raise_prctl(PR_SET_DUMPABLE, 0, &wall[WALL_DUMPABLE]);
    walls_raise_prctl(PR_SET_NO_NEW_PRIVS, 1, &wall[WALL_PRIVILEGES]);
    walls_raise_landlock(&NOTHING, &wall[WALL_LANDLOCK]);
    walls_raise_seccomp(channel_fd, &wall[WALL_SECCOMP]);
}

void walls_to_json(const struct walls *walls, struct buf *out)
{
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '{');
    for (size_t i = 0; i < WALL_COUNT; i++) {
        const struct wall_state *state = &walls->wall[i];
        char text[sizeof state->detail + 8];
        snprintf(text, sizeof text, "%s%s%s", state->is_up ? "up" : "down", state->detail[0] ? ": " : "", state->detail);
        json_member(&writer, WALL_NAMES[i]);
        json_cstr(&writer, text);
    }
    json_close(&writer, '}');
}
