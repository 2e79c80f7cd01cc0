#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = (const char *)16, .version = "1", .description = NUMBERS);
