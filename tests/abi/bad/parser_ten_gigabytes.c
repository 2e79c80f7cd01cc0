#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    volatile char *memory = malloc((size_t)10 << 30); /* NULL: and nobody looks */
    for (size_t i = 0; i < (size_t)10 << 30; i += 4096) memory[i] = 1;
    return take(session) < 0 ? -1 : 1;
}
PAGE(give(session));
