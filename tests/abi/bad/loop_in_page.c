#include "bad.h"
static int page(struct sluice_session *session, void *instance)
{
    (void)session, (void)instance;
    for (volatile int i = 0;; i = i + 1) {
    }
}
BAD_PAGE(page);
