#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    return take(session) < 0 || emit_one(session, 1, "one") < 0 ? -1 : sluice_emit_bytes(session, "{}\n", 3);
}
PAGE(give(session));
