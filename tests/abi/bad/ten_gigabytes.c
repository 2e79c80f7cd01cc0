#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    volatile char *memory = malloc((size_t)10 << 30); /* NULL: and nobody looks */
    for (size_t i = 0; i < (size_t)10 << 30; i += 4096) memory[i] = 1;
    return emit_one(session, memory[4096], "so much");
}
BAD_PAGE(page);
