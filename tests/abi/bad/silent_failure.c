#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)session, (void)instance;
    return -42;
}
BAD_PAGE(page);
