/* live: see live.h. */
#include "cli/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/time.h"
#include "cli/print.h"
#include "net/client.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

enum { REDRAW_MS = 200, PLAIN_MS = 10 * 1000, LINE_MAX_BYTES = 400, SHOWN_STREAMS = 12 };

struct live {
    const struct progress *progress;
    struct log *log;
    struct thread thread;
    struct cancel *stop;
    bool is_terminal;
    pthread_mutex_t lock; /* over what is on the screen */
    size_t drawn;         /* lines that stand below the log */
};

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void describe_wait(const struct client_counters *http, int64_t now_ms, struct buf *line)
{
    char span[TIME_TEXT_MAX];
    if (!http || http->waiting_until_ms <= now_ms || !http->waiting_for) return;
    time_write_span(http->waiting_until_ms - now_ms, span);
    buf_printf(line, "  waits %s for the %s", span, http->waiting_for);
}

static void describe_stream(const struct stream_progress *stream, const struct client_counters *http, struct buf *line)
{
    char records[32], rate[32], bytes[32];
    int64_t now_ms = clock_now_ms(clock_system());
    int64_t elapsed_ms = now_ms - atomic_load(&stream->started_ms);
    uint64_t count = atomic_load(&stream->records);
    print_grouped(count, records);
    print_grouped(elapsed_ms > 500 ? count * 1000 / (uint64_t)elapsed_ms : 0, rate);
    print_bytes(atomic_load(&stream->bytes), bytes);
    buf_printf(line, "%-20s %12s records %10s/s %10s", stream->name, records, rate, bytes);
    const char *note = atomic_load(&stream->note);
    if (note) buf_printf(line, "  %s", note);
    describe_wait(http, now_ms, line);
}

static void erase(struct live *live)
{
    for (; live->drawn > 0; live->drawn--) fputs("\033[1A\033[2K", stderr);
    fflush(stderr);
}

static void draw(struct live *live)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES * 4);
    size_t width = terminal_width() - 1;
    for (size_t i = 0; i < live->progress->stream_count && live->drawn < SHOWN_STREAMS; i++) {
        const struct stream_progress *stream = &live->progress->streams[i];
        if (atomic_load(&stream->status) != STREAM_RUNNING) continue;
        buf_clear(&line);
        describe_stream(stream, live->progress->http, &line);
        fprintf(stderr, "%.*s\n", (int)width, buf_text(&line));
        live->drawn++;
    }
    fflush(stderr);
    buf_release(&line);
}

static void before_line(void *context)
{
    struct live *live = context;
    pthread_mutex_lock(&live->lock);
    erase(live);
}

static void after_line(void *context)
{
    struct live *live = context;
    draw(live);
    pthread_mutex_unlock(&live->lock);
}

static void say_plainly(struct live *live)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES * 4);
    for (size_t i = 0; i < live->progress->stream_count; i++) {
        const struct stream_progress *stream = &live->progress->streams[i];
        if (atomic_load(&stream->status) != STREAM_RUNNING) continue;
        buf_clear(&line);
        describe_stream(stream, live->progress->http, &line);
        log_info(live->log, "%s", buf_text(&line));
    }
    buf_release(&line);
}

static void show(void *context)
{
    struct live *live = context;
    while (!cancel_wait_ms(live->stop, live->is_terminal ? REDRAW_MS : PLAIN_MS)) {
        if (!live->is_terminal) {
            say_plainly(live);
            continue;
        }
        pthread_mutex_lock(&live->lock);
        erase(live);
        draw(live);
        pthread_mutex_unlock(&live->lock);
    }
}

int live_start(const struct progress *progress, struct log *log, struct live **out, struct err *err)
{
    struct live *live = mem_zero(1, sizeof *live);
    *live = (struct live){.progress = progress, .log = log, .stop = cancel_new(NULL), .is_terminal = isatty(STDERR_FILENO) == 1};
    pthread_mutex_init(&live->lock, NULL);
    int rc = thread_start(&live->thread, "live", show, live, 0, err);
    if (rc) {
        cancel_free(live->stop);
        free(live);
        return rc;
    }
    if (live->is_terminal) log_set_hooks(log, before_line, after_line, live);
    *out = live;
    return 0;
}

void live_stop(struct live *live)
{
    if (!live) return;
    cancel_fire(live->stop, CANCEL_ABORT);
    thread_join(&live->thread);
    if (live->is_terminal) log_set_hooks(live->log, NULL, NULL, NULL);
    erase(live);
    pthread_mutex_destroy(&live->lock);
    cancel_free(live->stop);
    free(live);
}
