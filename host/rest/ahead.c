/* ahead: see ahead.h. A lane is a thread with a channel each way; what it works on is its own until it comes back. */
#include "rest/ahead.h"

#include <stdlib.h>

#include "base/check.h"
#include "os/channel.h"
#include "os/thread.h"

enum { LANE_STACK = 512 * 1024 };

struct lane_ahead {
    void *context;
    ahead_run *run;
    struct thread thread;
    struct channel *todo, *done;
    struct ahead_page page;
    enum { LANE_IDLE, LANE_ASKED, LANE_TAKEN } state;
    bool has_thread;
};

struct ahead {
    struct lane_ahead lanes[AHEAD_MAX];
    size_t count;
};

static void work(void *context)
{
    struct lane_ahead *lane = context;
    void *page;
    while (channel_receive(lane->todo, NULL, -1, &page) == CHANNEL_ITEM) {
        lane->run(lane->context, page);
        channel_send(lane->done, page, NULL);
    }
}

struct ahead *ahead_new(size_t count, void *const *contexts, ahead_run *run)
{
    struct ahead *ahead = mem_zero(1, sizeof *ahead);
    struct err ignored = ERR_INIT;
    ahead->count = count;
    CHECK(count <= AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        struct lane_ahead *lane = &ahead->lanes[i];
        *lane = (struct lane_ahead){.context = contexts[i], .run = run, .todo = channel_new(1), .done = channel_new(1)};
        lane->has_thread = thread_start(&lane->thread, "ahead", work, lane, LANE_STACK, &ignored) == 0;
        if (lane->has_thread) continue;
        ahead_free(ahead);
        return NULL;
    }
    return ahead;
}

/* Waits for the lane to be done with what it was asked for. */
static void settle(struct lane_ahead *lane)
{
    void *page;
    if (lane->state == LANE_ASKED) CHECK(channel_receive(lane->done, NULL, -1, &page) == CHANNEL_ITEM);
    lane->state = LANE_TAKEN;
}

static void drop(struct lane_ahead *lane)
{
    if (lane->state == LANE_IDLE) return;
    settle(lane);
    http_response_release(&lane->page.response);
    lane->page = (struct ahead_page){0};
    lane->state = LANE_IDLE;
}

void ahead_free(struct ahead *ahead)
{
    if (!ahead) return;
    for (size_t i = 0; i < ahead->count; i++)
        if (ahead->lanes[i].todo) channel_close(ahead->lanes[i].todo);
    for (size_t i = 0; i < ahead->count; i++) {
        struct lane_ahead *lane = &ahead->lanes[i];
        drop(lane);
        if (lane->has_thread) thread_join(&lane->thread);
        if (lane->todo) channel_free(lane->todo);
        if (lane->done) channel_free(lane->done);
    }
    free(ahead);
}

static bool is_same(const struct page_place *a, const struct page_place *b)
{
    return a->has_number == b->has_number && a->has_offset == b->has_offset && a->number == b->number &&
           a->offset == b->offset && a->size == b->size;
}

static bool is_wanted(const struct lane_ahead *lane, const struct page_place *places, size_t count)
{
    for (size_t i = 0; lane->state == LANE_ASKED && i < count; i++)
        if (is_same(&lane->page.place, &places[i])) return true;
    return false;
}

static struct lane_ahead *find(struct ahead *ahead, const struct page_place *place)
{
    for (size_t i = 0; i < ahead->count; i++)
        if (is_wanted(&ahead->lanes[i], place, 1)) return &ahead->lanes[i];
    return NULL;
}

void ahead_want(struct ahead *ahead, const struct page_place *places, size_t count)
{
    for (size_t i = 0; i < ahead->count; i++)
        if (!is_wanted(&ahead->lanes[i], places, count)) drop(&ahead->lanes[i]);
    for (size_t i = 0, at = 0; i < count; i++) {
        if (find(ahead, &places[i])) continue;
        while (at < ahead->count && ahead->lanes[at].state != LANE_IDLE) at++;
        if (at == ahead->count) return;
        struct lane_ahead *lane = &ahead->lanes[at];
        lane->page.place = places[i];
        lane->state = LANE_ASKED;
        channel_send(lane->todo, &lane->page, NULL);
    }
}

struct ahead_page *ahead_take(struct ahead *ahead, const struct page_place *place)
{
    struct lane_ahead *lane = find(ahead, place);
    if (!lane) return NULL;
    settle(lane);
    return &lane->page;
}
