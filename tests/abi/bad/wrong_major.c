#include "bad.h"
BAD_DESCRIPTOR(sizeof(struct sluice_plugin), 2, 0, 16, .profile = SLUICE_PARSE, .name = "bad", .version = "1",
               .description = NUMBERS);
