#include "bad.h"
int nothing_to_see_here = 1;
