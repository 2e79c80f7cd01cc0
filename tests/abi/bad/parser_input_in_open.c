#include "bad_parser.h"
static int open_it(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    (void)slice, (void)instance;
    return take(session);
}
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    return take(session);
}
static const struct sluice_plugin PLUGIN = {SLUICE_PLUGIN_HEADER,
                                            .profile = SLUICE_PARSE,
                                            .name = "bad",
                                            .version = "1",
                                            .description = "{\"parser\": true}",
                                            .open = open_it,
                                            .page = page};
SLUICE_PLUGIN(PLUGIN);
