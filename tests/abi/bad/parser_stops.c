#include "bad_parser.h"
/* It reads some of the body, and says that it is done. */
PAGE(take(session) < 0 ? -1 : emit_one(session, 1, "enough") < 0 ? -1 : 0);
