/* functions: a connector's functions as the `struct functions` that rest/ calls, and describing, which is a worker's first
 * answer.
 *
 * A slice's fetch and decode threads share one instance, and a worker answers one call at a time: the instance's lock makes the
 * second caller wait. It is held through the worker's start and the whole call. That wait has an end, since a call does: its
 * answer, its time limit, or a cancel, which both threads share. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector/connector.h"
#include "connector/native.h"
#include "connector/parsing.h"
#include "connector/worker.h"
#include "os/fs.h"
#include "os/process.h"

enum { WALLS_MAX = 4096, WALLS_WAIT_MS = 10000 };

struct instance {
    const struct connector_sources *sources;
    const struct connector_options *options;
    pthread_mutex_t lock;          /* of the worker */
    struct worker *worker;         /* NULL until the first call */
    struct parsing_worker parsing; /* the reader's alone */
};

int connector_describe_sources(const struct connector_sources *sources, const struct connector_options *options,
                               struct arena *arena, struct str *json, struct err *err)
{
    return connector_inspect(sources, options, NULL, NULL, arena, json, err);
}

int connector_inspect(const struct connector_sources *sources, const struct connector_options *options,
                      void (*passed)(void *context, const char *check), void *context, struct arena *arena, struct str *json,
                      struct err *err)
{
    struct connector_options described = *options;
    struct worker *worker;
    struct str description;
    described.grant = NULL;
    int rc = worker_inspect(sources, &described, passed, context, &worker, &description, err);
    if (rc != 0) return rc;
    if (sources->is_native)
        rc = native_description(sources->name, description, arena, json, err);
    else
        *json = arena_copy(arena, description);
    worker_free(worker);
    return rc;
}

int connector_describe(const struct connector *connector, const struct connector_options *options, struct arena *arena,
                       struct str *json, struct err *err)
{
    struct arena reading = ARENA_INIT(0);
    struct connector_sources sources;
    int rc = connector_read(connector, &reading, &sources, err);
    if (rc == 0) rc = connector_describe_sources(&sources, options, arena, json, err);
    arena_release(&reading);
    return rc;
}

/* The instance's worker, started by the first who needs it. With the lock. */
static int want_worker(struct instance *instance, struct err *err)
{
    struct str description; /* known already */
    if (instance->worker) return 0;
    return worker_start(instance->sources, instance->options, &instance->worker, &description, err);
}

static int call(struct instance *instance, const struct wire_call *call, struct arena *arena, struct str *result,
                struct err *err)
{
    pthread_mutex_lock(&instance->lock);
    int rc = want_worker(instance, err);
    if (rc == 0) rc = worker_call(instance->worker, call, arena, result, err);
    pthread_mutex_unlock(&instance->lock);
    return rc;
}

static int call_value(void *context, const char *name, struct str context_json, struct str page, struct arena *arena,
                      struct str *result_json, struct err *err)
{
    struct wire_call request = {.name = str_from(name), .context_json = context_json, .page = page};
    return call(context, &request, arena, result_json, err);
}

static int call_records(void *context, const char *records_name, const char *map_name, const char *records_path,
                        struct str context_json, struct str page, struct arena *arena, struct str *result_ndjson,
                        struct err *err)
{
    struct wire_call request = {
        .is_records = true,
        .name = str_from(records_name),
        .map_name = str_from(map_name),
        .records_path = str_from(records_path),
        .context_json = context_json,
        .page = page,
    };
    return call(context, &request, arena, result_ndjson, err);
}

static int call_ask(void *context, int question, const struct native_slice *slice, const struct native_http *http,
                    struct err *err)
{
    struct instance *instance = context;
    pthread_mutex_lock(&instance->lock);
    int rc = want_worker(instance, err);
    if (rc == 0) rc = native_ask(instance->worker, instance->options, question, slice, http, err);
    pthread_mutex_unlock(&instance->lock);
    return rc;
}

static int call_open(void *context, const struct native_slice *slice, struct err *err)
{
    struct instance *instance = context;
    pthread_mutex_lock(&instance->lock);
    int rc = want_worker(instance, err);
    if (rc == 0) rc = native_open(instance->worker, instance->options, slice, err);
    pthread_mutex_unlock(&instance->lock);
    return rc;
}

static int call_page(void *context, const struct native_http *http, const char *committed, struct budget *budget,
                     struct native_page *page, struct err *err)
{
    struct instance *instance = context;
    pthread_mutex_lock(&instance->lock);
    int rc = want_worker(instance, err);
    if (rc == 0) rc = native_next(instance->worker, http, committed, budget, page, err);
    pthread_mutex_unlock(&instance->lock);
    return rc;
}

static int call_parse(void *context, const struct format *format, const struct native_slice *slice, struct err *err)
{
    struct instance *instance = context;
    return parsing_open(&instance->parsing, instance->options, format, slice, err);
}

static int call_parsed(void *context, const struct native_input *input, struct budget *budget, struct native_page *page,
                       struct err *err)
{
    struct instance *instance = context;
    return parsing_next(&instance->parsing, input, budget, page, err);
}

void connector_functions_new(const struct connector_sources *sources, const struct connector_options *options,
                             struct functions *out)
{
    struct instance *instance = mem_zero(1, sizeof *instance);
    *instance = (struct instance){.sources = sources, .options = options, .lock = PTHREAD_MUTEX_INITIALIZER};
    *out = (struct functions){.context = instance,
                              .value = call_value,
                              .records = call_records,
                              .ask = call_ask,
                              .open = call_open,
                              .page = call_page,
                              .parse = call_parse,
                              .parsed = call_parsed};
}

void connector_functions_free(struct functions *functions)
{
    struct instance *instance = functions->context;
    if (instance) {
        worker_free(instance->worker);
        parsing_release(&instance->parsing);
        pthread_mutex_destroy(&instance->lock);
    }
    free(instance);
    *functions = (struct functions){0};
}

int connector_walls(const char *worker_path, struct arena *arena, struct str *json, struct err *err)
{
    int pair[2] = {-1, -1};
    struct process *process = NULL;
    struct buf line = BUF_INIT(WALLS_MAX);
    char *found = NULL;
    int rc = 0;
    if (!worker_path) {
        if ((rc = process_find_sibling("sluice-worker", arena, &found, err)) != 0) goto out;
        worker_path = found;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        rc = err_set(err, ERR_TRANSIENT, "could not make a socket pair");
        goto out;
    }
    const char *argv[] = {worker_path, "--walls", NULL};
    struct process_fd fds[] = {{pair[1], STDOUT_FILENO}};
    struct process_spec spec = {.program = worker_path, .argv = argv, .folder = "/", .fds = fds, .fd_count = 1};
    if ((rc = process_start(&spec, &process, err)) != 0) goto out;
    close(pair[1]);
    pair[1] = -1;
    struct process_end end = {0};
    if (!process_wait(process, WALLS_WAIT_MS, NULL, &end) || end.by_signal || end.code != 0) {
        rc = err_set(err, ERR_BUG, "the worker could not raise its walls");
        goto out;
    }
    if ((rc = fs_read_fd(pair[0], "the worker's channel", WALLS_MAX, &line, err)) != 0) goto out;
    *json = arena_copy(arena, str_trim(buf_str(&line)));
out:
    process_free(process);
    for (size_t i = 0; i < 2; i++)
        if (pair[i] >= 0) close(pair[i]);
    buf_release(&line);
    return rc;
}
