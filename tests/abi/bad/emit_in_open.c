#include "bad.h"
static int open_it(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    (void)slice, (void)instance;
    return emit_one(session, 1, "too early");
}
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS,
               .open = open_it);
