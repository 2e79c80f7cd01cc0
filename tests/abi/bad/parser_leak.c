#include "bad_parser.h"
/* It keeps whatever it allocates. */
static int give(struct sluice_session *session)
{
    for (int i = 0; i < 1000; i++) {
        char *kept = malloc(1 << 20);
        memset(kept, i, 1 << 20); /* NULL: and nobody looks */
    }
    return take(session) < 0 ? -1 : 1;
}
PAGE(give(session));
