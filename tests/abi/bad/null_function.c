#include "bad.h"
static const struct sluice_function FUNCTIONS[] = {{"streams.numbers.map", NULL}, {NULL, NULL}};
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS,
               .functions = FUNCTIONS);
