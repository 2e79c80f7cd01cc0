#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)session, (void)instance;
    exit(0);
}
BAD_PAGE(page);
