/* parents: see parents.h. A page's records are kept as they will be used: key and record, one behind the other, after a count
 * and the size of all. The file has no name and is gone with the process. */
#include "sync/parents.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "os/fs.h"
#include "os/log.h"
#include "os/spool.h"
#include "rest/reader.h"

struct listing {
    struct parents *parents;
    struct listing *next;
    const struct parent_description *parent;
    const char *from; /* in the arena, as what follows */
    int64_t until_us;
    struct arena arena;
    pthread_mutex_t lock; /* of what follows */
    struct window_plan windows;
    size_t window; /* in hand */
    struct functions functions;
    struct session *session;
    struct cancel *cancel;
    struct reader *reader; /* NULL: none is open */
    struct spool *spool;   /* NULL: one child alone */
    bool is_open, has_ended;
    struct err err;
};

struct parents {
    const struct sync_context *sync;
    const struct sync_plan *plan;
    pthread_mutex_t lock;
    struct listing *first;
};

void partition_chunk_free(struct partition_chunk *chunk)
{
    if (!chunk) return;
    arena_release(&chunk->arena);
    free(chunk);
}

static struct partition_chunk *chunk_new(void)
{
    struct partition_chunk *chunk = mem_zero(1, sizeof *chunk);
    chunk->known = STATE_INIT(&chunk->arena);
    return chunk;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static void close_reader(struct listing *listing)
{
    reader_free(listing->reader);
    listing->reader = NULL;
}

static struct request_source source_of(const struct listing *listing)
{
    struct request_source source = sync_source(listing->parents->sync, listing->parent->stream);
    source.cursor_value = str_from(listing->from);
    source.now_us = listing->until_us;
    source.functions = listing->parents->sync->description->has_functions ? &listing->functions : NULL;
    return source;
}

static int open_listing(struct listing *listing, struct err *err)
{
    const struct sync_context *sync = listing->parents->sync;
    struct request_source source = source_of(listing);
    if (listing->is_open) return 0;
    listing->is_open = true;
    listing->session = session_new(sync->client);
    if (sync->description->has_functions) connector_functions_new(sync->sources, sync->connector_options, &listing->functions);
    return request_plan(&source, &listing->arena, &listing->windows, err);
}

static void open_reader(struct listing *listing)
{
    const struct sync_context *sync = listing->parents->sync;
    struct reader_options options = {
        .source = source_of(listing),
        .client = sync->client,
        .session = listing->session,
        .retry = sync->retry,
        .clock = sync->source_clock,
        .cancel = listing->cancel,
        .log = sync->log,
        .state_folder = sync->state_folder,
        .secrets = sync->secrets,
        .native = {.budget = sync->budget},
    };
    options.source.slice = &listing->windows.slices[listing->window];
    listing->reader = reader_new(&options);
}

/* The next page of the source: 1, 0 behind the last, or a class. */
static int next_page(struct listing *listing, struct page *page, struct err *err)
{
    int rc = open_listing(listing, err);
    while (rc == 0 && listing->window < listing->windows.slice_count) {
        if (!listing->reader) open_reader(listing);
        struct err failed = ERR_INIT;
        rc = reader_next(listing->reader, page, &failed);
        if (rc > 0) return 1;
        bool is_skipped = rc < 0 && reader_end(listing->reader) == READER_SKIPS_SLICE;
        if (is_skipped)
            log_warn(listing->parents->sync->log, "skipping the rest of the parents in '%s': %s", listing->parent->stream->name,
                     failed.message);
        else if (rc < 0)
            return err_copy(err, &failed);
        close_reader(listing);
        listing->window++;
        rc = 0;
    }
    return rc;
}

static int read_chunk(struct listing *listing, struct partition_chunk **out, struct err *err)
{
    const struct functions *functions = listing->functions.context ? &listing->functions : NULL;
    struct page page = {0};
    int rc = next_page(listing, &page, err);
    if (rc <= 0) return rc < 0 ? err_context(err, "parents of '%s'", listing->parent->stream->name) : 0;
    struct partition_chunk *chunk = chunk_new();
    rc = partitions_of_page(listing->parent, functions, &page, &chunk->arena, &chunk->list, err);
    page_release(&page);
    if (rc != 0) {
        partition_chunk_free(chunk);
        return rc;
    }
    *out = chunk;
    return 1;
}

/* --- the file ------------------------------------------------------------------------------------------------------------ */

static int put_text(struct spool *spool, struct str text, struct err *err)
{
    uint64_t size = text.size;
    int rc = spool_append(spool, &size, sizeof size, err);
    return rc || !size ? rc : spool_append(spool, text.data, text.size, err);
}

static int put_chunk(struct spool *spool, const struct partition_chunk *chunk, struct err *err)
{
    uint64_t count = chunk->list.count;
    int rc = spool_append(spool, &count, sizeof count, err);
    for (size_t i = 0; rc == 0 && i < chunk->list.count; i++) {
        rc = put_text(spool, str_from(chunk->list.items[i].id), err);
        if (rc == 0) rc = put_text(spool, chunk->list.items[i].parent, err);
    }
    return rc;
}

static int get_text(struct spool *spool, uint64_t *place, struct arena *arena, struct str *text, struct err *err)
{
    uint64_t size;
    int rc = spool_read(spool, *place, &size, sizeof size, err);
    if (rc != 0) return rc;
    *place += sizeof size + size;
    char *data = arena_alloc(arena, size + BLOCK_PADDING); /* zeroes behind it end a text, and pad a document */
    *text = (struct str){data, size};
    return size ? spool_read(spool, *place - size, data, size, err) : 0;
}

static int get_chunk(struct spool *spool, uint64_t *place, struct partition_chunk **out, struct err *err)
{
    uint64_t count;
    int rc = spool_read(spool, *place, &count, sizeof count, err);
    if (rc != 0) return rc;
    struct partition_chunk *chunk = chunk_new();
    *place += sizeof count;
    chunk->list.items = arena_array(&chunk->arena, struct partition, count + 1);
    for (; rc == 0 && chunk->list.count < count; chunk->list.count++) {
        struct partition *partition = &chunk->list.items[chunk->list.count];
        struct str id;
        rc = get_text(spool, place, &chunk->arena, &id, err);
        if (rc == 0) rc = get_text(spool, place, &chunk->arena, &partition->parent, err);
        partition->id = rc == 0 ? id.data : NULL;
    }
    if (rc != 0) {
        partition_chunk_free(chunk);
        return rc;
    }
    *out = chunk;
    return 1;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

int listing_next(struct listing *listing, uint64_t *place, struct partition_chunk **chunk, struct err *err)
{
    int rc;
    pthread_mutex_lock(&listing->lock);
    if (listing->spool && *place < spool_size(listing->spool)) {
        rc = get_chunk(listing->spool, place, chunk, err);
    } else if (listing->err.class) {
        rc = err_copy(err, &listing->err);
    } else if (listing->has_ended) {
        rc = 0;
    } else {
        rc = read_chunk(listing, chunk, &listing->err);
        if (rc > 0 && listing->spool && put_chunk(listing->spool, *chunk, &listing->err) != 0) {
            partition_chunk_free(*chunk);
            rc = listing->err.class;
        }
        if (rc > 0 && listing->spool) *place = spool_size(listing->spool);
        if (rc < 0) err_copy(err, &listing->err);
        listing->has_ended = rc == 0;
    }
    pthread_mutex_unlock(&listing->lock);
    return rc;
}

struct parents *parents_new(const struct sync_context *sync, const struct sync_plan *plan)
{
    struct parents *parents = mem_zero(1, sizeof *parents);
    *parents = (struct parents){.sync = sync, .plan = plan, .lock = PTHREAD_MUTEX_INITIALIZER};
    return parents;
}

static bool has_same_key(const struct parent_description *a, const struct parent_description *b)
{
    bool same = a->key_count == b->key_count;
    for (size_t i = 0; same && i < a->key_count; i++) same = strcmp(a->key[i], b->key[i]) == 0;
    return same;
}

/* A file is needed only where several children may come. */
static void make_spool(struct listing *listing, const struct parents *parents)
{
    char *folder = NULL;
    size_t children = 0;
    for (size_t i = 0; i < parents->plan->count; i++)
        children += parents->plan->flows[i].stream->parent.stream == listing->parent->stream;
    if (children < 2) return;
    if (fs_state_folder(parents->sync->state_folder, &listing->arena, &folder, &listing->err) != 0) return;
    if (spool_new(folder, UINT64_MAX / 2, &listing->spool, &listing->err) != 0)
        err_context(&listing->err, "parents in '%s'", listing->parent->stream->name);
}

struct listing *parents_listing(struct parents *parents, const struct stream_description *stream, const char *from,
                                int64_t until_us, struct cancel *cancel)
{
    const struct parent_description *parent = &stream->parent;
    pthread_mutex_lock(&parents->lock);
    struct listing *listing = parents->first;
    for (; listing; listing = listing->next)
        if (listing->parent->stream == parent->stream && strcmp(listing->from, from) == 0 && listing->until_us == until_us &&
            has_same_key(listing->parent, parent))
            break;
    if (!listing) {
        listing = mem_zero(1, sizeof *listing);
        *listing = (struct listing){.parents = parents,
                                    .next = parents->first,
                                    .parent = parent,
                                    .until_us = until_us,
                                    .lock = PTHREAD_MUTEX_INITIALIZER};
        listing->from = arena_strdup(&listing->arena, from);
        make_spool(listing, parents);
        listing->cancel = listing->spool ? parents->sync->reading : cancel;
        parents->first = listing;
    }
    pthread_mutex_unlock(&parents->lock);
    return listing;
}

void parents_free(struct parents *parents)
{
    if (!parents) return;
    for (struct listing *listing = parents->first, *next; listing; listing = next) {
        next = listing->next;
        close_reader(listing);
        if (listing->functions.context) connector_functions_free(&listing->functions);
        if (listing->session) session_free(listing->session);
        spool_free(listing->spool);
        arena_release(&listing->arena);
        free(listing);
    }
    free(parents);
}
