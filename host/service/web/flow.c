/* flow: answers without end. See parts.h.
 *
 * The server's thread takes what a flow has told already, and lets the connection rest when there is nothing. The flow thread
 * asks each flow for more, twice a second or when poked, and wakes the connections. A flow is freed by the flow thread only. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "os/clock.h"
#include "os/thread.h"
#include "service/web/parts.h"

enum { TURN_MS = 500, UNREAD_MAX = 1024 * 1024, MORE_MAX = 4 * 1024 * 1024 };

struct flow {
    struct web_flow source;
    struct MHD_Connection *connection;
    struct flows *flows;
    struct buf unread; /* what follows is under the lock */
    int64_t told_ms;
    bool rests;   /* the connection is suspended */
    bool has_end; /* nothing more will be told */
    bool is_gone; /* the connection is */
};

struct flows {
    struct clock *clock;
    struct thread thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_poked, ends;
    struct flow *list[WEB_FLOWS_MAX];
    size_t count;
};

/* --- on the server's thread ---------------------------------------------------------------------------------------------- */

static ssize_t take(void *context, uint64_t position, char *out, size_t max)
{
    struct flow *flow = context;
    ssize_t taken;
    (void)position;
    pthread_mutex_lock(&flow->flows->lock);
    size_t size = flow->unread.size < max ? flow->unread.size : max;
    if (size) {
        memcpy(out, flow->unread.data, size);
        memmove(flow->unread.data, flow->unread.data + size, flow->unread.size - size);
        flow->unread.size -= size;
        taken = (ssize_t)size;
    } else if (flow->has_end) {
        taken = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        flow->rests = true;
        MHD_suspend_connection(flow->connection);
        taken = 0;
    }
    pthread_mutex_unlock(&flow->flows->lock);
    return taken;
}

static void leave(void *context)
{
    struct flow *flow = context;
    pthread_mutex_lock(&flow->flows->lock);
    flow->is_gone = true;
    flow->flows->is_poked = true;
    pthread_cond_signal(&flow->flows->wake);
    pthread_mutex_unlock(&flow->flows->lock);
}

struct MHD_Response *flows_start(struct flows *flows, const struct web_flow *source, struct MHD_Connection *connection)
{
    struct MHD_Response *response = NULL;
    struct flow *flow = mem_zero(1, sizeof *flow);
    *flow = (struct flow){.source = *source,
                          .connection = connection,
                          .flows = flows,
                          .unread = BUF_INIT(UNREAD_MAX + MORE_MAX),
                          .told_ms = clock_now_ms(flows->clock)};
    pthread_mutex_lock(&flows->lock);
    if (flows->count < WEB_FLOWS_MAX && !flows->ends &&
        (response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, take, flow, leave)) != NULL) {
        flows->list[flows->count++] = flow;
        flows->is_poked = true;
        pthread_cond_signal(&flows->wake);
    }
    pthread_mutex_unlock(&flows->lock);
    if (response) return response;
    source->close(source->context);
    free(flow);
    return NULL;
}

/* --- on the flow thread -------------------------------------------------------------------------------------------------- */

static void wake_up(struct flow *flow)
{
    if (!flow->rests) return;
    flow->rests = false;
    MHD_resume_connection(flow->connection);
}

/* Takes over what the source told; a reader that is too slow for it is told nothing more. */
static void tell(struct flow *flow, const struct buf *told, bool goes_on)
{
    int64_t now_ms = clock_now_ms(flow->flows->clock);
    if (told->size)
        buf_append(&flow->unread, told->data, told->size);
    else if (now_ms - flow->told_ms >= WEB_FLOW_KEEP_MS)
        buf_append_text(&flow->unread, ":\n\n");
    if (flow->unread.size) flow->told_ms = now_ms;
    if (!goes_on || told->failed || flow->unread.failed || flow->unread.size > UNREAD_MAX) flow->has_end = true;
    if (!flow->is_gone && (flow->unread.size || flow->has_end)) wake_up(flow);
}

static void free_flow(struct flow *flow)
{
    flow->source.close(flow->source.context);
    buf_release(&flow->unread);
    free(flow);
}

/* Only this thread takes flows out, and new ones come at the end: so an index stays good while the lock is given away. */
static void ask_all(struct flows *flows)
{
    struct buf told = BUF_INIT(MORE_MAX);
    for (size_t i = 0; i < flows->count;) {
        struct flow *flow = flows->list[i];
        if (flow->is_gone) {
            flows->list[i] = flows->list[flows->count - 1];
            flows->list[--flows->count] = NULL;
            pthread_mutex_unlock(&flows->lock);
            free_flow(flow);
            pthread_mutex_lock(&flows->lock);
            continue;
        }
        i++;
        if (flow->has_end) continue;
        pthread_mutex_unlock(&flows->lock);
        buf_clear(&told);
        bool goes_on = flow->source.more(flow->source.context, &told);
        pthread_mutex_lock(&flows->lock);
        tell(flow, &told, goes_on);
    }
    buf_release(&told);
}

static void run(void *context)
{
    struct flows *flows = context;
    pthread_mutex_lock(&flows->lock);
    while (!flows->ends || flows->count > 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TURN_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        while (!flows->is_poked && (flows->count == 0 ? pthread_cond_wait(&flows->wake, &flows->lock)
                                                      : pthread_cond_timedwait(&flows->wake, &flows->lock, &until)) == 0)
            ;
        flows->is_poked = false;
        ask_all(flows);
    }
    pthread_mutex_unlock(&flows->lock);
}

/* --- from outside -------------------------------------------------------------------------------------------------------- */

int flows_open(struct clock *clock, struct flows **out, struct err *err)
{
    struct flows *flows = mem_zero(1, sizeof *flows);
    pthread_condattr_t attributes;
    flows->clock = clock;
    pthread_mutex_init(&flows->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&flows->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int rc = thread_start(&flows->thread, "web-flows", run, flows, 0, err);
    if (rc) {
        flows_close(flows);
        return rc;
    }
    *out = flows;
    return 0;
}

void flows_poke(struct flows *flows)
{
    pthread_mutex_lock(&flows->lock);
    flows->is_poked = true;
    pthread_cond_signal(&flows->wake);
    pthread_mutex_unlock(&flows->lock);
}

void flows_end(struct flows *flows)
{
    pthread_mutex_lock(&flows->lock);
    flows->ends = flows->is_poked = true;
    for (size_t i = 0; i < flows->count; i++) {
        flows->list[i]->has_end = true;
        wake_up(flows->list[i]);
    }
    pthread_cond_signal(&flows->wake);
    pthread_mutex_unlock(&flows->lock);
}

void flows_close(struct flows *flows)
{
    if (!flows) return;
    thread_join(&flows->thread);
    pthread_cond_destroy(&flows->wake);
    pthread_mutex_destroy(&flows->lock);
    free(flows);
}
