/* budget: see block.h. Bytes in use under one lock.
 *
 * Who must wait stands in a queue, and only its head may take bytes: else a stream of small pages would pass by a large one
 * for ever. A waiter's entry is on its own stack; it leaves the queue before it returns. Each looks up every 100 ms, to ask
 * whether it shall stop. */
#include "data/block.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"

enum { ASK_EVERY_MS = 100, SHORT_PART = 8 };

struct waiter {
    struct waiter *next;
};

struct budget {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* bytes came back, or the queue's head left; on the monotonic clock */
    size_t limit;
    size_t used;
    size_t peak;
    struct waiter *waiting; /* oldest first */
};

struct budget *budget_new(size_t limit_bytes)
{
    struct budget *budget = mem_zero(1, sizeof *budget);
    pthread_condattr_t attributes;
    budget->limit = limit_bytes;
    pthread_mutex_init(&budget->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&budget->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return budget;
}

void budget_free(struct budget *budget)
{
    if (!budget) return;
    CHECK(budget->used == 0 && !budget->waiting);
    pthread_cond_destroy(&budget->changed);
    pthread_mutex_destroy(&budget->lock);
    free(budget);
}

static void take(struct budget *budget, size_t bytes)
{
    budget->used += bytes;
    if (budget->used > budget->peak) budget->peak = budget->used;
}

static bool fits(const struct budget *budget, size_t bytes)
{
    if (bytes > budget->limit) return budget->used == 0;
    return budget->used <= budget->limit && bytes <= budget->limit - budget->used;
}

static void join_queue(struct budget *budget, struct waiter *waiter)
{
    struct waiter **last = &budget->waiting;
    while (*last) last = &(*last)->next;
    *last = waiter;
}

static void leave_queue(struct budget *budget, struct waiter *waiter)
{
    struct waiter **at = &budget->waiting;
    while (*at != waiter) at = &(*at)->next;
    *at = waiter->next;
    pthread_cond_broadcast(&budget->changed);
}

static void wait_a_moment(struct budget *budget)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ASK_EVERY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&budget->changed, &budget->lock, &until);
}

bool budget_reserve(struct budget *budget, size_t bytes, bool (*stop)(void *context), void *context)
{
    struct waiter me = {NULL};
    bool taken = true;
    pthread_mutex_lock(&budget->lock);
    if (budget->waiting || !fits(budget, bytes)) {
        join_queue(budget, &me);
        while (taken && (budget->waiting != &me || !fits(budget, bytes))) {
            wait_a_moment(budget);
            if (!stop) continue;
            pthread_mutex_unlock(&budget->lock); /* what stop looks at may have a lock of its own */
            taken = !stop(context);
            pthread_mutex_lock(&budget->lock);
        }
        leave_queue(budget, &me);
    }
    if (taken) take(budget, bytes);
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

void budget_charge(struct budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    take(budget, bytes);
    pthread_mutex_unlock(&budget->lock);
}

void budget_return(struct budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    CHECK(bytes <= budget->used);
    budget->used -= bytes;
    if (budget->waiting) pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->lock);
}

bool budget_is_short(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    size_t left = budget->used < budget->limit ? budget->limit - budget->used : 0;
    bool is_short = budget->waiting != NULL || left < budget->limit / SHORT_PART;
    pthread_mutex_unlock(&budget->lock);
    return is_short;
}

size_t budget_used(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    size_t used = budget->used;
    pthread_mutex_unlock(&budget->lock);
    return used;
}

size_t budget_peak(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    size_t peak = budget->peak;
    pthread_mutex_unlock(&budget->lock);
    return peak;
}
