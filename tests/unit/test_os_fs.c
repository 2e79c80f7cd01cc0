/* fs: files appear whole, caps hold, links lead nowhere, modes are as asked, and every failure names its path. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/thread.h"

static struct arena arena;
static char *root; /* a fresh folder for each test */

static int make_root(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    arena = ARENA_INIT(1 << 20);
    return fs_make_temp_folder(&arena, &root, &err);
}

static int remove_root(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char *name = arena_text(&arena, fs_base_name(root));
    int rc = fs_remove_tree(fs_folder_of(&arena, root), name, &err);
    arena_release(&arena);
    return rc;
}

static const char *in_root(const char *name)
{
    return fs_join(&arena, root, name);
}

static void put(const char *name, const char *content, mode_t mode)
{
    struct err err = ERR_INIT;
    assert_int_equal(fs_write_file(in_root(name), mode, str_from(content), &err), 0);
}

static void expect_content(const char *name, const char *content)
{
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(4096);
    assert_int_equal(fs_read_file(in_root(name), 4096, &text, &err), 0);
    assert_string_equal(buf_text(&text), content);
    buf_release(&text);
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

static size_t count_entries(const char *path)
{
    struct err err = ERR_INIT;
    struct fs_entry *entries;
    size_t count = 0;
    assert_int_equal(fs_list(path, 1000, &arena, &entries, &count, &err), 0);
    return count;
}

static void test_paths(void **state)
{
    (void)state;
    assert_string_equal(fs_join(&arena, "a", "b"), "a/b");
    assert_string_equal(fs_join(&arena, "a/", "b"), "a/b");
    assert_string_equal(fs_join(&arena, "/", "b"), "/b");
    assert_string_equal(fs_join(&arena, "a", "/b"), "/b");
    assert_string_equal(fs_join(&arena, "", "b"), "b");
    assert_string_equal(fs_join(&arena, "a", ""), "a");
    assert_string_equal(fs_join(&arena, "", ""), ".");
    assert_string_equal(fs_folder_of(&arena, "a/b/c"), "a/b");
    assert_string_equal(fs_folder_of(&arena, "/c"), "/");
    assert_string_equal(fs_folder_of(&arena, "c"), ".");
    assert_true(str_equal(fs_base_name("a/b.lua"), STR("b.lua")));
    assert_true(str_equal(fs_base_name("b.lua"), STR("b.lua")));
}

static void test_plain_names(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'n', sizeof name);
    assert_true(fs_is_plain_name(STR("orders")));
    assert_true(fs_is_plain_name(STR("...")));
    assert_true(fs_is_plain_name((struct str){name, 255}));
    assert_false(fs_is_plain_name((struct str){name, 256}));
    assert_false(fs_is_plain_name(STR("")));
    assert_false(fs_is_plain_name(STR(".")));
    assert_false(fs_is_plain_name(STR("..")));
    assert_false(fs_is_plain_name(STR("a/b")));
    assert_false(fs_is_plain_name(STR("a\0b")));
}

static void test_reading_what_is_not_there_or_not_a_file(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(16);
    assert_int_equal(fs_read_file(in_root("absent"), 16, &text, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, in_root("absent")));
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_int_equal(fs_read_file(root, 16, &text, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(mkfifo(in_root("fifo"), 0600), 0);
    assert_int_equal(fs_read_file(in_root("fifo"), 16, &text, &err), ERR_CONFIG); /* and does not wait for a writer */
    assert_int_equal(text.size, 0);
    buf_release(&text);
}

static void test_reading_stops_at_the_cap(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("ten", "0123456789", 0600);
    struct buf text = BUF_INIT(100);
    assert_int_equal(fs_read_file(in_root("ten"), 9, &text, &err), ERR_DATA);
    assert_non_null(strstr(err.message, "9 bytes"));
    buf_clear(&text);
    assert_int_equal(fs_read_file(in_root("ten"), 10, &text, &err), 0);
    assert_int_equal(fs_read_file(in_root("ten"), 10, &text, &err), 0); /* appends */
    assert_string_equal(buf_text(&text), "01234567890123456789");
    buf_release(&text);
    struct buf small = BUF_INIT(9);
    assert_int_equal(fs_read_file(in_root("ten"), 100, &small, &err), ERR_DATA);
    assert_false(small.failed);
    buf_release(&small);
}

static void test_files_without_an_end_stop_at_the_cap(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(100000);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fs_read_fd(fd, "/dev/zero", 50000, &text, &err), ERR_DATA);
    close(fd);
    buf_release(&text);
}

static void test_writing_replaces_whole_files_and_leaves_nothing_else(void **state)
{
    (void)state;
    mode_t before = umask(0077);
    put("file", "old", 0644);
    assert_int_equal(mode_of(in_root("file")), 0644); /* whatever the umask is */
    umask(before);
    int old = open(in_root("file"), O_RDONLY | O_CLOEXEC);
    put("file", "new content", 0600);
    char text[16] = "";
    assert_int_equal(fs_read_some(old, text, sizeof text), 3); /* who had it open keeps the old one, untouched */
    assert_memory_equal(text, "old", 3);
    close(old);
    expect_content("file", "new content");
    assert_int_equal(mode_of(in_root("file")), 0600);
    put("file", "", 0600);
    expect_content("file", "");
    assert_int_equal(count_entries(root), 1);
}

static void test_failed_write_leaves_the_old_file_alone(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(fs_write_file(in_root("no/such/file"), 0600, STR("x"), &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "no/such"));
    assert_int_equal(mkdir(in_root("taken"), 0700), 0);
    assert_int_equal(fs_write_file(in_root("taken"), 0600, STR("x"), &err), ERR_CONFIG); /* the last step fails */
    assert_non_null(strstr(err.message, in_root("taken")));
    assert_int_equal(count_entries(root), 1);
}

static void test_full_disk_is_the_destination_s_failure(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(fs_write_all(fd, "x", 1, "/dev/full", &err), ERR_DESTINATION);
    assert_string_equal(err.message, "could not write '/dev/full': No space left on device");
    assert_non_null(strstr(err.hint, "space"));
    close(fd);
}

struct slow_reader {
    int fd;
    size_t total;
};

static void read_slowly(void *context)
{
    struct slow_reader *reader = context;
    char piece[1000];
    ssize_t got;
    while ((got = fs_read_some(reader->fd, piece, sizeof piece)) > 0) reader->total += (size_t)got;
}

static void test_writing_all_to_a_full_non_blocking_pipe(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int ends[2];
    enum { SIZE = 1 << 20 };
    char *data = mem_zero(1, SIZE);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    struct slow_reader reader = {.fd = ends[0]};
    struct thread thread = {0};
    assert_int_equal(thread_start(&thread, "reader", read_slowly, &reader, 0, &err), 0);
    assert_int_equal(fs_write_all(ends[1], data, SIZE, "pipe", &err), 0);
    close(ends[1]);
    thread_join(&thread);
    assert_int_equal(reader.total, SIZE);
    close(ends[0]);
    free(data);
}

static void test_creating_is_exclusive_even_against_dangling_links(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int fd = -1;
    assert_int_equal(fs_create(in_root("one"), 0640, &fd, &err), 0);
    assert_int_equal(mode_of(in_root("one")), 0640);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(fs_create(in_root("one"), 0600, &fd, &err), ERR_CONFIG);
    assert_int_equal(symlink(in_root("elsewhere"), in_root("link")), 0);
    assert_int_equal(fs_create(in_root("link"), 0600, &fd, &err), ERR_CONFIG);
    assert_int_equal(fs_kind(in_root("elsewhere")), FS_MISSING);
}

static void test_of_many_links_to_one_name_one_is_made(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    bool made = false;
    put("a", "from a", 0600);
    put("b", "from b", 0600);
    assert_int_equal(fs_link_new(in_root("a"), in_root("commit"), &made, &err), 0);
    assert_true(made);
    assert_int_equal(fs_link_new(in_root("b"), in_root("commit"), &made, &err), 0);
    assert_false(made);
    expect_content("commit", "from a");
    assert_int_equal(fs_link_new(in_root("absent"), in_root("x"), &made, &err), ERR_CONFIG);
    assert_false(made);
}

static void test_renaming_and_removing(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("a", "x", 0600);
    assert_int_equal(fs_rename(in_root("a"), in_root("b"), &err), 0);
    expect_content("b", "x");
    assert_int_equal(fs_rename(in_root("a"), in_root("c"), &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, in_root("a")));
    assert_non_null(strstr(err.message, in_root("c")));
    assert_int_equal(fs_remove_file(in_root("b"), &err), 0);
    assert_int_equal(fs_remove_file(in_root("b"), &err), 0);
    assert_int_equal(fs_remove_file(root, &err), ERR_CONFIG);
}

static void test_a_lock_has_one_holder(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int first = -1, second = -1;
    assert_int_equal(fs_try_lock(in_root("lock"), &first, &err), 0);
    assert_true(first >= 0);
    assert_int_equal(mode_of(in_root("lock")), 0600);
    assert_int_equal(fs_try_lock(in_root("lock"), &second, &err), 0);
    assert_int_equal(second, -1);
    close(first);
    assert_int_equal(fs_try_lock(in_root("lock"), &second, &err), 0);
    assert_true(second >= 0);
    close(second);
    assert_int_equal(fs_try_lock(in_root("no/lock"), &second, &err), ERR_CONFIG);
}

static void test_making_folders(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    mode_t before = umask(0022);
    assert_int_equal(fs_make_folders(in_root("a/b//c/"), 0750, &err), 0);
    umask(before);
    assert_int_equal(fs_kind(in_root("a/b/c")), FS_FOLDER);
    assert_int_equal(mode_of(in_root("a")), 0750);
    assert_int_equal(mode_of(in_root("a/b/c")), 0750);
    assert_int_equal(fs_make_folders(in_root("a/b/c"), 0700, &err), 0);
    assert_int_equal(mode_of(in_root("a/b/c")), 0750); /* was there */
    put("a/file", "x", 0600);
    assert_int_equal(fs_make_folders(in_root("a/file"), 0700, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "a/file"));
    assert_int_equal(fs_make_folders(in_root("a/file/below"), 0700, &err), ERR_CONFIG);
    assert_int_equal(fs_make_folders("", 0700, &err), ERR_CONFIG);
}

static void test_listing_is_sorted_and_capped(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct fs_entry *entries;
    size_t count = 99;
    assert_int_equal(fs_list(root, 10, &arena, &entries, &count, &err), 0);
    assert_int_equal(count, 0);
    put("b", "", 0600);
    put("B", "", 0600);
    put("a.lua", "", 0600);
    assert_int_equal(mkdir(in_root("folder"), 0700), 0);
    assert_int_equal(symlink("b", in_root("link")), 0);
    assert_int_equal(mkfifo(in_root("z"), 0600), 0);
    assert_int_equal(fs_list(root, 6, &arena, &entries, &count, &err), 0);
    assert_int_equal(count, 6);
    static const struct fs_entry EXPECTED[] = {{"B", FS_FILE},        {"a.lua", FS_FILE}, {"b", FS_FILE},
                                               {"folder", FS_FOLDER}, {"link", FS_LINK},  {"z", FS_OTHER}};
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(entries[i].name, EXPECTED[i].name);
        assert_int_equal(entries[i].kind, EXPECTED[i].kind);
    }
    assert_int_equal(fs_kind(in_root("link")), FS_FILE);
    assert_int_equal(fs_kind(in_root("z")), FS_OTHER);
    assert_int_equal(fs_list(root, 5, &arena, &entries, &count, &err), ERR_DATA);
    assert_int_equal(fs_list(in_root("absent"), 5, &arena, &entries, &count, &err), ERR_CONFIG);
    assert_int_equal(fs_list(in_root("b"), 5, &arena, &entries, &count, &err), ERR_CONFIG);
}

static void test_removing_a_tree_follows_no_link(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(fs_make_folders(in_root("keep/inner"), 0700, &err), 0);
    put("keep/inner/precious", "stay", 0600);
    assert_int_equal(fs_make_folders(in_root("base/tree/deep/er"), 0700, &err), 0);
    put("base/tree/file", "x", 0600);
    put("base/tree/deep/er/file", "x", 0400);
    assert_int_equal(symlink(in_root("keep"), in_root("base/tree/deep/out")), 0);
    assert_int_equal(symlink(in_root("keep"), in_root("base/link")), 0);
    const char *base = in_root("base");

    assert_int_equal(fs_remove_tree(base, "link/inner", &err), ERR_CONFIG); /* a link on the way is refused */
    assert_int_equal(fs_remove_tree(base, "tree", &err), 0);
    assert_int_equal(fs_kind(in_root("base/tree")), FS_MISSING);
    assert_int_equal(fs_remove_tree(base, "link", &err), 0); /* the link itself goes, not what it names */
    assert_int_equal(count_entries(base), 0);
    expect_content("keep/inner/precious", "stay");
    assert_int_equal(fs_remove_tree(base, "tree", &err), 0);
    assert_int_equal(fs_remove_tree(in_root("absent"), "tree/x", &err), 0);
}

static void test_removing_a_tree_stays_below_its_root(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("file", "stay", 0600);
    assert_int_equal(mkdir(in_root("base"), 0700), 0);
    static const char *const BAD[] = {"", ".", "..", "../file", "a/../../file", "/", "//", "a//b", "a/", "/etc"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) assert_int_equal(fs_remove_tree(in_root("base"), BAD[i], &err), ERR_BUG);
    expect_content("file", "stay");
    assert_int_equal(fs_kind(in_root("base")), FS_FOLDER);
}

static void test_removing_more_entries_than_one_batch(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_int_equal(fs_make_folders(in_root("base/many"), 0700, &err), 0);
    int folder = open(in_root("base/many"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 9000; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    close(folder);
    assert_int_equal(fs_remove_tree(in_root("base"), "many", &err), 0);
    assert_int_equal(count_entries(in_root("base")), 0);
}

static void test_removing_endless_depth_is_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct buf path = BUF_INIT(4096);
    buf_append_text(&path, in_root("deep"));
    for (int i = 0; i < 80; i++) buf_append_text(&path, "/d");
    assert_int_equal(fs_make_folders(buf_text(&path), 0700, &err), 0);
    assert_int_equal(fs_remove_tree(root, "deep", &err), ERR_DATA);
    /* So that what is left can be removed with the rest. */
    for (int i = 0; i < 80; i++) {
        assert_int_equal(rmdir(buf_text(&path)), 0);
        path.size -= 2;
        path.data[path.size] = '\0';
    }
    buf_release(&path);
}

static void test_private_files(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    put("secret", "x", 0600);
    assert_int_equal(fs_check_private(in_root("secret"), &err), 0);
    static const mode_t OPEN[] = {0640, 0604, 0660, 0601, 0620};
    for (size_t i = 0; i < ARRAY_SIZE(OPEN); i++) {
        assert_int_equal(chmod(in_root("secret"), OPEN[i]), 0);
        assert_int_equal(fs_check_private(in_root("secret"), &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, in_root("secret")));
        assert_non_null(strstr(err.hint, "chmod 600"));
    }
    assert_int_equal(fs_check_private(in_root("absent"), &err), ERR_CONFIG);
    if (geteuid() != 0) return; /* only root can give files away */
    put("foreign", "x", 0600);
    assert_int_equal(chown(in_root("foreign"), 12345, (gid_t)-1), 0);
    assert_int_equal(fs_check_private(in_root("foreign"), &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "12345"));
}

static void test_trusted_files(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int fd = -1;
    assert_int_equal(fs_make_folders(in_root("lib/inner"), 0755, &err), 0);
    put("lib/inner/plugin.so", "x", 0755);
    const char *path = in_root("lib/inner/plugin.so");
    assert_int_equal(fs_open_trusted(path, &fd, &err), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);

    assert_int_equal(chmod(path, 0775), 0);
    assert_int_equal(fs_open_trusted(path, &fd, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "plugin.so"));
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(chmod(in_root("lib"), 0777), 0); /* who may rename what is above may put another below */
    assert_int_equal(fs_open_trusted(path, &fd, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, in_root("lib")));
    assert_non_null(strstr(err.hint, "chmod go-w"));

    assert_int_equal(symlink(path, in_root("link.so")), 0); /* the place it leads to counts */
    assert_int_equal(fs_open_trusted(in_root("link.so"), &fd, &err), ERR_CONFIG);
    assert_int_equal(chmod(in_root("lib"), 0755), 0);
    assert_int_equal(fs_open_trusted(in_root("link.so"), &fd, &err), 0);
    close(fd);
    assert_int_equal(fs_open_trusted(in_root("lib"), &fd, &err), ERR_CONFIG);
    assert_int_equal(fs_open_trusted(in_root("absent"), &fd, &err), ERR_CONFIG);
}

static void test_state_folder(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    char *path = NULL;
    const char *given = in_root("given/state");
    assert_int_equal(fs_state_folder(given, &arena, &path, &err), 0);
    assert_string_equal(path, given);
    assert_int_equal(mode_of(given), 0700);
    assert_int_equal(chmod(given, 0755), 0);
    assert_int_equal(fs_state_folder(given, &arena, &path, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "state directory"));
    assert_non_null(strstr(err.hint, "chmod 700"));
    put("file", "", 0600);
    assert_int_equal(fs_state_folder(in_root("file"), &arena, &path, &err), ERR_CONFIG);
}

/* Where an ordinary user's state goes, tried in a child that gives up root if it has it. */
static int state_folder_as_user(const char *xdg, const char *home, const char *expected)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = ERR_INIT;
        char *path = NULL;
        if (geteuid() == 0 && setuid(12345) != 0) _exit(99);
        if (xdg)
            setenv("XDG_STATE_HOME", xdg, 1);
        else
            unsetenv("XDG_STATE_HOME");
        if (home)
            setenv("HOME", home, 1);
        else
            unsetenv("HOME");
        if (fs_state_folder(NULL, &arena, &path, &err) != 0) _exit(1);
        _exit(strcmp(path, expected) == 0 ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void test_state_folder_of_a_user(void **state)
{
    (void)state;
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(mkdir(in_root("home"), 0700), 0);
    if (geteuid() == 0) assert_int_equal(chown(in_root("home"), 12345, (gid_t)-1), 0);
    const char *home = in_root("home"), *xdg = in_root("home/xdg");
    assert_int_equal(state_folder_as_user(xdg, home, in_root("home/xdg/sluice")), 0);
    assert_int_equal(state_folder_as_user(NULL, home, in_root("home/.local/state/sluice")), 0);
    assert_int_equal(state_folder_as_user("relative", home, in_root("home/.local/state/sluice")), 0);
    assert_int_equal(state_folder_as_user(NULL, NULL, ""), 1);
    assert_int_equal(state_folder_as_user(NULL, "", ""), 1);
}

#define FS_TEST(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

UNIT_TESTS(FS_TEST(test_paths), FS_TEST(test_plain_names), FS_TEST(test_reading_what_is_not_there_or_not_a_file),
           FS_TEST(test_reading_stops_at_the_cap), FS_TEST(test_files_without_an_end_stop_at_the_cap),
           FS_TEST(test_writing_replaces_whole_files_and_leaves_nothing_else),
           FS_TEST(test_failed_write_leaves_the_old_file_alone), FS_TEST(test_full_disk_is_the_destination_s_failure),
           FS_TEST(test_writing_all_to_a_full_non_blocking_pipe),
           FS_TEST(test_creating_is_exclusive_even_against_dangling_links), FS_TEST(test_of_many_links_to_one_name_one_is_made),
           FS_TEST(test_renaming_and_removing), FS_TEST(test_a_lock_has_one_holder), FS_TEST(test_making_folders),
           FS_TEST(test_listing_is_sorted_and_capped), FS_TEST(test_removing_a_tree_follows_no_link),
           FS_TEST(test_removing_a_tree_stays_below_its_root), FS_TEST(test_removing_more_entries_than_one_batch),
           FS_TEST(test_removing_endless_depth_is_refused), FS_TEST(test_private_files), FS_TEST(test_trusted_files),
           FS_TEST(test_state_folder), FS_TEST(test_state_folder_of_a_user))
