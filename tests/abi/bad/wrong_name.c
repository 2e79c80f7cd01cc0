#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "Bad Name", .version = "1", .description = NUMBERS);
