#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    return sluice_checkpoint(session, "", 0);
}
BAD_PAGE(page);
