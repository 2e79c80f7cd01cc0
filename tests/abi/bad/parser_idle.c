#include "bad_parser.h"
/* It waits for nothing. */
PAGE(1);
