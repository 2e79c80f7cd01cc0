#include "bad.h"
#include <fcntl.h>
static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    return emit_one(session, open("/etc/passwd", O_RDONLY), "descriptor");
}
BAD_PAGE(page);
