#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    return take(session) < 0 ? -1 : sluice_emit_bytes(session, "{\"n\": }\n", 9) < 0 ? -1 : 1;
}
PAGE(give(session));
