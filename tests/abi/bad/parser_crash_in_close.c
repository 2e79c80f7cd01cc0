#include "bad_parser.h"
/* Its first body goes well. */
static int page(struct sluice_session *session, void *instance)
{
    char bytes[1024];
    size_t size = 1;
    (void)instance;
    while (size)
        if (sluice_input(session, bytes, sizeof bytes, &size) < 0) return -1;
    return emit_one(session, 1, "well") < 0 ? -1 : 0;
}
static void close_it(struct sluice_session *session, void *instance)
{
    (void)session, (void)instance;
    abort();
}
static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = "{\"parser\": true}",
    .page = page,         .close = close_it};
SLUICE_PLUGIN(PLUGIN);
