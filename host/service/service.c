/* service: see service.h. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/cancel.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/signals.h"
#include "service/hooks.h"
#include "service/pools.h"
#include "service/service_parts.h"
#include "service/statsd.h"
#include "service/tally.h"
#include "service/watch.h"
#include "service/web/front.h"

enum {
    BEAT_MS = 10000, /* leases are renewed */
    TRIM_MS = 3600000,
};

/* --- opening ------------------------------------------------------------------------------------------------------------- */

static void make_node_name(struct service *service, struct process_identity *identity)
{
    process_identity(identity);
    snprintf(service->node, sizeof service->node, "%s:%lld:%llu", identity->host, (long long)identity->pid,
             (unsigned long long)identity->start_ticks);
}

static int store_url(const struct service_options *options, const struct roster *roster, struct arena *arena, const char **out,
                     struct err *err)
{
    const char *given = options->store ? options->store : project_store(roster_project(roster), arena);
    char *folder;
    int rc = given ? 0 : fs_state_folder(options->state_folder, arena, &folder, err);
    if (rc == 0) *out = given ? given : fs_join(arena, folder, "service.db");
    return rc;
}

static int open_roster(const char *file, struct roster **out, struct err *err)
{
    struct problems problems;
    *out = roster_new(file);
    if (roster_read(*out, true, &problems)) return 0;
    int rc = problems_to_err(&problems, ERR_CONFIG, err);
    roster_free(*out);
    *out = NULL;
    return rc;
}

int service_store_url(const struct service_options *options, struct arena *arena, const char **out, struct err *err)
{
    struct roster *roster;
    int rc = open_roster(options->file, &roster, err);
    if (rc) return rc;
    if ((rc = store_url(options, roster, arena, out, err)) == 0) *out = arena_strdup(arena, *out);
    roster_free(roster);
    return rc;
}

static int join(struct service *service, struct err *err)
{
    struct process_identity identity;
    uint64_t left;
    int64_t now_ms;
    make_node_name(service, &identity);
    int rc = store_join(service->store, service->node, &identity, &left, err);
    if (rc == 0) rc = store_now(service->store, &now_ms, err);
    if (rc) return rc;
    service->skew_ms = now_ms - clock_wall_us(service->options.clock) / 1000;
    if (left) log_info(service->options.log, "%llu jobs of a service that ended are taken up again", (unsigned long long)left);
    return 0;
}

/* On the API's threads. */
static void wake(void *context)
{
    const struct service *service = context;
    const uint64_t one = 1;
    if (write(service->wake_fd, &one, sizeof one) < 0) return; /* it is set already */
}

static int open_front(struct service *service, struct err *err)
{
    const struct service_options *options = &service->options;
    const struct api_settings settings = {.file = options->file,
                                          .state_folder = options->state_folder,
                                          .node = service->node,
                                          .roster = service->roster,
                                          .store = service->store,
                                          .tally = service->tally,
                                          .hooks = service->hooks,
                                          .clock = options->clock,
                                          .changed = wake,
                                          .context = service};
    const char *listen = options->listen ? options->listen : roster_project(service->roster)->service.listen;
    return front_open(listen, &settings, &service->front, err);
}

static void note_event(void *context, const struct job *job, struct str line)
{
    struct service *service = context;
    const struct roster_pipeline *entry = roster_find(service->roster, job->pipeline);
    statsd_take(service->statsd, entry ? entry->pipeline->connector : "unknown", line);
}

/* Anew with each sluice.yaml. */
static void open_statsd(struct service *service)
{
    const struct service_settings *settings = &roster_project(service->roster)->service;
    statsd_close(service->statsd);
    service->statsd = settings->statsd_address ? statsd_open(settings->statsd_address, settings->statsd_has_tags,
                                                             settings->statsd_prefix, service->options.log)
                                               : NULL;
}

static void note_end(void *context, const struct job *job, bool went_well)
{
    struct service *service = context;
    watch_poke(service->watch, job->pipeline);
    if (service->hooks) hooks_load_ends(service->hooks, job->pipeline, went_well);
}

/* Where nothing can be shared, as with syncs that find the same, each counts for itself. */
static void open_pools(struct service *service)
{
    const struct service_options *options = &service->options;
    struct err err = ERR_INIT;
    char *folder;
    if (!service_has_others(service)) return;
    if (fs_state_folder(options->state_folder, &service->turn, &folder, &err) == 0)
        service->pools = pools_open(folder, service->store, service->node, options->clock, options->log);
    else
        log_warn(options->log, "rate limits are not shared with other nodes: %s", err.message);
}

/* A store that is away takes the parts with it, when their leases are over. */
static void share_limits(struct service *service)
{
    struct err err = ERR_INIT;
    int rc = pools_turn(service->pools, &err);
    if (service->pools) service_note_store(service, rc, &err);
}

int service_open(const struct service_options *options, struct service **out, struct err *err)
{
    struct service *service = mem_zero(1, sizeof *service);
    service->options = *options;
    service->tally = tally_new();
    service->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(service->wake_fd >= 0);
    const char *url;
    int rc = open_roster(options->file, &service->roster, err);
    if (rc == 0) rc = store_url(options, service->roster, &service->turn, &url, err);
    if (rc == 0) service->store_url = mem_strdup(url);
    const struct sql_settings settings = {.url = service->store_url, .cancel = options->cancel, .secrets = options->secrets};
    if (rc == 0) rc = store_open(&settings, &service->store, err);
    if (rc == 0) rc = join(service, err);
    if (rc == 0) open_pools(service);
    if (rc == 0 && !options->only)
        rc = hooks_open(service->roster, service->store, options->clock, options->log, &service->hooks, err);
    if (service->hooks) hooks_update(service->hooks);
    const struct watch_settings watch = {
        .roster = service->roster, .store = service->store, .clock = options->clock, .log = options->log};
    if (rc == 0 && !options->only) rc = watch_open(&watch, &service->watch, err);
    if (rc == 0 && !options->only) rc = open_front(service, err);
    if (rc) {
        service_close(service);
        return rc;
    }
    const struct runner_settings runner = {.file = options->file,
                                           .state_folder = options->state_folder,
                                           .store = service->store,
                                           .tally = service->tally,
                                           .told = note_event,
                                           .ended = note_end,
                                           .context = service,
                                           .clock = options->clock,
                                           .log = options->log};
    service->runner = runner_new(&runner);
    open_statsd(service);
    *out = service;
    return 0;
}

void service_close(struct service *service)
{
    if (!service) return;
    struct err err = ERR_INIT;
    front_close(service->front);
    watch_close(service->watch);
    hooks_close(service->hooks);
    runner_free(service->runner);
    pools_close(service->pools);
    if (service->store && store_leave(service->store, service->node, &err) != 0)
        log_warn(service->options.log, "the store does not know that this node ended: %s", err.message);
    store_close(service->store);
    roster_free(service->roster);
    tally_free(service->tally);
    statsd_close(service->statsd);
    free(service->store_url);
    close(service->wake_fd);
    map_release(&service->told);
    arena_release(&service->turn);
    free(service);
}

/* --- the store may be away ----------------------------------------------------------------------------------------------- */

int service_note_store(struct service *service, int rc, const struct err *err)
{
    struct log *log = service->options.log;
    if (rc && !service->is_store_away) {
        log_warn(log, "%s; the syncs that run go on, nothing else is started", err->message);
        service->is_store_away = true;
    } else if (!rc && service->is_store_away) {
        log_info(log, "the service's store is back");
        service->is_store_away = false;
    }
    return rc;
}

static void beat(struct service *service)
{
    struct err err = ERR_INIT;
    uint64_t left = 0;
    int64_t store_ms, mono_ms = clock_now_ms(service->options.clock);
    if (mono_ms < service->beat_ms) return;
    service->beat_ms = mono_ms + BEAT_MS;
    int rc = store_beat(service->store, service->node, &left, &err);
    if (rc == 0) rc = store_now(service->store, &store_ms, &err);
    if (service_note_store(service, rc, &err) == 0) {
        service->lease_ms = mono_ms + STORE_LEASE_MS;
        service->skew_ms = store_ms - clock_wall_us(service->options.clock) / 1000;
        if (left) log_info(service->options.log, "%llu jobs of a node that is gone are queued again", (unsigned long long)left);
    } else {
        service->beat_ms = mono_ms + SERVICE_TURN_MS;
        if (mono_ms > service->lease_ms) runner_stop(service->runner, 0, STOP_LOST, SERVICE_DRAIN_MS);
    }
    if (mono_ms < service->trim_ms) return;
    service->trim_ms = mono_ms + TRIM_MS;
    service_note_store(service, store_trim(service->store, roster_project(service->roster)->service.history_ms, &err), &err);
}

/* --- sluice.yaml --------------------------------------------------------------------------------------------------------- */

static void reread(struct service *service)
{
    struct problems problems = {.count = 0};
    struct buf text = BUF_INIT(16 * 1024);
    struct log *log = service->options.log;
    if (roster_read(service->roster, signals_hung_up(service->options.signals), &problems)) {
        log_info(log, "%s was read anew", service->options.file);
        if (service->hooks) hooks_update(service->hooks);
        open_statsd(service);
        return;
    }
    for (size_t i = 0; i < problems_listed(&problems); i++) {
        buf_clear(&text);
        problem_describe(&problems.list[i], &text);
        log_error(log, "%s", buf_text(&text));
    }
    if (problems.count) log_error(log, "%s is wrong; the service goes on with what it was", service->options.file);
    buf_release(&text);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

/* Until the next thing that does not announce itself. */
static int64_t wait_ms(struct service *service, bool drains)
{
    int64_t wait = service->poll_ms - clock_now_ms(service->options.clock), at_ms = service_now_ms(service);
    int64_t step = runner_wait_ms(service->runner);
    size_t count;
    if (service->looks && !drains) return 0;
    const struct roster_pipeline *list = roster_list(service->roster, &count);
    for (size_t i = 0; !drains && !service->options.only && i < count; i++)
        if (list[i].look_ms != INT64_MAX && list[i].look_ms - at_ms < wait &&
            !runner_has(service->runner, list[i].pipeline->name))
            wait = list[i].look_ms - at_ms;
    if (step >= 0 && step < wait) wait = step;
    return wait > 0 ? wait : 0;
}

void service_wait(struct service *service, bool drains)
{
    size_t count = runner_count(service->runner);
    struct pollfd *polls = arena_array(&service->turn, struct pollfd, count + 3);
    nfds_t watched = count;
    uint64_t asked;
    runner_polls(service->runner, polls);
    polls[watched++] = (struct pollfd){.fd = service->wake_fd, .events = POLLIN};
    polls[watched++] = (struct pollfd){.fd = signals_hangup_fd(service->options.signals), .events = POLLIN};
    if (!drains) polls[watched++] = (struct pollfd){.fd = cancel_fd(service->options.cancel), .events = POLLIN};
    if (poll(polls, watched, (int)wait_ms(service, drains)) < 0) return;
    if (read(service->wake_fd, &asked, sizeof asked) > 0) service->looks = true;
    if (runner_turn(service->runner, polls) == 0) return;
    service->looks = true;
    if (service->front) front_poke(service->front);
}

void service_turn(struct service *service)
{
    arena_clear(&service->turn);
    bool is_time = clock_now_ms(service->options.clock) >= service->poll_ms;
    if (is_time) service->poll_ms = clock_now_ms(service->options.clock) + SERVICE_TURN_MS;
    beat(service);
    if (is_time) share_limits(service);
    reread(service);
    if (!service->options.only) service_look_at_schedules(service);
    if (is_time && service->front) front_turn(service->front);
    if (is_time && service->hooks && hooks_turn(service->hooks, service_has_others(service) ? service->node : NULL))
        service->looks = true;
    if (is_time || service->looks) {
        service->looks = false;
        service_stop_cancelled(service);
        service_take_jobs(service);
    }
    notify("WATCHDOG=1");
}

void service_run(struct service *service)
{
    struct cancel *cancel = service->options.cancel;
    size_t count;
    roster_list(service->roster, &count);
    log_info(service->options.log, "serving %zu pipelines as node %s at http://%s", count, service->node,
             front_address(service->front));
    notify("READY=1");
    while (!cancel_stopping(cancel)) {
        service_turn(service);
        service_wait(service, false);
    }
    notify("STOPPING=1");
    front_drain(service->front);
    service_drain(service);
}

void service_drain(struct service *service)
{
    if (runner_count(service->runner))
        log_info(service->options.log, "stopping: %zu syncs end at their next checkpoint", runner_count(service->runner));
    runner_stop(service->runner, 0, STOP_DRAINED, SERVICE_DRAIN_MS);
    while (runner_count(service->runner) > 0) {
        arena_clear(&service->turn);
        service->poll_ms = clock_now_ms(service->options.clock) + SERVICE_TURN_MS;
        service_wait(service, true);
    }
}
