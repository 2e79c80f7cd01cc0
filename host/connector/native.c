/* native: see native.h. */
#include "connector/native.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"
#include "data/node.h"
#include "data/option.h"
#include "rest/description.h"
#include "wire/session.h"

/* --- describing ---------------------------------------------------------------------------------------------------------- */

static int refuse(const char *connector, struct err *err, const char *what)
{
    err_set(err, ERR_CONFIG, "connector '%s': %s", connector, what);
    return err_hint(err, "correct the plugin; sluice/plugin.h says what a descriptor holds");
}

static bool is_listed(const struct node *list, struct str name)
{
    for (size_t i = 0; list && i < list->count; i++)
        if (str_equal(node_text(&list->children[i]), name)) return true;
    return false;
}

/* A function that the description names and the plugin does not have; NULL: there is none. */
static const char *missing_function(const struct node *node, const struct node *places)
{
    const char *place = option_function(node), *missing = NULL;
    if (place) return is_listed(places, str_from(place)) ? NULL : place;
    for (size_t i = 0; i < node->count && !missing; i++) missing = missing_function(&node->children[i], places);
    return missing;
}

static bool has_native_stream(const struct node *description)
{
    const struct node *streams = node_get(description, "streams");
    for (size_t i = 0; streams && i < streams->count; i++)
        if (str_equal(node_text(node_get(&streams->children[i], "native")), STR("true"))) return true;
    return false;
}

static int check(const char *connector, const struct node *told, struct arena *arena, struct err *err)
{
    static const char *const OWN[] = {"name", "version", "profile"};
    const struct node *description = node_get(told, "description");
    if (!node_is(description, NODE_MAP)) return refuse(connector, err, "its description is no JSON object");
    for (size_t i = 0; i < ARRAY_SIZE(OWN); i++)
        if (node_get(description, OWN[i]))
            return refuse(connector, err,
                          arena_printf(arena, "its description has a '%s', which belongs into the descriptor", OWN[i]));
    const char *missing = missing_function(description, node_get(told, "places"));
    if (missing)
        return refuse(connector, err, arena_printf(arena, "it has no function for '%s', which its description names", missing));
    if (has_native_stream(description) && !is_listed(node_get(told, "callbacks"), STR("page")))
        return refuse(connector, err, "it has native streams and no page");
    if (description_is_parser(description) && !is_listed(node_get(told, "callbacks"), STR("page")))
        return refuse(connector, err, "it is a parser and has no page");
    return 0;
}

/* The declared order of fields is that of columns, so the description stays as it is written. */
int native_description(const char *connector, struct str told, struct arena *arena, struct str *json, struct err *err)
{
    static const char *const FROM_DESCRIPTOR[] = {"name", "version", "profile"};
    struct err problem = ERR_INIT;
    const struct node *root;
    struct json_value description = {0};
    told = jsonscan_padded(arena, told);
    if (node_from_json(told, arena, &root, &problem) != 0)
        return refuse(connector, err, arena_printf(arena, "its description cannot be read: %s", problem.message));
    int rc = check(connector, root, arena, err);
    if (rc) return rc;
    CHECK(jsonscan_find(told.data, told.size, "description", &description) && description.kind == JSON_OBJECT);
    struct buf text = BUF_INIT(2 * NODE_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(FROM_DESCRIPTOR); i++) {
        buf_printf(&text, "%s\"%s\":", i ? "," : "{", FROM_DESCRIPTOR[i]);
        buf_append_json_string(&text, node_text(node_get(root, FROM_DESCRIPTOR[i])));
    }
    struct str members = {description.raw.data + 1, description.raw.size - 1};
    if (node_get(root, "description")->count) buf_append_char(&text, ',');
    buf_append_str(&text, members);
    *json = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return 0;
}

/* --- sessions ------------------------------------------------------------------------------------------------------------ */

/* `slice` NULL: the config alone. */
static struct wire_open *open_frame(const struct connector_options *options, const struct native_slice *slice)
{
    const struct connector_grant *grant = options->grant;
    struct wire_open *open = mem_zero(1, sizeof *open);
    for (size_t i = 0; grant && i < grant->setting_count && i < WIRE_MAX_CONFIG; i++)
        open->config[open->config_count++] =
            (struct wire_setting){str_from(grant->settings[i].name), str_from(grant->settings[i].value)};
    if (!slice) return open;
    open->stream = str_from(slice->stream);
    open->has_state = slice->state != NULL;
    open->state = str_from(slice->state);
    open->has_from = slice->from != NULL;
    open->from = str_from(slice->from);
    open->has_to = slice->to != NULL;
    open->to = str_from(slice->to);
    open->has_values = slice->values != NULL;
    open->values = str_from(slice->values);
    open->tables = slice->tables;
    open->now_us = slice->now_us;
    open->incremental = slice->incremental;
    open->continuous = slice->continuous;
    open->sample = slice->sample;
    open->parses = slice->parses;
    return open;
}

static int send_open(struct worker *worker, enum wire_type type, struct wire_open *open, struct err *err)
{
    struct wire_frame frame;
    uint32_t id;
    struct buf *out = worker_begin(worker, &id);
    wire_write_open(out, type, id, open);
    free(open);
    return worker_ask(worker, WIRE_RESULT, &frame, err);
}

int native_ask(struct worker *worker, const struct connector_options *options, enum native_question question,
               const struct native_slice *slice, const struct native_http *http, struct err *err)
{
    static const enum wire_type TYPES[] = {
        [NATIVE_CHECK] = WIRE_CHECK, [NATIVE_SETUP] = WIRE_SETUP, [NATIVE_TEARDOWN] = WIRE_TEARDOWN};
    worker_let_send(worker, http);
    int rc = send_open(worker, TYPES[question], open_frame(options, slice), err);
    worker_let_send(worker, NULL);
    return rc;
}

int native_open(struct worker *worker, const struct connector_options *options, const struct native_slice *slice,
                struct err *err)
{
    return send_open(worker, WIRE_OPEN, open_frame(options, slice), err);
}

int native_close(struct worker *worker, struct err *err)
{
    struct wire_frame frame;
    uint32_t id;
    struct buf *out = worker_begin(worker, &id);
    wire_write_bare(out, WIRE_CLOSE, id);
    return worker_ask(worker, WIRE_RESULT, &frame, err);
}

static void put(struct block *block, struct str bytes)
{
    if (bytes.size) memcpy(block->data + block->size, bytes.data, bytes.size);
    block->size += bytes.size;
}

static int ask_page(struct worker *worker, const char *committed, struct budget *budget, struct native_page *page,
                    struct err *err)
{
    const struct wire_page request = {.has_committed = committed != NULL, .committed = str_from(committed)};
    struct wire_frame frame;
    struct wire_rows rows;
    uint32_t id;
    struct buf *out = worker_begin(worker, &id);
    wire_write_page(out, id, &request);
    int rc = worker_ask(worker, WIRE_ROWS, &frame, err);
    if (rc) return rc;
    if (wire_read_rows(&frame, &rows, err) != 0) {
        err->class = ERR_CONNECTOR;
        return err_context(err, "a page of the plugin");
    }
    /* Values first: they are read as they lie, and a block begins where anything may. */
    *page = (struct native_page){
        .block = block_new(budget, rows.values.size + rows.texts.size + rows.operations.size + rows.tables.size),
        .has_more = rows.has_more,
        .is_bytes = rows.is_bytes,
    };
    const struct str parts[] = {rows.values, rows.texts, rows.operations, rows.tables};
    struct str *views[] = {&page->values, &page->texts, &page->operations, &page->tables};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) put(page->block, parts[i]);
    block_seal(page->block);
    const char *at = page->block->data;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        *views[i] = (struct str){at, parts[i].size};
        at += parts[i].size;
    }
    if (rows.has_checkpoint) page->checkpoint = str_dup(rows.checkpoint);
    return 0;
}

int native_next(struct worker *worker, const struct native_http *http, const char *committed, struct budget *budget,
                struct native_page *page, struct err *err)
{
    worker_let_send(worker, http);
    int rc = ask_page(worker, committed, budget, page, err);
    worker_let_send(worker, NULL);
    return rc;
}

_Static_assert((int)NATIVE_MAX_PIECE <= (int)WIRE_PIECE_BYTES, "a piece fits into its frame");

int native_parse(struct worker *worker, const struct native_input *input, struct budget *budget, struct native_page *page,
                 struct err *err)
{
    worker_let_read(worker, input);
    int rc = ask_page(worker, NULL, budget, page, err);
    worker_let_read(worker, NULL);
    return rc;
}
