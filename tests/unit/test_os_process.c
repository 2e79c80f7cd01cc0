/* process and signals: a child gets exactly what it is given, ends with its parent, and its end is told as it was. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/cancel.h"
#include "os/fs.h"
#include "os/process.h"
#include "os/signals.h"
#include "os/thread.h"

enum { LONG_MS = 50 * 1000 }; /* the test program is ended long before */

#define SHELL "/bin/sh"

/* Starts `script` with its standard output in a pipe whose other end is *output. */
static struct process *start_script(const char *script, const char *const *environment, int *output)
{
    struct err err = ERR_INIT;
    struct process *process = NULL;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const char *const argv[] = {SHELL, "-c", script, NULL};
    const struct process_fd fds[] = {{ends[1], 1}};
    struct process_spec spec = {.program = SHELL, .argv = argv, .environment = environment, .fds = fds, .fd_count = 1};
    assert_int_equal(process_start(&spec, &process, &err), 0);
    close(ends[1]);
    *output = ends[0];
    return process;
}

static void expect_output(const char *script, const char *const *environment, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(4096);
    struct process_end end;
    int output;
    struct process *process = start_script(script, environment, &output);
    assert_int_equal(fs_read_fd(output, "pipe", 4096, &text, &err), 0);
    assert_string_equal(buf_text(&text), expected);
    assert_true(process_wait(process, LONG_MS, NULL, &end));
    assert_false(end.by_signal);
    assert_int_equal(end.code, 0);
    process_free(process);
    close(output);
    buf_release(&text);
}

static void expect_end(const char *script, const char *expected)
{
    char text[PROCESS_END_TEXT_MAX];
    struct process_end end;
    int output;
    struct process *process = start_script(script, NULL, &output);
    assert_true(process_wait(process, LONG_MS, NULL, &end));
    assert_string_equal(process_end_text(&end, text), expected);
    assert_true(process_wait(process, 0, NULL, NULL)); /* may be asked again */
    process_kill(process, SIGKILL);                    /* hits nobody */
    process_free(process);
    close(output);
}

static void test_ends_are_told_as_they_were(void **state)
{
    (void)state;
    expect_end("exit 0", "exit code 0");
    expect_end("exit 7", "exit code 7");
    expect_end("kill -KILL $$", "signal 9 (Killed)");
    expect_end("kill -SEGV $$", "signal 11 (Segmentation fault)");
}

static void test_environment_is_what_is_given(void **state)
{
    (void)state;
    const char *const environment[] = {"SLUICE_TEST=a b", NULL};
    assert_int_equal(setenv("SLUICE_TEST_OURS", "seen", 1), 0);
    expect_output("echo \"$SLUICE_TEST|$SLUICE_TEST_OURS\"", environment, "a b|\n");
    expect_output("echo \"$SLUICE_TEST|$SLUICE_TEST_OURS|$HOME\"", NULL, "||\n");
    expect_output("echo \"$SLUICE_TEST|$SLUICE_TEST_OURS\"", process_environment(), "|seen\n");
}

static void test_unlisted_descriptors_are_closed(void **state)
{
    (void)state;
    const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    int leaks[40];
    for (size_t i = 0; i < ARRAY_SIZE(leaks); i++) leaks[i] = open("/dev/zero", O_RDONLY); /* not close-on-exec */
    expect_output("exec ls /proc/self/fd", environment, "0\n1\n2\n3\n");                   /* 3 is how ls reads them */
    expect_output("read x; echo \"end $?\"", NULL, "end 1\n");                             /* 0 is empty */
    for (size_t i = 0; i < ARRAY_SIZE(leaks); i++) close(leaks[i]);
}

/* Targets that are sources of others, gaps, one source for two, and the highest number: each arrives where it should. */
static void test_descriptors_are_placed_even_when_they_cross(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int in[3][2], out[2], sources[3];
    struct buf text = BUF_INIT(4096);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pipe2(in[i], O_CLOEXEC), 0);
        char content[16];
        int size = snprintf(content, sizeof content, "pipe %d\n", i);
        assert_int_equal(write(in[i][1], content, (size_t)size), size);
        sources[i] = fcntl(in[i][0], F_DUPFD_CLOEXEC, 40);
        assert_int_equal(sources[i], 40 + i);
    }
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    const struct process_fd fds[] = {{40, 41}, {41, 40}, {42, 0}, {out[1], 1}, {42, 63}};
    const char *const argv[] = {SHELL, "-c",
                                "read a </proc/self/fd/40; read b </proc/self/fd/41; read c </proc/self/fd/63;"
                                "echo \"$a,$b,$c\"; exec ls /proc/self/fd",
                                NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    struct process_spec spec = {.program = SHELL, .argv = argv, .environment = environment, .fds = fds, .fd_count = 5};
    struct process *process = NULL;
    assert_int_equal(process_start(&spec, &process, &err), 0);
    close(out[1]);
    assert_int_equal(fs_read_fd(out[0], "pipe", 4096, &text, &err), 0);
    assert_string_equal(buf_text(&text), "pipe 1,pipe 0,pipe 2\n0\n1\n2\n3\n40\n41\n63\n");
    process_free(process);
    for (int i = 0; i < 3; i++) close(in[i][0]), close(in[i][1]), close(sources[i]);
    close(out[0]);
    buf_release(&text);
}

static void test_a_program_that_cannot_start_says_why(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct process *process = NULL;
    const char *const argv[] = {"x", NULL};
    struct process_spec spec = {.program = "/no/such/program", .argv = argv};
    assert_int_equal(process_start(&spec, &process, &err), ERR_CONFIG);
    assert_string_equal(err.message, "cannot start '/no/such/program': No such file or directory");
    spec.program = "/etc/passwd";
    assert_int_equal(process_start(&spec, &process, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "Permission denied"));
    spec = (struct process_spec){.program = SHELL, .argv = argv, .folder = "/no/such/folder"};
    assert_int_equal(process_start(&spec, &process, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "/no/such/folder"));
    const struct process_fd closed[] = {{999, 5}};
    spec = (struct process_spec){.program = SHELL, .argv = argv, .fds = closed, .fd_count = 1};
    assert_int_equal(process_start(&spec, &process, &err), ERR_TRANSIENT);
    assert_non_null(strstr(err.message, "descriptors"));
    assert_null(process);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to be reaped */
    assert_int_equal(errno, ECHILD);
}

static void test_folder_and_group(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct process *process = NULL;
    int ends[2];
    struct buf text = BUF_INIT(4096);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const char *const argv[] = {SHELL, "-c", "pwd; read x", NULL};
    int hold[2];
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    const struct process_fd fds[] = {{hold[0], 0}, {ends[1], 1}};
    struct process_spec spec = {.program = SHELL, .argv = argv, .folder = "/usr", .fds = fds, .fd_count = 2, .own_group = true};
    assert_int_equal(process_start(&spec, &process, &err), 0);
    assert_int_equal(getpgid(process_pid(process)), process_pid(process));
    close(ends[1]);
    close(hold[1]);
    assert_int_equal(fs_read_fd(ends[0], "pipe", 4096, &text, &err), 0);
    assert_string_equal(buf_text(&text), "/usr\n");
    process_free(process);
    close(ends[0]);
    close(hold[0]);
    buf_release(&text);
}

/* A child that waits for ever. */
static struct process *start_waiting(int *output)
{
    static int hold[2] = {-1, -1}; /* its standard input: the other end stays open as long as this program runs */
    struct err err = ERR_INIT;
    struct process *process = NULL;
    int ends[2];
    if (hold[0] < 0) assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const char *const argv[] = {SHELL, "-c", "echo ready; read x", NULL};
    const struct process_fd fds[] = {{hold[0], 0}, {ends[1], 1}};
    struct process_spec spec = {.program = SHELL, .argv = argv, .fds = fds, .fd_count = 2};
    assert_int_equal(process_start(&spec, &process, &err), 0);
    close(ends[1]);
    char text[8];
    assert_int_equal(fs_read_some(ends[0], text, sizeof text), 6);
    *output = ends[0];
    return process;
}

static void test_waiting_ends_by_time_by_cancel_and_by_kill(void **state)
{
    (void)state;
    struct process_end end = {0};
    char text[PROCESS_END_TEXT_MAX];
    int output;
    struct process *process = start_waiting(&output);
    struct cancel *cancel = cancel_new(NULL);
    assert_false(process_wait(process, 0, NULL, &end));
    assert_false(process_wait(process, 1, cancel, &end));
    cancel_fire(cancel, CANCEL_ABORT);
    assert_false(process_wait(process, LONG_MS, cancel, &end));
    process_kill(process, SIGTERM);
    assert_true(process_wait(process, LONG_MS, NULL, &end));
    assert_string_equal(process_end_text(&end, text), "signal 15 (Terminated)");
    process_free(process);
    cancel_free(cancel);
    close(output);
}

static bool pid_is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void test_freeing_kills_and_reaps(void **state)
{
    (void)state;
    int output;
    struct process *process = start_waiting(&output);
    pid_t pid = process_pid(process);
    process_free(process);
    assert_true(pid_is_gone(pid));
    process_free(NULL);
    close(output);
}

struct started {
    struct process *process;
    int output;
};

static void start_in_thread(void *context)
{
    struct started *started = context;
    started->process = start_waiting(&started->output);
}

/* The kernel's signal at the parent's death means the parent's thread. */
static void test_child_outlives_the_thread_that_started_it(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct started started = {0};
    struct thread thread = {0};
    assert_int_equal(thread_start(&thread, "starter", start_in_thread, &started, 0, &err), 0);
    thread_join(&thread);
    assert_false(process_wait(started.process, 100, NULL, NULL));
    process_free(started.process);
    close(started.output);
}

static void test_child_dies_with_its_parent(void **state)
{
    (void)state;
    int report[2], hold[2];
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct started started;
        start_in_thread(&started);
        pid_t child = process_pid(started.process);
        if (write(report[1], &child, sizeof child) != sizeof child) _exit(1);
        char nothing;
        close(hold[1]);
        _exit((int)fs_read_some(hold[0], &nothing, 1));
    }
    pid_t child = 0;
    assert_int_equal(fs_read_some(report[0], &child, sizeof child), sizeof child);
    struct pollfd ended = {.fd = pidfd_open(child, 0), .events = POLLIN};
    assert_true(ended.fd >= 0);
    assert_int_equal(poll(&ended, 1, 0), 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_int_equal(poll(&ended, 1, LONG_MS), 1);
    close(ended.fd);
    for (int i = 0; i < 2; i++) close(report[i]), close(hold[i]);
}

static void test_sibling_programs_are_found(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct arena arena = ARENA_INIT(1 << 20);
    char *path = NULL, self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(size > 0);
    self[size] = '\0';
    char *name = arena_text(&arena, fs_base_name(self));
    assert_int_equal(process_find_sibling(name, &arena, &path, &err), 0);
    assert_string_equal(path, self);
    assert_int_equal(process_find_sibling("no-such-program", &arena, &path, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "libexec/sluice/no-such-program"));
    arena_release(&arena);
}

/* --- identity --------------------------------------------------------------------------------------------------------- */

static void test_identity_is_known_and_steady(void **state)
{
    (void)state;
    struct process_identity first, second;
    process_identity(&first);
    process_identity(&second);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(first.pid, getpid());
    assert_int_equal(strlen(first.boot_id), 36);
    assert_true(first.pid_namespace > 0);
    assert_true(first.start_ticks > 0);
    assert_true(first.host[0] != '\0');
    assert_int_equal(process_life(&first), PROCESS_ALIVE);
}

static void test_life_of_others(void **state)
{
    (void)state;
    struct process_identity self, other;
    process_identity(&self);

    other = self;
    other.start_ticks++; /* the pid was used again */
    assert_int_equal(process_life(&other), PROCESS_DEAD);
    other = self;
    other.pid = INT64_MAX;
    assert_int_equal(process_life(&other), PROCESS_DEAD);

    other = self;
    other.boot_id[0] = other.boot_id[0] == 'a' ? 'b' : 'a'; /* another machine, or another run of this one */
    assert_int_equal(process_life(&other), PROCESS_UNKNOWN);
    other = self;
    other.pid_namespace++;
    assert_int_equal(process_life(&other), PROCESS_UNKNOWN);
    other = self;
    other.start_ticks = 0;
    assert_int_equal(process_life(&other), PROCESS_UNKNOWN);
    other = self;
    other.boot_id[0] = '\0';
    assert_int_equal(process_life(&other), PROCESS_UNKNOWN);
    other = self;
    other.pid = -1; /* would mean "everyone" to kill() */
    assert_int_equal(process_life(&other), PROCESS_UNKNOWN);
}

static void test_life_of_a_process_that_is_killed(void **state)
{
    (void)state;
    struct process_identity identity;
    int told[2], hold[2];
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "a) Z 1 1 (x"); /* a name made to mislead who reads /proc */
        process_identity(&identity);
        if (write(told[1], &identity, sizeof identity) != sizeof identity) _exit(1);
        char nothing;
        close(hold[1]);
        _exit((int)fs_read_some(hold[0], &nothing, 1));
    }
    assert_int_equal(fs_read_some(told[0], &identity, sizeof identity), sizeof identity);
    assert_int_equal(identity.pid, pid);
    assert_int_equal(process_life(&identity), PROCESS_ALIVE);
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_life(&identity), PROCESS_DEAD); /* a zombie holds nothing */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(process_life(&identity), PROCESS_DEAD);
    for (int i = 0; i < 2; i++) close(told[i]), close(hold[i]);
}

/* --- signals ---------------------------------------------------------------------------------------------------------- */

static void test_first_signal_stops_second_aborts(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cancel *cancel = cancel_new(NULL);
    struct signals *signals = NULL;
    sigset_t before, after;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(signals_new(cancel, &signals, &err), 0);
    assert_int_equal(signals_received(signals), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(cancel_wait_ms(cancel, LONG_MS));
    assert_int_equal(signals_received(signals), SIGTERM);
    assert_false(cancel_aborted(cancel));
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(cancel_poll(cancel, CANCEL_ABORT, NULL, 0, LONG_MS), CANCEL_FIRED);
    assert_int_equal(signals_received(signals), SIGTERM); /* the first one gives the exit code */
    signals_free(signals);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int number = 1; number < 32; number++) assert_int_equal(sigismember(&after, number), sigismember(&before, number));
    signals_free(NULL);
    cancel_free(cancel);
}

static void test_children_start_with_clean_signals(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cancel *cancel = cancel_new(NULL);
    struct signals *signals = NULL;
    signal(SIGCHLD, SIG_IGN); /* as a careless parent leaves it */
    assert_int_equal(signals_new(cancel, &signals, &err), 0);
    expect_end("kill -TERM $$; exit 3", "signal 15 (Terminated)");
    expect_end("kill -PIPE $$; exit 3", "signal 13 (Broken pipe)");
    signals_free(signals);
    cancel_free(cancel);
}

UNIT_TESTS(cmocka_unit_test(test_ends_are_told_as_they_were), cmocka_unit_test(test_environment_is_what_is_given),
           cmocka_unit_test(test_unlisted_descriptors_are_closed),
           cmocka_unit_test(test_descriptors_are_placed_even_when_they_cross),
           cmocka_unit_test(test_a_program_that_cannot_start_says_why), cmocka_unit_test(test_folder_and_group),
           cmocka_unit_test(test_waiting_ends_by_time_by_cancel_and_by_kill), cmocka_unit_test(test_freeing_kills_and_reaps),
           cmocka_unit_test(test_child_outlives_the_thread_that_started_it), cmocka_unit_test(test_child_dies_with_its_parent),
           cmocka_unit_test(test_sibling_programs_are_found), cmocka_unit_test(test_identity_is_known_and_steady),
           cmocka_unit_test(test_life_of_others), cmocka_unit_test(test_life_of_a_process_that_is_killed),
           cmocka_unit_test(test_first_signal_stops_second_aborts), cmocka_unit_test(test_children_start_with_clean_signals))
