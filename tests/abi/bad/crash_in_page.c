#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)session;
    return *(volatile int *)instance;
}
BAD_PAGE(page);
