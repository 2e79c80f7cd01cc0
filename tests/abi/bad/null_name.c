#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .version = "1", .description = NUMBERS);
