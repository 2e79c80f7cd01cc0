#include "bad_parser.h"
#include <fcntl.h>
PAGE(take(session) < 0 ? -1 : open("/etc/hostname", O_RDONLY));
