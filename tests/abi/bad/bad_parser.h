/* bad_parser: what the wrong parsers share: everything but their mistake. */
#include "bad.h"

/* Takes some of the body. */
static inline int take(struct sluice_session *session)
{
    char bytes[1000];
    size_t size;
    return sluice_input(session, bytes, sizeof bytes, &size);
}

/* A parser whose page is `expression` of `session`. */
#define PAGE(expression)                                                                                                       \
    static int page(struct sluice_session *session, void *instance)                                                            \
    {                                                                                                                          \
        (void)instance;                                                                                                        \
        return (expression);                                                                                                   \
    }                                                                                                                          \
    static const struct sluice_plugin PLUGIN = {                                                                               \
        SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1.0.0", .description = "{\"parser\": true}", \
        .page = page};                                                                                                         \
    SLUICE_PLUGIN(PLUGIN)
