#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .name = "bad", .version = "1", .description = NUMBERS);
