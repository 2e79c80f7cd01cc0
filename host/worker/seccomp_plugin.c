/* seccomp_plugin: system calls of a native plugin.
 *
 * While it is loaded: everything but what leads outside (a list to deny, the process is killed). While it runs: `parse` has
 * what a script has, for its memory and the channel; the others have what clients of sockets and readers of files use, and hear
 * ENOSYS for the rest, as from an older kernel, since libraries try things; what leads outside still kills. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sluice/plugin.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/sanitizer.h"
#include "worker/walls.h"

static const int OUTSIDE[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(bpf),
    SCMP_SYS(kill),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(request_key),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(truncate),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(open_by_handle_at),
};
/* Beside these, where there is no network. */
static const int SOCKETS[] = {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(socketpair)};

static int deny(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0);
    return rc;
}

/* Threads, but no processes. clone3 hides its flags from a filter: a C library falls back to clone. */
static int add_clone(scmp_filter_ctx filter, uint64_t profile, bool allows_by_default)
{
    const struct scmp_arg_cmp is_thread = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = CLONE_THREAD};
    const struct scmp_arg_cmp is_process = {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
    bool has_threads = profile == SLUICE_NETWORK;
    int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0 && !has_threads) return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0);
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, is_process);
    if (rc == 0 && !allows_by_default) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread);
    return rc;
}

static void settle(scmp_filter_ctx filter, int rc, struct wall_state *state)
{
    if (!filter) rc = -ENOMEM;
    if (rc == 0) rc = seccomp_load(filter);
    if (filter) seccomp_release(filter);
    state->is_up = rc == 0;
    snprintf(state->detail, sizeof state->detail, "%s", rc == 0 ? "" : strerror(-rc));
}

void walls_raise_seccomp_loading(uint64_t profile, struct wall_state *state)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc = filter ? deny(filter, OUTSIDE, ARRAY_SIZE(OUTSIDE)) : 0;
    if (filter && rc == 0 && profile != SLUICE_NETWORK) rc = deny(filter, SOCKETS, ARRAY_SIZE(SOCKETS));
    if (filter && rc == 0 && !SLUICE_SANITIZED) rc = add_clone(filter, profile, true);
    settle(filter, rc, state);
}

#if SLUICE_SANITIZED

/* A sanitizer's runtime needs more than any list: what was denied while loading stays denied. */
void walls_raise_seccomp_running(uint64_t profile, struct wall_state *state)
{
    (void)profile;
    snprintf(state->detail, sizeof state->detail, "a deny list: sanitizer build");
}

#else

static const int MEMORY[] = {
    SCMP_SYS(exit),           SCMP_SYS(exit_group),      SCMP_SYS(brk),
    SCMP_SYS(munmap),         SCMP_SYS(mremap),          SCMP_SYS(madvise),
    SCMP_SYS(futex),          SCMP_SYS(clock_gettime),   SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(timer_settime),
    SCMP_SYS(poll),           SCMP_SYS(ppoll),           SCMP_SYS(read),
    SCMP_SYS(write),          SCMP_SYS(sendto),          SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettid),         SCMP_SYS(getpid),          SCMP_SYS(getrandom),
    SCMP_SYS(sigaltstack),    SCMP_SYS(close),
};
/* What else a reader of files does. */
static const int FILES[] = {
    SCMP_SYS(openat),     SCMP_SYS(open),       SCMP_SYS(lseek),      SCMP_SYS(pread64),     SCMP_SYS(readv),
    SCMP_SYS(fstat),      SCMP_SYS(newfstatat), SCMP_SYS(stat),       SCMP_SYS(lstat),       SCMP_SYS(statx),
    SCMP_SYS(getdents64), SCMP_SYS(readlink),   SCMP_SYS(readlinkat), SCMP_SYS(access),      SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(fcntl),      SCMP_SYS(dup),        SCMP_SYS(fadvise64),   SCMP_SYS(getcwd),
    SCMP_SYS(writev),     SCMP_SYS(uname),      SCMP_SYS(sysinfo),    SCMP_SYS(sched_yield), SCMP_SYS(rt_sigaction),
    SCMP_SYS(getuid),     SCMP_SYS(geteuid),    SCMP_SYS(getgid),     SCMP_SYS(getegid),     SCMP_SYS(prlimit64),
    SCMP_SYS(nanosleep),  SCMP_SYS(statfs),     SCMP_SYS(fstatfs),    SCMP_SYS(getrusage),
};
/* And a client of sockets, with threads. */
static const int NETWORK[] = {
    SCMP_SYS(connect),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(pipe),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(ioctl),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(getppid),
    SCMP_SYS(dup3),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(getcpu),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return rc;
}

/* Sockets of the internet, and pairs between a library's own threads. */
static int add_sockets(scmp_filter_ctx filter)
{
    static const int FAMILIES[] = {AF_INET, AF_INET6};
    int rc = allow(filter, NETWORK, ARRAY_SIZE(NETWORK));
    for (size_t i = 0; i < ARRAY_SIZE(FAMILIES) && rc == 0; i++) {
        const struct scmp_arg_cmp family = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)FAMILIES[i]};
        const struct scmp_arg_cmp stream = {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xf, .datum_b = SOCK_STREAM};
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, family, stream);
    }
    return rc == 0 ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 0) : rc;
}

/* Its own threads get signals from it (abort), nobody else does. */
static int add_common(scmp_filter_ctx filter, uint64_t profile)
{
    const struct scmp_arg_cmp not_code = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    const struct scmp_arg_cmp itself = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    int rc = allow(filter, MEMORY, ARRAY_SIZE(MEMORY));
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, itself);
    /* A network's client loads what it needs when it needs it: engines of TLS, mechanisms of SASL. */
    unsigned conditions = profile == SLUICE_NETWORK ? 0 : 1;
    if (rc == 0) rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), conditions, not_code);
    if (rc != 0 || profile == SLUICE_PARSE) return rc;
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), conditions, not_code);
}

void walls_raise_seccomp_running(uint64_t profile, struct wall_state *state)
{
    bool is_parse = profile == SLUICE_PARSE;
    scmp_filter_ctx filter = seccomp_init(is_parse ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
    int rc = filter ? add_common(filter, profile) : 0;
    if (filter && rc == 0 && !is_parse) rc = allow(filter, FILES, ARRAY_SIZE(FILES));
    if (filter && rc == 0 && profile == SLUICE_NETWORK) rc = add_sockets(filter);
    if (filter && rc == 0 && profile == SLUICE_NETWORK) rc = add_clone(filter, profile, false);
    settle(filter, rc, state);
}

#endif
