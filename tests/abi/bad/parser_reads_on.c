#include "bad_parser.h"
/* It asks for more when there is no more, and again. */
PAGE(take(session) < 0 ? -1 : 1);
