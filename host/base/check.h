/* check: the compiler attributes we use, and what happens when our own invariants break.
 *
 * CHECK(condition) states an invariant; a broken one is a bug of ours: it prints file, line and condition and ends the process
 * with exit code 1. It stays on in release builds: a sync is a process, and every instant is a safe instant to die in
 * (see the commit protocol), so dying beats going on wrong.
 *
 * Running out of memory ends the process the same way, in one place (`mem_alloc`), so no caller has an untestable branch for
 * it. Memory whose size comes from outside never goes through here unchecked: it goes through capped buffers, arenas and the
 * sync's budget, where passing the cap is an ordinary error with a name. */
#ifndef SLUICE_BASE_CHECK_H
#define SLUICE_BASE_CHECK_H

#include <stddef.h>

#define PRINTF_LIKE(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))
#define MUST_USE __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(condition)                                                                                                       \
    do {                                                                                                                       \
        if (UNLIKELY(!(condition))) check_failed(__FILE__, __LINE__, #condition);                                              \
    } while (0)

NORETURN void check_failed(const char *file, int line, const char *condition);

/* malloc, calloc and realloc that never return NULL: "out of memory" on stderr and exit code 1 instead. `free` frees. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_resize(void *memory, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));

/* The same end for a library that allocates by itself and says that it could not. Those that can be given functions to allocate
 * with get the ones above: json_init, crypto_init, http_init. `what` names the library. */
NORETURN void mem_exhausted(const char *what);

#endif
