#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    int rc = 0;
    for (int64_t n = 0; rc >= 0; n++) rc = emit_one(session, n, "a page that does not end when it is full");
    return rc;
}
BAD_PAGE(page);
