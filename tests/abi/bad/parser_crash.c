#include "bad_parser.h"
/* In the middle: some pages went well. */
static int give(struct sluice_session *session)
{
    static int pages;
    if (take(session) < 0) return -1;
    if (++pages == 3) *(volatile int *)8 = 1;
    return emit_one(session, pages, "well") < 0 ? -1 : 1;
}
PAGE(give(session));
