#include "bad_parser.h"
PAGE(take(session) < 0 ? -1 : sluice_checkpoint(session, "here", 4));
