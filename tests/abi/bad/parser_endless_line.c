#include "bad_parser.h"
/* A line that never ends, page after page. */
static int give(struct sluice_session *session)
{
    static char spaces[1 << 20];
    memset(spaces, ' ', sizeof spaces);
    return take(session) < 0 || sluice_emit_bytes(session, spaces, sizeof spaces) < 0 ? -1 : 1;
}
PAGE(give(session));
