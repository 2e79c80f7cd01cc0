/* watch: see watch.h. */
#include "service/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "service/alert.h"
#include "service/monitor.h"

enum {
    STEP_MS = 500,
    LEAST_MS = 2000, /* between two looks that jobs ask for */
    APART_MS = 1,    /* between two pipelines: others wait for the store, too */
};
static const int64_t DAY_MS = 24 * 3600000;

struct watch {
    struct watch_settings settings;
    struct cancel *stop;
    struct thread thread;
    pthread_mutex_t lock;
    struct map poked; /* pipelines whose jobs have ended since they were looked at: name -> anything */
};

/* --- looking ------------------------------------------------------------------------------------------------------------- */

/* What is asked of a pipeline, copied while the roster is held: the store is asked without holding it. */
struct subject {
    const char *name;
    struct monitor_settings monitors;
    bool runs_by_itself, is_endless;
};

static struct subject *list_subjects(struct watch *watch, struct arena *arena, size_t *count)
{
    roster_hold(watch->settings.roster);
    const struct roster_pipeline *list = roster_list(watch->settings.roster, count);
    struct subject *subjects = arena_array(arena, struct subject, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        const struct pipeline *pipeline = list[i].pipeline;
        bool is_scheduled = false, is_endless = false;
        for (size_t c = 0; c < list[i].cadences.count; c++) {
            is_scheduled = is_scheduled || list[i].cadences.list[c].schedule.kind != SCHEDULE_MANUAL;
            is_endless = is_endless || list[i].cadences.list[c].schedule.kind == SCHEDULE_CONTINUOUS;
        }
        subjects[i] = (struct subject){
            .name = arena_strdup(arena, pipeline->name), .runs_by_itself = is_scheduled, .is_endless = is_endless};
        monitor_settings_read(node_get(pipeline->node, "monitors"), arena, &subjects[i].monitors);
    }
    roster_let_go(watch->settings.roster);
    return subjects;
}

static int look_at(struct watch *watch, const struct subject *subject, int64_t now_ms, struct err *err)
{
    struct store *store = watch->settings.store;
    struct arena arena = ARENA_INIT(0);
    struct monitor_facts facts = {
        .now_ms = now_ms, .runs_by_itself = subject->runs_by_itself, .is_endless = subject->is_endless};
    struct job_facts jobs;
    struct pipeline_record record;
    struct stream_record *streams = NULL;
    int rc = store_pipeline(store, subject->name, &record, err);
    if (rc == 0)
        rc = store_facts(store, subject->name, now_ms - now_ms % DAY_MS, facts.written, MONITOR_DAYS, &arena, &jobs, err);
    if (rc == 0) rc = store_streams(store, subject->name, &arena, &streams, &facts.stream_count, err);
    if (rc == 0) {
        facts.streams = streams;
        facts.is_paused = record.is_paused;
        facts.first_ms = jobs.first_ms;
        facts.succeeded_ms = jobs.succeeded_ms;
        if (subject->is_endless && jobs.alive_ms > facts.succeeded_ms) facts.succeeded_ms = jobs.alive_ms;
        facts.status = jobs.status;
        facts.error = jobs.error;
        facts.rejected = jobs.rejected;
    }
    for (int kind = 0; rc == 0 && kind < MONITOR_KINDS; kind++)
        rc = store_note_alert(store, subject->name, MONITOR_NAMES[kind],
                              monitor_look((enum monitor_kind)kind, &subject->monitors, &facts, &arena), err);
    arena_release(&arena);
    return rc;
}

/* --- telling ------------------------------------------------------------------------------------------------------------- */

static struct alert_target *list_targets(struct watch *watch, struct arena *arena, size_t *count)
{
    roster_hold(watch->settings.roster);
    const struct node *alerts = node_get(node_get(roster_project(watch->settings.roster)->root, "service"), "alerts");
    *count = alerts ? alerts->count : 0;
    struct alert_target *targets = arena_array(arena, struct alert_target, *count + 1);
    for (size_t i = 0; i < *count; i++) alert_target_read(&alerts->children[i], arena, &targets[i]);
    roster_let_go(watch->settings.roster);
    return targets;
}

/* One that ended before anybody was told of it is forgotten. */
static bool is_to_be_told(const struct alert *alert, const struct alert_target *target, int64_t now_ms)
{
    if (!alert_is_for(target, alert->kind)) return false;
    if (alert->ended_ms) return alert->told_ms > 0;
    return alert->told_ms == 0 || now_ms - alert->told_ms >= target->repeat_ms;
}

static void tell(struct watch *watch, const struct alert *alert, const struct alert_target *targets, size_t count,
                 int64_t now_ms)
{
    struct err err = ERR_INIT;
    bool was_told = false, has_failed = false;
    for (size_t i = 0; i < count && !cancel_stopping(watch->stop); i++) {
        struct err failure = ERR_INIT;
        if (!is_to_be_told(alert, &targets[i], now_ms)) continue;
        was_told = true;
        if (alert_send(&targets[i], alert, watch->settings.clock, watch->stop, &failure) == 0) continue;
        has_failed = true;
        log_warn(watch->settings.log, "%s: %s; it is told with the next look", alert->pipeline, failure.message);
    }
    if (cancel_stopping(watch->stop) || has_failed || (!was_told && !alert->ended_ms)) return;
    if (store_alert_told(watch->settings.store, alert, &err) != 0) log_warn(watch->settings.log, "%s", err.message);
}

static void tell_all(struct watch *watch, struct arena *arena, int64_t now_ms)
{
    struct alert *alerts;
    struct err ignored = ERR_INIT; /* the store is away, which others tell */
    size_t count, target_count;
    const struct alert_target *targets = list_targets(watch, arena, &target_count);
    if (store_alerts(watch->settings.store, arena, &alerts, &count, &ignored) != 0) return;
    for (size_t i = 0; i < count; i++) tell(watch, &alerts[i], targets, target_count, now_ms);
}

/* --- the thread ---------------------------------------------------------------------------------------------------------- */

/* Those whose jobs have ended, which are forgotten here. */
static struct map take_poked(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    struct map poked = watch->poked;
    watch->poked = MAP_INIT;
    pthread_mutex_unlock(&watch->lock);
    return poked;
}

static bool is_poked(struct watch *watch)
{
    size_t at = 0;
    pthread_mutex_lock(&watch->lock);
    bool is = map_each(&watch->poked, &at) != NULL;
    pthread_mutex_unlock(&watch->lock);
    return is;
}

/* At those of `poked`, whose jobs were ours, and at all when `is_time`, which of several nodes one does each minute. What could
 * not be looked at is poked again. */
static void look(struct watch *watch, const struct map *poked, bool is_time)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    int64_t now_ms;
    size_t count, at = 0;
    bool is_all = false;
    const struct map_entry *entry;
    int rc = store_now(watch->settings.store, &now_ms, &err);
    if (rc == 0 && is_time) rc = store_take_watch(watch->settings.store, WATCH_EVERY_MS - STEP_MS, &is_all, &err);
    const struct subject *subjects = list_subjects(watch, &arena, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!is_all && !map_get(poked, str_from(subjects[i].name))) continue;
        if (cancel_wait_ms(watch->stop, APART_MS)) break;
        rc = look_at(watch, &subjects[i], now_ms, &err);
    }
    if (rc == 0) tell_all(watch, &arena, now_ms);
    while (rc && (entry = map_each(poked, &at)) != NULL) watch_poke(watch, entry->key.data);
    arena_release(&arena);
}

static void work(void *context)
{
    struct watch *watch = context;
    int64_t all_ms = clock_now_ms(watch->settings.clock), looked_ms = all_ms;
    while (!cancel_wait_ms(watch->stop, STEP_MS)) {
        int64_t now_ms = clock_now_ms(watch->settings.clock);
        bool is_time = now_ms - all_ms >= WATCH_EVERY_MS;
        if (!is_time && (now_ms - looked_ms < LEAST_MS || !is_poked(watch))) continue;
        struct map poked = take_poked(watch);
        look(watch, &poked, is_time);
        map_release(&poked);
        looked_ms = clock_now_ms(watch->settings.clock);
        if (is_time) all_ms = looked_ms;
    }
}

int watch_open(const struct watch_settings *settings, struct watch **out, struct err *err)
{
    struct watch *watch = mem_zero(1, sizeof *watch);
    watch->settings = *settings;
    watch->stop = cancel_new(NULL);
    watch->poked = MAP_INIT;
    pthread_mutex_init(&watch->lock, NULL);
    int rc = thread_start(&watch->thread, "watch", work, watch, 512 * 1024, err);
    if (rc)
        watch_close(watch);
    else
        *out = watch;
    return rc;
}

void watch_poke(struct watch *watch, const char *pipeline)
{
    if (!watch) return;
    pthread_mutex_lock(&watch->lock);
    map_set(&watch->poked, str_from(pipeline), watch);
    pthread_mutex_unlock(&watch->lock);
}

void watch_close(struct watch *watch)
{
    if (!watch) return;
    cancel_fire(watch->stop, CANCEL_ABORT);
    thread_join(&watch->thread);
    cancel_free(watch->stop);
    map_release(&watch->poked);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}
