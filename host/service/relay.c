/* relay: see relay.h. */
#include "service/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/process.h"
#include "service/child.h"
#include "service/outcome.h"

enum { READ_BYTES = 16 * 1024, SAID_MAX = 1024 * 1024 };

/* Reads both until their ends, or until the time is over: false. What does not fit is read and forgotten. */
static bool read_both(const int fds[2], struct buf *const to[2], struct clock *clock)
{
    int64_t until_ms = clock_now_ms(clock) + RELAY_TIMEOUT_MS;
    struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    char piece[READ_BYTES];
    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        int64_t left_ms = until_ms - clock_now_ms(clock);
        if (left_ms <= 0) return false;
        if (poll(polls, 2, (int)left_ms) < 0) continue;
        for (size_t i = 0; i < 2; i++) {
            if (polls[i].fd < 0 || !polls[i].revents) continue;
            ssize_t size = read(polls[i].fd, piece, sizeof piece);
            if (size > 0)
                buf_append(to[i], piece, (size_t)size);
            else if (size == 0 || errno != EINTR)
                polls[i].fd = -1;
        }
    }
    return true;
}

static int failure(const struct buf *said, const struct process_end *end, struct err *err)
{
    struct outcome outcome = {0};
    char text[PROCESS_END_TEXT_MAX];
    struct str rest = buf_str(said), line, first = STR("");
    while (str_next(&rest, '\n', &line)) {
        outcome_take(&outcome, line);
        if (first.size == 0) first = line;
    }
    const struct err_class_info *class = err_class_named(outcome.error_class);
    if (!class && !end->by_signal && end->code == err_class_info(ERR_CONFIG)->exit_code && first.size)
        return err_set(err, ERR_CONFIG, STR_FMT, STR_ARG(first));
    if (!class) return err_set(err, ERR_BUG, "the command ended with %s", process_end_text(end, text));
    err_set(err, class->class, "%s", outcome.error);
    return outcome.hint[0] ? err_hint(err, "%s", outcome.hint) : err->class;
}

static int start(const char *const *words, size_t count, const int ends[2], struct process **out, struct err *err)
{
    const char *argv[RELAY_WORDS_MAX + 2] = {"sluice"};
    struct process_fd fds[] = {{ends[0], STDOUT_FILENO}, {ends[1], STDERR_FILENO}};
    CHECK(count <= RELAY_WORDS_MAX);
    memcpy(argv + 1, words, sizeof *words * count);
    const struct process_spec spec = {.program = "/proc/self/exe",
                                      .argv = argv,
                                      .environment = process_environment(),
                                      .fds = fds,
                                      .fd_count = ARRAY_SIZE(fds),
                                      .own_group = true};
    return process_start(&spec, out, err);
}

int relay_ask(const char *const *words, size_t count, struct clock *clock, struct buf *out, struct err *err)
{
    int printed[2], told[2];
    struct buf said = BUF_INIT(SAID_MAX);
    struct process *process;
    struct process_end end;
    if (pipe2(printed, O_CLOEXEC) != 0) return err_set(err, ERR_TRANSIENT, "could not make a pipe: %s", strerror(errno));
    if (pipe2(told, O_CLOEXEC) != 0) {
        close(printed[0]), close(printed[1]);
        return err_set(err, ERR_TRANSIENT, "could not make a pipe: %s", strerror(errno));
    }
    int rc = start(words, count, (const int[]){printed[1], told[1]}, &process, err);
    close(printed[1]), close(told[1]);
    if (rc == 0) {
        bool in_time = read_both((const int[]){printed[0], told[0]}, (struct buf *const[]){out, &said}, clock);
        if (!in_time) process_kill(process, SIGKILL);
        process_wait(process, -1, NULL, &end);
        process_free(process);
        if (!in_time)
            rc = err_set(err, ERR_STALLED, "no answer within %d s", RELAY_TIMEOUT_MS / 1000);
        else if (end.by_signal || end.code != 0)
            rc = failure(&said, &end, err);
        else if (out->failed)
            rc = err_set(err, ERR_DATA, "the answer is over %zu bytes", out->max);
    }
    close(printed[0]), close(told[0]);
    buf_release(&said);
    return rc;
}
