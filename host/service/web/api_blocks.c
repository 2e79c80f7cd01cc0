/* api_blocks: columns that syncs do not store: those of sluice.yaml, which it alone decides, and those that were blocked here.
 */
#include <string.h>

#include "service/view.h"
#include "service/web/route.h"

enum { NAME_MAX_BYTES = 256, REASON_MAX_BYTES = 500 };

static void write_block(struct json_writer *json, const struct column_block *block, const char *by)
{
    json_open(json, '{');
    json_member(json, "stream"), json_cstr(json, block->stream);
    json_member(json, "column"), json_cstr(json, block->column);
    json_member(json, "by"), json_cstr(json, by);
    if (block->reason && block->reason[0]) json_member(json, "reason"), json_cstr(json, block->reason);
    view_write_time(json, "since", block->since_ms);
    json_close(json, '}');
}

/* Those of sluice.yaml, while the roster is held. False: there is no such pipeline. */
static bool list_configured(struct api_call *call, struct column_block **blocks, size_t *count)
{
    struct arena *arena = &call->request->arena;
    const struct roster_pipeline *entry = roster_find(call->settings->roster, call->names[0]);
    size_t room = 0;
    *count = 0;
    if (!entry) return false;
    for (size_t i = 0; i < entry->pipeline->stream_count; i++) room += entry->pipeline->streams[i].blocked_count;
    *blocks = arena_array(arena, struct column_block, room + 1);
    for (size_t i = 0; i < entry->pipeline->stream_count; i++) {
        const struct stream_choice *choice = &entry->pipeline->streams[i];
        for (size_t b = 0; b < choice->blocked_count; b++)
            (*blocks)[(*count)++] = (struct column_block){.stream = arena_strdup(arena, choice->name),
                                                          .column = arena_strdup(arena, choice->blocked[b]),
                                                          .reason = arena_strdup(arena, choice->blocked_reasons[b])};
    }
    return true;
}

static bool find_configured(struct api_call *call, struct column_block **blocks, size_t *count)
{
    roster_hold(call->settings->roster);
    bool is_there = list_configured(call, blocks, count);
    roster_let_go(call->settings->roster);
    return is_there;
}

int answer_blocks(struct api_call *call, struct err *err)
{
    struct json_writer *json = &call->json;
    struct column_block *configured, *stored;
    size_t configured_count, stored_count;
    if (!find_configured(call, &configured, &configured_count)) return api_missing(call, "pipeline", call->names[0]);
    int rc = store_blocks(call->settings->store, call->names[0], &call->request->arena, &stored, &stored_count, err);
    if (rc) return rc;
    json_open(json, '{');
    json_member(json, "blocks"), json_open(json, '[');
    for (size_t i = 0; i < configured_count; i++) write_block(json, &configured[i], "config");
    for (size_t i = 0; i < stored_count; i++) write_block(json, &stored[i], "api");
    json_close(json, ']');
    json_close(json, '}');
    return 0;
}

static bool is_configured(const struct column_block *blocks, size_t count, const char *stream, const char *column)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(blocks[i].stream, stream) == 0 && strcmp(blocks[i].column, column) == 0) return true;
    return false;
}

static int change(struct api_call *call, const struct column_block *block, bool is_blocked, struct err *err)
{
    struct store *store = call->settings->store;
    bool is_full = false;
    if (!is_blocked) return store_unblock(store, call->names[0], block->stream, block->column, err);
    int rc = store_block(store, call->names[0], block, &is_full, err);
    if (rc || !is_full) return rc;
    err_set(err, ERR_CONFIG, "a pipeline has at most %d columns that are blocked here", STORE_BLOCKS_MAX);
    return err_hint(err, "block them in sluice.yaml: columns: { NAME: { enabled: false } }");
}

int answer_set_block(struct api_call *call, struct err *err)
{
    static const char *const KEYS[] = {"blocked", "reason", NULL};
    struct column_block *configured, block = {.stream = call->names[1], .column = call->names[2]};
    size_t count;
    bool is_blocked;
    struct cJSON *body;
    if (!find_configured(call, &configured, &count)) return api_missing(call, "pipeline", call->names[0]);
    int rc = api_body(call, KEYS, &body, err);
    if (rc) return rc;
    if (!json_boolean(json_get(body, "blocked"), &is_blocked))
        return err_set(err, ERR_CONFIG, "blocked: expected true or false");
    block.reason = json_string(json_get(body, "reason"));
    if (json_get(body, "reason") && !block.reason) return err_set(err, ERR_CONFIG, "reason: expected a text");
    if (strlen(block.stream) > NAME_MAX_BYTES || strlen(block.column) > NAME_MAX_BYTES ||
        (block.reason && strlen(block.reason) > REASON_MAX_BYTES))
        return err_set(err, ERR_CONFIG, "names have at most %d bytes, a reason %d", NAME_MAX_BYTES, REASON_MAX_BYTES);
    if (!is_blocked && is_configured(configured, count, block.stream, block.column)) {
        web_problem(call->request, 409, "conflict", "sluice.yaml blocks the column, and it alone can let it through",
                    "take `enabled: false` out of the stream's `columns` there");
        return 0;
    }
    rc = change(call, &block, is_blocked, err);
    return rc ? rc : answer_blocks(call, err);
}
