/* slice: see slice.h. Whoever fails first writes its error down and closes the way; the decode thread, which always runs to the
 * end of the page channel, sends the last item. */
#include "sync/slice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/json.h"
#include "data/block.h"
#include "os/cancel.h"
#include "os/channel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "rest/native.h"
#include "rest/reader.h"
#include "rest/reject.h"
#include "rest/rows.h"
#include "sync/parents.h"

enum { PAGES_BETWEEN = 3, FIRST_PAGE_GUESS = 256 * 1024, THREAD_STACK = 512 * 1024 };

struct slice {
    struct slice_options options;
    struct arena arena; /* texts of the options */
    struct channel *pages;
    struct cancel *cancel;   /* below the flow's: ends the fetch thread when decoding fails */
    struct session *session; /* of the fetch thread */
    struct thread fetch, decode;
    struct functions functions;
    bool has_functions;
    struct connector_options worker; /* ends with the slice */
    _Atomic bool enough;             /* what follows is known: decode tells fetch */
    bool finished;                   /* written by fetch before it closes the channel */
    enum reader_end end;
    struct str rejected; /* of READER_REJECTS; in the arena */
    struct err fetch_err;
    pthread_mutex_t lock; /* guards `committed` */
    char *committed;      /* the newest checkpoint of a native stream that a load has stored */
};

void slice_item_free(struct slice_item *item)
{
    if (!item) return;
    decoded_release(&item->decoded);
    free(item->position);
    free(item->token);
    free(item->job);
    partition_chunk_free(item->partitions);
    free(item);
}

static void free_page(struct page *page)
{
    page_release(page);
    free(page);
}

static bool should_stop(void *context)
{
    return cancel_stopping(context);
}

/* Waits until the budget has room for a page like the last one; the page itself is charged while it arrives. */
static bool wait_for_room(struct slice *slice, size_t bytes)
{
    struct budget *budget = slice->options.sync->budget;
    if (!budget_reserve(budget, bytes, should_stop, slice->cancel)) return false;
    budget_return(budget, bytes);
    return true;
}

/* Notes the time since *at_ms, and begins anew. */
static void note_spent(struct slice *slice, struct clock *clock, enum spent spent, int64_t *at_ms)
{
    int64_t now_ms = clock_now_ms(clock);
    progress_spent(slice->options.progress, spent, now_ms - *at_ms);
    *at_ms = now_ms;
}

/* The next page; what was waited for on the way is not the source's time. */
static int next_page(struct slice *slice, struct reader *reader, struct page *page)
{
    int64_t at_ms = clock_now_ms(slice->options.sync->source_clock), before[WAIT_REASONS];
    for (enum wait_reason reason = 0; reason < WAIT_REASONS; reason++)
        before[reason] = session_waited_ms(slice->session, reason);
    int rc = reader_next(reader, page, &slice->fetch_err);
    for (enum wait_reason reason = 0; reason < WAIT_REASONS; reason++) {
        int64_t waited_ms = session_waited_ms(slice->session, reason) - before[reason];
        progress_spent(slice->options.progress, SPENT_WAITS + reason, waited_ms);
        at_ms += waited_ms;
    }
    note_spent(slice, slice->options.sync->source_clock, SPENT_SOURCE, &at_ms);
    return rc;
}

/* Has this run read as much of the flow as it may? Then all of its slices stop, as when they are asked to. */
static bool budget_is_used(const struct slice *slice)
{
    const struct flow_plan *plan = slice->options.plan;
    const struct stream_progress *progress = slice->options.progress;
    uint64_t records = plan->max_records ? atomic_load(&progress->records) : 0, pages = atomic_load(&progress->pages);
    bool is_used = (plan->max_records && records >= (uint64_t)plan->max_records) ||
                   (plan->max_pages && pages >= (uint64_t)plan->max_pages);
    if (is_used) cancel_fire(slice->options.cancel, CANCEL_STOP);
    return is_used;
}

static void read_pages(struct slice *slice, struct reader *reader)
{
    struct clock *clock = slice->options.sync->clock;
    size_t guess = FIRST_PAGE_GUESS;
    int64_t at_ms = clock_now_ms(clock);
    while (!budget_is_used(slice) && !cancel_stopping(slice->cancel) && wait_for_room(slice, guess)) {
        note_spent(slice, clock, SPENT_BEHIND, &at_ms);
        if (atomic_load(&slice->enough)) {
            slice->finished = true;
            return;
        }
        struct page *page = mem_zero(1, sizeof *page);
        int rc = next_page(slice, reader, page);
        at_ms = clock_now_ms(clock);
        if (rc <= 0) {
            free(page);
            slice->finished = rc == 0;
            slice->end = reader_end(reader);
            slice->rejected = arena_copy(&slice->arena, reader_rejected(reader));
            return;
        }
        FAULT_POINT("sync.page.fetched");
        guess = page->body->capacity;
        progress_alive(slice->options.sync->progress);
        for (size_t i = 0; i < slice->options.plan->stream_count && !page->continues; i++)
            atomic_fetch_add(&slice->options.progress[i].pages, 1);
        bool last = page->last;
        if (!channel_send(slice->pages, page, slice->cancel)) {
            free_page(page);
            return;
        }
        if (last) {
            slice->finished = true;
            return;
        }
    }
}

/* The events about the stream's records, when they are what is read: after a first sync. NULL: its records are. */
static const struct feed_description *feed_of(const struct slice_options *options)
{
    return options->cursor_value[0] ? options->plan->stream->cursor.events : NULL;
}

/* The stream as it is asked for. */
static const struct stream_description *stream_of(const struct slice_options *options)
{
    return feed_of(options) ? feed_of(options)->stream : options->plan->stream;
}

/* reader_options.job_made: goes to the flow past the pages, of which there are none yet. */
static void note_job(void *context, const char *job)
{
    struct slice *slice = context;
    struct slice_item *item = mem_zero(1, sizeof *item);
    item->index = slice->options.index;
    item->job = mem_strdup(job);
    if (!channel_send(slice->options.out, item, slice->cancel)) slice_item_free(item);
}

/* native_order.committed */
static char *committed_of(void *context)
{
    struct slice *slice = context;
    pthread_mutex_lock(&slice->lock);
    char *text = slice->committed ? mem_strdup(slice->committed) : NULL;
    pthread_mutex_unlock(&slice->lock);
    return text;
}

void slice_committed(struct slice *slice, const char *checkpoint)
{
    pthread_mutex_lock(&slice->lock);
    free(slice->committed);
    slice->committed = mem_strdup(checkpoint);
    pthread_mutex_unlock(&slice->lock);
}

static void fetch(void *context)
{
    struct slice *slice = context;
    const struct sync_context *sync = slice->options.sync;
    struct window_slice window = slice->options.window;
    if (slice->options.resume_cursor) window.from = slice->options.resume_cursor;
    struct reader_options options = {
        .source = sync_source(sync, stream_of(&slice->options)),
        .client = sync->client,
        .session = slice->session,
        .position = slice->options.resume_page,
        .job = slice->options.job,
        .old_jobs = slice->options.old_jobs,
        .job_made = note_job,
        .job_context = slice,
        .retry = sync->retry,
        .clock = sync->source_clock,
        .cancel = slice->cancel,
        .log = sync->log,
        .state_folder = sync->state_folder,
        .secrets = sync->secrets,
    };
    options.source.functions = slice->has_functions ? &slice->functions : NULL;
    options.source.slice = &window;
    options.source.partition = slice->options.values;
    options.source.parent = slice->options.parent;
    options.source.cursor_value = str_from(slice->options.cursor_value);
    options.source.token = str_from(slice->options.token);
    if (slice->options.plan->stream->native)
        options.native = (struct native_order){
            .tables = plan_native_tables(slice->options.plan, &slice->arena),
            .budget = sync->budget,
            .incremental = slice->options.plan->sync_mode == SYNC_INCREMENTAL,
            .continuous = sync->continuous,
            .committed = committed_of,
            .context = slice,
        };
    struct reader *reader = reader_new(&options);
    read_pages(slice, reader);
    reader_free(reader);
    channel_close(slice->pages);
}

/* What an earlier run has committed already. */
static void bound_known(const struct slice_options *options, struct decode_bounds *bounds)
{
    const struct flow_plan *plan = options->plan;
    bounds->equal = EQUAL_DROP;
    bounds->drop_up_to = str_from(options->resume_cursor);
    if (options->resume_cursor || plan->stream->cursor.kind == CURSOR_TOKEN || !options->cursor_value[0]) return;
    if (plan_appends_once(plan)) {
        bounds->drop_up_to = str_from(options->cursor_value);
        bounds->equal = options->boundary ? EQUAL_UNSEEN : EQUAL_DROP;
        bounds->seen = options->boundary;
    } else if (plan->stream->cursor.kind == CURSOR_CLIENT_SIDE) {
        bounds->drop_up_to = str_from(options->window.from);
        bounds->equal = EQUAL_KEEP;
    }
}

/* Which records of the slice count. Where the connector does not say which edges are a window's, what is sent is taken: merged
 * rows may come again. Appended ones may not: what is newer than the sync's start is the next sync's, whose cursor begins
 * there. */
static struct decode_bounds bounds_of(const struct slice_options *options)
{
    const struct flow_plan *plan = options->plan;
    const struct cursor_description *cursor = &plan->stream->cursor;
    struct decode_bounds bounds = {
        .remember = plan_appends_once(plan),
        .from = str_from(options->window.from),
        .to = str_from(options->window.to),
        .rule = !cursor->has_bounds                    ? BOUNDS_AS_SENT
                : cursor->bounds == CURSOR_OPEN_CLOSED ? BOUNDS_OPEN_CLOSED
                                                       : BOUNDS_CLOSED_OPEN,
    };
    if (plan->from) { /* a range is read for its own sake; what is sent beyond it is not taken */
        if (!cursor->has_bounds) bounds.rule = BOUNDS_CLOSED;
        bounds.drop_up_to = str_from(options->resume_cursor);
        return bounds;
    }
    if (cursor->events) {
        bool has_feed = feed_of(options) != NULL;
        if (!has_feed) bounds.version = bounds.to;
        if (!has_feed || !plan->appends) bounds.rule = BOUNDS_AS_SENT; /* what is newer is merged again by the next sync */
        bounds.first_wins = has_feed && !plan->appends && cursor->events->newest_first;
        return bounds;
    }
    bound_known(options, &bounds);
    bool is_token = cursor->kind == CURSOR_TOKEN; /* which is behind all that is sent, the future too */
    bool leaves_future = plan->appends && plan->keep_cursor && !window_has_step(&cursor->window) && !is_token;
    bool begins_at_start = cursor->kind == CURSOR_CLIENT_SIDE && !bounds.drop_up_to.size;
    bounds.newest_first = cursor->stop_early && bounds.drop_up_to.size > 0;
    if (cursor->has_bounds || !(leaves_future || begins_at_start)) return bounds;
    bounds.rule = BOUNDS_CLOSED;
    if (!begins_at_start) bounds.from = STR("");
    if (!leaves_future) bounds.to = STR("");
    return bounds;
}

static void count_rows(const struct slice_options *options, const struct decoded *decoded)
{
    struct stream_progress *progress = options->progress;
    atomic_fetch_add(&progress->bytes, decoded->counts.bytes);
    if (options->plan->loads_root) atomic_fetch_add(&progress->records, decoded->rows);
    for (size_t i = 0; i < decoded->exploded_count; i++)
        atomic_fetch_add(&progress[decoded->exploded[i].stream].records, decoded->exploded[i].rows);
}

/* The answer that a rule of the connector sends to the rejects, as one record that could not be taken. */
static void add_rejected(const struct slice *slice, struct slice_item *last)
{
    const struct decode_spec *spec = &slice->options.plan->decode;
    struct decoded *decoded = &last->decoded;
    decoded->ascending = true;
    decoded->counts.emitted = decoded->counts.rejected = 1;
    struct str record = reject_answer(decoded, spec, slice->rejected);
    reject_add(decoded, spec, STR(""), "refused_by_source", arena_strdup(&decoded->arena, last->err.message), record, true);
}

static void decode(void *context)
{
    struct slice *slice = context;
    const struct slice_options *options = &slice->options;
    const struct decode_bounds bounds = bounds_of(options);
    const struct stream_description *stream = stream_of(options);
    const struct decode_spec *spec = feed_of(options) ? &options->plan->events : &options->plan->decode;
    struct decoder *decoder = decoder_new(spec, options->index, &bounds);
    struct slice_item *last = mem_zero(1, sizeof *last);
    last->index = options->index;
    last->ended = true;
    void *received;
    enum channel_result result;
    while ((result = channel_receive(slice->pages, slice->cancel, -1, &received)) == CHANNEL_ITEM) {
        struct page *page = received;
        struct slice_item *item = mem_zero(1, sizeof *item);
        item->index = options->index;
        int64_t at_ms = clock_now_ms(options->sync->clock);
        int rc = rows_of_page(stream, &slice->functions, page, decoder, &item->decoded, &last->err);
        note_spent(slice, options->sync->clock, SPENT_DECODE, &at_ms);
        FAULT_POINT("sync.page.decoded");
        if (rc == 0) {
            /* A page after which records may come again is no place to go on from where rows are appended: what a later run
             * would have to compare them with is gone. Nor is one of events: which of them came first is not known then. */
            bool may_go_on = (!options->plan->appends || !pages_overlap(&stream->pages)) && !feed_of(options);
            if (may_go_on) {
                item->position = page->position;
                page->position = NULL;
            }
            item->token = page->token;
            item->has_records = page->has_records;
            page->token = NULL;
            if (item->decoded.reached_known) atomic_store(&slice->enough, true);
            count_rows(options, &item->decoded);
        }
        free_page(page);
        if (rc != 0 || !channel_send(options->out, item, slice->cancel)) {
            slice_item_free(item);
            cancel_fire(slice->cancel, CANCEL_ABORT);
            break;
        }
    }
    thread_join(&slice->fetch);
    if (!last->err.class && slice->fetch_err.class) {
        err_copy(&last->err, &slice->fetch_err);
        last->end = slice->end;
        if (last->end == READER_REJECTS) add_rejected(slice, last);
    }
    last->finished = slice->finished && result == CHANNEL_CLOSED && !last->err.class;
    decoder_free(decoder);
    FAULT_POINT("sync.slice.ended");
    channel_send(options->out, last, NULL);
}

int slice_start(const struct slice_options *options, struct slice **out, struct err *err)
{
    const struct sync_context *sync = options->sync;
    struct slice *slice = mem_zero(1, sizeof *slice);
    slice->options = *options;
    pthread_mutex_init(&slice->lock, NULL);
    slice->options.cursor_value = arena_strdup(&slice->arena, options->cursor_value);
    slice->options.token = arena_strdup(&slice->arena, options->token);
    slice->options.resume_cursor = arena_strdup(&slice->arena, options->resume_cursor);
    slice->options.old_jobs = arena_strdup(&slice->arena, options->old_jobs);
    slice->options.job = arena_strdup(&slice->arena, options->job);
    slice->options.resume_page = arena_strdup(&slice->arena, options->resume_page);
    slice->pages = channel_new(PAGES_BETWEEN);
    slice->cancel = cancel_new(options->cancel);
    slice->session = session_new(sync->client);
    slice->has_functions = sync->description->has_functions;
    slice->worker = *sync->connector_options;
    slice->worker.cancel = slice->cancel;
    if (slice->has_functions) connector_functions_new(sync->sources, &slice->worker, &slice->functions);
    int rc = thread_start(&slice->fetch, "fetch", fetch, slice, THREAD_STACK, err);
    if (rc == 0 && (rc = thread_start(&slice->decode, "decode", decode, slice, THREAD_STACK, err)) != 0) {
        cancel_fire(slice->cancel, CANCEL_ABORT);
        thread_join(&slice->fetch);
    }
    if (rc != 0) {
        slice_join(slice);
        return rc;
    }
    *out = slice;
    return 0;
}

int64_t slice_waiting_until_ms(const struct slice *slice)
{
    return session_waiting_until_ms(slice->session);
}

void slice_join(struct slice *slice)
{
    if (!slice) return;
    thread_join(&slice->decode);
    void *page;
    while ((page = channel_take(slice->pages)) != NULL) free_page(page);
    if (slice->has_functions) connector_functions_free(&slice->functions);
    session_free(slice->session);
    channel_free(slice->pages);
    cancel_free(slice->cancel);
    arena_release(&slice->arena);
    pthread_mutex_destroy(&slice->lock);
    free(slice->committed);
    free(slice);
}
