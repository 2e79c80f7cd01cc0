/* signals: see signals.h. The thread polls the signalfd and an eventfd that ends it. */
#include "os/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "os/cancel.h"
#include "os/thread.h"

struct signals {
    struct cancel *cancel;
    struct thread thread;
    sigset_t mask_before;
    int signal_fd;
    int end_fd;
    int hangup_fd;
    _Atomic bool hangup_is_told; /* by hangup_fd; else it stops */
    _Atomic int first;
};

static void ring(int fd)
{
    const uint64_t one = 1;
    CHECK(write(fd, &one, sizeof one) == (ssize_t)sizeof one);
}

static bool is_ignored(int signal_number)
{
    struct sigaction action;
    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void signals_run(void *context)
{
    struct signals *signals = context;
    struct pollfd fds[] = {{.fd = signals->signal_fd, .events = POLLIN}, {.fd = signals->end_fd, .events = POLLIN}};
    while (cancel_poll(NULL, CANCEL_ABORT, fds, ARRAY_SIZE(fds), -1) >= 0 && !fds[1].revents) {
        struct signalfd_siginfo info;
        if (read(signals->signal_fd, &info, sizeof info) != (ssize_t)sizeof info) continue;
        if (info.ssi_signo == SIGHUP && atomic_load(&signals->hangup_is_told)) {
            ring(signals->hangup_fd);
            continue;
        }
        int none = 0;
        bool is_first = atomic_compare_exchange_strong(&signals->first, &none, (int)info.ssi_signo);
        cancel_fire(signals->cancel, is_first ? CANCEL_STOP : CANCEL_ABORT);
    }
}

int signals_new(struct cancel *cancel, struct signals **out, struct err *err)
{
    struct signals *signals = mem_zero(1, sizeof *signals);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (!is_ignored(SIGHUP)) sigaddset(&mask, SIGHUP);
    CHECK(pthread_sigmask(SIG_BLOCK, &mask, &signals->mask_before) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGCHLD, SIG_DFL) != SIG_ERR);

    signals->cancel = cancel;
    signals->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    signals->end_fd = eventfd(0, EFD_CLOEXEC);
    signals->hangup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = 0;
    if (signals->signal_fd < 0 || signals->end_fd < 0 || signals->hangup_fd < 0)
        rc = err_set(err, ERR_TRANSIENT, "could not watch for signals: %s", strerror(errno));
    else
        rc = thread_start(&signals->thread, "signals", signals_run, signals, 0, err);
    if (rc != 0) {
        signals_free(signals);
        return rc;
    }
    *out = signals;
    return 0;
}

int signals_received(const struct signals *signals)
{
    return atomic_load(&signals->first);
}

int signals_hangup_fd(struct signals *signals)
{
    atomic_store(&signals->hangup_is_told, true);
    return signals->hangup_fd;
}

bool signals_hung_up(struct signals *signals)
{
    uint64_t count;
    return read(signals->hangup_fd, &count, sizeof count) == (ssize_t)sizeof count;
}

void signals_free(struct signals *signals)
{
    if (!signals) return;
    if (signals->thread.started) {
        ring(signals->end_fd);
        thread_join(&signals->thread);
    }
    if (signals->signal_fd >= 0) close(signals->signal_fd);
    if (signals->end_fd >= 0) close(signals->end_fd);
    if (signals->hangup_fd >= 0) close(signals->hangup_fd);
    pthread_sigmask(SIG_SETMASK, &signals->mask_before, NULL);
    free(signals);
}
