/* cassette: what can be read is written, read again, and is the same then; what cannot says where. Input: a cassette. */
#include "fuzz.h"

#include "net/cassette.h"
#include "os/secret.h"

static struct cassette *read(struct str text, struct arena *arena)
{
    struct problems problems = PROBLEMS_INIT(arena);
    struct cassette *cassette = NULL;
    cassette_read(text, "fuzz.http", 1, 0, &cassette, &problems);
    CHECK((problems.count == 0) == (cassette != NULL));
    for (size_t i = 0; i < problems_listed(&problems); i++) CHECK(problems.list[i].line > 0 && problems.list[i].message[0]);
    return cassette;
}

void fuzz(struct str input)
{
    struct arena arena = ARENA_INIT(0);
    struct cassette *first = read(input, &arena);
    if (first) {
        struct buf once = BUF_INIT(SIZE_MAX), again = BUF_INIT(SIZE_MAX);
        size_t count, same;
        cassette_exchanges(first, &count);
        cassette_write(first, NULL, true, &once);
        struct cassette *second = read(buf_str(&once), &arena);
        CHECK(second);
        cassette_exchanges(second, &same);
        cassette_write(second, NULL, true, &again);
        CHECK(count == same && str_equal(buf_str(&once), buf_str(&again)));
        cassette_free(second);
        buf_release(&once);
        buf_release(&again);
    }
    cassette_free(first);
    arena_release(&arena);
}
