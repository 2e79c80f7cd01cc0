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

void walls_to_json(const struct walls *walls, struct buf *out);

/* The two largest walls, each in its own file. */
void walls_raise_landlock(struct wall_state *state);
void walls_raise_seccomp(int channel_fd, struct wall_state *state);

#endif
