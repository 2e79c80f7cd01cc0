#include "bad.h"
BAD_DESCRIPTOR(24, 1, 0, 16, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS);
