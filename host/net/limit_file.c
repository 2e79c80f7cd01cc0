/* How it works: opening, and finding a cell, happen under an flock on "limits.lock", a file of its own, so that the limits file
 * can be replaced under it. While a process has the file mapped it holds a shared flock on it: a file that somebody still
 * counts in is never replaced. A new file is written whole (its blocks are there, so that a full disk shows now and not as
 * SIGBUS later) and renamed into place.
 *
 * Pool time is the clock since boot plus `base_ms`. When the boot in the header is not this one, the first process to open the
 * file sets a new base: by the wall clock as it was related to pool time when the file was last opened, but never before the
 * newest use of a cell. Slots of requests in flight are emptied then: who owned them is gone. */
#include "net/limit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/process.h"

static const char MAGIC[8] = "SLUICELM";
enum { VERSION = 1, LOCK_WAIT_MS = 5000, LOCK_STEP_MS = 5 };
static const int64_t POOL_TIME_MAX_MS = (int64_t)1 << 39;

struct header {
    char magic[8];
    uint64_t version, size;
    uint64_t boot;                                            /* hash of the boot that base_ms belongs to */
    int64_t base_ms;                                          /* pool time minus time since boot */
    int64_t origin_ms;                                        /* wall time minus pool time, when it was last opened */
    uint64_t governed_until_ms, governor_pid, governor_ticks; /* who says what parts of limits are ours */
    char unused[4096 - 72];
};

struct content {
    struct header header;
    struct limit_cell cells[LIMIT_FILE_CELLS];
};

struct limit_file {
    struct content *content;
    char *lock_path; /* NULL: private */
    int fd;          /* -1: private */
    int64_t base_ms;
};

struct limit_key limit_key_of(struct str text)
{
    unsigned char digest[SHA256_SIZE];
    struct limit_key key;
    crypto_sha256(text, digest);
    memcpy(key.words, digest, sizeof key.words);
    key.words[0] |= 1;
    return key;
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

bool limit_cell_is(const struct limit_cell *cell, struct limit_key key)
{
    return load(&cell->key[0]) == key.words[0] && load(&cell->key[1]) == key.words[1];
}

/* --- the lock ------------------------------------------------------------------------------------ */

/* Whoever holds it does so for microseconds; one that was stopped just then must not stop the others. */
static int lock(const char *path, int *fd, struct err *err)
{
    for (int waited_ms = 0;; waited_ms += LOCK_STEP_MS) {
        int rc = fs_try_lock(path, fd, err);
        if (rc != 0) {
            err->class = ERR_TRANSIENT;
            return ERR_TRANSIENT;
        }
        if (*fd >= 0) return 0;
        if (waited_ms >= LOCK_WAIT_MS)
            return err_set(err, ERR_TRANSIENT, "could not lock '%s': another process holds it", path);
        usleep(LOCK_STEP_MS * 1000);
    }
}

/* --- what is in a file --------------------------------------------------------------------------- */

static uint64_t boot_of(const char *given)
{
    struct process_identity self = {0};
    if (!given) process_identity(&self);
    return limit_key_of(str_from(given ? given : self.boot_id)).words[0];
}

static int refuse(const char *path, const char *why, struct err *err)
{
    err_set(err, ERR_CONFIG, "cannot share rate limits through '%s': %s", path, why);
    return err_hint(err, "find out what put it there, then move it away: sluice makes a new one");
}

static int cannot(const char *what, const char *path, struct err *err)
{
    return err_set(err, ERR_TRANSIENT, "could not %s '%s': %s", what, path, strerror(errno));
}

static bool is_blank(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

enum verdict { GOOD, OUTDATED, FOREIGN };

/* A crash may leave an empty file or one of zeros; anything else without our mark is somebody's. */
static enum verdict judge(int fd, const struct stat *info)
{
    struct header header = {0};
    ssize_t size = pread(fd, &header, sizeof header, 0);
    if (size < 0) return FOREIGN;
    if (memcmp(header.magic, MAGIC, sizeof MAGIC) != 0) return is_blank((char *)&header, (size_t)size) ? OUTDATED : FOREIGN;
    bool is_sound = header.version == VERSION && header.size == sizeof(struct content) &&
                    info->st_size == (off_t)sizeof(struct content) && header.base_ms > -POOL_TIME_MAX_MS &&
                    header.base_ms < POOL_TIME_MAX_MS;
    return is_sound ? GOOD : OUTDATED;
}

static int write_new(const char *path, uint64_t boot, struct clock *clock, struct err *err)
{
    struct content *content = mem_zero(1, sizeof *content);
    memcpy(content->header.magic, MAGIC, sizeof MAGIC);
    content->header.version = VERSION;
    content->header.size = sizeof *content;
    content->header.boot = boot;
    content->header.base_ms = -clock_now_ms(clock);
    content->header.origin_ms = clock_wall_us(clock) / 1000;
    int rc = fs_write_file(path, 0600, (struct str){(const char *)content, sizeof *content}, err);
    free(content);
    if (rc != 0) rc = err->class = ERR_TRANSIENT;
    return rc;
}

static int open_checked(const char *path, struct stat *info, int *fd, struct err *err)
{
    *fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 && errno == ELOOP) return refuse(path, "it is a symbolic link", err);
    if (*fd < 0 && (errno == EISDIR || errno == ENXIO)) return refuse(path, "it is no regular file", err);
    if (*fd < 0) return cannot("open", path, err);
    if (fstat(*fd, info) != 0) return cannot("look at", path, err);
    if (!S_ISREG(info->st_mode)) return refuse(path, "it is no regular file", err);
    if (info->st_uid != geteuid()) return refuse(path, "it belongs to another user", err);
    if (info->st_mode & 077) return refuse(path, "others may open it (its mode must be 0600)", err);
    return 0;
}

/* Opens what is there, or what takes its place. */
static int open_sound(const char *path, uint64_t boot, struct clock *clock, int *fd, struct err *err)
{
    struct stat info;
    int rc = fs_kind(path) == FS_MISSING ? write_new(path, boot, clock, err) : 0;
    if (rc == 0) rc = open_checked(path, &info, fd, err);
    if (rc != 0) return rc;
    enum verdict verdict = judge(*fd, &info);
    if (verdict == FOREIGN) return refuse(path, "it is not a file of rate limits", err);
    if (verdict == GOOD) return flock(*fd, LOCK_SH | LOCK_NB) == 0 ? 0 : cannot("lock", path, err);
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_TRANSIENT, "could not use '%s': another version of sluice is using it", path);
    close(*fd);
    *fd = -1;
    rc = write_new(path, boot, clock, err);
    if (rc == 0) rc = open_checked(path, &info, fd, err);
    if (rc == 0 && flock(*fd, LOCK_SH | LOCK_NB) != 0) rc = cannot("lock", path, err);
    return rc;
}

/* --- pool time ----------------------------------------------------------------------------------- */

static int64_t newest_use_ms(const struct content *content)
{
    int64_t newest_ms = 0;
    for (size_t i = 0; i < LIMIT_FILE_CELLS; i++) {
        int64_t used_ms = (int64_t)load(&content->cells[i].used_ms);
        if (used_ms > newest_ms && used_ms < POOL_TIME_MAX_MS) newest_ms = used_ms;
    }
    return newest_ms;
}

static void begin_boot(struct content *content, uint64_t boot, struct clock *clock)
{
    int64_t newest_ms = newest_use_ms(content), now_ms = clock_wall_us(clock) / 1000 - content->header.origin_ms;
    if (now_ms >= POOL_TIME_MAX_MS || now_ms < newest_ms) now_ms = newest_ms;
    content->header.base_ms = now_ms - clock_now_ms(clock);
    content->header.boot = boot;
    for (size_t i = 0; i < LIMIT_FILE_CELLS; i++) {
        struct limit_cell *cell = &content->cells[i];
        if (load(&cell->in_flight)) memset(cell->slots, 0, sizeof cell->slots);
    }
}

int64_t limit_file_now_ms(const struct limit_file *file, struct clock *clock)
{
    return clock_now_ms(clock) + file->base_ms;
}

static int map(struct limit_file *file, const char *path, uint64_t boot, struct clock *clock, struct err *err)
{
    void *content = mmap(NULL, sizeof *file->content, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (content == MAP_FAILED) return cannot("map", path, err);
    file->content = content;
    struct header *header = &file->content->header;
    if (header->boot != boot) begin_boot(file->content, boot, clock);
    file->base_ms = header->base_ms;
    header->origin_ms = clock_wall_us(clock) / 1000 - limit_file_now_ms(file, clock);
    return 0;
}

/* --- the interface ------------------------------------------------------------------------------- */

int limit_file_open(const struct limit_file_options *options, struct limit_file **out, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    const char *path = fs_join(&arena, options->folder, "limits");
    struct limit_file *file = mem_zero(1, sizeof *file);
    int guard = -1;
    file->fd = -1;
    file->lock_path = mem_strdup(fs_join(&arena, options->folder, "limits.lock"));
    uint64_t boot = boot_of(options->boot_id);
    int rc = lock(file->lock_path, &guard, err);
    if (rc == 0) rc = open_sound(path, boot, options->clock, &file->fd, err);
    if (rc == 0) rc = map(file, path, boot, options->clock, err);
    if (guard >= 0) close(guard);
    if (rc == 0)
        *out = file;
    else
        limit_file_close(file);
    arena_release(&arena);
    return rc;
}

struct limit_file *limit_file_private(void)
{
    struct limit_file *file = mem_zero(1, sizeof *file);
    file->fd = -1;
    file->content = mmap(NULL, sizeof *file->content, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file->content == MAP_FAILED) mem_exhausted("mmap");
    return file;
}

void limit_file_close(struct limit_file *file)
{
    if (!file) return;
    if (file->content) munmap(file->content, sizeof *file->content);
    if (file->fd >= 0) close(file->fd);
    free(file->lock_path);
    free(file);
}

/* Free to be given away: never used, or for longer than it remembers. A use in the future is damage. */
static bool is_idle(const struct limit_cell *cell, int64_t now_ms)
{
    int64_t used_ms = (int64_t)load(&cell->used_ms), horizon_ms = (int64_t)load(&cell->horizon_ms);
    if (load(&cell->key[0]) == 0 && load(&cell->key[1]) == 0) return true;
    if (used_ms < 0 || used_ms > now_ms + 60000 || horizon_ms < 0 || horizon_ms > POOL_TIME_MAX_MS) return true;
    return now_ms - used_ms > horizon_ms;
}

static struct limit_cell *find(struct limit_file *file, struct limit_key key)
{
    for (size_t i = 0; i < LIMIT_FILE_CELLS; i++)
        if (limit_cell_is(&file->content->cells[i], key)) return &file->content->cells[i];
    return NULL;
}

static struct limit_cell *make(struct limit_file *file, struct limit_key key, int64_t now_ms)
{
    struct limit_cell *oldest = NULL;
    for (size_t i = 0; i < LIMIT_FILE_CELLS; i++) {
        struct limit_cell *cell = &file->content->cells[i];
        if (is_idle(cell, now_ms) && (!oldest || load(&cell->used_ms) < load(&oldest->used_ms))) oldest = cell;
    }
    if (!oldest) return NULL;
    memset(oldest, 0, sizeof *oldest);
    store(&oldest->used_ms, (uint64_t)now_ms);
    store(&oldest->key[1], key.words[1]);
    store(&oldest->key[0], key.words[0]);
    return oldest;
}

struct limit_cell *limit_file_cell(struct limit_file *file, struct limit_key key, int64_t horizon_ms, int64_t now_ms)
{
    struct err ignored = ERR_INIT;
    int guard = -1;
    if (file->lock_path && lock(file->lock_path, &guard, &ignored) != 0) return NULL;
    struct limit_cell *cell = find(file, key);
    if (!cell) cell = make(file, key, now_ms);
    if (cell) {
        store(&cell->used_ms, (uint64_t)now_ms);
        if ((int64_t)load(&cell->horizon_ms) < horizon_ms) store(&cell->horizon_ms, (uint64_t)horizon_ms);
    }
    if (guard >= 0) close(guard);
    return cell;
}

/* --- several machines ------------------------------------------------------------------------------ */

enum { SHARE_BITS = 20 };
static const int64_t GOVERNED_MAX_MS = 3600 * 1000,
                     SPENT_MAX_MS = (int64_t)366 * 24 * 3600 * 1000; /* farther ahead is damage */

_Static_assert(LIMIT_SHARE_ALL < 1 << SHARE_BITS, "a share fits its bits");

void limit_file_govern(struct limit_file *file, int64_t until_ms)
{
    struct header *header = &file->content->header;
    struct process_identity self = {0};
    process_identity(&self);
    store(&header->governor_pid, (uint64_t)self.pid);
    store(&header->governor_ticks, self.start_ticks);
    store(&header->governed_until_ms, (uint64_t)until_ms);
}

/* One that stands still has not ended: others may have our parts by now. */
static bool governor_lives(const struct header *header)
{
    struct process_identity governor = {0};
    process_identity(&governor);
    governor.pid = (int64_t)load(&header->governor_pid);
    governor.start_ticks = load(&header->governor_ticks);
    return process_life(&governor) == PROCESS_ALIVE;
}

static bool is_governed(const struct limit_file *file, int64_t now_ms)
{
    uint64_t until = load(&file->content->header.governed_until_ms);
    if (until == 0 || until > (uint64_t)(now_ms + GOVERNED_MAX_MS)) return false;
    return until > (uint64_t)now_ms || governor_lives(&file->content->header);
}

int64_t limit_file_share(const struct limit_file *file, const struct limit_cell *cell, int64_t now_ms)
{
    uint64_t word = load(&cell->share);
    if (!is_governed(file, now_ms)) return LIMIT_SHARE_ALL;
    int64_t share = (int64_t)(word & ((1 << SHARE_BITS) - 1)), until_ms = (int64_t)(word >> SHARE_BITS);
    return until_ms <= now_ms || until_ms > now_ms + GOVERNED_MAX_MS || share > LIMIT_SHARE_ALL ? 0 : share;
}

void limit_file_spend(const struct limit_file *file, struct limit_cell *cell, int64_t spent, int64_t span_ms, int64_t now_ms)
{
    if (is_governed(file, now_ms))
        store(&cell->spent, spent ? (uint64_t)(now_ms + span_ms) << SHARE_BITS | (uint64_t)spent : 0);
}

void limit_file_look(const struct limit_file *file, int64_t now_ms, struct limit_use *use)
{
    uint64_t word = load(&use->cell->spent);
    int64_t spent = (int64_t)(word & ((1 << SHARE_BITS) - 1)), left_ms = (int64_t)(word >> SHARE_BITS) - now_ms;
    use->share = limit_file_share(file, use->cell, now_ms);
    use->spent = use->spent_ms = 0;
    if (!limit_cell_is(use->cell, use->key) || left_ms <= 0 || left_ms > SPENT_MAX_MS || spent > LIMIT_SHARE_ALL) return;
    use->spent = spent;
    use->spent_ms = left_ms;
}

size_t limit_file_used(struct limit_file *file, int64_t since_ms, int64_t now_ms, struct limit_use *uses, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < LIMIT_FILE_CELLS && count < max; i++) {
        struct limit_cell *cell = &file->content->cells[i];
        const struct limit_key key = {{load(&cell->key[0]), load(&cell->key[1])}};
        if (key.words[0] == 0 || (int64_t)load(&cell->used_ms) < since_ms) continue;
        uses[count] = (struct limit_use){.key = key, .cell = cell};
        limit_file_look(file, now_ms, &uses[count++]);
    }
    return count;
}

void limit_file_set_share(struct limit_use *use, int64_t share, int64_t until_ms)
{
    use->share = share;
    if (limit_cell_is(use->cell, use->key)) store(&use->cell->share, (uint64_t)until_ms << SHARE_BITS | (uint64_t)share);
}
