/* process: child processes that get exactly what they are given and never outlive their parent; and who we are ourselves.
 *
 * A child is exec'ed with explicit arguments, explicit environment and the descriptors listed; all others are closed, signals
 * are as new, and it is killed when its parent dies. One thread at a time uses a `struct process`; process_kill may come from
 * any.
 *
 *     const char *argv[] = {path, "--flag", NULL};
 *     struct process_fd fds[] = {{pair[1], 3}, {2, 2}};                     // ours -> the child's; 0 and 1 become /dev/null
 *     struct process_spec spec = {.program = path, .argv = argv, .fds = fds, .fd_count = 2};
 *     struct process *child;
 *     if ((rc = process_start(&spec, &child, err)) != 0) ...
 *     if (!process_wait(child, 2000, cancel, &end)) process_kill(child, SIGKILL);
 *     process_free(child);                                                  // kills and reaps what is still there
 *
 * The kernel ties "killed when its parent dies" to the thread that forked. So each child is forked by a small thread of its own
 * that stays until the child has ended, and callers' threads may come and go. */
#ifndef SLUICE_OS_PROCESS_H
#define SLUICE_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct cancel;
struct process;

struct process_fd {
    int ours;
    int child; /* its number there, 0..63 */
};

enum { PROCESS_FDS_MAX = 16 };

struct process_spec {
    const char *program;            /* a path; no search in PATH */
    const char *const *argv;        /* ends with NULL; argv[0] included */
    const char *const *environment; /* "NAME=value" strings, ends with NULL; NULL: empty. process_environment() is our own */
    const char *folder;             /* working directory; NULL: ours */
    const struct process_fd *fds;   /* 0, 1 and 2 are /dev/null unless listed */
    size_t fd_count;                /* at most PROCESS_FDS_MAX */
    int death_signal;               /* sent to it when we die; 0: SIGKILL */
    bool own_group;                 /* a process group of its own: Ctrl-C at the terminal does not reach it */
};

/* How a child ended. */
struct process_end {
    bool by_signal;
    int code; /* exit code or signal number */
};

/* Starts the child. An exec that fails is reported here, with the program's name and the reason: CONFIG when the program is
 * missing or cannot be executed, TRANSIENT when the system has no process to give. */
int process_start(const struct process_spec *spec, struct process **out, struct err *err) MUST_USE;
/* The same in two steps, so that several start at the same time: process_begin, for each; process_begun waits until it runs, or
 * frees it and says why it could not be started. What `spec` points to stays until then. */
int process_begin(const struct process_spec *spec, struct process **out, struct err *err) MUST_USE;
int process_begun(struct process *process, struct err *err) MUST_USE;

pid_t process_pid(const struct process *process);
int process_fd(const struct process *process); /* pidfd: readable once it has ended */

/* Waits for its end, at most `timeout_ms` (-1: for ever) and until `cancel` (may be NULL) reaches CANCEL_ABORT. True when it
 * has ended; `end` (may be NULL) is filled. May be called again. */
bool process_wait(struct process *process, int64_t timeout_ms, struct cancel *cancel, struct process_end *end);
void process_kill(struct process *process, int signal_number); /* by pidfd; nothing when it has ended */
void process_free(struct process *process);                    /* SIGKILL if needed, reaps; NULL is fine */

enum { PROCESS_END_TEXT_MAX = 64 };
/* "exit code 7", "signal 9 (Killed)". Returns `out`. */
const char *process_end_text(const struct process_end *end, char out[PROCESS_END_TEXT_MAX]);

const char *const *process_environment(void); /* our own, for spec.environment */

/* The path of a program of ours: beside the running one, else in ../libexec/sluice from there. CONFIG when it is in neither. */
int process_find_sibling(const char *name, struct arena *arena, char **path, struct err *err) MUST_USE;

/* --- identity, for leases ---------------------------------------------------------------------------------------------- */

/* Names one process among all that ever ran, as far as the machine can tell. Unknown parts are "" or 0. */
struct process_identity {
    char host[256];         /* for people */
    char boot_id[40];       /* of the kernel's current run */
    uint64_t pid_namespace; /* inode */
    int64_t pid;
    uint64_t start_ticks; /* when it started, in clock ticks since boot */
};

enum process_life { PROCESS_UNKNOWN, PROCESS_DEAD, PROCESS_ALIVE };

void process_identity(struct process_identity *identity); /* of the calling process */
/* Is that process still there? UNKNOWN for another boot, another pid namespace, or an identity with unknown parts: it may be
 * another machine. DEAD and ALIVE are certain; a zombie is dead. */
enum process_life process_life(const struct process_identity *identity);

#endif
