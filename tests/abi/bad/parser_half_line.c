#include "bad_parser.h"
/* What it emits ends in the middle of a record. */
static int give(struct sluice_session *session)
{
    size_t size;
    char bytes[1024];
    do {
        if (sluice_input(session, bytes, sizeof bytes, &size) < 0) return -1;
    } while (size);
    return sluice_emit_bytes(session, "{\"n\": 1}\n{\"n\": ", 16) < 0 ? -1 : 0;
}
PAGE(give(session));
