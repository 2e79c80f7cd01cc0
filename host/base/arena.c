/* arena: see arena.h. Chunks double from 4 KiB to 256 KiB; the newest serves requests until one does not fit. A large request
 * gets a chunk of its own, put behind the newest so that the room left in that one is not lost. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_CHUNK = 4096, LARGEST_CHUNK = 256 * 1024 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* of data */
    size_t used;
    size_t padding; /* keeps data aligned to 16 */
    char data[];
};

struct arena_deferred {
    struct arena_deferred *older;
    void (*release)(void *object);
    void *object;
};

static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
    size_t wanted = FIRST_CHUNK;
    if (arena->chunks) wanted = arena->chunks->size * 2 > LARGEST_CHUNK ? LARGEST_CHUNK : arena->chunks->size * 2;
    if (wanted < size) wanted = size;
    size_t total = sizeof(struct arena_chunk) + wanted;
    if (arena->max && total > arena->max - arena->allocated) { /* a smaller chunk may do */
        total = sizeof(struct arena_chunk) + size;
        if (total > arena->max - arena->allocated) return NULL;
        wanted = size;
    }
    struct arena_chunk *chunk = mem_alloc(total), *newest = arena->chunks;
    *chunk = (struct arena_chunk){.older = newest, .size = wanted};
    arena->allocated += total;
    if (newest && size > LARGEST_CHUNK / 2) {
        chunk->older = newest->older;
        newest->older = chunk;
    } else {
        arena->chunks = chunk;
    }
    return chunk;
}

void *arena_try(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || size > chunk->size - chunk->used) chunk = add_chunk(arena, size);
    if (!chunk) return NULL;
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *memory = arena_try(arena, size);
    CHECK(memory != NULL);
    return memset(memory, 0, size);
}

struct str arena_copy(struct arena *arena, struct str s)
{
    return (struct str){arena_text(arena, s), s.size};
}

char *arena_text(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.size + 1);
    if (s.size) memcpy(copy, s.data, s.size);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text ? arena_text(arena, str_from(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

void arena_defer(struct arena *arena, void (*release)(void *object), void *object)
{
    struct arena_deferred *deferred = arena_new(arena, struct arena_deferred);
    *deferred = (struct arena_deferred){.older = arena->deferred, .release = release, .object = object};
    arena->deferred = deferred;
}

static void run_deferred(struct arena *arena)
{
    while (arena->deferred) {
        struct arena_deferred *deferred = arena->deferred;
        arena->deferred = deferred->older;
        deferred->release(deferred->object);
    }
}

/* Frees the chunks of a list. */
static void free_chunks(struct arena *arena, struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        arena->allocated -= sizeof *chunk + chunk->size;
        free(chunk);
        chunk = older;
    }
}

/* What is kept is the newest chunk, the size that sufficed last time; never one made for a single large request. */
void arena_clear(struct arena *arena)
{
    run_deferred(arena);
    struct arena_chunk *kept = arena->chunks;
    if (!kept) return;
    if (kept->size > LARGEST_CHUNK) {
        arena->chunks = NULL;
        free_chunks(arena, kept);
        return;
    }
    free_chunks(arena, kept->older);
    kept->older = NULL;
    kept->used = 0;
}

void arena_release(struct arena *arena)
{
    run_deferred(arena);
    free_chunks(arena, arena->chunks);
    *arena = ARENA_INIT(arena->max);
}
