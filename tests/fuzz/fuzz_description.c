/* description: whatever JSON a worker sends is refused with a reason or compiles; what passes the check compiles with every
 * configuration its table allows; a tree of nodes is the JSON it came from. */
#include "fuzz.h"

#include "base/time.h"
#include "rest/description.h"

static void check_tree(const struct node *root, struct arena *arena)
{
    struct buf json = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
    const struct node *again;
    struct err err = ERR_INIT;
    node_to_json(root, &json);
    CHECK(!json.failed && fuzz_is_utf8(buf_str(&json), true));
    CHECK(node_from_json(buf_str(&json), arena, &again, &err) == 0);
    node_to_json(again, &second);
    CHECK(str_equal(buf_str(&json), buf_str(&second)));
    buf_release(&json);
    buf_release(&second);
}

static void check_stream(const struct stream_description *stream, struct arena *arena)
{
    struct err err = ERR_INIT;
    struct pager *pager = pager_new(&stream->pages);
    CHECK(pager_start(pager, STR(""), &err) == 0);
    pager_free(pager);
    CHECK(stream->name && stream->records_path && stream->request.method && (stream->full_refresh || stream->incremental));
    struct window_plan plan;
    if (!stream->has_cursor) return;
    int rc = window_plan(&stream->cursor.window, STR(""), STR("2024-01-01"), 1704153600000000, arena, &plan, &err);
    CHECK(rc == 0 || rc == ERR_CONFIG);
}

static void check_description(const struct node *root, struct arena *arena)
{
    struct problems check = PROBLEMS_INIT(arena), configuring = PROBLEMS_INIT(arena), compiling = PROBLEMS_INIT(arena);
    const struct description *description = NULL;
    const struct config *config = NULL;
    struct config_table *table = arena_new(arena, struct config_table);
    description_check(root, &check);
    for (size_t i = 0; i < problems_listed(&check); i++) {
        CHECK(check.list[i].message[0] && !strchr(check.list[i].message, '\n'));
        CHECK(fuzz_is_utf8(str_from(check.list[i].message), true));
    }
    if (check.count > 0) return;
    config_table_read(node_get(root, "config"), arena, table, &configuring);
    config_resolve(table, NULL, "config", NULL, arena, &config, &configuring);
    if (configuring.count > 0) return;
    description_compile(root, config, arena, &description, &compiling);
    CHECK(compiling.count == 0 && description);
    for (size_t i = 0; i < description->stream_count; i++) check_stream(&description->streams[i], arena);
}

void fuzz(struct str input)
{
    struct arena arena = ARENA_INIT(256 << 20);
    struct err err = ERR_INIT;
    const struct node *root;
    int rc = node_from_json(input, &arena, &root, &err);
    CHECK(rc == 0 || rc == ERR_DATA || rc == ERR_NOMEM);
    if (rc == 0) {
        check_tree(root, &arena);
        check_description(root, &arena);
    }
    arena_release(&arena);
}
