#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    char bytes[100];
    size_t size;
    (void)instance;
    return sluice_input(session, bytes, sizeof bytes, &size);
}
BAD_PAGE(page);
