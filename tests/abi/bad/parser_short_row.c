#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    const struct sluice_value row[1] = {sluice_integer(1)};
    return take(session) < 0 ? -1 : sluice_emit(session, 0, SLUICE_UPSERT, row, 1);
}
PAGE(give(session));
