/* worker_path: where the tests' sluice-worker is: the top of the build folder that this test program lies in. */
#ifndef SLUICE_TESTS_WORKER_PATH_H
#define SLUICE_TESTS_WORKER_PATH_H

#include <unistd.h>

#include "base/arena.h"

static inline const char *worker_path(struct arena *arena)
{
    char program[4096];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    CHECK(size > 0);
    program[size] = '\0';
    for (int up = 0; up < 3; up++) *strrchr(program, '/') = '\0'; /* BUILD/tests/unit/test_x */
    return arena_printf(arena, "%s/sluice-worker", program);
}

#endif
