/* alert: see alert.h. */
#include "service/alert.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/time.h"
#include "net/guard.h"
#include "net/http.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/process.h"
#include "service/statsd.h"
#include "service/view.h"
#include "service/watch.h"

enum { TEXT_MAX = 8 * 1024 };

bool alert_is_for(const struct alert_target *target, const char *kind)
{
    for (size_t i = 0; i < target->on_count; i++)
        if (strcmp(target->on[i], kind) == 0) return true;
    return target->on_count == 0;
}

/* --- a server ------------------------------------------------------------------------------------------------------------ */

static int post(const struct alert_target *target, struct str body, struct clock *clock, struct cancel *cancel, struct err *err)
{
    struct arena arena = ARENA_INIT(1024 * 1024);
    struct url url = {0};
    struct err failure = ERR_INIT;
    if (url_parse(str_from(target->webhook), &arena, &url, &failure) != 0) {
        arena_release(&arena);
        return err_set(err, ERR_CONFIG, "the alert's webhook is no URL");
    }
    const struct guard_options allowed = {
        .hosts = &url.host, .host_count = 1, .allow_private = target->allow_private, .allow_http = target->allow_private};
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")}};
    const struct http_request request = {
        .method = "POST", .url = target->webhook, .headers = headers, .header_count = 1, .body = body, .keeps_redirects = true};
    struct http_response response;
    struct guard *guard;
    if (guard_new(&allowed, &guard, &failure) != 0) {
        arena_release(&arena);
        return err_set(err, ERR_CONFIG, "the alert's webhook has no usable host");
    }
    struct http_options options = {.limits = HTTP_LIMITS_DEFAULT,
                                   .guard = guard,
                                   .user_agent = "sluice/" SLUICE_VERSION,
                                   .clock = clock,
                                   .cancel = cancel};
    options.limits.total_ms = ALERT_TIMEOUT_MS;
    options.limits.body_bytes = 64 * 1024;
    struct http *http = http_new(&options);
    int rc = guard_url(guard, &url, &failure);
    if (rc == 0) rc = http_send(http, &request, &arena, &response, NULL, &failure);
    if (rc == 0) {
        if (response.status < 200 || response.status > 299)
            rc = err_set(err, ERR_TRANSIENT, "the alert's webhook answered %d", response.status);
        http_response_release(&response);
    } else {
        err_set(err, rc, "the alert's webhook could not be reached (%s)", err_class_info(rc)->name);
    }
    http_free(http);
    guard_free(guard);
    arena_release(&arena);
    return rc;
}

/* --- a command ----------------------------------------------------------------------------------------------------------- */

static int run(const struct alert_target *target, struct str body, struct cancel *cancel, struct err *err)
{
    int ends[2];
    char text[PROCESS_END_TEXT_MAX];
    struct process *process;
    struct process_end end;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return err_set(err, ERR_TRANSIENT, "could not make a pipe");
    const struct process_fd fds[] = {{ends[0], STDIN_FILENO}};
    const struct process_spec spec = {.program = target->command[0],
                                      .argv = target->command,
                                      .environment = process_environment(),
                                      .fds = fds,
                                      .fd_count = 1,
                                      .own_group = true};
    /* It fits a pipe's buffer: a command that reads nothing keeps nobody waiting. */
    bool fits = write(ends[1], body.data, body.size) == (ssize_t)body.size;
    int rc = fits ? process_start(&spec, &process, err) : err_set(err, ERR_BUG, "the alert is too long for a pipe");
    close(ends[0]);
    close(ends[1]);
    if (rc) return err_context(err, "the alert's command");
    if (!process_wait(process, ALERT_TIMEOUT_MS, cancel, &end)) {
        kill(-process_pid(process), SIGKILL);
        rc = err_set(err, ERR_STALLED, "the alert's command '%s' did not end within %d s", target->command[0],
                     ALERT_TIMEOUT_MS / 1000);
    } else if (end.by_signal || end.code != 0) {
        rc = err_set(err, ERR_TRANSIENT, "the alert's command '%s' ended with %s", target->command[0],
                     process_end_text(&end, text));
    }
    process_free(process);
    return rc;
}

int alert_send(const struct alert_target *target, const struct alert *alert, struct clock *clock, struct cancel *cancel,
               struct err *err)
{
    struct buf body = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX / 2);
    struct json_writer json = JSON_WRITER(&body);
    bool is_over = alert->ended_ms > 0;
    buf_printf(&text, "%s: %s%s", alert->pipeline, is_over ? "well again; it was: " : "", alert->text);
    json_open(&json, '{');
    json_member(&json, "text"), json_text(&json, buf_str(&text));
    if (target->command) {
        json_member(&json, "pipeline"), json_cstr(&json, alert->pipeline);
        json_member(&json, "kind"), json_cstr(&json, alert->kind);
        json_member(&json, "is_over"), json_bool(&json, is_over);
        view_write_time(&json, "since", alert->since_ms);
        view_write_time(&json, "ended_at", alert->ended_ms);
    }
    json_close(&json, '}');
    int rc = body.failed       ? err_set(err, ERR_BUG, "the alert is too long")
             : target->command ? run(target, buf_str(&body), cancel, err)
             : target->statsd  ? statsd_event(target->statsd, alert->pipeline, alert->kind, buf_str(&text), is_over, err)
                               : post(target, buf_str(&body), clock, cancel, err);
    buf_release(&text);
    buf_release(&body);
    return rc;
}
