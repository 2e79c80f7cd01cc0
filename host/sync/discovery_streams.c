/* discovery_streams: the streams that the source lists (`dynamic`). Only those that are wanted are made; then the whole
 * description is compiled again, with them. */
#include "base/buf.h"
#include "base/json.h"
#include "os/log.h"
#include "rest/dynamic.h"
#include "sync/discovery_parts.h"
#include "sync/kept.h"
#include "sync/prepare.h"

struct making_streams {
    struct discovery *discovery;
    const struct dynamic_description *dynamic;
    struct problems *problems;
    struct node *nodes; /* declared ones, then those made */
    size_t count;
    size_t refused;    /* records that cannot be filled in */
    struct err reason; /* of the first of these */
};

/* --- who is wanted ------------------------------------------------------------------------------------------------------- */

static bool is_declared(const struct sync_prepared *prepared, const char *name)
{
    return description_stream(prepared->description, name) != NULL;
}

static const struct stream_choice *choice_of(const struct pipeline *pipeline, struct str name)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (str_equal(str_from(pipeline->streams[i].name), name)) return &pipeline->streams[i];
    return NULL;
}

/* Nothing is asked of the source where all that is wanted is declared. */
static bool is_needed(const struct sync_prepared *prepared)
{
    const struct pipeline *pipeline = prepared->options.pipeline;
    const struct plan_request *request = &prepared->options.request;
    bool needed = !pipeline->chooses_streams && request->stream_count == 0;
    for (size_t i = 0; i < pipeline->stream_count; i++) needed = needed || !is_declared(prepared, pipeline->streams[i].name);
    for (size_t i = 0; i < request->stream_count; i++) needed = needed || !is_declared(prepared, request->streams[i]);
    return needed;
}

/* Is all that is named declared, or in the list? What is exploded from a listed stream is known only when that is made. */
static bool has_all(const struct sync_prepared *prepared, const struct dynamic_list *list)
{
    const struct pipeline *pipeline = prepared->options.pipeline;
    for (size_t i = 0; i < pipeline->stream_count; i++) {
        bool is_there = is_declared(prepared, pipeline->streams[i].name);
        for (size_t r = 0; r < list->count && !is_there; r++)
            is_there = str_equal(list->records[r].name, str_from(pipeline->streams[i].name));
        if (!is_there) return false;
    }
    return true;
}

/* A pipeline that names streams may name one that comes with it. */
static bool is_wanted(const struct sync_prepared *prepared, const struct node *stream)
{
    const struct pipeline *pipeline = prepared->options.pipeline;
    static const char *const WITH_IT[] = {"explode", "routes"};
    bool wanted = !pipeline->chooses_streams || choice_of(pipeline, stream->key);
    for (size_t k = 0; k < ARRAY_SIZE(WITH_IT); k++) {
        const struct node *others = node_get(stream, WITH_IT[k]);
        for (size_t i = 0; others && i < others->count; i++) wanted = wanted || choice_of(pipeline, others->children[i].key);
    }
    return wanted;
}

/* --- the list ------------------------------------------------------------------------------------------------------------ */

static bool read_kept(const struct node *told, const struct dynamic_description *dynamic, struct arena *arena,
                      struct dynamic_list *list)
{
    if (!node_is(told, NODE_LIST) || told->count > DYNAMIC_MAX_RECORDS) return false;
    *list = (struct dynamic_list){.records = arena_array(arena, struct dynamic_record, told->count + 1)};
    for (size_t i = 0; i < told->count; i++) {
        struct buf json = BUF_INIT(KEPT_MAX_BYTES);
        node_to_json(&told->children[i], &json);
        dynamic_add(list, dynamic, buf_str(&json), arena);
        buf_release(&json);
    }
    dynamic_sort(list);
    return true;
}

static void keep(const struct sync_prepared *prepared, const char *path, const struct dynamic_list *list)
{
    struct buf told = BUF_INIT(KEPT_MAX_BYTES);
    buf_append_char(&told, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i) buf_append_char(&told, ',');
        buf_append_str(&told, list->records[i].json);
    }
    buf_append_char(&told, ']');
    kept_save(prepared, path, told.failed ? STR("null") : buf_str(&told));
    buf_release(&told);
}

static int ask(struct making_streams *making, struct dynamic_list *list, struct err *err)
{
    struct sync_prepared *prepared = making->discovery->prepared;
    struct reader_options options;
    int rc = discovery_open(making->discovery, making->dynamic->from, &options, err);
    if (rc) return rc;
    rc = dynamic_read(&options, making->dynamic, &prepared->arena, list, err);
    session_free(options.session);
    if (rc == 0 && list->unusable)
        log_warn(prepared->options.log, "%zu streams that the source lists have no usable name", list->unusable);
    return rc;
}

static int find(struct making_streams *making, struct dynamic_list *list, struct err *err)
{
    struct sync_prepared *prepared = making->discovery->prepared;
    const struct dynamic_description *dynamic = making->dynamic;
    const char *path;
    int64_t at_us = 0;
    struct dynamic_list kept;
    int rc = kept_path(prepared, dynamic->from->name, dynamic->text, dynamic->cache_ms, &path, err);
    if (rc) return rc;
    bool is_kept = path && read_kept(kept_load(prepared, path, &at_us), dynamic, &prepared->arena, &kept);
    if (is_kept && kept_serves(prepared, at_us, dynamic->cache_ms) && has_all(prepared, &kept)) {
        *list = kept;
        return 0;
    }
    rc = ask(making, list, err);
    if (rc == 0 && path) keep(prepared, path, list);
    if (rc != 0 && list->is_refused) {
        log_warn(prepared->options.log, "there are only the streams that are declared: %s", err->message);
        *err = (struct err)ERR_INIT;
        list->count = 0;
        return 0;
    }
    if (rc != ERR_TRANSIENT || !is_kept) return rc;
    log_warn(prepared->options.log, "the list of streams is that of an earlier run: %s", err->message);
    *err = (struct err)ERR_INIT;
    *list = kept;
    return 0;
}

/* --- making them --------------------------------------------------------------------------------------------------------- */

/* What the function gives for a record; null: no stream. */
static int call(struct making_streams *making, const struct dynamic_record *record, const struct node **stream, struct err *err)
{
    struct discovery *discovery = making->discovery;
    struct sync_prepared *prepared = discovery->prepared;
    struct request_source source = sync_request_source(prepared, NULL);
    struct buf context = BUF_INIT(2 * KEPT_MAX_BYTES);
    struct str json, base = request_context(&source, NULL, &prepared->arena);
    struct err parse = ERR_INIT;
    buf_append(&context, base.data, base.size - 1); /* the object is open again */
    buf_printf(&context, "%s\"record\":" STR_FMT "}", base.size > 2 ? "," : "", STR_ARG(record->json));
    if (!discovery->has_functions)
        connector_functions_new(&prepared->sources, &prepared->connector_options, &discovery->functions);
    discovery->has_functions = true;
    int rc = discovery->functions.value(discovery->functions.context, making->dynamic->function, buf_str(&context), STR(""),
                                        &prepared->arena, &json, err);
    buf_release(&context);
    if (rc == 0 && node_from_json(json, &prepared->arena, stream, &parse) != 0)
        rc = err_set(err, ERR_CONNECTOR, "function '%s': %s", making->dynamic->function, parse.message);
    if (rc == 0 && (*stream)->kind != NODE_MAP && (*stream)->kind != NODE_NULL)
        rc = err_set(err, ERR_CONNECTOR, "function '%s': expected a stream, got %s", making->dynamic->function,
                     node_kind_name((*stream)->kind));
    return rc;
}

static int fill(struct making_streams *making, const struct dynamic_record *record, const struct node *fields,
                const struct node **stream, struct err *err)
{
    const struct dynamic_description *dynamic = making->dynamic;
    struct arena *arena = &making->discovery->prepared->arena;
    return dynamic->declared ? dynamic_declared(dynamic->declared, record->name, fields, arena, stream, err)
                             : dynamic_fill(dynamic->stream, record->name, fields, arena, stream, err);
}

static int make(struct making_streams *making, const struct dynamic_record *record, struct err *err)
{
    struct sync_prepared *prepared = making->discovery->prepared;
    const struct node *fields, *stream = NULL;
    struct err problem = ERR_INIT;
    int rc = 0;
    if (is_declared(prepared, arena_text(&prepared->arena, record->name))) return 0;
    if (making->dynamic->function) {
        rc = call(making, record, &stream, err);
        if (rc || stream->kind == NODE_NULL) return rc;
        struct node *named = arena_new(&prepared->arena, struct node);
        *named = *stream;
        named->key = record->name;
        stream = named;
    } else if (node_from_json(record->json, &prepared->arena, &fields, &problem) != 0 ||
               fill(making, record, fields, &stream, &problem) != 0) {
        if (making->refused++ == 0) err_copy(&making->reason, &problem);
        return 0;
    }
    if (is_wanted(prepared, stream)) making->nodes[making->count++] = *stream;
    return 0;
}

/* A name that a pipeline or a command gives, and that neither the connector nor the source has. */
static void look_for(struct making_streams *making, const struct dynamic_list *list, const char *name, const struct node *place)
{
    struct sync_prepared *prepared = making->discovery->prepared;
    for (size_t i = 0; i < making->count; i++) {
        const struct node *node = &making->nodes[i];
        if (str_equal(node->key, str_from(name)) || node_get(node_get(node, "explode"), name)) return;
        if (node_get(node_get(node, "routes"), name)) return;
    }
    if (is_declared(prepared, name)) return;
    const char **names = arena_array(&prepared->arena, const char *, list->count + 1);
    for (size_t i = 0; i < list->count; i++) names[i] = arena_text(&prepared->arena, list->records[i].name);
    problems_add(making->problems, place, "connector '%s' has no stream '%s', and the source lists none",
                 prepared->description->name, name);
    const char *nearest = list->count ? str_nearest(str_from(name), names, list->count, sizeof names[0]) : NULL;
    if (nearest)
        problems_hint(making->problems, "did you mean '%s'?", nearest);
    else
        problems_hint(making->problems, "is it new there? --refresh asks again (%zu are listed)", list->count);
}

static void look_for_all(struct making_streams *making, const struct dynamic_list *list)
{
    const struct sync_prepared *prepared = making->discovery->prepared;
    const struct pipeline *pipeline = prepared->options.pipeline;
    for (size_t i = 0; i < pipeline->stream_count; i++)
        look_for(making, list, pipeline->streams[i].name, pipeline->streams[i].node);
    for (size_t i = 0; i < prepared->options.request.stream_count; i++)
        look_for(making, list, prepared->options.request.streams[i], NULL);
}

/* The description with the streams that were made. */
static struct node *with_streams(const struct making_streams *making)
{
    struct sync_prepared *prepared = making->discovery->prepared;
    struct node *root = arena_new(&prepared->arena, struct node);
    struct node *children = arena_array(&prepared->arena, struct node, prepared->root->count);
    *root = *prepared->root;
    for (size_t i = 0; i < root->count; i++) {
        children[i] = prepared->root->children[i];
        if (!str_equal(children[i].key, STR("streams"))) continue;
        children[i].children = making->nodes;
        children[i].count = making->count;
    }
    root->children = children;
    return root;
}

int discover_streams(struct discovery *discovery, struct problems *problems, struct err *err)
{
    struct sync_prepared *prepared = discovery->prepared;
    struct making_streams making = {.discovery = discovery, .dynamic = prepared->description->dynamic, .problems = problems};
    struct dynamic_list list;
    if (!making.dynamic || !is_needed(prepared)) return 0;
    int rc = find(&making, &list, err);
    if (rc) return err_context(err, "streams that the source lists");
    const struct node *declared = node_get(prepared->root, "streams");
    making.nodes = arena_array(&prepared->arena, struct node, declared->count + list.count);
    for (size_t i = 0; i < declared->count; i++) making.nodes[making.count++] = declared->children[i];
    for (size_t i = 0; i < list.count && rc == 0; i++) rc = make(&making, &list.records[i], err);
    if (rc) return rc;
    if (making.refused)
        log_warn(prepared->options.log, "%zu streams that the source lists are left out: %s", making.refused,
                 making.reason.message);
    look_for_all(&making, &list);
    if (problems->count == 0 && making.count > DESCRIPTION_MAX_STREAMS) {
        problems_add(problems, prepared->options.pipeline->node, "the source lists %zu streams, and a pipeline has at most %d",
                     list.count, DESCRIPTION_MAX_STREAMS);
        problems_hint(problems, "name those it is to load under `streams:`");
    }
    if (problems->count) return 0;
    discovery_release(discovery);
    return prepare_compile(prepared, with_streams(&making), problems, err);
}
