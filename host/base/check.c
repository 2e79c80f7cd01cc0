/* check: see check.h. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

NORETURN static void end_process(void)
{
    fflush(stderr);
    _exit(1);
}

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "sluice: bug: %s:%d: %s\n", file, line, condition);
    end_process();
}

NORETURN static void out_of_memory(size_t size)
{
    fprintf(stderr, "sluice: out of memory: could not allocate %zu bytes\n", size);
    end_process();
}

void mem_exhausted(const char *what)
{
    fprintf(stderr, "sluice: out of memory: in %s\n", what);
    end_process();
}

void *mem_alloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory) out_of_memory(size);
    return memory;
}

void *mem_zero(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) out_of_memory(count * size);
    return memory;
}

void *mem_resize(void *memory, size_t size)
{
    void *resized = realloc(memory, size ? size : 1);
    if (!resized) out_of_memory(size);
    return resized;
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}
