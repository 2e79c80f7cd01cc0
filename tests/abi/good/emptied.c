/* emptied: a table that is emptied and filled again: what its rows were before is gone. */
#include <sluice/plugin.h>
#include <string.h>

static int begin(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    (void)session;
    *instance = (void *)(uintptr_t)slice;
    return 0;
}

static int page(struct sluice_session *session, void *instance)
{
    const struct sluice_slice *slice = instance;
    int is_first = slice->state == NULL;
    const struct sluice_value cat[2] = {sluice_integer(1), sluice_text("cat", 3)},
                              dog[2] = {sluice_integer(2), sluice_text("dog", 3)};
    int rc = is_first ? sluice_emit(session, 0, SLUICE_UPSERT, cat, 2) : sluice_emit(session, 0, SLUICE_TRUNCATE, NULL, 0);
    if (rc >= 0 && !is_first) rc = sluice_emit(session, 0, SLUICE_UPSERT, dog, 2);
    if (rc >= 0) rc = sluice_checkpoint(session, "1", 1);
    return rc < 0 ? rc : 0;
}

static const char DESCRIPTION[] = SLUICE_JSON({
    "streams": {
        "pets": {
            "native": true,
            "primary_key": "id",
            "cursor": {"kind": "token"},
            "fields": {"id": "integer", "kind": "string"}
        }
    }
});

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,       .profile = SLUICE_PARSE, .name = "emptied", .version = "1.0.0",
    .description = DESCRIPTION, .open = begin,           .page = page,
};
SLUICE_PLUGIN(PLUGIN);
