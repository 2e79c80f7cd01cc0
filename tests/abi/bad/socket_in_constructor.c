#include "bad.h"
#include <sys/socket.h>
__attribute__((constructor)) static void at_once(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1", .description = NUMBERS);
