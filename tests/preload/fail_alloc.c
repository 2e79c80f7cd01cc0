/* fail_alloc: LD_PRELOAD library that fails one allocation of a program, the FAIL_ALLOC_AT-th since it was loaded: malloc,
 * calloc, realloc and their kin give NULL with ENOMEM, once, whoever asked: our code or a library's. With FAIL_ALLOC_COUNT set,
 * each process adds its number of allocations to that file at exit, a line, so that a test knows how many there are to fail.
 *
 *     FAIL_ALLOC_AT=1234 LD_PRELOAD=build/dev/fail_alloc.so build/dev/sluice run
 *
 * The real functions are glibc's own names for them: looking them up would allocate. A worker starts with an empty environment,
 * so this does not reach it. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **out, size_t alignment, size_t size);

static atomic_ulong allocations;
static unsigned long fail_at; /* 0: none */
static pid_t counted;         /* a forked child does not count for its parent */

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_ALLOC_AT");
    counted = getpid();
    atomic_store(&allocations, 0);
    fail_at = at ? strtoul(at, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_ALLOC_COUNT");
    int fd = path && counted == getpid() ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (fd < 0) return;
    dprintf(fd, "%lu\n", atomic_load(&allocations));
    close(fd);
}

static bool must_fail(void)
{
    if (atomic_fetch_add(&allocations, 1) + 1 != fail_at) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (must_fail()) return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
