#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    for (int i = 0; i < 64; i++) memset(sluice_alloc(session, (size_t)1 << 22), 1, (size_t)1 << 22);
    return emit_one(session, 1, "so much");
}
BAD_PAGE(page);
