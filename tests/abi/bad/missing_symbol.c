#include "bad.h"
int nowhere_to_be_found(void);
static int page(struct sluice_session *session, void *instance)
{
    (void)session, (void)instance;
    return nowhere_to_be_found();
}
BAD_PAGE(page);
