#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    const struct sluice_value row[2] = {sluice_integer(1), sluice_null()};
    return sluice_emit(session, 0, SLUICE_TRUNCATE, row, 2);
}
BAD_PAGE(page);
