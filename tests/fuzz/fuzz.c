/* fuzz: see fuzz.h. */
#include "fuzz.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz((struct str){(const char *)data, size});
    return 0;
}

/* A broken invariant ends the product with _exit, which a fuzzer does not notice: here it is a crash. (The linker's --wrap.) */
NORETURN void __wrap_check_failed(const char *file, int line, const char *condition);
void __wrap_check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

char *fuzz_padded(struct str bytes, size_t padding)
{
    char *copy = mem_alloc(bytes.size + padding);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    memset(copy + bytes.size, '"', padding);
    return copy;
}

char *fuzz_text(struct str bytes)
{
    size_t size = bytes.size ? strnlen(bytes.data, bytes.size) : 0;
    char *copy = mem_alloc(size + 1);
    if (size) memcpy(copy, bytes.data, size);
    copy[size] = '\0';
    return copy;
}

struct str fuzz_line(struct str *input)
{
    struct str line = {0};
    str_next(input, '\n', &line);
    return line;
}

bool fuzz_contains(struct str text, struct str part)
{
    return part.size == 0 || (text.size && memmem(text.data, text.size, part.data, part.size));
}

/* Bytes of the character at `at` (RFC 3629 section 4, its table row by row); 0: none. */
static size_t character(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, second_low, second_high;
        size_t size;
    } ROWS[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        if (at[0] < ROWS[i].first || at[0] > ROWS[i].last) continue;
        if (ROWS[i].size > left) return 0;
        if (ROWS[i].size > 1 && (at[1] < ROWS[i].second_low || at[1] > ROWS[i].second_high)) return 0;
        for (size_t k = 2; k < ROWS[i].size; k++)
            if ((at[k] & 0xc0) != 0x80) return 0;
        return ROWS[i].size;
    }
    return 0;
}

bool fuzz_is_utf8(struct str text, bool no_nul)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t at = 0; at < text.size;) {
        size_t size = character(bytes + at, text.size - at);
        if (size == 0 || (no_nul && bytes[at] == 0)) return false;
        at += size;
    }
    return true;
}
