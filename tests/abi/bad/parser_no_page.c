#include "bad.h"
static const struct sluice_plugin PLUGIN = {SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1",
                                            .description = "{\"parser\": true}"};
SLUICE_PLUGIN(PLUGIN);
