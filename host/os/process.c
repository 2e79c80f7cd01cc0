/* process: see process.h. What runs between fork and exec uses system calls only: another thread may hold any lock at that
 * moment, and the child has only this one. All it needs is made before (argv, descriptors above those it will place, the report
 * pipe). Who we are, and whether another is alive, is identity.c. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/thread.h"

enum { CHILD_FD_MAX = 64 };

struct process {
    const struct process_spec *spec; /* of the caller, until process_begun returns */
    struct thread guardian;          /* forks, then stays until the child has ended; see process.h */
    sem_t forked;
    pid_t pid; /* -1: fork failed */
    int pidfd;
    int fork_errno;
    int report_read, report_write; /* the child writes a struct failure when it cannot exec */
    bool ended;
    struct process_end end;
};

/* Steps of the child, for the message when one fails. */
enum step { STEP_DESCRIPTORS, STEP_FOLDER, STEP_EXEC };

struct failure {
    int step;
    int code;
};

/* --- in the child ----------------------------------------------------------------------------------------------------- */

NORETURN static void report_and_exit(int report_fd, enum step step)
{
    struct failure failure = {(int)step, errno};
    ssize_t written = write(report_fd, &failure, sizeof failure);
    (void)written;
    _exit(127);
}

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL); /* KILL, STOP refuse, and need not */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts the listed descriptors to their numbers and closes all others. *report is the report pipe, and follows it as it moves.
 */
static bool place_descriptors(const struct process_spec *spec, int *report)
{
    int sources[CHILD_FD_MAX];
    int top = 2;
    for (int i = 0; i < CHILD_FD_MAX; i++) sources[i] = -1;
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].child > top) top = spec->fds[i].child;

    /* First out of the way of every target, so that no dup2 below closes what a later one needs. */
    int high = fcntl(*report, F_DUPFD_CLOEXEC, CHILD_FD_MAX + 1);
    if (high < 0) return false;
    *report = high;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int null_high = null_fd < 0 ? -1 : fcntl(null_fd, F_DUPFD_CLOEXEC, CHILD_FD_MAX + 1);
    if (null_high < 0) return false;
    for (size_t i = 0; i < spec->fd_count; i++) {
        high = fcntl(spec->fds[i].ours, F_DUPFD_CLOEXEC, CHILD_FD_MAX + 1);
        if (high < 0) return false;
        sources[spec->fds[i].child] = high;
    }
    for (int target = 0; target <= 2; target++)
        if (sources[target] < 0) sources[target] = null_high;

    for (int target = 0; target <= top; target++) {
        if (sources[target] < 0)
            close(target);
        else if (dup2(sources[target], target) < 0)
            return false;
    }
    if (dup3(*report, top + 1, O_CLOEXEC) < 0) return false;
    *report = top + 1;
    return close_range((unsigned)top + 2, UINT_MAX, 0) == 0;
}

NORETURN static void run_child(const struct process *process, pid_t parent)
{
    const struct process_spec *spec = process->spec;
    static const char *const NOTHING[] = {NULL};
    prctl(PR_SET_PDEATHSIG, spec->death_signal ? spec->death_signal : SIGKILL);
    if (getppid() != parent) _exit(127); /* it died before the line above */
    reset_signals();
    if (spec->own_group) setpgid(0, 0);
    int report = process->report_write;
    if (!place_descriptors(spec, &report)) report_and_exit(report, STEP_DESCRIPTORS);
    if (spec->folder && chdir(spec->folder) != 0) report_and_exit(report, STEP_FOLDER);
    const char *const *environment = spec->environment ? spec->environment : NOTHING;
    execve(spec->program, (char *const *)(uintptr_t)spec->argv, (char *const *)(uintptr_t)environment);
    report_and_exit(report, STEP_EXEC);
}

/* --- starting --------------------------------------------------------------------------------------------------------- */

static void guardian_run(void *context)
{
    struct process *process = context;
    sigset_t all, before;
    sigfillset(&all);
    pid_t parent = getpid();
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    process->pid = fork();
    if (process->pid == 0) run_child(process, parent);
    process->fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (process->pid > 0) {
        process->pidfd = pidfd_open(process->pid, 0);
        if (process->pidfd < 0) { /* no descriptors left: undo, while the pid is surely ours */
            process->fork_errno = errno;
            kill(process->pid, SIGKILL);
            while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            process->pid = -1;
        }
    }
    int pidfd = process->pidfd;
    bool has_child = process->pid > 0;
    sem_post(&process->forked);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (has_child) cancel_poll(NULL, CANCEL_ABORT, &ended, 1, -1);
}

static int start_failure(const struct process_spec *spec, const struct failure *failure, struct err *err)
{
    switch ((enum step)failure->step) {
    case STEP_FOLDER:
        return err_set(err, ERR_CONFIG, "cannot start '%s' in '%s': %s", spec->program, spec->folder, strerror(failure->code));
    case STEP_DESCRIPTORS:
        return err_set(err, ERR_TRANSIENT, "could not start '%s': descriptors: %s", spec->program, strerror(failure->code));
    case STEP_EXEC:
        break;
    }
    bool may_heal = failure->code == ENOMEM || failure->code == EAGAIN || failure->code == ENFILE || failure->code == ETXTBSY;
    return err_set(err, may_heal ? ERR_TRANSIENT : ERR_CONFIG, "%s start '%s': %s", may_heal ? "could not" : "cannot",
                   spec->program, strerror(failure->code));
}

static void close_report(struct process *process)
{
    if (process->report_write >= 0) close(process->report_write);
    if (process->report_read >= 0) close(process->report_read);
    process->report_write = process->report_read = -1;
}

int process_begin(const struct process_spec *spec, struct process **out, struct err *err)
{
    CHECK(spec->fd_count <= PROCESS_FDS_MAX);
    for (size_t i = 0; i < spec->fd_count; i++) CHECK(spec->fds[i].child >= 0 && spec->fds[i].child < CHILD_FD_MAX);

    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_set(err, ERR_TRANSIENT, "could not start '%s': %s", spec->program, strerror(errno));
    struct process *process = mem_zero(1, sizeof *process);
    *process = (struct process){.spec = spec, .pid = -1, .pidfd = -1, .report_read = report[0], .report_write = report[1]};
    CHECK(sem_init(&process->forked, 0, 0) == 0);

    int rc = thread_start(&process->guardian, "guardian", guardian_run, process, 0, err);
    if (rc) {
        close_report(process);
        process_free(process);
    } else {
        *out = process;
    }
    return rc;
}

int process_begun(struct process *process, struct err *err)
{
    struct failure failure;
    int rc = 0;
    while (sem_wait(&process->forked) != 0) {
    }
    close(process->report_write);
    process->report_write = -1;
    if (process->pid < 0) {
        err_set(err, ERR_TRANSIENT, "could not start '%s': %s", process->spec->program, strerror(process->fork_errno));
        rc = err_hint(err, "raise the limits on processes and open files of this user, or run fewer syncs at once");
    } else if (fs_read_some(process->report_read, &failure, sizeof failure) == (ssize_t)sizeof failure) {
        rc = start_failure(process->spec, &failure, err); /* at exec the pipe closes by itself, and the read gives 0 */
    }
    close_report(process);
    process->spec = NULL;
    if (rc) process_free(process);
    return rc;
}

int process_start(const struct process_spec *spec, struct process **out, struct err *err)
{
    struct process *process;
    int rc = process_begin(spec, &process, err);
    if (rc == 0) rc = process_begun(process, err);
    if (rc == 0) *out = process;
    return rc;
}

/* --- afterwards ------------------------------------------------------------------------------------------------------- */

pid_t process_pid(const struct process *process)
{
    return process->pid;
}

int process_fd(const struct process *process)
{
    return process->pidfd;
}

static void reap(struct process *process)
{
    siginfo_t info;
    int rc;
    do rc = waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED);
    while (rc != 0 && errno == EINTR);
    CHECK(rc == 0); /* ECHILD would mean that someone ignores SIGCHLD: see signals.h */
    process->ended = true;
    process->end = (struct process_end){.by_signal = info.si_code != CLD_EXITED, .code = info.si_status};
}

bool process_wait(struct process *process, int64_t timeout_ms, struct cancel *cancel, struct process_end *end)
{
    if (!process->ended) {
        struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
        if (cancel_poll(cancel, CANCEL_ABORT, &ended, 1, timeout_ms) <= 0) return false;
        reap(process);
    }
    if (end) *end = process->end;
    return true;
}

void process_kill(struct process *process, int signal_number)
{
    pidfd_send_signal(process->pidfd, signal_number, NULL, 0); /* ESRCH once reaped: never another process */
}

void process_free(struct process *process)
{
    if (!process) return;
    if (process->pid > 0 && !process->ended) {
        process_kill(process, SIGKILL);
        reap(process);
    }
    thread_join(&process->guardian);
    if (process->pidfd >= 0) close(process->pidfd);
    sem_destroy(&process->forked);
    free(process);
}

const char *process_end_text(const struct process_end *end, char out[PROCESS_END_TEXT_MAX])
{
    const char *name = end->by_signal ? sigdescr_np(end->code) : NULL;
    if (!end->by_signal)
        snprintf(out, PROCESS_END_TEXT_MAX, "exit code %d", end->code);
    else
        snprintf(out, PROCESS_END_TEXT_MAX, "signal %d (%s)", end->code, name ? name : "unknown");
    return out;
}

const char *const *process_environment(void)
{
    return (const char *const *)environ;
}

int process_find_sibling(const char *name, struct arena *arena, char **path, struct err *err)
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0) return err_set(err, ERR_CONFIG, "cannot tell where this program is: /proc/self/exe: %s", strerror(errno));
    self[size] = '\0';
    const char *folder = fs_folder_of(arena, self);
    char *tried[] = {fs_join(arena, folder, name), fs_join(arena, fs_join(arena, folder, "../libexec/sluice"), name)};
    for (size_t i = 0; i < ARRAY_SIZE(tried); i++) {
        if (fs_kind(tried[i]) != FS_FILE || access(tried[i], X_OK) != 0) continue;
        *path = tried[i];
        return 0;
    }
    err_set(err, ERR_CONFIG, "cannot find the program '%s': it is neither '%s' nor '%s'", name, tried[0], tried[1]);
    return err_hint(err, "install sluice again; its programs belong together");
}
