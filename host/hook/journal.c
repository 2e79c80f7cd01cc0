/* journal: see journal.h. */
#include "hook/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/number.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/log.h"
#include "os/thread.h"

enum { SEGMENTS_MAX = 100000, TAIL_BYTES = 1024 * 1024, WAITING_MAX = 256 * 1024 * 1024, NAME_BYTES = 4 };

#define NAME_FILE ".name" /* hidden: who reads the folder passes it over */

/* A file that is not written to any more. */
struct segment {
    char *path;
    int64_t left_ms; /* wall clock: when it was left */
    bool was_there;  /* when the newest load began */
    bool is_loaded;
};

struct waiting {
    void (*done)(void *context, bool is_durable);
    void *context;
};

struct journal {
    struct committer *committer;
    struct journal *next;
    char *folder;
    char name[2 * NAME_BYTES + 1];
    /* under the committer's lock: */
    struct buf lines; /* that wait for the committer */
    struct waiting *waiting;
    size_t waiting_count, waiting_capacity;
    size_t committing;                  /* bytes that the committer took and has not written yet */
    uint64_t written, at_begin, loaded; /* bytes since the process began, and what was there then */
    struct segment *segments;
    size_t segment_count, segment_capacity;
    /* the committer's thread's: */
    int fd; /* -1: none is begun */
    char *path;
    size_t size;
    int64_t newest_ms; /* in the names of files */
};

struct committer {
    struct clock *clock;
    struct log *log;
    pthread_mutex_t lock;
    pthread_cond_t has_work, is_idle;
    struct journal *journals, *served;
    size_t journal_count;
    bool commits, stops, was_started;
    struct thread thread;
};

/* --- files --------------------------------------------------------------------------------------------------------------- */

static void add_segment(struct journal *journal, const char *path, int64_t left_ms)
{
    if (journal->segment_count == journal->segment_capacity) {
        journal->segment_capacity = journal->segment_capacity ? 2 * journal->segment_capacity : 16;
        journal->segments = mem_resize(journal->segments, journal->segment_capacity * sizeof *journal->segments);
    }
    journal->segments[journal->segment_count++] = (struct segment){.path = mem_strdup(path), .left_ms = left_ms};
}

/* Under the lock. */
static void leave_file(struct journal *journal)
{
    if (journal->fd < 0) return;
    close(journal->fd);
    journal->fd = -1;
    add_segment(journal, journal->path, clock_wall_us(journal->committer->clock) / 1000);
    free(journal->path);
    journal->path = NULL;
}

/* Its name is behind all names there were, also when the clock was set back: who reads goes by them. */
static int begin_file(struct journal *journal, struct err *err)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    char name[64];
    int64_t now_ms = clock_wall_us(journal->committer->clock) / 1000;
    journal->newest_ms = now_ms > journal->newest_ms ? now_ms : journal->newest_ms + 1;
    snprintf(name, sizeof name, "%016lld-%s.ndjson", (long long)journal->newest_ms, journal->name);
    const char *path = fs_join(&arena, journal->folder, name);
    int rc = fs_create(path, 0600, &journal->fd, err);
    if (rc == 0) rc = fs_sync_folder(journal->folder, err);
    if (rc == 0) {
        journal->path = mem_strdup(path);
        journal->size = 0;
    } else if (journal->fd >= 0) {
        close(journal->fd);
        journal->fd = -1;
    }
    arena_release(&arena);
    return rc;
}

/* Where the last whole line ends. */
static int find_end(int fd, const char *path, off_t size, off_t *end, struct err *err)
{
    char *tail = mem_alloc(TAIL_BYTES);
    *end = 0;
    for (off_t at = size; at > 0 && *end == 0;) {
        size_t part = at < TAIL_BYTES ? (size_t)at : TAIL_BYTES;
        at -= (off_t)part;
        ssize_t got = pread(fd, tail, part, at);
        if (got != (ssize_t)part) {
            free(tail);
            return err_set(err, ERR_CONFIG, "cannot read '%s': %s", path, got < 0 ? strerror(errno) : "it became shorter");
        }
        const char *newline = memrchr(tail, '\n', part);
        if (newline) *end = at + (newline - tail) + 1;
    }
    free(tail);
    return 0;
}

/* What stands behind the last whole line was promised to nobody. */
static int cut_torn(const char *path, uint64_t *size, struct err *err)
{
    struct stat status;
    off_t end = 0;
    *size = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int rc = err_set(err, ERR_CONFIG, "cannot use '%s': %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return rc;
    }
    int rc = find_end(fd, path, status.st_size, &end, err);
    if (rc == 0 && end < status.st_size) {
        if (ftruncate(fd, end) != 0) rc = err_set(err, ERR_CONFIG, "cannot cut '%s': %s", path, strerror(errno));
        if (rc == 0) rc = fs_sync(fd, path, err);
    }
    close(fd);
    *size = (uint64_t)end;
    return rc;
}

static int find_segments(struct journal *journal, struct err *err)
{
    struct arena arena = ARENA_INIT(64 * 1024 * 1024);
    struct fs_entry *entries;
    size_t count;
    int rc = fs_list(journal->folder, SEGMENTS_MAX, &arena, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint64_t size = 0;
        if (entries[i].kind != FS_FILE || !str_ends(str_from(entries[i].name), STR(".ndjson"))) continue;
        const char *path = fs_join(&arena, journal->folder, entries[i].name);
        int64_t named_ms;
        struct str digits = {entries[i].name, strspn(entries[i].name, "0123456789")};
        if (number_to_int64(digits, &named_ms) && named_ms > journal->newest_ms) journal->newest_ms = named_ms;
        rc = cut_torn(path, &size, err);
        if (rc) break;
        journal->written += size;
        add_segment(journal, path, clock_wall_us(journal->committer->clock) / 1000);
    }
    arena_release(&arena);
    return rc;
}

/* --- committing ---------------------------------------------------------------------------------------------------------- */

/* A batch that was taken from a journal. */
struct batch {
    struct journal *journal;
    struct buf lines;
    struct waiting *waiting;
    size_t count;
};

static int write_batch(struct journal *journal, struct str lines, struct err *err)
{
    int rc = journal->fd < 0 ? begin_file(journal, err) : 0;
    if (rc == 0) rc = fs_write_all(journal->fd, lines.data, lines.size, journal->path, err);
    if (rc == 0) rc = fs_sync(journal->fd, journal->path, err);
    return rc;
}

/* After a failure nobody knows what the file holds: it is not written to again. What of it did get there is loaded all the
 * same, and sent again by who was refused: it is the same event by its id. */
static void commit(struct batch *batch)
{
    struct journal *journal = batch->journal;
    struct committer *committer = journal->committer;
    struct err err = ERR_INIT;
    int rc = write_batch(journal, buf_str(&batch->lines), &err);
    pthread_mutex_lock(&committer->lock);
    journal->committing = 0;
    journal->written += rc == 0 ? batch->lines.size : 0;
    journal->size += batch->lines.size;
    if (rc || journal->size >= JOURNAL_SEGMENT_BYTES) leave_file(journal);
    pthread_mutex_unlock(&committer->lock);
    if (rc) log_error(committer->log, "events could not be kept, their senders are told: %s", err.message);
    for (size_t i = 0; i < batch->count; i++) batch->waiting[i].done(batch->waiting[i].context, rc == 0);
    free(batch->waiting);
    buf_release(&batch->lines);
}

/* Under the lock: what waits in the next journal behind the one that was served last. */
static bool take_batch(struct committer *committer, struct batch *batch)
{
    struct journal *journal = committer->served;
    for (size_t i = 0; i < committer->journal_count; i++) {
        journal = journal && journal->next ? journal->next : committer->journals;
        if (journal->waiting_count == 0) continue;
        committer->served = journal;
        *batch = (struct batch){journal, journal->lines, journal->waiting, journal->waiting_count};
        journal->committing = journal->lines.size;
        journal->lines = BUF_INIT(WAITING_MAX);
        journal->waiting = NULL;
        journal->waiting_count = journal->waiting_capacity = 0;
        return true;
    }
    return false;
}

static void work(void *context)
{
    struct committer *committer = context;
    struct batch batch;
    pthread_mutex_lock(&committer->lock);
    for (;;) {
        while ((committer->commits = take_batch(committer, &batch))) {
            pthread_mutex_unlock(&committer->lock);
            commit(&batch);
            pthread_mutex_lock(&committer->lock);
        }
        pthread_cond_broadcast(&committer->is_idle);
        if (committer->stops) break;
        pthread_cond_wait(&committer->has_work, &committer->lock);
    }
    pthread_mutex_unlock(&committer->lock);
}

void committer_settle(struct committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    for (;;) {
        bool is_busy = committer->commits;
        for (const struct journal *journal = committer->journals; journal; journal = journal->next)
            is_busy = is_busy || journal->waiting_count > 0;
        if (!is_busy) break;
        pthread_cond_wait(&committer->is_idle, &committer->lock);
    }
    pthread_mutex_unlock(&committer->lock);
}

bool journal_offer(struct journal *journal, struct str lines, uint64_t max_backlog,
                   void (*done)(void *context, bool is_durable), void *context)
{
    struct committer *committer = journal->committer;
    pthread_mutex_lock(&committer->lock);
    uint64_t backlog = journal->written - journal->loaded + journal->committing + journal->lines.size;
    bool is_taken = backlog + lines.size <= max_backlog && journal->lines.size + lines.size <= WAITING_MAX;
    if (is_taken) {
        if (journal->waiting_count == journal->waiting_capacity) {
            journal->waiting_capacity = journal->waiting_capacity ? 2 * journal->waiting_capacity : 16;
            journal->waiting = mem_resize(journal->waiting, journal->waiting_capacity * sizeof *journal->waiting);
        }
        journal->waiting[journal->waiting_count++] = (struct waiting){done, context};
        buf_append_str(&journal->lines, lines);
        CHECK(!journal->lines.failed);
        pthread_cond_signal(&committer->has_work);
    }
    pthread_mutex_unlock(&committer->lock);
    return is_taken;
}

/* --- what was loaded ----------------------------------------------------------------------------------------------------- */

void journal_load_begins(struct journal *journal)
{
    pthread_mutex_lock(&journal->committer->lock);
    journal->at_begin = journal->written;
    for (size_t i = 0; i < journal->segment_count; i++) journal->segments[i].was_there = true;
    pthread_mutex_unlock(&journal->committer->lock);
}

void journal_loaded(struct journal *journal)
{
    pthread_mutex_lock(&journal->committer->lock);
    journal->loaded = journal->at_begin;
    for (size_t i = 0; i < journal->segment_count; i++)
        journal->segments[i].is_loaded = journal->segments[i].is_loaded || journal->segments[i].was_there;
    pthread_mutex_unlock(&journal->committer->lock);
}

uint64_t journal_backlog(struct journal *journal)
{
    pthread_mutex_lock(&journal->committer->lock);
    uint64_t backlog = journal->written - journal->loaded;
    pthread_mutex_unlock(&journal->committer->lock);
    return backlog;
}

/* The newest file stays, whatever its age: it says what the next one is named behind. */
static bool is_newest(const struct journal *journal, const struct segment *segment)
{
    if (journal->fd >= 0) return false;
    for (size_t i = 0; i < journal->segment_count; i++)
        if (strcmp(journal->segments[i].path, segment->path) > 0) return false;
    return true;
}

void journal_trim(struct journal *journal, int64_t keep_ms)
{
    struct committer *committer = journal->committer;
    int64_t before_ms = clock_wall_us(committer->clock) / 1000 - keep_ms;
    pthread_mutex_lock(&committer->lock);
    for (size_t i = 0; i < journal->segment_count;) {
        struct segment *segment = &journal->segments[i];
        struct err err = ERR_INIT;
        if (!segment->is_loaded || segment->left_ms > before_ms || is_newest(journal, segment)) {
            i++;
            continue;
        }
        if (fs_remove_file(segment->path, &err) != 0) log_warn(committer->log, "%s", err.message);
        free(segment->path);
        *segment = journal->segments[--journal->segment_count];
    }
    pthread_mutex_unlock(&committer->lock);
}

/* --- opening and closing ------------------------------------------------------------------------------------------------- */

int committer_open(struct clock *clock, struct log *log, struct committer **out, struct err *err)
{
    struct committer *committer = mem_zero(1, sizeof *committer);
    committer->clock = clock;
    committer->log = log;
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->has_work, NULL);
    pthread_cond_init(&committer->is_idle, NULL);
    int rc = thread_start(&committer->thread, "hook-journal", work, committer, 0, err);
    committer->was_started = rc == 0;
    if (rc)
        committer_close(committer);
    else
        *out = committer;
    return rc;
}

static void journal_free(struct journal *journal)
{
    if (journal->fd >= 0) close(journal->fd);
    for (size_t i = 0; i < journal->segment_count; i++) free(journal->segments[i].path);
    free(journal->segments);
    free(journal->waiting);
    buf_release(&journal->lines);
    free(journal->path);
    free(journal->folder);
    free(journal);
}

void committer_close(struct committer *committer)
{
    if (!committer) return;
    pthread_mutex_lock(&committer->lock);
    committer->stops = true;
    pthread_cond_signal(&committer->has_work);
    pthread_mutex_unlock(&committer->lock);
    if (committer->was_started) thread_join(&committer->thread);
    while (committer->journals) {
        struct journal *next = committer->journals->next;
        journal_free(committer->journals);
        committer->journals = next;
    }
    pthread_cond_destroy(&committer->has_work);
    pthread_cond_destroy(&committer->is_idle);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
}

/* The journal's name is as old as its folder. */
static int read_name(struct journal *journal, struct err *err)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct buf text = BUF_INIT(64);
    const char *path = fs_join(&arena, journal->folder, NAME_FILE);
    unsigned char drawn[NAME_BYTES];
    int rc = fs_kind(path) != FS_MISSING ? fs_read_file(path, 64, &text, err) : 0;
    struct str found = str_trim(buf_str(&text));
    bool is_one = found.size == 2 * NAME_BYTES && strspn(buf_text(&text), "0123456789abcdef") == found.size;
    if (rc == 0 && is_one) {
        memcpy(journal->name, found.data, found.size);
    } else if (rc == 0) {
        crypto_random(drawn, sizeof drawn);
        crypto_hex_text(drawn, sizeof drawn, journal->name);
        rc = fs_write_file(path, 0600, str_from(journal->name), err);
    }
    buf_release(&text);
    arena_release(&arena);
    return rc;
}

int journal_open(struct committer *committer, const char *folder, struct journal **out, struct err *err)
{
    struct journal *journal = mem_zero(1, sizeof *journal);
    journal->committer = committer;
    journal->folder = mem_strdup(folder);
    journal->lines = BUF_INIT(WAITING_MAX);
    journal->fd = -1;
    int rc = fs_make_folders(folder, 0700, err);
    if (rc == 0) rc = read_name(journal, err);
    if (rc == 0) rc = find_segments(journal, err);
    if (rc) {
        journal_free(journal);
        return err_context(err, "the journal '%s'", folder);
    }
    pthread_mutex_lock(&committer->lock);
    journal->next = committer->journals;
    committer->journals = journal;
    committer->journal_count++;
    pthread_mutex_unlock(&committer->lock);
    *out = journal;
    return 0;
}
