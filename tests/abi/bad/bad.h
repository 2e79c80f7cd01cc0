/* bad: what the wrong plugins of this folder share: everything but their mistake. */
#include <sluice/plugin.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS "{\"streams\": {\"numbers\": {\"native\": true, \"fields\": {\"n\": \"integer\", \"text\": \"string\"}}}}"

static inline int emit_one(struct sluice_session *session, int64_t n, const char *text)
{
    const struct sluice_value row[2] = {sluice_integer(n), sluice_text(text, strlen(text))};
    return sluice_emit(session, 0, SLUICE_UPSERT, row, 2);
}

/* A plugin with this page and nothing else. */
#define BAD_PAGE(callback)                                                                                                     \
    static const struct sluice_plugin PLUGIN = {SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad",                  \
                                                .version = "1.0.0",   .description = NUMBERS,  .page = callback};              \
    SLUICE_PLUGIN(PLUGIN)

/* A plugin whose page is right, and whose descriptor is what is given. */
#define BAD_DESCRIPTOR(...)                                                                                                    \
    static int page(struct sluice_session *session, void *instance)                                                            \
    {                                                                                                                          \
        (void)instance;                                                                                                        \
        return emit_one(session, 1, "one");                                                                                    \
    }                                                                                                                          \
    static const struct sluice_plugin PLUGIN = {__VA_ARGS__, .page = page};                                                    \
    SLUICE_PLUGIN(PLUGIN)
