/* arena: memory by lifetime. Allocate freely, release all at once.
 *
 * Process > sync > flow > page: a struct says which arena it lives in, and pointers point to equal or longer lifetimes.
 * What is not memory (a handle of a library) joins by arena_defer. An arena belongs to one thread at a time.
 *
 *     struct arena arena = ARENA_INIT(1 << 20);            // at most 1 MiB; 0 = no cap
 *     char *name = arena_printf(&arena, "%s.%s", a, b);    // never NULL
 *     arena_release(&arena);
 *
 * Two kinds of calls: arena_alloc and its helpers are for sizes we choose, and past the cap the process ends (a bug of ours).
 * arena_try is for sizes that come from outside: NULL past the cap, and the caller names it. */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include <stddef.h>

#include "base/check.h"
#include "base/str.h"

struct arena_chunk;
struct arena_deferred;

struct arena {
    struct arena_chunk *chunks;      /* newest first */
    struct arena_deferred *deferred; /* newest first */
    size_t allocated;                /* bytes taken from the system, chunk headers included */
    size_t max;                      /* cap on `allocated`; 0 = none */
};

#define ARENA_INIT(max_bytes) ((struct arena){.max = (max_bytes)})

void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull)); /* zeroed, aligned to 16 */
void *arena_try(struct arena *arena, size_t size) MUST_USE;                           /* not zeroed; NULL past the cap */
char *arena_strdup(struct arena *arena, const char *text);                            /* NULL stays NULL */
struct str arena_copy(struct arena *arena, struct str s);                             /* terminated behind its size */
char *arena_text(struct arena *arena, struct str s);                                  /* terminated */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

/* Calls release(object) when the arena is cleared or released, newest first. */
void arena_defer(struct arena *arena, void (*release)(void *object), void *object);

void arena_clear(struct arena *arena);   /* releases all but one chunk of at most 256 KiB, ready for the next page */
void arena_release(struct arena *arena); /* releases all; the arena may be used again */

#endif
