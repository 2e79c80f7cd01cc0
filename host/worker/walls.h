/* walls: what stands between a connector's code and the machine. Raised once, before the first byte from the host is read.
 *
 * Each wall is probed: what this kernel or this user cannot do is reported, and the others stand all the same. After
 * walls_raise the process can read, write and wait on one descriptor, take memory, set its timer and end; nothing else.
 *
 *     struct walls walls;
 *     walls_raise(CHANNEL_FD, &walls);
 *     walls_to_json(&walls, &line);       // {"descriptors":"up","landlock":"down: not in this kernel",...} */
#ifndef SLUICE_WORKER_WALLS_H
#define SLUICE_WORKER_WALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum wall {
    WALL_DESCRIPTORS, /* every descriptor above the channel is closed */
    WALL_HANGUP,      /* ends when the host's end of the channel closes, also in the middle of a loop */
    WALL_USER,        /* not root (only tried when started as root) */
    WALL_LIMITS,      /* memory, files, processes, core dumps */
    WALL_DUMPABLE,    /* no ptrace, no /proc/PID of ours for others */
    WALL_PRIVILEGES,  /* no_new_privs */
    WALL_LANDLOCK,    /* no file, no TCP port, no signal to others */
    WALL_SECCOMP,     /* a short list of system calls; any other kills the process */
    WALL_COUNT,
};

struct wall_state {
    bool is_up;
    char detail[80]; /* why not, or how far; may be empty */
};

struct walls {
    struct wall_state wall[WALL_COUNT];
};

enum {
    WALLS_LUA_BYTES = 64 * 1024 * 1024,    /* what scripts may have at most */
    WALLS_OTHER_BYTES = 192 * 1024 * 1024, /* code, stack, frames, allocator slack */
};

/* `channel_fd` is the only descriptor that stays usable besides 0 to 2, which should be /dev/null. */
void walls_raise(int channel_fd, struct walls *walls);

/* --- around a native plugin --------------------------------------------------------------------------------------------------
 *
 * A shared object has to be loaded, and its libraries with it, so its walls go up in two steps: walls_raise_loading before its
 * first byte is mapped (libraries can be read, nothing can be executed, written, started or connected to that the grant does
 * not say), walls_raise_running behind it. */

enum { WALLS_MAX_PORTS = 64 };

struct walls_grant {
    uint64_t profile;                /* enum sluice_profile */
    int object_fd;                   /* the shared object; closed by walls_raise_running */
    uint16_t ports[WALLS_MAX_PORTS]; /* network: TCP, that may be connected to */
    size_t port_count;
    const char *const *paths; /* files: folders and files that may be read */
    size_t path_count;
};

void walls_raise_loading(int channel_fd, const struct walls_grant *grant, struct walls *walls);
void walls_raise_running(int channel_fd, const struct walls_grant *grant, struct walls *walls);

void walls_to_json(const struct walls *walls, struct buf *out);

/* --- for the files of this folder --------------------------------------------------------------------------------------------
 */

void wall_is_up(struct wall_state *state, const char *detail);
void wall_is_down(struct wall_state *state, const char *what);          /* with what errno says */
void walls_raise_descriptors(unsigned first, struct wall_state *state); /* closes those from `first` on */
void walls_raise_hangup(int channel_fd, struct wall_state *state);
void walls_raise_user(struct wall_state *state);
void walls_raise_prctl(int option, unsigned long value, struct wall_state *state);

struct wall_limit {
    int resource; /* RLIMIT_AS, .. */
    uint64_t limit;
};
void walls_raise_limits(const struct wall_limit *limits, size_t count, struct wall_state *state);

/* What a ruleset lets through; nothing when empty. */
struct landlock_rules {
    const char *const *paths; /* that may be read, and all below; those that are not there are passed over */
    size_t path_count;
    const uint16_t *ports; /* TCP, that may be connected to */
    size_t port_count;
};
void walls_raise_landlock(const struct landlock_rules *rules, struct wall_state *state);

void walls_raise_seccomp(int channel_fd, struct wall_state *state);
void walls_raise_seccomp_loading(uint64_t profile, struct wall_state *state);
void walls_raise_seccomp_running(uint64_t profile, struct wall_state *state);

#endif
