#include "bad.h"
__attribute__((constructor)) static void at_once(void)
{
    abort();
}
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS);
