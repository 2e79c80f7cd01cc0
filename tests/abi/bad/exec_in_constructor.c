#include "bad.h"
#include <unistd.h>
__attribute__((constructor)) static void at_once(void)
{
    execl("/bin/sh", "sh", "-c", "touch /tmp/it-ran", (char *)NULL);
}
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS);
