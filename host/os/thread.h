/* thread: a named thread with a small fixed stack.
 *
 *     struct thread fetch = {0};
 *     if ((rc = thread_start(&fetch, "fetch", fetch_run, &slice, 0, err)) != 0) ...
 *     thread_join(&fetch);
 *
 * The struct stays where it is until joined; `run` and `context` belong to the caller. Every started thread is joined. */
#ifndef SLUICE_OS_THREAD_H
#define SLUICE_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { THREAD_STACK_BYTES = 256 * 1024 };

struct thread {
    pthread_t handle;
    bool started; /* and not joined yet */
    void (*run)(void *context);
    void *context;
    char name[16]; /* shown by ps -L and debuggers; longer ones are cut to 15 bytes */
};

/* Starts run(context). `stack_bytes` 0 is THREAD_STACK_BYTES. TRANSIENT when the system has no thread to give. */
int thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context, size_t stack_bytes,
                 struct err *err) MUST_USE;
void thread_join(struct thread *thread); /* nothing when it was not started or is joined */

#endif
