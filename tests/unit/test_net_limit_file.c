#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "net/http.h"
#include "net/limit.h"
#include "net/limit_file.h"
#include "os/clock.h"
#include "os/fs.h"

static const int64_t WALL_US = 1800000000LL * 1000000; /* 2027-01-15T08:00:00Z */
static const struct limiter_request ANY = {"GET", "/orders", "orders", 0};

struct world {
    struct arena arena;
    char *folder;
    const char *path; /* of the limits file */
    struct clock_fake fake;
    struct limit_file_options options;
    struct err err;
};

static void setup(struct world *world)
{
    *world = (struct world){.arena = ARENA_INIT(0)};
    assert_int_equal(fs_make_temp_folder(&world->arena, &world->folder, &world->err), 0);
    world->path = fs_join(&world->arena, world->folder, "limits");
    clock_fake_init(&world->fake, WALL_US);
    clock_fake_advance(&world->fake, 1000000); /* since boot */
    world->options = (struct limit_file_options){world->folder, &world->fake.clock, "first boot"};
}

static void teardown(struct world *world)
{
    assert_int_equal(fs_remove_tree(world->folder, "limits", &world->err), 0);
    assert_int_equal(fs_remove_tree(world->folder, "limits.lock", &world->err), 0);
    assert_int_equal(rmdir(world->folder), 0);
    arena_release(&world->arena);
}

static struct limit_file *open_file(struct world *world)
{
    struct limit_file *file = NULL;
    int rc = limit_file_open(&world->options, &file, &world->err);
    if (rc != 0) fail_msg("%s", world->err.message);
    return file;
}

static struct limiter *open_limiter(struct world *world, const struct limiter_rule *rules, size_t count)
{
    const struct limiter_options options = {.rules = rules, .rule_count = count, .file = open_file(world), .pool = "shop"};
    struct limiter *limiter = NULL;
    assert_int_equal(limiter_new(&options, &limiter, &world->err), 0);
    return limiter;
}

static int64_t try_any(struct limiter *limiter, struct clock *clock)
{
    struct limiter_ticket ticket;
    int rule;
    return limiter_try(limiter, &ANY, clock, &ticket, &rule);
}

/* --- the file ------------------------------------------------------------------------------------ */

static void test_is_private_and_of_a_fixed_size(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 3, .per_ms = 1000};
    struct world world;
    struct stat info, later;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    assert_int_equal(stat(world.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    for (int i = 0; i < 100; i++) (void)try_any(limiter, &world.fake.clock);
    assert_int_equal(stat(world.path, &later), 0);
    assert_true(later.st_size == info.st_size && later.st_size < 2 * 1024 * 1024);
    limiter_free(limiter);
    teardown(&world);
}

static void test_what_one_process_used_counts_for_the_next(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .requests = 3, .per_ms = 1000},
        {.kind = LIMITER_BUCKET, .requests = 1, .per_ms = 10000, .burst = 2},
        {.kind = LIMITER_QUOTA, .requests = 2, .per_ms = 86400000},
        {.kind = LIMITER_QUOTA, .requests = 2, .per_ms = 86400000, .by_calendar = true}};
    static const struct limiter_rule LESS = {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 1000};
    static const struct limiter_rule OTHER = {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 1000, .pool = "another account"};
    struct world world;
    setup(&world);
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
        struct limiter *first = open_limiter(&world, &RULES[i], 1), *second = open_limiter(&world, &RULES[i], 1);
        assert_int_equal(try_any(first, &world.fake.clock), 0);
        limiter_free(first);
        assert_int_equal(try_any(second, &world.fake.clock), 0);
        limiter_free(second);
        second = open_limiter(&world, &RULES[i], 1);
        assert_int_equal(try_any(second, &world.fake.clock) == 0, i == 0);
        limiter_free(second);
    }
    /* Each keeps to its own number. */
    struct limiter *limiter = open_limiter(&world, &LESS, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 1000);
    limiter_free(limiter);
    limiter = open_limiter(&world, &OTHER, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    limiter_free(limiter);
    teardown(&world);
}

static void test_a_pause_holds_for_all_processes(void **state)
{
    (void)state;
    struct world world;
    setup(&world);
    struct limiter *first = open_limiter(&world, NULL, 0), *second = open_limiter(&world, NULL, 0);
    limiter_pause(first, &(struct limiter_ticket){0}, 5000, &world.fake.clock);
    assert_int_equal(try_any(second, &world.fake.clock), 5000);
    limiter_free(first);
    limiter_free(second);
    teardown(&world);
}

static void write_text(struct world *world, const char *text, size_t size, mode_t mode)
{
    (void)unlink(world->path);
    assert_int_equal(fs_write_file(world->path, mode, (struct str){text, size}, &world->err), 0);
}

static void test_leaves_alone_what_is_not_its_own(void **state)
{
    (void)state;
    static const char NOTES[] = "my notes on limits";
    struct world world;
    struct limit_file *file = NULL;
    struct buf content = BUF_INIT(1024);
    setup(&world);
    write_text(&world, NOTES, sizeof NOTES - 1, 0600);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_CONFIG);
    assert_non_null(strstr(world.err.message, "is not a file of rate limits"));
    assert_int_equal(fs_read_file(world.path, 1024, &content, &world.err), 0);
    assert_string_equal(buf_text(&content), NOTES);
    buf_release(&content);

    assert_int_equal(unlink(world.path), 0);
    limit_file_close(open_file(&world));
    assert_int_equal(chmod(world.path, 0660), 0);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_CONFIG);
    assert_non_null(strstr(world.err.message, "others may open it"));

    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(symlink("/dev/null", world.path), 0);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_CONFIG);
    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(mkfifo(world.path, 0600), 0);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_CONFIG);
    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(mkdir(world.path, 0700), 0);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_CONFIG);
    assert_null(file);
    teardown(&world);
}

static void test_replaces_what_a_crash_left_when_nobody_uses_it(void **state)
{
    (void)state;
    static char zeros[5000];
    struct world world;
    setup(&world);
    write_text(&world, zeros, 0, 0600);
    limit_file_close(open_file(&world));
    write_text(&world, zeros, sizeof zeros, 0600);
    limit_file_close(open_file(&world));

    /* Another version's. */
    struct limit_file *used = open_file(&world), *file = NULL;
    int fd = open(world.path, O_RDWR | O_CLOEXEC);
    uint64_t version = 99;
    assert_int_equal(pwrite(fd, &version, sizeof version, 8), sizeof version);
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_TRANSIENT);
    assert_non_null(strstr(world.err.message, "another version"));
    limit_file_close(used);
    limit_file_close(open_file(&world));

    /* Cut short. */
    close(fd);
    assert_int_equal(truncate(world.path, 8192), 0);
    limit_file_close(open_file(&world));
    teardown(&world);
}

static void test_says_when_it_cannot_be_shared(void **state)
{
    (void)state;
    struct world world;
    struct limit_file *file = NULL;
    setup(&world);
    world.options.folder = fs_join(&world.arena, world.folder, "not/there");
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_TRANSIENT);
    assert_null(file);
    world.options.folder = "/proc";
    assert_int_equal(limit_file_open(&world.options, &file, &world.err), ERR_TRANSIENT);
    teardown(&world);
}

static void test_reuses_the_cells_of_those_who_are_gone(void **state)
{
    (void)state;
    struct world world;
    struct limit_cell *cells[LIMIT_FILE_CELLS];
    char name[32];
    setup(&world);
    struct limit_file *file = open_file(&world);
    int64_t now_ms = limit_file_now_ms(file, &world.fake.clock);
    for (int i = 0; i < LIMIT_FILE_CELLS; i++) {
        snprintf(name, sizeof name, "limit %d", i);
        cells[i] = limit_file_cell(file, limit_key_of(str_from(name)), i == 7 ? 1000 : 60000, now_ms);
        assert_non_null(cells[i]);
        assert_true(i == 0 || cells[i] != cells[i - 1]);
    }
    assert_ptr_equal(limit_file_cell(file, limit_key_of(STR("limit 3")), 1000, now_ms), cells[3]);
    assert_null(limit_file_cell(file, limit_key_of(STR("new")), 1000, now_ms + 1000));
    assert_ptr_equal(limit_file_cell(file, limit_key_of(STR("new")), 1000, now_ms + 1001), cells[7]);
    assert_false(limit_cell_is(cells[7], limit_key_of(STR("limit 7"))));

    /* A limiter that finds no cell counts by itself. */
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 2, .per_ms = 1000};
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    assert_int_equal(try_any(limiter, &world.fake.clock), 1000);
    limiter_free(limiter);
    limit_file_close(file);
    teardown(&world);
}

/* --- time ---------------------------------------------------------------------------------------- */

static void reboot(struct world *world, const char *boot_id, int64_t off_ms)
{
    world->fake.wall += off_ms * 1000;
    world->fake.now = 5000;
    world->options.boot_id = boot_id;
}

static void test_counts_survive_a_reboot(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {{.kind = LIMITER_QUOTA, .requests = 2, .per_ms = 86400000},
                                                {.kind = LIMITER_CONCURRENCY, .requests = 1}};
    struct world world;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, RULES, 2);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    limiter_free(limiter);
    reboot(&world, "second boot", 3600000);
    limiter = open_limiter(&world, RULES, 2);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0); /* what was in flight is not any more */
    limiter_free(limiter);
    limiter = open_limiter(&world, RULES, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 86400000 - 3600000);
    limiter_free(limiter);
    /* A machine that wakes up in 1970 knows no better, but nothing is given away. */
    reboot(&world, "third boot", -1000LL * 86400000);
    limiter = open_limiter(&world, RULES, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 86400000 - 3600000);
    limiter_free(limiter);
    teardown(&world);
}

static void test_a_clock_that_is_set_changes_nothing(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 1, .per_ms = 60000};
    struct world world;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    world.fake.wall += 7LL * 86400 * 1000000;
    assert_int_equal(try_any(limiter, &world.fake.clock), 60000);
    limiter_free(limiter);
    limiter = open_limiter(&world, &RULE, 1);
    world.fake.wall -= 30LL * 86400 * 1000000;
    clock_fake_advance(&world.fake, 10000);
    assert_int_equal(try_any(limiter, &world.fake.clock), 50000);
    limiter_free(limiter);
    teardown(&world);
}

/* --- processes ----------------------------------------------------------------------------------- */

static void test_what_a_dead_process_had_in_flight_is_free(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_CONCURRENCY, .requests = 1};
    struct world world;
    int ready[2];
    char byte;
    setup(&world);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct limiter *limiter = open_limiter(&world, &RULE, 1);
        byte = try_any(limiter, &world.fake.clock) == 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    assert_true(try_any(limiter, &world.fake.clock) > 0);
    clock_fake_advance(&world.fake, 2LL * 3600000);
    assert_true(try_any(limiter, &world.fake.clock) > 0); /* alive: it may take as long as it likes */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(try_any(limiter, &world.fake.clock), 0);
    limiter_free(limiter);
    close(ready[0]);
    close(ready[1]);
    teardown(&world);
}

enum { GRANTS = 10000, PROCESSES = 8, GRANTS_MAX = GRANTS + 2 * PROCESSES };

/* What the processes share beside the limits: the time, which only waiting moves on, and what was granted when. */
struct contest {
    int64_t now_ms;
    uint64_t count;
    int64_t all[2][GRANTS_MAX]; /* by rule: pool time that each counts from; -1: not known, as its process was killed */
    const int64_t *grants;      /* of the rule that is looked at, and how many */
    size_t known;
};

struct shared_clock {
    struct clock clock;
    struct contest *contest;
};

static int64_t shared_now_ms(struct clock *clock)
{
    return __atomic_load_n(&((struct shared_clock *)clock)->contest->now_ms, __ATOMIC_SEQ_CST);
}

static int64_t shared_wall_us(struct clock *clock)
{
    return WALL_US + shared_now_ms(clock) * 1000;
}

static bool shared_sleep_ms(struct clock *clock, int64_t milliseconds, struct cancel *cancel)
{
    (void)clock, (void)milliseconds, (void)cancel;
    return true;
}

/* One process: takes what there is; who finds nothing moves the time on to when there is something. */
static void compete(struct world *world, struct contest *contest, const struct limiter_rule *rules, size_t count)
{
    struct shared_clock clock = {{shared_wall_us, shared_now_ms, shared_sleep_ms}, contest};
    world->options.clock = &clock.clock;
    struct limiter *limiter = open_limiter(world, rules, count);
    while (__atomic_load_n(&contest->count, __ATOMIC_SEQ_CST) < GRANTS) {
        struct limiter_ticket ticket;
        int rule;
        int64_t before_ms = shared_now_ms(&clock.clock), wait_ms = limiter_try(limiter, &ANY, &clock.clock, &ticket, &rule);
        if (wait_ms > 0) {
            (void)__atomic_compare_exchange_n(&contest->now_ms, &before_ms, before_ms + wait_ms, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST);
            continue;
        }
        uint64_t at = __atomic_fetch_add(&contest->count, 1, __ATOMIC_SEQ_CST);
        for (size_t i = 0; i < count && at < GRANTS_MAX; i++) contest->all[i][at] = ticket.holds[i].taken_ms;
    }
    limiter_free(limiter);
    _exit(0);
}

static int by_time(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Two of the processes are killed on the way. */
static void run_contest(struct contest *contest, const struct limiter_rule *rules, size_t count)
{
    struct world world;
    pid_t pids[PROCESSES];
    setup(&world);
    memset(contest, 0, sizeof *contest);
    memset(contest->all, -1, sizeof contest->all);
    for (int i = 0; i < PROCESSES; i++)
        if ((pids[i] = fork()) == 0) compete(&world, contest, rules, count);
    while (__atomic_load_n(&contest->count, __ATOMIC_SEQ_CST) < GRANTS / 2) usleep(100);
    kill(pids[0], SIGKILL);
    kill(pids[1], SIGKILL);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        if (i >= 2) assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_true(contest->count >= GRANTS && contest->count <= GRANTS_MAX);
    teardown(&world);
}

/* The grants of one rule in the order of time. */
static void look_at(struct contest *contest, size_t rule)
{
    qsort(contest->all[rule], GRANTS, sizeof contest->all[rule][0], by_time);
    for (contest->grants = contest->all[rule]; contest->grants[0] < 0;) contest->grants++;
    contest->known = GRANTS - (size_t)(contest->grants - contest->all[rule]);
    assert_true(contest->known >= GRANTS - 2);
}

static void expect_window(const struct contest *contest, int64_t requests, int64_t per_ms)
{
    for (size_t i = 0; i + (size_t)requests < contest->known; i++)
        if (contest->grants[i + (size_t)requests] - contest->grants[i] < per_ms)
            fail_msg("%lld per %lld ms: grants %zu to %zu in %lld ms", (long long)requests, (long long)per_ms, i,
                     i + (size_t)requests, (long long)(contest->grants[i + (size_t)requests] - contest->grants[i]));
}

/* At least 95 % of the limit: what needs `needed_ms` at the least took no longer than that allows. */
static void expect_use(const struct contest *contest, int64_t needed_ms)
{
    int64_t span_ms = contest->grants[contest->known - 1] - contest->grants[0];
    if (needed_ms * 100 < span_ms * 95)
        fail_msg("%d took %lld ms, and the limit allows them in %lld ms", GRANTS, (long long)span_ms, (long long)needed_ms);
}

static struct contest *shared_contest(void)
{
    void *memory = mmap(NULL, sizeof(struct contest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static void test_eight_processes_never_exceed_a_window_and_use_it(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {{.kind = LIMITER_WINDOW, .requests = 190, .per_ms = 10000},
                                                {.kind = LIMITER_WINDOW, .requests = 10, .per_ms = 1000},
                                                {.kind = LIMITER_WINDOW, .requests = 1999, .per_ms = 60000}};
    struct contest *contest = shared_contest();
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
        run_contest(contest, &RULES[i], 1);
        look_at(contest, 0);
        expect_window(contest, RULES[i].requests, RULES[i].per_ms);
        expect_use(contest, (GRANTS - 1) / RULES[i].requests * RULES[i].per_ms);
    }
    munmap(contest, sizeof *contest);
}

static void test_eight_processes_keep_a_burst_and_a_steady_limit(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {{.kind = LIMITER_WINDOW, .requests = 10, .per_ms = 1000},
                                                {.kind = LIMITER_WINDOW, .requests = 150, .per_ms = 60000}};
    struct contest *contest = shared_contest();
    run_contest(contest, RULES, 2);
    look_at(contest, 0);
    expect_window(contest, 10, 1000);
    look_at(contest, 1);
    expect_window(contest, 150, 60000);
    expect_use(contest, (GRANTS - 1) / 150 * 60000);
    munmap(contest, sizeof *contest);
}

static void test_eight_processes_never_exceed_a_bucket_and_use_it(void **state)
{
    (void)state;
    static const struct limiter_rule RULE = {.kind = LIMITER_BUCKET, .requests = 10, .per_ms = 1000, .burst = 100};
    struct contest *contest = shared_contest();
    run_contest(contest, &RULE, 1);
    look_at(contest, 0);
    for (size_t i = 0; i < contest->known; i++)
        for (size_t j = i + 100; j < contest->known && j < i + 1000; j++)
            if ((contest->grants[j] - contest->grants[i]) * 10 < (int64_t)(j - i + 1 - 100) * 1000)
                fail_msg("grants %zu to %zu in %lld ms", i, j, (long long)(contest->grants[j] - contest->grants[i]));
    expect_use(contest, (GRANTS - 100) * 100);
    munmap(contest, sizeof *contest);
}

/* --- damage -------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

/* Any bytes in the file: no crash, no endless loop, no wait beyond the limit's own time, and counting goes on afterwards. */
static void test_any_bytes_in_the_file_do_no_harm(void **state)
{
    (void)state;
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .requests = 10, .per_ms = 60000},
        {.kind = LIMITER_BUCKET, .requests = 10, .per_ms = 60000, .burst = 20, .slow_down = 0.5},
        {.kind = LIMITER_CONCURRENCY, .requests = 5},
        {.kind = LIMITER_QUOTA, .requests = 10, .per_ms = 60000, .by_calendar = true},
    };
    struct world world;
    struct stat info;
    uint64_t seed = 42;
    setup(&world);
    limit_file_close(open_file(&world));
    int fd = open(world.path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &info), 0);
    unsigned char *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    for (int round = 0; round < 300; round++) {
        const struct limiter_rule *rule = &RULES[round % (int)ARRAY_SIZE(RULES)];
        struct limiter *limiter = open_limiter(&world, rule, 1);
        (void)try_any(limiter, &world.fake.clock);
        /* All but the header and, in most rounds, the keys; sometimes only a few words of one cell. */
        size_t step = round % 3 == 0 ? 8 : 8 * (1 + next_random(&seed) % 50);
        for (size_t at = 4096; at + 8 <= (size_t)info.st_size; at += step) {
            uint64_t word = next_random(&seed);
            if (round % 5 == 0) word = ~0ull >> (word & 63);
            if (round % 10 != 9 && (at - 4096) % sizeof(struct limit_cell) < 16) continue;
            memcpy(bytes + at, &word, sizeof word);
        }
        for (int i = 0; i < 50; i++) {
            int64_t wait_ms = try_any(limiter, &world.fake.clock), left = limiter_left(limiter, &world.fake.clock);
            assert_true(left >= -1 && left <= 20);
            /* What looks like a source's pause is one, of up to a year. */
            assert_true(wait_ms >= 0 && wait_ms <= 366LL * 86400000);
            clock_fake_advance(&world.fake, wait_ms);
        }
        limiter_free(limiter);
    }
    munmap(bytes, (size_t)info.st_size);

    /* A broken header, too. */
    for (int round = 0; round < 300; round++) {
        struct limit_file *file = NULL;
        uint64_t word = next_random(&seed);
        if (round % 2) word = ~0ull >> (word & 63);
        assert_int_equal(pwrite(fd, &word, sizeof word, (off_t)(8 + 8 * (next_random(&seed) % 5))), sizeof word);
        assert_int_equal(limit_file_open(&world.options, &file, &world.err), 0);
        int64_t now_ms = limit_file_now_ms(file, &world.fake.clock);
        assert_true(now_ms >= 0 && now_ms < (int64_t)1 << 40);
        limit_file_close(file);
        close(fd);
        fd = open(world.path, O_RDWR | O_CLOEXEC); /* it may be a new one */
    }
    close(fd);
    teardown(&world);
}

/* How many of the window's go now. */
static int take_all(struct world *world, struct limiter *limiter)
{
    int taken = 0, rule;
    struct limiter_ticket ticket;
    while (taken < 1000 && limiter_try(limiter, &ANY, &world->fake.clock, &ticket, &rule) == 0) taken++;
    return taken;
}

static void share_out(struct world *world, struct limit_file *file, int64_t share, int64_t for_ms)
{
    struct limit_use uses[LIMIT_FILE_CELLS];
    int64_t now_ms = limit_file_now_ms(file, &world->fake.clock);
    size_t count = limit_file_used(file, 0, now_ms, uses, LIMIT_FILE_CELLS);
    assert_int_equal(count, 2); /* the window and the gate */
    for (size_t i = 0; i < count; i++) limit_file_set_share(&uses[i], share, now_ms + for_ms);
}

static void govern_for(struct world *world, struct limit_file *file, int64_t for_ms)
{
    limit_file_govern(file, for_ms ? limit_file_now_ms(file, &world->fake.clock) + for_ms : 0);
}

static int64_t most_spent(struct world *world, struct limit_file *file)
{
    struct limit_use uses[LIMIT_FILE_CELLS];
    int64_t now_ms = limit_file_now_ms(file, &world->fake.clock), most = 0;
    size_t count = limit_file_used(file, 0, now_ms, uses, LIMIT_FILE_CELLS);
    for (size_t i = 0; i < count; i++)
        if (uses[i].spent > most) most = uses[i].spent;
    return most;
}

static void test_a_machine_keeps_to_its_part(void **state)
{
    static const struct limiter_rule RULE = {.kind = LIMITER_WINDOW, .requests = 100, .per_ms = 10000};
    struct world world;
    (void)state;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    struct limit_file *file = open_file(&world);
    govern_for(&world, file, 60000);
    assert_int_equal(take_all(&world, limiter), 0); /* nothing was said of it yet */
    share_out(&world, file, LIMIT_SHARE_ALL / 4, 60000);
    assert_int_equal(take_all(&world, limiter), 25);
    assert_int_equal(most_spent(&world, file), 0);
    share_out(&world, file, LIMIT_SHARE_ALL, 60000);
    assert_int_equal(take_all(&world, limiter), 75);
    assert_int_equal(most_spent(&world, file), LIMIT_SHARE_ALL); /* others have to wait for it */
    share_out(&world, file, LIMIT_SHARE_ALL / 2, 60000);
    clock_fake_advance(&world.fake, 10100);
    assert_int_equal(take_all(&world, limiter), 50);
    assert_int_equal(most_spent(&world, file), 0);
    /* A part is over with its lease, also when who says so stands still. */
    clock_fake_advance(&world.fake, 70000);
    assert_int_equal(take_all(&world, limiter), 0);
    /* Who has ended says nothing any more. */
    pid_t pid = fork();
    if (pid == 0) {
        govern_for(&world, file, 1000);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    clock_fake_advance(&world.fake, 2000);
    assert_int_equal(take_all(&world, limiter), 100);
    govern_for(&world, file, 60000);
    govern_for(&world, file, 0);
    clock_fake_advance(&world.fake, 10100);
    assert_int_equal(take_all(&world, limiter), 100);
    limiter_free(limiter);
    limit_file_close(file);
    teardown(&world);
}

static void test_what_is_in_flight_is_not_given_away(void **state)
{
    static const struct limiter_rule RULE = {.kind = LIMITER_CONCURRENCY, .requests = 4};
    struct limiter_ticket tickets[4], more;
    struct world world;
    int rule;
    (void)state;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    struct limit_file *file = open_file(&world);
    struct clock *clock = &world.fake.clock;
    govern_for(&world, file, 60000);
    assert_true(limiter_try(limiter, &ANY, clock, &tickets[0], &rule) > 0); /* nothing was said of it yet */
    share_out(&world, file, LIMIT_SHARE_ALL, 60000);
    for (int i = 0; i < 4; i++) assert_int_equal(limiter_try(limiter, &ANY, clock, &tickets[i], &rule), 0);
    share_out(&world, file, LIMIT_SHARE_ALL / 2, 60000);
    assert_int_equal(most_spent(&world, file), LIMIT_SHARE_ALL);
    for (int i = 0; i < 2; i++) limiter_release(limiter, &tickets[i], clock);
    assert_int_equal(most_spent(&world, file), LIMIT_SHARE_ALL); /* the others are still on their way */
    for (int i = 0; i < 2; i++) assert_int_equal(limiter_try(limiter, &ANY, clock, &tickets[i], &rule), 0);
    assert_true(limiter_try(limiter, &ANY, clock, &more, &rule) > 0);
    limiter_release(limiter, &tickets[3], clock);
    assert_int_equal(most_spent(&world, file), LIMIT_SHARE_ALL / 4 * 3);
    limiter_release(limiter, &tickets[2], clock);
    assert_int_equal(most_spent(&world, file), LIMIT_SHARE_ALL / 2);
    for (int i = 0; i < 2; i++) limiter_release(limiter, &tickets[i], clock);
    assert_int_equal(most_spent(&world, file), 0);
    limiter_free(limiter);
    limit_file_close(file);
    teardown(&world);
}

/* A quota fails instead of waiting, but not as long as nobody has said what part of it is the machine's. */
static void test_a_quota_waits_for_its_part(void **state)
{
    static const struct limiter_rule RULE = {.kind = LIMITER_QUOTA, .requests = 10, .per_ms = 60000};
    struct world world;
    struct limiter_ticket ticket;
    int rule;
    (void)state;
    setup(&world);
    struct limiter *limiter = open_limiter(&world, &RULE, 1);
    struct limit_file *file = open_file(&world);
    govern_for(&world, file, 60000);
    assert_in_range(limiter_try(limiter, &ANY, &world.fake.clock, &ticket, &rule), 1, 1000);
    assert_false(limiter_is_quota(limiter, rule));
    share_out(&world, file, LIMIT_SHARE_ALL / 2, 60000);
    assert_int_equal(take_all(&world, limiter), 5);
    assert_true(limiter_try(limiter, &ANY, &world.fake.clock, &ticket, &rule) > 0);
    assert_true(limiter_is_quota(limiter, rule));
    limiter_free(limiter);
    limit_file_close(file);
    teardown(&world);
}

/* What the source says is left, is left for all machines. */
static void test_a_machine_keeps_to_its_part_of_what_is_left(void **state)
{
    static const struct limit_learn LEARN = {.remaining = "X-Left"};
    static const struct limiter_rule RULES[] = {
        {.kind = LIMITER_WINDOW, .requests = 1000, .per_ms = 60000, .slow_down = 0.2},
        {.kind = LIMITER_BUCKET, .requests = 1000, .per_ms = 60000, .burst = 1000, .learn = &LEARN}};
    static const int TAKEN_OF_NINE[] = {5, 4}; /* until the reset one in 10 s / (4 + 1), the first at once; 4 at once */
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        struct world world;
        struct limiter_ticket ticket = {0};
        int rule, taken = 0;
        (void)state;
        setup(&world);
        struct limiter *limiter = open_limiter(&world, &RULES[i], 1);
        struct limit_file *file = open_file(&world);
        assert_int_equal(limiter_try(limiter, &ANY, &world.fake.clock, &ticket, &rule), 0);
        govern_for(&world, file, 60000);
        share_out(&world, file, LIMIT_SHARE_ALL / 2, 60000);
        struct http_header left[] = {{STR("X-Left"), STR("9")}};
        const struct http_response response = {
            .status = 200, .headers = left, .header_count = 1, .limits = {1000, 9, 10000, -1}};
        limiter_observe(limiter, &ticket, &response, &world.fake.clock);
        for (int ms = 0; ms < (i == 0 ? 10000 : 1); ms += 10) {
            taken += take_all(&world, limiter);
            clock_fake_advance(&world.fake, 10);
        }
        assert_int_equal(taken, TAKEN_OF_NINE[i]);
        limiter_free(limiter);
        limit_file_close(file);
        teardown(&world);
    }
}

UNIT_TESTS(cmocka_unit_test(test_is_private_and_of_a_fixed_size),
           cmocka_unit_test(test_what_one_process_used_counts_for_the_next),
           cmocka_unit_test(test_a_pause_holds_for_all_processes), cmocka_unit_test(test_leaves_alone_what_is_not_its_own),
           cmocka_unit_test(test_replaces_what_a_crash_left_when_nobody_uses_it),
           cmocka_unit_test(test_says_when_it_cannot_be_shared), cmocka_unit_test(test_reuses_the_cells_of_those_who_are_gone),
           cmocka_unit_test(test_counts_survive_a_reboot), cmocka_unit_test(test_a_clock_that_is_set_changes_nothing),
           cmocka_unit_test(test_what_a_dead_process_had_in_flight_is_free),
           cmocka_unit_test(test_eight_processes_never_exceed_a_window_and_use_it),
           cmocka_unit_test(test_eight_processes_keep_a_burst_and_a_steady_limit),
           cmocka_unit_test(test_eight_processes_never_exceed_a_bucket_and_use_it),
           cmocka_unit_test(test_a_machine_keeps_to_its_part), cmocka_unit_test(test_what_is_in_flight_is_not_given_away),
           cmocka_unit_test(test_a_machine_keeps_to_its_part_of_what_is_left),
           cmocka_unit_test(test_a_quota_waits_for_its_part), cmocka_unit_test(test_any_bytes_in_the_file_do_no_harm))
