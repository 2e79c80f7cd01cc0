#include "bad_parser.h"
/* Pages of next to nothing, without an end. */
static int give(struct sluice_session *session)
{
    static int pages;
    if (pages++ == 0 && take(session) < 0) return -1;
    return sluice_emit_bytes(session, "\n", 1) < 0 ? -1 : 1;
}
PAGE(give(session));
