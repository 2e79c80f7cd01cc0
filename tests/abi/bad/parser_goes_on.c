#include "bad_parser.h"
/* It does not look at what the host says of its row, reads to the end, and says that all is well. */
static int give(struct sluice_session *session)
{
    const struct sluice_value row[1] = {sluice_integer(1)};
    char bytes[1024];
    size_t size = 1;
    (void)emit_one(session, 1, "well");
    (void)sluice_emit(session, 0, SLUICE_UPSERT, row, 1);
    while (size && sluice_input(session, bytes, sizeof bytes, &size) >= 0) continue;
    return 0;
}
PAGE(give(session));
