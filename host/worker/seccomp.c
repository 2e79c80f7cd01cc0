/* seccomp: the list of system calls that are left. Default: kill the process.
 *
 * Reading, writing and waiting are tied to the channel (writing also to descriptor 2, which is /dev/null: for the last words of
 * a broken invariant); memory can never be executable. A sanitizer's runtime needs more than this list, so in such a build the
 * filter is turned round: everything but what would lead outside. */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/sanitizer.h"
#include "worker/walls.h"

#if SLUICE_SANITIZED

static int add_rules(scmp_filter_ctx filter, int channel_fd)
{
    static const int DENIED[] = {
        SCMP_SYS(execve),   SCMP_SYS(execveat),  SCMP_SYS(socket),         SCMP_SYS(connect), SCMP_SYS(bind),  SCMP_SYS(listen),
        SCMP_SYS(ptrace),   SCMP_SYS(fork),      SCMP_SYS(vfork),          SCMP_SYS(unlink),  SCMP_SYS(mkdir), SCMP_SYS(rename),
        SCMP_SYS(unlinkat), SCMP_SYS(renameat2), SCMP_SYS(io_uring_setup), SCMP_SYS(bpf),     SCMP_SYS(kill),
    };
    (void)channel_fd;
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(DENIED) && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, DENIED[i], 0);
    return rc;
}

enum { DEFAULT_ACTION = SCMP_ACT_ALLOW };

#else

static struct scmp_arg_cmp is_equal(unsigned argument, scmp_datum_t value)
{
    return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

static int add_rules(scmp_filter_ctx filter, int channel_fd)
{
    static const int ALLOWED[] = {
        SCMP_SYS(exit),           SCMP_SYS(exit_group),      SCMP_SYS(brk),
        SCMP_SYS(munmap),         SCMP_SYS(mremap),          SCMP_SYS(madvise),
        SCMP_SYS(futex),          SCMP_SYS(clock_gettime),   SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(timer_settime),
        SCMP_SYS(poll),           SCMP_SYS(ppoll),
    };
    scmp_datum_t fd = (scmp_datum_t)channel_fd;
    struct scmp_arg_cmp on_channel = is_equal(0, fd), on_null = is_equal(0, 2), no_address = is_equal(4, 0);
    struct scmp_arg_cmp not_code = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ALLOWED) && rc == 0; i++) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, on_channel);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, on_channel);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, on_null);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2, on_channel, no_address);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_code);
    return rc;
}

#define DEFAULT_ACTION SCMP_ACT_KILL_PROCESS

#endif

void walls_raise_seccomp(int channel_fd, struct wall_state *state)
{
    scmp_filter_ctx filter = seccomp_init(DEFAULT_ACTION);
    int rc = filter ? add_rules(filter, channel_fd) : -ENOMEM;
    if (rc == 0) rc = seccomp_load(filter);
    if (filter) seccomp_release(filter);
    state->is_up = rc == 0;
    const char *partial = SLUICE_SANITIZED ? "a deny list: sanitizer build" : "";
    snprintf(state->detail, sizeof state->detail, "%s", rc == 0 ? partial : strerror(-rc));
}
