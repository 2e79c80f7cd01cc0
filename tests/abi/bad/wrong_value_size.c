#include "bad.h"
BAD_DESCRIPTOR(sizeof(struct sluice_plugin), 1, 0, 24, .profile = SLUICE_PARSE, .name = "bad", .version = "1",
               .description = NUMBERS);
