#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1",
               .description = "{\"parser\": true, \"streams\": {}}");
