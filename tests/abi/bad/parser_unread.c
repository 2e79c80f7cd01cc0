#include "bad_parser.h"
/* It gives what it likes, and never reads. */
PAGE(emit_one(session, 1, "made up"));
