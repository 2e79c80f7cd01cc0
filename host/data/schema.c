/* schema: see schema.h. Columns stand in an array that never moves; the count is published after the column it counts, so a
 * reader below a count it has seen needs no lock. Names are found through a map, under the lock. */
#include "data/schema.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"

enum { MAX_DECLARED = 4 * SCHEMA_MAX_COLUMNS, MAX_ALL = MAX_DECLARED + SCHEMA_MAX_COLUMNS + 1 };

struct schema {
    const char *stream;
    struct arena arena; /* owns names and zones */
    pthread_mutex_t lock;
    struct map by_name;
    uint32_t count;    /* atomic */
    uint32_t declared; /* of them */
    struct column columns[MAX_ALL];
};

struct schema *schema_new(const char *stream)
{
    struct schema *schema = mem_zero(1, sizeof *schema);
    schema->stream = arena_strdup(&schema->arena, stream);
    pthread_mutex_init(&schema->lock, NULL);
    return schema;
}

void schema_free(struct schema *schema)
{
    if (!schema) return;
    map_release(&schema->by_name);
    pthread_mutex_destroy(&schema->lock);
    arena_release(&schema->arena);
    free(schema);
}

const char *schema_stream(const struct schema *schema)
{
    return schema->stream;
}

uint32_t schema_count(const struct schema *schema)
{
    return __atomic_load_n(&schema->count, __ATOMIC_ACQUIRE);
}

const struct column *schema_column(const struct schema *schema, uint32_t index)
{
    CHECK(index < schema_count(schema));
    return &schema->columns[index];
}

const struct column *schema_find(const struct schema *schema, struct str name)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&schema->lock; /* the lock is no part of what the caller sees as constant */
    pthread_mutex_lock(lock);
    const struct column *column = map_get(&schema->by_name, name);
    pthread_mutex_unlock(lock);
    return column;
}

/* Is there room for one more? Inferred columns stop at SCHEMA_MAX_COLUMNS in all, and leave the overflow column its place. */
static bool has_room(const struct schema *schema, struct str name, bool declared)
{
    if (name.size == 0 || name.size > SCHEMA_MAX_NAME) return false;
    if (declared) return schema->declared < MAX_DECLARED;
    if (str_equal(name, STR(SCHEMA_OVERFLOW))) return true;
    return schema->count < SCHEMA_MAX_COLUMNS;
}

const struct column *schema_add(struct schema *schema, struct str name, enum type type, bool declared)
{
    pthread_mutex_lock(&schema->lock);
    struct column *column = map_get(&schema->by_name, name);
    if (!column && has_room(schema, name, declared)) {
        uint32_t index = schema->count;
        CHECK(index < MAX_ALL);
        column = &schema->columns[index];
        *column = (struct column){.name = arena_text(&schema->arena, name), .type = type, .declared = declared, .index = index};
        map_set(&schema->by_name, name, column);
        schema->declared += declared;
        __atomic_store_n(&schema->count, index + 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&schema->lock);
    return column;
}

void schema_set_key(struct schema *schema, uint32_t index)
{
    CHECK(index < schema_count(schema));
    schema->columns[index].key = true;
}

void schema_set_format(struct schema *schema, uint32_t index, const char *format, struct str zone)
{
    CHECK(index < schema_count(schema));
    schema->columns[index].format = arena_strdup(&schema->arena, format);
    schema->columns[index].zone = arena_copy(&schema->arena, zone);
}
