#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    const struct sluice_value row[1] = {sluice_integer(1)};
    return sluice_emit(session, 0, SLUICE_UPSERT, row, 1);
}
BAD_PAGE(page);
