/* fs_internal: what the files of fs.h share: one place that turns errno into a class, a sentence and a remedy. */
#ifndef SLUICE_OS_FS_INTERNAL_H
#define SLUICE_OS_FS_INTERNAL_H

#include "base/err.h"

/* "cannot open 'x': Permission denied" with the class and hint that belong to errno. `verb` is "open". Returns the class. */
int fs_fail(struct err *err, const char *verb, const char *path);

#endif
