/* hooks: see hooks.h. */
#include "service/hooks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "hook/journal.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/log.h"
#include "service/tally.h"

/* A pipeline that receives. Lives as long as the hooks, also when it is gone from sluice.yaml: its journal may be written to.
 */
struct receiver {
    char *pipeline;
    struct journal *journal;        /* NULL: it could not be opened yet */
    bool was_told;                  /* that it could not */
    uint64_t counts[HOOK_STATUSES]; /* of requests, by what became of them */
    int64_t asked_ms;               /* when a load was asked for */
    int64_t due_ms;                 /* the schedule's time that it was for */
};

struct hooks {
    struct roster *roster;
    struct store *store;
    struct clock *clock;
    struct log *log;
    struct committer *committer;
    pthread_mutex_t lock; /* of the map and the counts */
    struct map receivers; /* pipeline -> struct receiver */
};

int hooks_open(struct roster *roster, struct store *store, struct clock *clock, struct log *log, struct hooks **out,
               struct err *err)
{
    struct hooks *hooks = mem_zero(1, sizeof *hooks);
    *hooks = (struct hooks){.roster = roster, .store = store, .clock = clock, .log = log, .receivers = MAP_INIT};
    pthread_mutex_init(&hooks->lock, NULL);
    int rc = committer_open(clock, log, &hooks->committer, err);
    if (rc)
        hooks_close(hooks);
    else
        *out = hooks;
    return rc;
}

void hooks_close(struct hooks *hooks)
{
    if (!hooks) return;
    const struct map_entry *entry;
    committer_close(hooks->committer);
    for (size_t at = 0; (entry = map_each(&hooks->receivers, &at)) != NULL;) {
        struct receiver *receiver = entry->value;
        free(receiver->pipeline);
        free(receiver);
    }
    map_release(&hooks->receivers);
    pthread_mutex_destroy(&hooks->lock);
    free(hooks);
}

/* --- journals ------------------------------------------------------------------------------------------------------------ */

static struct receiver *receiver_of(struct hooks *hooks, const char *pipeline, bool makes)
{
    pthread_mutex_lock(&hooks->lock);
    struct receiver *receiver = map_get(&hooks->receivers, str_from(pipeline));
    if (!receiver && makes) {
        receiver = mem_zero(1, sizeof *receiver);
        receiver->pipeline = mem_strdup(pipeline);
        map_set(&hooks->receivers, str_from(pipeline), receiver);
    }
    pthread_mutex_unlock(&hooks->lock);
    return receiver;
}

static struct journal *journal_of(struct hooks *hooks, const struct receiver *receiver)
{
    pthread_mutex_lock(&hooks->lock);
    struct journal *journal = receiver ? receiver->journal : NULL;
    pthread_mutex_unlock(&hooks->lock);
    return journal;
}

static void open_journal(struct hooks *hooks, struct receiver *receiver, const struct hook_settings *settings)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct err err = ERR_INIT;
    struct journal *journal = NULL;
    const char *folder = fs_join(&arena, roster_project(hooks->roster)->folder, settings->journal);
    if (journal_open(hooks->committer, folder, &journal, &err) != 0) {
        if (!receiver->was_told) log_error(hooks->log, "%s receives no events: %s", receiver->pipeline, err.message);
        receiver->was_told = true;
    }
    pthread_mutex_lock(&hooks->lock);
    receiver->journal = journal;
    pthread_mutex_unlock(&hooks->lock);
    arena_release(&arena);
}

void hooks_update(struct hooks *hooks)
{
    size_t count;
    const struct roster_pipeline *list = roster_list(hooks->roster, &count);
    for (size_t i = 0; i < count; i++) {
        const struct pipeline *pipeline = list[i].pipeline;
        if (!pipeline->webhook) continue;
        struct receiver *receiver = receiver_of(hooks, pipeline->name, true);
        if (!receiver->journal) open_journal(hooks, receiver, pipeline->webhook);
    }
}

/* --- loading ------------------------------------------------------------------------------------------------------------- */

/* A load is asked for when something came that none was asked for yet: not more often than the pipeline says, or, among several
 * nodes, once when its schedule was due. Alone, a schedule's own job does it. */
static bool is_due(const struct receiver *receiver, const struct roster_pipeline *entry, bool is_alone, int64_t now_ms)
{
    bool has_schedule =
        entry->cadences.list[0].schedule.kind != SCHEDULE_MANUAL && (is_alone || !hooks_replace_schedule(entry));
    if (journal_backlog(receiver->journal) == 0) return false;
    if (has_schedule) return !is_alone && entry->is_known && entry->records[0].last_ms > receiver->due_ms;
    return receiver->asked_ms == 0 || now_ms - receiver->asked_ms >= entry->pipeline->webhook->load_every_ms;
}

/* A job that is there already may be another node's, which loads nothing of ours: then we ask again at the next turn. */
static bool ask(struct hooks *hooks, struct receiver *receiver, const struct roster_pipeline *entry, const char *node,
                int64_t now_ms)
{
    const struct job_request request = {.pipeline = receiver->pipeline, .trigger = "request", .for_node = node};
    struct err ignored = ERR_INIT; /* the store is away, which others tell; the next turn asks again */
    int64_t job;
    bool is_new = false;
    if (store_request(hooks->store, &request, &job, &is_new, &ignored) != 0 || (node && !is_new)) return false;
    receiver->asked_ms = now_ms;
    receiver->due_ms = entry->records[0].last_ms;
    return is_new;
}

bool hooks_replace_schedule(const struct roster_pipeline *entry)
{
    return entry->pipeline->webhook && entry->cadences.list[0].schedule.kind == SCHEDULE_CONTINUOUS;
}

bool hooks_turn(struct hooks *hooks, const char *node)
{
    int64_t now_ms = clock_now_ms(hooks->clock);
    bool queued = false;
    size_t count;
    const struct roster_pipeline *list = roster_list(hooks->roster, &count);
    for (size_t i = 0; i < count; i++) {
        const struct pipeline *pipeline = list[i].pipeline;
        struct receiver *receiver = pipeline->webhook ? receiver_of(hooks, pipeline->name, false) : NULL;
        if (!receiver || !receiver->journal) continue;
        journal_trim(receiver->journal, pipeline->webhook->keep_ms);
        if (is_due(receiver, &list[i], node == NULL, now_ms) && ask(hooks, receiver, &list[i], node, now_ms)) queued = true;
    }
    return queued;
}

void hooks_load_begins(struct hooks *hooks, const char *pipeline)
{
    struct journal *journal = journal_of(hooks, receiver_of(hooks, pipeline, false));
    if (journal) journal_load_begins(journal);
}

void hooks_load_ends(struct hooks *hooks, const char *pipeline, bool went_well)
{
    struct journal *journal = journal_of(hooks, receiver_of(hooks, pipeline, false));
    if (went_well && journal) journal_loaded(journal);
}

/* --- receiving ----------------------------------------------------------------------------------------------------------- */

/* The pipeline's settings, while the roster is held; NULL when it receives no such stream. */
static const struct hook_settings *settings_of(struct hooks *hooks, const char *pipeline, const char *stream)
{
    const struct roster_pipeline *entry = roster_find(hooks->roster, pipeline);
    const struct hook_settings *settings = entry ? entry->pipeline->webhook : NULL;
    return settings && strcmp(settings->stream, stream) == 0 ? settings : NULL;
}

static enum hook_status take(const struct hook_settings *settings, struct journal *journal, const struct hook_request *request,
                             struct arena *arena, struct hook_outcome *out, void (*done)(void *context, bool is_durable),
                             void *context)
{
    if (request->body.size > settings->max_body) return HOOK_TOO_LARGE;
    out->why = hook_refusal(settings, request, arena);
    if (out->why) return HOOK_FORGED;
    hook_read(settings, request, arena, out);
    if (out->kind == HOOK_BAD) return HOOK_REFUSED;
    if (out->kind == HOOK_ANSWER) return HOOK_ANSWERED;
    if (out->count == 0) {
        out->type = "application/json";
        out->reply = "{\"status\":\"ok\"}";
        return HOOK_ANSWERED; /* an empty list */
    }
    if (!journal) return HOOK_FULL;
    return journal_offer(journal, buf_str(&out->lines), settings->max_backlog, done, context) ? HOOK_TAKEN : HOOK_FULL;
}

enum hook_status hooks_take(struct hooks *hooks, const char *pipeline, const char *stream, const struct hook_request *request,
                            struct arena *arena, struct hook_outcome *out, void (*done)(void *context, bool is_durable),
                            void *context)
{
    struct receiver *receiver = receiver_of(hooks, pipeline, false);
    enum hook_status status = HOOK_UNKNOWN;
    roster_hold(hooks->roster);
    const struct hook_settings *settings = receiver ? settings_of(hooks, pipeline, stream) : NULL;
    if (settings) status = take(settings, journal_of(hooks, receiver), request, arena, out, done, context);
    roster_let_go(hooks->roster);
    if (receiver) __atomic_add_fetch(&receiver->counts[status], 1, __ATOMIC_RELAXED);
    return status;
}

bool hooks_greet(struct hooks *hooks, const char *pipeline, const char *stream, const char *mode, const char *token,
                 const char *challenge)
{
    roster_hold(hooks->roster);
    const struct hook_settings *settings = settings_of(hooks, pipeline, stream);
    bool greets = settings && hook_greets(settings, mode, token, challenge);
    roster_let_go(hooks->roster);
    return greets;
}

void hooks_settle(struct hooks *hooks)
{
    committer_settle(hooks->committer);
}

void hooks_write_metrics(struct hooks *hooks, struct buf *out)
{
    static const char *const NAMES[HOOK_STATUSES] = {"taken", "answered", "unknown", "forged", "refused", "too_large", "full"};
    const struct map_entry *entry;
    pthread_mutex_lock(&hooks->lock);
    measure_begin(out, "sluice_webhook_requests_total", "counter", "Requests of webhooks, by what became of them.");
    for (size_t at = 0; (entry = map_each(&hooks->receivers, &at)) != NULL;) {
        struct receiver *receiver = entry->value;
        for (size_t i = 0; i < HOOK_STATUSES; i++) {
            measure_name(out, "sluice_webhook_requests_total", receiver->pipeline, NAMES[i]);
            buf_printf(out, " %llu\n", (unsigned long long)__atomic_load_n(&receiver->counts[i], __ATOMIC_RELAXED));
        }
    }
    measure_begin(out, "sluice_webhook_backlog_bytes", "gauge", "Bytes of events that are kept and not loaded yet.");
    for (size_t at = 0; (entry = map_each(&hooks->receivers, &at)) != NULL;) {
        const struct receiver *receiver = entry->value;
        measure_name(out, "sluice_webhook_backlog_bytes", receiver->pipeline, NULL);
        buf_printf(out, " %llu\n", receiver->journal ? (unsigned long long)journal_backlog(receiver->journal) : 0ULL);
    }
    pthread_mutex_unlock(&hooks->lock);
}
