#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    const struct sluice_value row[2] = {sluice_integer(1), sluice_null()};
    return take(session) < 0 ? -1 : sluice_emit(session, 0, SLUICE_DELETE, row, 2) < 0 ? -1 : 1;
}
PAGE(give(session));
