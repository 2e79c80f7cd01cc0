#include "bad_parser.h"
/* It is given a body, and asks for another one. */
static int give(struct sluice_session *session)
{
    const struct sluice_http_request request = {.struct_size = sizeof request, .url = "/other"};
    struct sluice_http_response response = {.struct_size = sizeof response};
    return take(session) < 0 ? -1 : sluice_http(session, &request, &response);
}
PAGE(give(session));
