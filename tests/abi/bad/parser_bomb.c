#include "bad_parser.h"
/* A little body, and no end of rows. */
static int give(struct sluice_session *session)
{
    int rc = take(session);
    while (rc == 0) rc = emit_one(session, 1, "the same, again and again and again and again and again and again");
    return rc;
}
PAGE(give(session));
