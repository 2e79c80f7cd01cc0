/* live: see live.h. Both sources become rows (live_row.h), and rows become lines. What is on the screen is erased and drawn
 * again in one write, so nothing flickers; the log's hooks do the same around each of its lines. */
#include "cli/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/live_row.h"
#include "cli/print.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/thread.h"

enum { REDRAW_MS = 200, SCREEN_MAX_BYTES = 64 * 1024, MOST_LINES = 16, DEFAULT_HEIGHT = 24 };

struct live {
    struct live_options options;
    struct thread thread;
    struct cancel *stop;
    bool draws;            /* on a terminal, as text */
    pthread_mutex_t lock;  /* over all below */
    struct live_row *told; /* what children said last */
    size_t told_count, told_capacity;
    size_t drawn; /* lines that stand below the log */
};

static size_t terminal_height(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row >= 4 ? size.ws_row : DEFAULT_HEIGHT;
}

static void erase(struct live *live, struct buf *out)
{
    if (live->drawn) buf_append_text(out, "\r\033[K"); /* what the terminal echoed of a key */
    for (; live->drawn > 0; live->drawn--) buf_append_text(out, "\033[1A\033[2K");
}

/* The rows as they stand; the caller frees them. */
static struct live_row *collect(const struct live *live, size_t *count)
{
    const struct progress *progress = live->options.progress;
    size_t own = progress ? progress->stream_count : 0;
    struct live_row *rows = mem_zero(own + live->told_count + 1, sizeof *rows);
    *count = 0;
    for (size_t i = 0; i < own; i++)
        if (atomic_load(&progress->streams[i].status) == STREAM_RUNNING)
            live_row_read(progress, &progress->streams[i], clock_system(), &rows[(*count)++]);
    for (size_t i = 0; i < live->told_count; i++) rows[(*count)++] = live->told[i];
    return rows;
}

static bool same_pipeline(const struct live_row *a, const struct live_row *b)
{
    return strcmp(a->pipeline, b->pipeline) == 0;
}

static void draw(struct live *live, struct buf *out)
{
    size_t count, lines = 0;
    struct live_row *rows = collect(live, &count);
    size_t room = terminal_height() - 3; /* a row and its pipeline's line may go two lines past it */
    struct live_layout layout = live_layout(rows, count, terminal_width(STDERR_FILENO) - 1);
    if (room > MOST_LINES) room = MOST_LINES;
    int64_t wall_us = clock_wall_us(clock_system());
    for (size_t i = 0; i < count && lines < room; i++) {
        lines += live_row_draw(&rows[i], &layout, out);
        if (i + 1 == count || !same_pipeline(&rows[i], &rows[i + 1]))
            lines += live_row_draw_pipeline(&rows[i], &layout, wall_us, out);
    }
    live->drawn = lines;
    free(rows);
}

static void show_screen(struct buf *out)
{
    fwrite(buf_text(out), 1, out->size, stderr);
    fflush(stderr);
    buf_release(out);
}

static void before_line(void *context)
{
    struct live *live = context;
    struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
    pthread_mutex_lock(&live->lock);
    erase(live, &out);
    show_screen(&out);
}

static void after_line(void *context)
{
    struct live *live = context;
    struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
    draw(live, &out);
    show_screen(&out);
    pthread_mutex_unlock(&live->lock);
}

static void redraw(struct live *live)
{
    struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
    pthread_mutex_lock(&live->lock);
    erase(live, &out);
    draw(live, &out);
    show_screen(&out);
    pthread_mutex_unlock(&live->lock);
}

static void say(struct live *live, const struct live_row *row)
{
    struct buf line = BUF_INIT(SCREEN_MAX_BYTES);
    if (live->options.format == LOG_JSON) {
        live_row_to_json(row, &line);
        log_event(live->options.log, buf_str(&line));
    } else {
        live_row_describe(row, clock_wall_us(clock_system()), &line);
        log_info(live->options.log, "%s", buf_text(&line));
    }
    buf_release(&line);
}

static void show(void *context)
{
    struct live *live = context;
    int64_t every_ms = live->draws ? REDRAW_MS : live->options.every_s * 1000;
    while (!cancel_wait_ms(live->stop, every_ms)) {
        if (live->draws) {
            redraw(live);
            continue;
        }
        const struct progress *progress = live->options.progress;
        for (size_t i = 0; progress && i < progress->stream_count; i++) {
            struct live_row row;
            if (atomic_load(&progress->streams[i].status) != STREAM_RUNNING) continue;
            live_row_read(progress, &progress->streams[i], clock_system(), &row);
            say(live, &row);
        }
    }
}

static size_t find_told(const struct live *live, const struct live_row *row)
{
    size_t i = 0;
    while (i < live->told_count && !(same_pipeline(&live->told[i], row) && strcmp(live->told[i].stream, row->stream) == 0)) i++;
    return i;
}

/* Keeps the rows of a pipeline together: a new one goes behind the last of its pipeline. */
static void keep(struct live *live, const struct live_row *row)
{
    size_t at = find_told(live, row);
    if (at < live->told_count) {
        live->told[at] = *row;
        return;
    }
    if (live->told_count == live->told_capacity) {
        live->told_capacity = live->told_capacity ? live->told_capacity * 2 : 16;
        live->told = mem_resize(live->told, live->told_capacity * sizeof *live->told);
    }
    while (at > 0 && !same_pipeline(&live->told[at - 1], row)) at--;
    if (at == 0) at = live->told_count;
    memmove(live->told + at + 1, live->told + at, (live->told_count - at) * sizeof *live->told);
    live->told[at] = *row;
    live->told_count++;
}

static void drop(struct live *live, size_t at)
{
    if (at >= live->told_count) return;
    memmove(live->told + at, live->told + at + 1, (live->told_count - at - 1) * sizeof *live->told);
    live->told_count--;
}

void live_take(struct live *live, const struct cJSON *event)
{
    struct live_row row;
    const char *kind = json_string(json_get(event, "event"));
    if (!live || !kind || !live_row_from_json(event, &row)) return;
    bool is_progress = strcmp(kind, "progress") == 0;
    if (!live->draws) {
        if (is_progress) say(live, &row);
        return;
    }
    pthread_mutex_lock(&live->lock);
    if (is_progress)
        keep(live, &row);
    else if (strcmp(kind, "stream_ended") == 0)
        drop(live, find_told(live, &row));
    pthread_mutex_unlock(&live->lock);
}

void live_forget(struct live *live, const char *pipeline)
{
    if (!live) return;
    pthread_mutex_lock(&live->lock);
    for (size_t i = live->told_count; i-- > 0;)
        if (strcmp(live->told[i].pipeline, pipeline) == 0) drop(live, i);
    pthread_mutex_unlock(&live->lock);
}

int live_start(const struct live_options *options, struct live **out, struct err *err)
{
    struct live *live = mem_zero(1, sizeof *live);
    *live = (struct live){.options = *options, .stop = cancel_new(NULL)};
    live->draws = options->format == LOG_TEXT && isatty(STDERR_FILENO) == 1;
    pthread_mutex_init(&live->lock, NULL);
    int rc = thread_start(&live->thread, "live", show, live, 0, err);
    if (rc) {
        pthread_mutex_destroy(&live->lock);
        cancel_free(live->stop);
        free(live);
        return rc;
    }
    if (live->draws) log_set_hooks(options->log, before_line, after_line, live);
    *out = live;
    return 0;
}

void live_stop(struct live *live)
{
    if (!live) return;
    struct buf out = BUF_INIT(SCREEN_MAX_BYTES);
    cancel_fire(live->stop, CANCEL_ABORT);
    thread_join(&live->thread);
    if (live->draws) log_set_hooks(live->options.log, NULL, NULL, NULL);
    erase(live, &out);
    show_screen(&out);
    pthread_mutex_destroy(&live->lock);
    cancel_free(live->stop);
    free(live->told);
    free(live);
}
