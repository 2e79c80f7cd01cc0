/* plan: see plan.h. */
#include "sync/plan.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "rest/native.h"
#include "sync/plan_parts.h"

enum { MAX_NAMES = 2000 }; /* of streams, that are looked through for a likely one */

static const struct stream_choice *choice_of(const struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (strcmp(pipeline->streams[i].name, name) == 0) return &pipeline->streams[i];
    return NULL;
}

static void unknown_stream(const struct description *description, const struct node *place, const char *name,
                           struct problems *problems)
{
    problems_add(problems, place, "connector '%s' has no stream '%s'", description->name, name);
    const char *names[MAX_NAMES];
    size_t count = 0;
    struct buf known = BUF_INIT(400);
    for (size_t i = 0; i < description->stream_count; i++) {
        const struct stream_description *root = &description->streams[i];
        if (count < MAX_NAMES) names[count++] = root->name;
        for (size_t e = 0; e < root->exploded_count && count < MAX_NAMES; e++) names[count++] = root->exploded[e].name;
    }
    const char *nearest = str_nearest(str_from(name), names, count, sizeof names[0]);
    for (size_t i = 0; i < count; i++) buf_printf(&known, "%s%s", i ? ", " : "", names[i]);
    if (nearest)
        problems_hint(problems, "did you mean '%s'?", nearest);
    else
        problems_hint(problems, "it has: %s", buf_text(&known));
    buf_release(&known);
}

/* Is the stream chosen, or one that is exploded from it? */
static bool chooses_any_of(const struct pipeline *pipeline, const struct stream_description *stream)
{
    bool is_chosen = choice_of(pipeline, stream->name) != NULL;
    for (size_t i = 0; i < stream->exploded_count; i++) is_chosen = is_chosen || choice_of(pipeline, stream->exploded[i].name);
    return is_chosen;
}

static void check_names(const struct description *description, const struct pipeline *pipeline,
                        const struct plan_request *request, struct problems *problems)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (!description_stream(description, pipeline->streams[i].name))
            unknown_stream(description, pipeline->streams[i].node, pipeline->streams[i].name, problems);
        else if (description_stream(description, pipeline->streams[i].name)->internal) {
            problems_add(problems, pipeline->streams[i].node,
                         "stream '%s' is internal: it is read for others, and never loaded", pipeline->streams[i].name);
            problems_hint(problems, "leave it out");
        }
    for (size_t i = 0; i < request->stream_count; i++) {
        if (!description_stream(description, request->streams[i])) {
            unknown_stream(description, NULL, request->streams[i], problems);
        } else if (pipeline->chooses_streams &&
                   !chooses_any_of(pipeline, description_stream(description, request->streams[i]))) {
            problems_add(problems, pipeline->node, "stream '%s' is not among those of pipeline '%s'", request->streams[i],
                         pipeline->name);
            problems_hint(problems, "add it under `streams:`");
        }
    }
}

/* A root that is read for the sake of what is exploded from it keeps its key and its cursor, and nothing else. */
static const struct stream_choice *choice_of_hidden(const struct pipeline *pipeline, struct arena *arena)
{
    static const char *const NOTHING[] = {NULL};
    struct stream_choice *choice = arena_new(arena, struct stream_choice);
    *choice = pipeline->defaults;
    choice->select = NOTHING;
    choice->select_count = 0;
    choice->primary_key = NULL;
    choice->cursor = NULL;
    choice->blocked_count = 0;
    return choice;
}

/* --- flows --------------------------------------------------------------------------------------------------------------- */

/* The pipeline's choice of a stream; NULL: it is not chosen. */
static const struct stream_choice *chosen(const struct pipeline *pipeline, const struct stream_description *stream)
{
    const struct stream_choice *choice = choice_of(pipeline, stream->name);
    if (stream->internal) return NULL;
    return choice || pipeline->chooses_streams ? choice : &pipeline->defaults;
}

/* The sync mode that the pipeline wants: of the root, or when it is not loaded of any stream exploded from it. */
static enum sync_mode usual_mode(const struct pipeline *pipeline, const struct stream_description *root)
{
    const struct stream_choice *choice = chosen(pipeline, root);
    enum sync_mode mode = choice ? choice->sync_mode : SYNC_DEFAULT;
    for (size_t i = 0; !choice && mode == SYNC_DEFAULT && i < root->exploded_count; i++) {
        const struct stream_choice *exploded = chosen(pipeline, &root->exploded[i]);
        if (exploded) mode = exploded->sync_mode;
    }
    if (mode != SYNC_DEFAULT) return mode;
    return root->incremental ? SYNC_INCREMENTAL : SYNC_FULL_REFRESH;
}

static void make_flow(struct making *making, const struct stream_description *root)
{
    struct flow_plan *flow = making->flow;
    const struct stream_choice *choice = chosen(making->pipeline, root);
    struct explode_spec *exploded = arena_array(making->arena, struct explode_spec, root->exploded_count + 1);
    making->stream = arena_new(making->arena, struct stream_description);
    *making->stream = *root;
    *flow = (struct flow_plan){
        .stream = making->stream,
        .loads_root = choice != NULL,
        .streams = arena_array(making->arena, struct stream_plan, root->exploded_count + 1),
        .tables = arena_array(making->arena, struct table_spec, root->exploded_count + 1),
    };
    making->choice = choice ? choice : choice_of_hidden(making->pipeline, making->arena);
    making->key = key_of(root, making->choice);
    making->usual = usual_mode(making->pipeline, root);
    flow->sync_mode = making->request->full_refresh && root->full_refresh ? SYNC_FULL_REFRESH : making->usual;
    flow->max_records = making->request->max_records ? making->request->max_records : making->choice->max_records;
    flow->max_pages = making->request->max_pages ? making->request->max_pages : making->choice->max_pages;
    plan_root(making);
    if (making->request->from) plan_check_range(making);
    for (size_t i = 0; i < root->exploded_count; i++) {
        choice = chosen(making->pipeline, &root->exploded[i]);
        if (choice) plan_exploded(making, &root->exploded[i], choice, &exploded[flow->decode.exploded_count++]);
    }
    flow->decode.exploded = exploded;
}

bool plan_wants(const struct pipeline *pipeline, const struct plan_request *request, const struct stream_description *root)
{
    bool is_chosen = chosen(pipeline, root) != NULL;
    bool is_asked = request->stream_count == 0 || is_among(root->name, request->streams, request->stream_count);
    for (size_t i = 0; i < root->exploded_count; i++) {
        is_chosen = is_chosen || chosen(pipeline, &root->exploded[i]);
        is_asked = is_asked || is_among(root->exploded[i].name, request->streams, request->stream_count);
    }
    return is_chosen && is_asked;
}

static void check_table(const struct table_spec *table, const struct sync_plan *plan, const struct pipeline *pipeline,
                        struct problems *problems)
{
    for (size_t f = 0; f < plan->count; f++)
        for (size_t t = 0; t < plan->flows[f].stream_count; t++) {
            const struct table_spec *other = &plan->flows[f].tables[t];
            if (other == table) return;
            if (!str_equal_nocase(str_from(table->name), str_from(other->name))) continue;
            problems_add(problems, pipeline->node, "streams '%s' and '%s' are both written to table '%s'", other->stream,
                         table->stream, table->name);
        }
}

void plan_make(const struct description *description, const struct pipeline *pipeline, const struct plan_request *request,
               struct arena *arena, struct sync_plan *plan, struct problems *problems)
{
    *plan = (struct sync_plan){.flows = arena_array(arena, struct flow_plan, description->stream_count + 1)};
    check_names(description, pipeline, request, problems);
    for (size_t i = 0; i < description->stream_count; i++) {
        if (!plan_wants(pipeline, request, &description->streams[i])) continue;
        struct making making = {.pipeline = pipeline,
                                .request = request,
                                .arena = arena,
                                .problems = problems,
                                .flow = &plan->flows[plan->count++]};
        make_flow(&making, &description->streams[i]);
    }
    for (size_t f = 0; f < plan->count; f++)
        for (size_t t = 0; t < plan->flows[f].stream_count; t++)
            check_table(&plan->flows[f].tables[t], plan, pipeline, problems);
    if (plan->count == 0 && problems->count == 0)
        problems_add(problems, pipeline->node, "pipeline '%s' has no streams to sync", pipeline->name);
}

void plan_release(struct sync_plan *plan)
{
    for (size_t f = 0; f < plan->count; f++) {
        for (size_t t = 0; t < plan->flows[f].stream_count; t++) schema_free(plan->flows[f].tables[t].schema);
        if (plan->flows[f].hidden) schema_free(plan->flows[f].hidden);
    }
    plan->count = 0;
}

struct str plan_native_tables(const struct flow_plan *plan, struct arena *arena)
{
    struct buf text = BUF_INIT(NATIVE_MAX_LINES);
    struct json_writer json = JSON_WRITER(&text);
    native_tables_begin(&json);
    for (size_t i = 0; i < plan->stream_count; i++) native_tables_add(&json, plan->tables[i].stream, plan->tables[i].schema);
    native_tables_end(&json);
    struct str copy = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

void plan_bind(struct flow_plan *flow, struct budget *budget, const struct secrets *secrets)
{
    /* The specs are the plan's own; only decoders see them as read-only. */
    struct explode_spec *exploded = (struct explode_spec *)(uintptr_t)flow->decode.exploded;
    flow->decode.budget = budget;
    flow->decode.secrets = secrets;
    flow->events.budget = budget;
    flow->events.secrets = secrets;
    for (size_t i = 0; i < flow->decode.exploded_count; i++) {
        exploded[i].decode.budget = budget;
        exploded[i].decode.secrets = secrets;
    }
}
