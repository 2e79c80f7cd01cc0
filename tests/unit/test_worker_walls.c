/* What code behind the walls would try if it broke out of Lua. Each attempt is made in a child with the walls up; none may
 * succeed, and outside of sanitizer builds each must end the process. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/deadline.h"
#include "worker/sanitizer.h"
#include "worker/walls.h"

enum { SUCCEEDED = 7, DENIED = 8 };

static bool read_a_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool write_a_file(void)
{
    return open("/tmp/sluice-broke-out", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool open_a_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool open_a_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool run_a_program(void)
{
    static char *const ARGUMENTS[] = {(char *)(uintptr_t) "true", NULL};
    execve("/bin/true", ARGUMENTS, NULL);
    return false;
}

static bool start_a_process(void)
{
    return syscall(SYS_fork) >= 0;
}

static bool signal_the_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool trace_the_parent(void)
{
    return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0;
}

static bool use_io_uring(void)
{
    char parameters[256] = {0};
    return syscall(SYS_io_uring_setup, 4, parameters) >= 0;
}

static bool load_a_bpf_program(void)
{
    return syscall(SYS_bpf, 0, NULL, 0) >= 0;
}

static bool make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool read_another_descriptor(void)
{
    char byte;
    return read(0, &byte, 1) >= 0;
}

static bool send_to_an_address(void)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    return sendto(3, "x", 1, 0, &address, sizeof address) >= 0;
}

static bool lift_a_limit(void)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_FSIZE, &none) == 0;
}

static const struct attempt {
    const char *name;
    bool (*make)(void);
    bool sanitizer_needs_it; /* such a build allows it */
} ATTEMPTS[] = {
    {"read a file", read_a_file, false},
    {"write a file", write_a_file, false},
    {"open a socket", open_a_socket, false},
    {"open a local socket", open_a_local_socket, false},
    {"run a program", run_a_program, false},
    {"start a process", start_a_process, false},
    {"signal the parent", signal_the_parent, false},
    {"trace the parent", trace_the_parent, false},
    {"use io_uring", use_io_uring, false},
    {"load a bpf program", load_a_bpf_program, false},
    {"make code", make_code, true},
    {"read another descriptor", read_another_descriptor, true},
    {"send to an address", send_to_an_address, true},
    {"lift a limit", lift_a_limit, false},
};

/* In a child: a channel as descriptor 3, the walls, and then `make`. Gives how it ended. */
static int behind_walls(bool (*make)(void))
{
    int pair[2], status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct walls walls;
        dup2(pair[1], 3);
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++) dup2(null, fd);
        walls_raise(3, &walls);
        _exit(make() ? SUCCEEDED : DENIED);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pair[0]);
    close(pair[1]);
    return status;
}

static void test_nothing_leads_out(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ATTEMPTS); i++) {
        if (SLUICE_SANITIZED && ATTEMPTS[i].sanitizer_needs_it) continue;
        int status = behind_walls(ATTEMPTS[i].make);
        bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        bool was_denied = WIFEXITED(status) && WEXITSTATUS(status) == DENIED;
        if (was_killed || (SLUICE_SANITIZED && was_denied)) continue;
        print_error("%s: status %x\n", ATTEMPTS[i].name, (unsigned)status);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Memory, the channel and the end are what is left. */
static bool live_a_little(void)
{
    char *memory = malloc(40 << 20);
    if (!memory) return false;
    memset(memory, 1, 40 << 20);
    free(memory);
    return send(3, "x", 1, MSG_NOSIGNAL) == 1 && write(3, "y", 1) == 1;
}

static void test_what_a_worker_needs_is_there(void **state)
{
    (void)state;
    int status = behind_walls(live_a_little);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SUCCEEDED);
}

static bool take_too_much(void)
{
    size_t size = (size_t)WALLS_LUA_BYTES + WALLS_OTHER_BYTES;
    void *volatile memory = malloc(size); /* volatile: else a compiler may leave out what nobody uses */
    return memory != NULL;
}

static void test_memory_has_an_end(void **state)
{
    (void)state;
    if (SLUICE_SANITIZED) skip(); /* its runtime reserves more than any limit */
    int status = behind_walls(take_too_much);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), DENIED);
}

/* --- deadlines ----------------------------------------------------------------------------------------------------------- */

struct seen {
    volatile sig_atomic_t soon, now;
};

static void on_soon(void *context)
{
    struct seen *seen = context;
    seen->soon = seen->soon + 1;
}

static void on_now(void *context)
{
    struct seen *seen = context;
    seen->now = seen->now + 1;
}

static void test_a_deadline_warns_once_and_then_insists(void **state)
{
    (void)state;
    struct seen seen = {0, 0};
    struct deadline deadline;
    assert_int_equal(deadline_init(&deadline, on_soon, on_now, &seen), 0);
    deadline_arm(&deadline, 10);
    while (seen.now == 0) {
    }
    assert_int_equal(seen.soon, 1);
    deadline_disarm(&deadline);
    deadline_arm(&deadline, 10);
    while (seen.soon == 1) {
    }
    assert_int_equal(seen.soon, 2);
    deadline_disarm(&deadline);
}

static void test_a_held_deadline_waits(void **state)
{
    (void)state;
    struct seen seen = {0, 0};
    struct deadline deadline;
    struct timespec cpu;
    assert_int_equal(deadline_init(&deadline, on_soon, on_now, &seen), 0);
    deadline_hold(&deadline);
    deadline_arm(&deadline, 1);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    for (struct timespec at = cpu;
         (at.tv_sec - cpu.tv_sec) * 1000 + (at.tv_nsec - cpu.tv_nsec) / 1000000 < DEADLINE_GRACE_MS * 2;)
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    assert_true(seen.soon == 0 && seen.now == 0);
    deadline_unhold(&deadline);
    while (seen.soon == 0) {
    }
    deadline_disarm(&deadline);
}

UNIT_TESTS(cmocka_unit_test(test_nothing_leads_out), cmocka_unit_test(test_what_a_worker_needs_is_there),
           cmocka_unit_test(test_memory_has_an_end), cmocka_unit_test(test_a_deadline_warns_once_and_then_insists),
           cmocka_unit_test(test_a_held_deadline_waits))
