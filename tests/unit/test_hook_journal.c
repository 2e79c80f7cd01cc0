/* The journal: what was acknowledged is in whole lines on the disk, whatever the process left behind. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hook/journal.h"
#include "os/clock.h"
#include "os/fs.h"

struct fixture {
    char folder[64];
    struct committer *committer;
    struct journal *journal;
    struct err err;
};

static atomic_int settled, lost;

static void count_settled(void *context, bool is_durable)
{
    (void)context;
    atomic_fetch_add(is_durable ? &settled : &lost, 1);
}

static void open_it(struct fixture *fixture)
{
    if (committer_open(clock_system(), NULL, &fixture->committer, &fixture->err) != 0 ||
        journal_open(fixture->committer, fixture->folder, &fixture->journal, &fixture->err) != 0)
        fail_msg("%s", fixture->err.message);
}

static void close_it(struct fixture *fixture)
{
    committer_close(fixture->committer);
    fixture->committer = NULL;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/sluice-journal-XXXXXX");
    if (!mkdtemp(fixture->folder)) return -1;
    settled = lost = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    close_it(fixture);
    if (fs_remove_tree("/tmp", fixture->folder + strlen("/tmp/"), &fixture->err) != 0) return -1;
    free(fixture);
    return 0;
}

static bool offer(struct fixture *fixture, const char *lines, uint64_t max_backlog)
{
    return journal_offer(fixture->journal, str_from(lines), max_backlog, count_settled, NULL);
}

/* The journal's files, in their order; what is hidden is none of them. */
static size_t list_files(struct fixture *fixture, struct arena *arena, struct fs_entry **entries)
{
    size_t count, hidden = 0;
    assert_int_equal(fs_list(fixture->folder, 1000, arena, entries, &count, &fixture->err), 0);
    while (hidden < count && (*entries)[hidden].name[0] == '.') hidden++;
    *entries += hidden;
    return count - hidden;
}

/* All files one behind the other, and how many there are. */
static size_t read_all(struct fixture *fixture, struct buf *out)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries;
    struct err err = ERR_INIT;
    size_t count = list_files(fixture, &arena, &entries);
    buf_clear(out);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fs_read_file(fs_join(&arena, fixture->folder, entries[i].name), out->max - out->size, out, &err), 0);
    arena_release(&arena);
    return count;
}

static void test_what_is_settled_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct buf all = BUF_INIT(1024 * 1024);
    open_it(fixture);
    assert_int_equal(read_all(fixture, &all), 0);
    for (int i = 0; i < 100; i++) assert_true(offer(fixture, "{\"n\":1}\n", 1 << 20));
    committer_settle(fixture->committer);
    assert_int_equal(settled, 100);
    assert_int_equal(read_all(fixture, &all), 1);
    assert_int_equal(all.size, 100 * strlen("{\"n\":1}\n"));
    close_it(fixture);
    open_it(fixture);
    assert_true(offer(fixture, "{\"n\":2}\n", 1 << 20));
    committer_settle(fixture->committer);
    assert_int_equal(read_all(fixture, &all), 2); /* another process, another file */
    assert_true(str_ends(buf_str(&all), STR("{\"n\":1}\n{\"n\":2}\n")));
    buf_release(&all);
}

/* A crash may leave any part of what was being written: everything up to the last whole line stays, the rest goes. */
static void test_a_torn_end_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    static const char WHOLE[] = "{\"a\":1}\n{\"b\":22}\n{\"c\":333}\n";
    struct arena arena = ARENA_INIT(0);
    struct buf all = BUF_INIT(1024);
    const char *path = fs_join(&arena, fixture->folder, "0000000000000001.ndjson");
    for (size_t size = 0; size <= strlen(WHOLE); size++) {
        struct str part = {WHOLE, size};
        size_t whole = 0;
        for (size_t i = 0; i < size; i++)
            if (WHOLE[i] == '\n') whole = i + 1;
        assert_int_equal(fs_write_file(path, 0600, part, &fixture->err), 0);
        open_it(fixture);
        close_it(fixture);
        read_all(fixture, &all);
        assert_true(str_equal(buf_str(&all), (struct str){WHOLE, whole}));
    }
    buf_release(&all);
    arena_release(&arena);
}

static void test_what_waits_to_be_loaded_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    open_it(fixture);
    assert_true(offer(fixture, "0123456789\n", 30));
    assert_true(offer(fixture, "0123456789\n", 30));
    assert_false(offer(fixture, "0123456789\n", 30));
    committer_settle(fixture->committer);
    assert_int_equal(settled, 2);
    assert_false(offer(fixture, "0123456789\n", 30));
    assert_int_equal(journal_backlog(fixture->journal), 22);
    journal_load_begins(fixture->journal);
    assert_true(offer(fixture, "01234\n", 30)); /* while it is loaded */
    committer_settle(fixture->committer);
    journal_loaded(fixture->journal);
    assert_int_equal(journal_backlog(fixture->journal), 6);
    assert_true(offer(fixture, "0123456789\n", 30));
    committer_settle(fixture->committer);
    close_it(fixture);
    open_it(fixture); /* another process does not know what was loaded */
    assert_int_equal(journal_backlog(fixture->journal), 39);
}

/* Who reads them goes by their names: a clock that was set back must not put new events behind what was read. */
static void test_names_go_up_whatever_the_clock_says(void **state)
{
    struct fixture *fixture = *state;
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries;
    const char *future = fs_join(&arena, fixture->folder, "0009000000000000.ndjson");
    assert_int_equal(fs_write_file(future, 0600, STR("old\n"), &fixture->err), 0);
    for (int i = 0; i < 3; i++) {
        open_it(fixture);
        assert_true(offer(fixture, "new\n", 1000));
        committer_settle(fixture->committer);
        close_it(fixture);
    }
    assert_int_equal(list_files(fixture, &arena, &entries), 4);
    assert_true(strncmp(entries[3].name, "0009000000000003-", 17) == 0);
    assert_string_equal(strchr(entries[3].name, '-'), strchr(entries[1].name, '-')); /* the journal's own name */
    open_it(fixture); /* the newest stays, though it was loaded */
    journal_load_begins(fixture->journal);
    journal_loaded(fixture->journal);
    usleep(2000);
    journal_trim(fixture->journal, 0);
    assert_int_equal(list_files(fixture, &arena, &entries), 1);
    assert_true(strncmp(entries[0].name, "0009000000000003-", 17) == 0);
    arena_release(&arena);
}

static void test_only_what_was_loaded_is_removed(void **state)
{
    struct fixture *fixture = *state;
    struct buf all = BUF_INIT(1024);
    open_it(fixture);
    assert_true(offer(fixture, "one\n", 1000));
    close_it(fixture);
    open_it(fixture);
    journal_load_begins(fixture->journal);
    assert_true(offer(fixture, "two\n", 1000));
    committer_settle(fixture->committer);
    journal_trim(fixture->journal, 0);
    assert_int_equal(read_all(fixture, &all), 2); /* it is not loaded yet */
    journal_loaded(fixture->journal);
    journal_trim(fixture->journal, 3600000);
    assert_int_equal(read_all(fixture, &all), 2); /* and is kept for a while */
    while (read_all(fixture, &all) == 2) journal_trim(fixture->journal, 0);
    assert_string_equal(buf_text(&all), "two\n");
    buf_release(&all);
}

/* A folder that is gone: those who sent are told, and it goes on when it is back. */
static void test_what_cannot_be_kept_is_not_settled(void **state)
{
    struct fixture *fixture = *state;
    struct buf all = BUF_INIT(1024);
    open_it(fixture);
    assert_int_equal(fs_remove_tree("/tmp", fixture->folder + strlen("/tmp/"), &fixture->err), 0);
    assert_true(offer(fixture, "one\n", 1000));
    committer_settle(fixture->committer);
    assert_int_equal(lost, 1);
    assert_int_equal(mkdir(fixture->folder, 0700), 0);
    assert_true(offer(fixture, "two\n", 1000));
    committer_settle(fixture->committer);
    assert_int_equal(settled, 1);
    assert_int_equal(read_all(fixture, &all), 1);
    assert_string_equal(buf_text(&all), "two\n");
    buf_release(&all);
}

static void *offer_many(void *context)
{
    for (int i = 0; i < 500; i++) assert_true(offer(context, "0123456789abcdef\n", 1 << 30));
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct buf all = BUF_INIT(16 * 1024 * 1024);
    pthread_t threads[8];
    open_it(fixture);
    for (size_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, offer_many, fixture);
    for (size_t i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    committer_settle(fixture->committer);
    assert_int_equal(settled, 4000);
    read_all(fixture, &all);
    struct str rest = buf_str(&all), line;
    for (int i = 0; i < 4000; i++) {
        assert_true(str_next(&rest, '\n', &line));
        assert_true(str_equal(line, STR("0123456789abcdef")));
    }
    assert_int_equal(rest.size, 0);
    buf_release(&all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
UNIT_TESTS(TEST(test_what_is_settled_is_there), TEST(test_a_torn_end_is_cut_off), TEST(test_what_waits_to_be_loaded_is_bounded),
           TEST(test_names_go_up_whatever_the_clock_says), TEST(test_only_what_was_loaded_is_removed),
           TEST(test_what_cannot_be_kept_is_not_settled), TEST(test_many_at_once))
