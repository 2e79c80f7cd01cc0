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

static int add_rules(scmp_filter_ctx filter, int channel_fd)
{
    static const int ALLOWED[] = {
        SCMP_SYS(exit),           SCMP_SYS(exit_group),      SCMP_SYS(brk),
        SCMP_SYS(munmap),         SCMP_SYS(mremap),          SCMP_SYS(madvise),
        SCMP_SYS(futex),          SCMP_SYS(clock_gettime),   SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(timer_settime),
        SCMP_SYS(poll),           SCMP_SYS(ppoll),
    };
    static const int ON_CHANNEL[] = {SCMP_SYS(read), SCMP_SYS(write)};
    scmp_datum_t fd = (scmp_datum_t)channel_fd;
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(ALLOWED) && rc == 0; i++) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    for (size_t i = 0; i < ARRAY_SIZE(ON_CHANNEL) && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ON_CHANNEL[i], 1, SCMP_A0(SCMP_CMP_EQ, fd));
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, 2));
    if (rc == 0) /* send() without an address */
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2, SCMP_A0(SCMP_CMP_EQ, fd), SCMP_A4(SCMP_CMP_EQ, 0));
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
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
