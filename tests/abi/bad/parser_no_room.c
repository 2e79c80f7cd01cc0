#include "bad_parser.h"
static int give(struct sluice_session *session)
{
    size_t size;
    return sluice_input(session, NULL, 10, &size);
}
PAGE(give(session));
