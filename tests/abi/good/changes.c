/* changes: one position and many tables (`routes`), with rows that go and values that are not known; and streams that the
 * source lists (`dynamic`). */
#include <sluice/plugin.h>
#include <string.h>

static struct sluice_value text(const char *data)
{
    return sluice_text(data, strlen(data));
}

static int list(struct sluice_session *session)
{
    static const char DECLARATION[] = SLUICE_JSON({
        "native": true,
        "internal": true,
        "cursor": {"kind": "token"},
        "routes": {
            "people": {"primary_key": "id", "fields": {"id": "integer", "name": "string", "note": "string"}},
            "pets": {"primary_key": [ "id", "kind" ], "fields": {"id": "integer", "kind": "string"}}
        }
    });
    const struct sluice_value row[2] = {text("changes"), sluice_json(DECLARATION, sizeof DECLARATION - 1)};
    return sluice_emit(session, 0, SLUICE_UPSERT, row, 2);
}

/* The tables that are wanted keep their order, and some may not be. */
static int table_of(const struct sluice_slice *slice, const char *name)
{
    for (uint32_t i = 0; i < slice->table_count; i++)
        if (strcmp(slice->tables[i].name, name) == 0) return (int)i;
    return -1;
}

static int open_changes(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    (void)session;
    *instance = (void *)(uintptr_t)slice;
    return 0;
}

static int page(struct sluice_session *session, void *instance)
{
    const struct sluice_slice *slice = instance;
    if (strcmp(slice->stream, "tables") == 0) return list(session);
    int people = table_of(slice, "people"), pets = table_of(slice, "pets"), rc = 0;
    int is_first = slice->state == NULL;
    const struct sluice_value ada[3] = {sluice_integer(1), text("Ada"), text("a long note")},
                              bob[3] = {sluice_integer(2), text("Bob"), text("another")},
                              renamed[3] = {sluice_integer(1), text("Ada L."), sluice_missing()},
                              gone[3] = {sluice_integer(2), sluice_null(), sluice_null()},
                              cat[2] = {sluice_integer(1), text("cat")};
    if (is_first && people >= 0) rc = sluice_emit(session, (uint32_t)people, SLUICE_UPSERT, ada, 3);
    if (rc >= 0 && is_first && people >= 0) rc = sluice_emit(session, (uint32_t)people, SLUICE_UPSERT, bob, 3);
    if (rc >= 0 && is_first && pets >= 0) rc = sluice_emit(session, (uint32_t)pets, SLUICE_UPSERT, cat, 2);
    if (rc >= 0 && !is_first && people >= 0) rc = sluice_emit(session, (uint32_t)people, SLUICE_UPSERT, renamed, 3);
    if (rc >= 0 && !is_first && people >= 0) rc = sluice_emit(session, (uint32_t)people, SLUICE_DELETE, gone, 3);
    if (rc >= 0) rc = sluice_checkpoint(session, is_first ? "1" : "2", 1);
    return rc < 0 ? rc : 0;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_NETWORK,
    .name = "changes",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "streams": {"tables": {"native": true, "internal": true, "fields": {"name": "string", "declaration": "json"}}},
        "dynamic": {"from": "tables", "stream": "{{record.declaration}}"}
    }),
                                             .open = open_changes, .page = page,
};
SLUICE_PLUGIN(PLUGIN);
