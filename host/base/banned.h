/* banned: functions that have a safer spelling here. Force-included into every file of ours (see CMakeLists.txt), so that
 * using one is a compile error that names it. */
#ifndef SLUICE_BASE_BANNED_H
#define SLUICE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol atof gmtime localtime ctime asctime system popen

#endif
