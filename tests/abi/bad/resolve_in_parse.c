#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    char addresses[1][46];
    size_t count = 1;
    return sluice_resolve(session, "localhost", 80, addresses, &count);
}
BAD_PAGE(page);
