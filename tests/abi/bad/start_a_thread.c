#include "bad.h"
#include <pthread.h>
static void *nothing(void *context)
{
    return context;
}
static int page(struct sluice_session *session, void *instance)
{
    pthread_t thread;
    return emit_one(session, pthread_create(&thread, NULL, nothing, instance), "thread");
}
BAD_PAGE(page);
