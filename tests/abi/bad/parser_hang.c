#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    int rc = take(session);
    for (volatile int i = 0;; i = 0) (void)i;
    return rc;
}
PAGE(give(session));
