#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    (void)!sluice_fail(session, SLUICE_ERROR_SOURCE, "the source is closed on Sundays", "come back on Monday");
    return emit_one(session, 1, "as if nothing had been");
}
BAD_PAGE(page);
