/* walk: finds the records of a page at a dotted path, by the same rules as the host's own decoder (rest/records_path.h): "$" or
 * "" is the root; a step is a key (which may hold dots itself), an index of a list, or `*` for every element or value. A list
 * gives its elements, an object is one record, null and what is absent give none. */
#include "worker/lua/state.h"

#include <stdio.h>

struct walk {
    lua_State *L;
    struct jsonscan scan;
    struct str path;
    record_visit visit;
    void *context;
};

static void walk_value(struct walk *walk, struct str rest, int depth);

static void pass_over(struct walk *walk)
{
    struct json_value value;
    if (!jsonscan_value(&walk->scan, &value)) scan_failed(walk->L, &walk->scan, "the page");
}

/* Takes `name` off the front of *rest when it is the whole step there. */
static bool take_step(struct str *rest, struct str name)
{
    if (!str_starts(*rest, name) || (rest->size > name.size && rest->data[name.size] != '.')) return false;
    size_t taken = rest->size > name.size ? name.size + 1 : name.size;
    *rest = (struct str){rest->data + taken, rest->size - taken};
    return true;
}

NORETURN static void holds_no_records(struct walk *walk)
{
    const char *path = lua_pushlstring(walk->L, walk->path.data, walk->path.size);
    luaL_error(walk->L, "cannot take records from '%s': it does not lead to a list or an object", path);
    __builtin_unreachable();
}

static void walk_object(struct walk *walk, struct str rest, int depth)
{
    struct json_value key;
    struct arena *arena = &script_of(walk->L)->arena;
    jsonscan_enter_object(&walk->scan);
    while (jsonscan_next_key(&walk->scan, &key)) {
        struct str behind = rest;
        if (take_step(&behind, STR("*")) || take_step(&behind, jsonscan_text(&key, arena, NULL)))
            walk_value(walk, behind, depth + 1);
        else
            pass_over(walk);
    }
}

static void walk_list(struct walk *walk, struct str rest, int depth)
{
    bool by_index = rest.data[0] >= '0' && rest.data[0] <= '9', is_every = rest.data[0] == '*';
    jsonscan_enter_array(&walk->scan);
    for (size_t index = 0; jsonscan_next_element(&walk->scan); index++) {
        if (!by_index && !is_every) holds_no_records(walk);
        char digits[24];
        struct str number = {digits, (size_t)snprintf(digits, sizeof digits, "%zu", index)};
        struct str behind = rest;
        if (take_step(&behind, by_index ? number : STR("*")))
            walk_value(walk, behind, depth + 1);
        else
            pass_over(walk);
    }
}

static void walk_value(struct walk *walk, struct str rest, int depth)
{
    int kind = jsonscan_peek(&walk->scan);
    if (kind == JSON_NULL || kind < 0) {
        pass_over(walk);
    } else if (kind != JSON_ARRAY && kind != JSON_OBJECT) {
        holds_no_records(walk);
    } else if (rest.size > 0) {
        if (depth > SCRIPT_MAX_DEPTH) luaL_error(walk->L, "a records path of more than %d steps", SCRIPT_MAX_DEPTH);
        if (kind == JSON_OBJECT)
            walk_object(walk, rest, depth);
        else
            walk_list(walk, rest, depth);
    } else if (kind == JSON_OBJECT) {
        walk->visit(walk->L, &walk->scan, walk->context);
    } else {
        jsonscan_enter_array(&walk->scan);
        while (jsonscan_next_element(&walk->scan)) walk->visit(walk->L, &walk->scan, walk->context);
    }
}

void walk_records(lua_State *L, struct str page, struct str path, record_visit visit, void *context)
{
    struct walk walk = {.L = L, .path = path, .visit = visit, .context = context};
    struct str rest = path;
    if (!take_step(&rest, STR("$"))) rest = path;
    jsonscan_init(&walk.scan, page.data, page.size);
    walk_value(&walk, rest, 0);
    if (!jsonscan_finish(&walk.scan)) scan_failed(L, &walk.scan, "the page");
}
