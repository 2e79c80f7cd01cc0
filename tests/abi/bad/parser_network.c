#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_NETWORK, .name = "bad", .version = "1",
               .description = "{\"parser\": true}");
