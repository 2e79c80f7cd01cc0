/* thread: see thread.h. Instrumented builds put red zones into every frame, so they get four times the stack. */
#include "os/thread.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED 1
#endif
#endif

#ifdef INSTRUMENTED
enum { STACK_FACTOR = 4 };
#else
enum { STACK_FACTOR = 1 };
#endif

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->context);
    return NULL;
}

int thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context, size_t stack_bytes,
                 struct err *err)
{
    CHECK(!thread->started);
    thread->run = run;
    thread->context = context;
    snprintf(thread->name, sizeof thread->name, "%s", name);

    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, (stack_bytes ? stack_bytes : THREAD_STACK_BYTES) * STACK_FACTOR) == 0);
    int failure = pthread_create(&thread->handle, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    if (failure) {
        err_set(err, ERR_TRANSIENT, "could not start the thread '%s': %s", name, strerror(failure));
        return err_hint(err, "raise the limit on threads and memory of this user, or lower `concurrency`");
    }
    thread->started = true;
    return 0;
}

void thread_join(struct thread *thread)
{
    if (!thread->started) return;
    CHECK(pthread_join(thread->handle, NULL) == 0);
    thread->started = false;
}
