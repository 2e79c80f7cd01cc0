/* walls_plugin: the walls around a native plugin, in two steps (walls.h).
 *
 * The user changes for all profiles but `files`, whose files may be readable by our user only: that one keeps it where Landlock
 * shuts the rest of the file system out, and loses it where there is none.
 *
 * The object is loaded by way of /proc/self/fd, which the kernel shows to a process only while it may be dumped; what could be
 * stolen then comes later. */
#include <sluice/plugin.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/walls.h"

enum { MIB = 1024 * 1024, MAX_PATHS = 128 };

/* Where shared objects lie, and what the dynamic linker reads to find them. */
static const char *const LIBRARIES[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"};
/* What a client of a network reads: trusted certificates, time zones, random numbers. */
static const char *const SYSTEM[] = {
    "/etc/ssl",       "/etc/pki",    "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo",
    "/etc/localtime", "/dev/urandom"};

/* Threads and mapped libraries make address space a poor measure of a network's client: its data is counted instead. */
static const struct wall_limit PARSE_LIMITS[] = {
    {RLIMIT_CORE, 0},
    {RLIMIT_FSIZE, 0},
    {RLIMIT_NPROC, 0},
    {RLIMIT_NOFILE, 16},
    {RLIMIT_MEMLOCK, 0},
    {RLIMIT_STACK, 8 * MIB},
    {RLIMIT_AS, WALLS_LUA_BYTES + WALLS_OTHER_BYTES},
};
static const struct wall_limit NETWORK_LIMITS[] = {
    {RLIMIT_CORE, 0},    {RLIMIT_FSIZE, 0},       {RLIMIT_NOFILE, 1024},
    {RLIMIT_MEMLOCK, 0}, {RLIMIT_STACK, 2 * MIB}, {RLIMIT_DATA, 512LL * MIB},
};
static const struct wall_limit FILES_LIMITS[] = {
    {RLIMIT_CORE, 0},    {RLIMIT_FSIZE, 0},       {RLIMIT_NOFILE, 256},
    {RLIMIT_MEMLOCK, 0}, {RLIMIT_STACK, 8 * MIB}, {RLIMIT_DATA, 256LL * MIB},
};

static const struct {
    const struct wall_limit *limits;
    size_t count;
} LIMITS[] = {
    [SLUICE_PARSE] = {PARSE_LIMITS, ARRAY_SIZE(PARSE_LIMITS)},
    [SLUICE_NETWORK] = {NETWORK_LIMITS, ARRAY_SIZE(NETWORK_LIMITS)},
    [SLUICE_FILES] = {FILES_LIMITS, ARRAY_SIZE(FILES_LIMITS)},
};

static void add_paths(const char **paths, size_t *count, const char *const *more, size_t more_count)
{
    for (size_t i = 0; i < more_count && *count < MAX_PATHS; i++) paths[(*count)++] = more[i];
}

static void raise_landlock(const struct walls_grant *grant, bool loads, struct wall_state *state)
{
    const char *paths[MAX_PATHS];
    struct landlock_rules rules = {.paths = paths};
    if (loads || grant->profile == SLUICE_NETWORK) add_paths(paths, &rules.path_count, LIBRARIES, ARRAY_SIZE(LIBRARIES));
    if (grant->profile == SLUICE_NETWORK) {
        add_paths(paths, &rules.path_count, SYSTEM, ARRAY_SIZE(SYSTEM));
        rules.ports = grant->ports;
        rules.port_count = grant->port_count;
    }
    if (grant->profile == SLUICE_FILES) add_paths(paths, &rules.path_count, grant->paths, grant->path_count);
    walls_raise_landlock(&rules, state);
}

void walls_raise_loading(int channel_fd, const struct walls_grant *grant, struct walls *walls)
{
    *walls = (struct walls){0};
    struct wall_state *wall = walls->wall;
    walls_raise_descriptors((unsigned)grant->object_fd + 1, &wall[WALL_DESCRIPTORS]);
    walls_raise_limits(LIMITS[grant->profile].limits, LIMITS[grant->profile].count, &wall[WALL_LIMITS]);
    walls_raise_prctl(PR_SET_NO_NEW_PRIVS, 1, &wall[WALL_PRIVILEGES]);
    raise_landlock(grant, true, &wall[WALL_LANDLOCK]);
    if (grant->profile == SLUICE_FILES && wall[WALL_LANDLOCK].is_up)
        wall_is_up(&wall[WALL_USER], "kept: reads files");
    else
        walls_raise_user(&wall[WALL_USER]);
    walls_raise_hangup(channel_fd, &wall[WALL_HANGUP]);
    walls_raise_prctl(PR_SET_DUMPABLE, 1, &wall[WALL_DUMPABLE]);
    walls_raise_seccomp_loading(grant->profile, &wall[WALL_SECCOMP]);
}

void walls_raise_running(int channel_fd, const struct walls_grant *grant, struct walls *walls)
{
    struct wall_state *wall = walls->wall;
    (void)channel_fd;
    close(grant->object_fd);
    walls_raise_prctl(PR_SET_DUMPABLE, 0, &wall[WALL_DUMPABLE]);
    raise_landlock(grant, false, &wall[WALL_LANDLOCK]);
    walls_raise_seccomp_running(grant->profile, &wall[WALL_SECCOMP]);
}
