/* records_path: see records_path.h. Recursion is as deep as the path has steps. */
#include "base/records_path.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

struct walk {
    struct jsonscan *scan;
    const char *path; /* as written, for messages */
    records_take *take;
    void *context;
    struct err *err;
};

static int walk_value(struct walk *walk, const char *rest, size_t step);

static int scan_failed(void)
{
    return ERR_TRANSIENT;
}

static int pass_over(struct walk *walk)
{
    struct json_value value;
    return jsonscan_value(walk->scan, &value) ? 0 : scan_failed();
}

/* Behind the first step of `rest`, when `name` is that step; else NULL. */
static const char *behind_step(const char *rest, struct str name)
{
    if (strncmp(rest, name.data, name.size) != 0) return NULL;
    if (rest[name.size] == '\0') return rest + name.size;
    return rest[name.size] == '.' ? rest + name.size + 1 : NULL;
}

static const char *behind_key(const char *rest, const struct json_value *key)
{
    if (!(key->flags & (JSON_ESCAPED | JSON_DIRTY))) return behind_step(rest, key->raw);
    struct arena arena = ARENA_INIT(0);
    const char *behind = behind_step(rest, jsonscan_text(key, &arena, NULL));
    arena_release(&arena);
    return behind;
}

static bool is_star(const char *rest)
{
    return rest[0] == '*' && (rest[1] == '\0' || rest[1] == '.');
}

static const char *behind_star(const char *rest)
{
    return rest[1] ? rest + 2 : rest + 1;
}

static int holds_no_records(struct walk *walk, const char *rest, int kind)
{
    size_t size = strlen(walk->path) - strlen(rest);
    while (size && walk->path[size - 1] == '.') size--;
    struct str place = size ? (struct str){walk->path, size} : STR("$");
    err_set(walk->err, ERR_DATA, "cannot take records from '%s': there is %s at '" STR_FMT "'", walk->path,
            json_kind_name((uint8_t)kind), STR_ARG(place));
    return err_hint(walk->err, "let 'records' of the stream name the list in the answer");
}

static int take_all(struct walk *walk)
{
    if (!jsonscan_enter_array(walk->scan)) return scan_failed();
    while (jsonscan_next_element(walk->scan)) {
        int rc = walk->take(walk->context, walk->scan, walk->err);
        if (rc) return rc;
    }
    return walk->scan->error ? scan_failed() : 0;
}

static int walk_object(struct walk *walk, const char *rest, size_t step)
{
    struct json_value key;
    if (!jsonscan_enter_object(walk->scan)) return scan_failed();
    while (jsonscan_next_key(walk->scan, &key)) {
        const char *behind = is_star(rest) ? behind_star(rest) : behind_key(rest, &key);
        int rc = behind ? walk_value(walk, behind, step + 1) : pass_over(walk);
        if (rc) return rc;
    }
    return walk->scan->error ? scan_failed() : 0;
}

static int walk_array(struct walk *walk, const char *rest, size_t step)
{
    if (!jsonscan_enter_array(walk->scan)) return scan_failed();
    bool by_index = rest[0] >= '0' && rest[0] <= '9';
    for (size_t index = 0; jsonscan_next_element(walk->scan); index++) {
        char digits[24];
        const char *behind = NULL;
        if (is_star(rest))
            behind = behind_star(rest);
        else if (by_index)
            behind = behind_step(rest, (struct str){digits, (size_t)snprintf(digits, sizeof digits, "%zu", index)});
        else
            return holds_no_records(walk, rest, JSON_ARRAY);
        int rc = behind ? walk_value(walk, behind, step + 1) : pass_over(walk);
        if (rc) return rc;
    }
    return walk->scan->error ? scan_failed() : 0;
}

/* Walks the value that comes next, `rest` being what is left of the path. */
static int walk_value(struct walk *walk, const char *rest, size_t step)
{
    int kind = jsonscan_peek(walk->scan);
    if (kind == JSON_NULL || kind < 0) return pass_over(walk);
    if (step > RECORDS_PATH_MAX_STEPS) {
        err_set(walk->err, ERR_DATA, "cannot take records from '%s': over %d steps", walk->path, RECORDS_PATH_MAX_STEPS);
        return err_hint(walk->err, "shorten 'records' of the stream");
    }
    if (rest[0]) {
        if (kind == JSON_OBJECT) return walk_object(walk, rest, step);
        return kind == JSON_ARRAY ? walk_array(walk, rest, step) : holds_no_records(walk, rest, kind);
    }
    if (kind == JSON_ARRAY) return take_all(walk);
    if (kind == JSON_OBJECT) return walk->take(walk->context, walk->scan, walk->err);
    return holds_no_records(walk, rest, kind);
}

int records_walk(struct jsonscan *scan, const char *path, records_take *take, void *context, struct err *err)
{
    struct walk walk = {.scan = scan, .path = path, .take = take, .context = context, .err = err};
    const char *rest = path;
    if (rest[0] == '$' && (rest[1] == '\0' || rest[1] == '.')) rest += rest[1] ? 2 : 1;
    return walk_value(&walk, rest, 0);
}
