/* lease: see lease.h. The file is replaced as a whole (so it is never torn) while `lease.lock` is held with flock; where a
 * network file system does not honour flock, two owners may believe to hold the lease, and the commit log still lets only one
 * of them commit. */
#include "writer/csv/lease.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/process.h"
#include "writer/csv/layout.h"

enum { FILE_MAX_BYTES = 64 * 1024, FILE_MODE = 0640, FOLDER_MODE = 0750, LOCK_TRIES = 250, LOCK_WAIT_MS = 20 };

/* The file's content. */
struct lease_file {
    bool exists;
    uint64_t fence;
    char run[CSV_RUN_ID_SIZE];
    struct process_identity owner;
    int64_t since_us, until_us; /* until 0: released */
};

static int damaged(const char *path, struct err *err)
{
    err_set(err, ERR_DESTINATION, "cannot read the lease '%s': it is damaged", path);
    return err_hint(err, "make sure that no sync of this pipeline runs, then remove the file");
}

static void copy_text(char *out, size_t size, const struct cJSON *json)
{
    const char *text = json_string(json);
    snprintf(out, size, "%s", text ? text : "");
}

/* Integers are kept as texts: nothing of them goes through a double. */
static bool read_int(const struct cJSON *json, const char *key, int64_t *value)
{
    return number_to_int64(str_from(json_string(json_get(json, key))), value);
}

static int read_file(const char *path, struct lease_file *file, struct err *err)
{
    *file = (struct lease_file){0};
    if (fs_kind(path) == FS_MISSING) return 0;
    struct buf text = BUF_INIT(FILE_MAX_BYTES);
    struct cJSON *json = NULL;
    struct err parse_err = ERR_INIT;
    int64_t fence = 0, pid = 0, ticks = 0, space = 0;
    int rc = fs_read_file(path, FILE_MAX_BYTES, &text, err);
    if (rc != 0) {
        csv_fs_error(err);
    } else if (json_parse(str_trim(buf_str(&text)), FILE_MAX_BYTES, &json, &parse_err) != 0 ||
               !read_int(json, "fence", &fence) || !read_int(json, "since_us", &file->since_us) ||
               !read_int(json, "until_us", &file->until_us) || !read_int(json, "pid", &pid) ||
               !read_int(json, "start_ticks", &ticks) || !read_int(json, "pid_namespace", &space) || fence < 0) {
        rc = damaged(path, err);
    } else {
        file->exists = true;
        file->fence = (uint64_t)fence;
        file->owner.pid = pid;
        file->owner.start_ticks = (uint64_t)ticks;
        file->owner.pid_namespace = (uint64_t)space;
        copy_text(file->run, sizeof(file->run), json_get(json, "run"));
        copy_text(file->owner.host, sizeof(file->owner.host), json_get(json, "host"));
        copy_text(file->owner.boot_id, sizeof(file->owner.boot_id), json_get(json, "boot_id"));
    }
    json_free(json);
    buf_release(&text);
    return rc == 0 ? 0 : err->class;
}

static void member_text(struct json_writer *json, const char *key, const char *value)
{
    json_member(json, key);
    json_cstr(json, value);
}

static void member_int(struct json_writer *json, const char *key, int64_t value)
{
    char text[NUMBER_TEXT_MAX];
    size_t size = number_from_int64(value, text);
    json_member(json, key);
    json_text(json, (struct str){text, size});
}

/* A write that was killed leaves its temporary file beside the lease. Nobody else writes one while we have the lock. */
static int remove_torn(const char *folder, struct arena *arena, struct err *err)
{
    struct fs_entry *entries = NULL;
    size_t count = 0;
    int rc = fs_list(folder, CSV_LIST_MAX, arena, &entries, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (str_starts(str_from(entries[i].name), STR(".lease.")))
            rc = fs_remove_file(fs_join(arena, folder, entries[i].name), err);
    return rc == 0 ? 0 : csv_fs_error(err);
}

static int write_file(const char *path, const struct lease_file *file, struct err *err)
{
    struct buf text = BUF_INIT(FILE_MAX_BYTES);
    struct json_writer json = JSON_WRITER(&text);
    json_open(&json, '{');
    member_int(&json, "fence", (int64_t)file->fence);
    member_text(&json, "run", file->run);
    member_text(&json, "host", file->owner.host);
    member_text(&json, "boot_id", file->owner.boot_id);
    member_int(&json, "pid_namespace", (int64_t)file->owner.pid_namespace);
    member_int(&json, "pid", file->owner.pid);
    member_int(&json, "start_ticks", (int64_t)file->owner.start_ticks);
    member_int(&json, "since_us", file->since_us);
    member_int(&json, "until_us", file->until_us);
    json_close(&json, '}');
    buf_append_char(&text, '\n');
    int rc = fs_write_file(path, FILE_MODE, buf_str(&text), err);
    buf_release(&text);
    return rc == 0 ? 0 : csv_fs_error(err);
}

/* The lock is held for milliseconds only, so waiting for it is short. */
static int take_lock(const char *folder, struct arena *arena, struct clock *clock, struct cancel *cancel, int *fd,
                     struct err *err)
{
    const char *path = fs_join(arena, folder, "lease.lock");
    for (int i = 0; i < LOCK_TRIES; i++) {
        int rc = fs_try_lock(path, fd, err);
        if (rc != 0) return csv_fs_error(err);
        if (*fd >= 0) return 0;
        if (!clock_sleep_ms(clock, LOCK_WAIT_MS, cancel)) return err_set(err, ERR_CANCELLED, "asked to stop");
    }
    return err_set(err, ERR_DESTINATION, "could not lock '%s': another process has held it for %d s", path,
                   LOCK_TRIES * LOCK_WAIT_MS / 1000);
}

static int held(const struct lease_file *file, const char *pipeline, struct err *err)
{
    char since[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
    size_t since_size = time_write_iso(file->since_us, since);
    size_t until_size = time_write_iso(file->until_us, until);
    err_set(err, ERR_HELD, "pipeline '%s' is held by another sync: process %" PRId64 " on %s since %.*s", pipeline,
            file->owner.pid, file->owner.host, (int)since_size, since);
    return err_hint(err, "wait until it ends, or stop it; without a sign of life its lease runs out at %.*s", (int)until_size,
                    until);
}

int csv_lease_acquire(const char *folder, const char *pipeline, const struct process_identity *self, uint64_t least_fence,
                      struct clock *clock, struct cancel *cancel, struct csv_lease *lease, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct lease_file file;
    int lock = -1, rc;
    const char *path = fs_join(&arena, folder, "lease");
    if ((rc = fs_make_folders(folder, FOLDER_MODE, err)) != 0) {
        rc = csv_fs_error(err);
        goto out;
    }
    FAULT_POINT("csv.lease.acquire.before");
    if ((rc = take_lock(folder, &arena, clock, cancel, &lock, err)) != 0) goto out;
    if ((rc = remove_torn(folder, &arena, err)) != 0) goto out;
    if ((rc = read_file(path, &file, err)) != 0) goto out;
    int64_t now_us = clock_wall_us(clock);
    if (file.exists && file.until_us > now_us && process_life(&file.owner) != PROCESS_DEAD) {
        rc = held(&file, pipeline, err);
        goto out;
    }
    unsigned char random[(CSV_RUN_ID_SIZE - 1) / 2];
    crypto_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) snprintf(lease->run + 2 * i, 3, "%02x", random[i]);
    lease->fence = (file.fence > least_fence ? file.fence : least_fence) + 1;
    file = (struct lease_file){
        .fence = lease->fence, .owner = *self, .since_us = now_us, .until_us = now_us + (int64_t)CSV_LEASE_MS * 1000};
    snprintf(file.run, sizeof(file.run), "%s", lease->run);
    rc = write_file(path, &file, err);
    if (rc == 0) rc = FAULT_FAILS("csv.lease.acquire.after", err);
out:
    if (lock >= 0) close(lock);
    arena_release(&arena);
    return rc;
}

/* Changes the end of our lease under the lock. */
static int set_end(const char *folder, const char *pipeline, const struct csv_lease *lease, int64_t until_us,
                   struct clock *clock, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct lease_file file;
    int lock = -1;
    const char *path = fs_join(&arena, folder, "lease");
    int rc = take_lock(folder, &arena, clock, NULL, &lock, err);
    if (rc == 0) rc = read_file(path, &file, err);
    if (rc == 0 && (!file.exists || strcmp(file.run, lease->run) != 0)) {
        err_set(err, ERR_HELD, "pipeline '%s' was taken over by another sync", pipeline);
        rc = err_hint(err, "this one was without a sign of life for longer than its lease; the other one goes on");
    }
    if (rc == 0) rc = FAULT_FAILS("csv.lease.change.before", err);
    if (rc == 0) {
        file.until_us = until_us;
        rc = write_file(path, &file, err);
    }
    FAULT_POINT("csv.lease.change.after");
    if (lock >= 0) close(lock);
    arena_release(&arena);
    return rc;
}

int csv_lease_renew(const char *folder, const char *pipeline, const struct csv_lease *lease, int64_t wait_ms,
                    struct clock *clock, struct err *err)
{
    int64_t span_ms = wait_ms > 0 ? wait_ms + CSV_LEASE_MARGIN_MS : CSV_LEASE_MS;
    return set_end(folder, pipeline, lease, clock_wall_us(clock) + span_ms * 1000, clock, err);
}

int csv_lease_release(const char *folder, const char *pipeline, const struct csv_lease *lease, struct clock *clock,
                      struct err *err)
{
    return set_end(folder, pipeline, lease, 0, clock, err);
}
