/* fields: see fields.h. */
#include "rest/fields.h"

#include "rest/deleted.h"

enum { QUOTED_MAX = 64 };

static bool is_listed(const char *const *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(name, str_from(names[i]))) return true;
    return false;
}

void fields_init(struct fields *fields, const struct decode_spec *spec)
{
    *fields = (struct fields){.spec = spec};
}

void fields_release(struct fields *fields)
{
    map_release(&fields->by_name);
    arena_release(&fields->arena);
}

const char *fields_path_behind(const char *path, struct str name)
{
    if (strncmp(path, name.data, name.size) != 0) return NULL;
    if (path[name.size] == '\0') return path + name.size;
    return path[name.size] == '.' ? path + name.size + 1 : NULL;
}

static bool holds_cursor(const struct decode_spec *spec, struct str name)
{
    return spec->cursor_field && fields_path_behind(spec->cursor_field, name);
}

/* Does an exploded stream find its elements, or a value to copy, in this field? Or does it say whether the record is gone? */
static bool is_wanted(const struct decode_spec *spec, struct str name)
{
    if (spec->deleted && fields_path_behind(spec->deleted->path, name)) return true;
    for (size_t e = 0; e < spec->exploded_count; e++) {
        const struct explode_spec *exploded = &spec->exploded[e];
        if (fields_path_behind(exploded->decode.records_path, name)) return true;
        for (size_t i = 0; i < exploded->copy_count; i++)
            if (fields_path_behind(exploded->copies[i].from, name)) return true;
    }
    return false;
}

bool fields_is_hidden(const struct fields *fields, struct str name)
{
    const struct decode_spec *spec = fields->spec;
    if (is_listed(spec->blocked, spec->blocked_count, name)) return true;
    if (!spec->select || is_listed(spec->select, spec->select_count, name)) return false;
    const struct column *column = schema_find(spec->schema, name);
    bool is_cursor = spec->cursor_field && str_equal(name, str_from(spec->cursor_field));
    return !is_cursor && !(column && column->key);
}

/* Names the host uses itself never become columns, nor do names no column can have. */
static bool can_be_column(struct str name)
{
    return name.size > 0 && name.size <= SCHEMA_MAX_NAME && !str_starts(name, STR("_sluice_"));
}

void fields_bind(struct fields *fields, struct field *field, const struct column *column)
{
    const struct decode_spec *spec = fields->spec;
    bool is_cursor = spec->cursor_field && spec->cursor_format && str_equal(field->name, str_from(spec->cursor_field));
    field->column = column;
    field->rule = coerce_rule_for(column, is_cursor ? spec->cursor_format : spec->timestamp_format);
    field->use = FIELD_COLUMN;
}

static struct field *add(struct fields *fields, struct str name)
{
    struct field *field = arena_new(&fields->arena, struct field);
    field->name = arena_copy(&fields->arena, name);
    field->is_cursor = holds_cursor(fields->spec, name);
    field->is_watched = field->is_cursor || is_wanted(fields->spec, name);
    field->hidden = fields_is_hidden(fields, name);
    field->use = FIELD_SKIP;
    if (!field->hidden && fields->spec->infer) field->use = can_be_column(name) ? FIELD_NEW : FIELD_OVERFLOW;
    const struct column *column = field->hidden || !can_be_column(name) ? NULL : schema_find(fields->spec->schema, name);
    if (column) fields_bind(fields, field, column);
    if (is_listed(fields->spec->given, fields->spec->given_count, name)) field->use = column ? FIELD_GIVEN : FIELD_SKIP;
    map_set(&fields->by_name, name, field);
    return field;
}

struct field *fields_get(struct fields *fields, struct str name)
{
    struct field *field = map_get(&fields->by_name, name);
    if (!field && fields->by_name.count < DECODE_MAX_FIELDS) field = add(fields, name);
    return field;
}

/* The first spelling met is the one that is guessed: `"name":`. */
static void remember_spelling(struct fields *fields, struct field *field, struct str raw)
{
    if (field->quoted.size || raw.size + 3 > QUOTED_MAX) return;
    char *quoted = arena_alloc(&fields->arena, QUOTED_MAX);
    memcpy(quoted, raw.data - 1, raw.size + 2);
    quoted[raw.size + 2] = ':';
    field->quoted = (struct str){quoted, raw.size + 3};
}

struct field *fields_next(struct fields *fields, struct jsonscan *scan, struct field *previous, struct arena *arena,
                          struct str *unknown)
{
    struct field *guess = previous ? previous->next : fields->first;
    *unknown = (struct str){NULL, 0};
    if (LIKELY(guess && guess->quoted.size && jsonscan_expect_key(scan, guess->quoted))) return guess;

    struct json_value key;
    if (!jsonscan_next_key(scan, &key)) return NULL;
    uint64_t repaired = 0;
    struct str name = jsonscan_text(&key, arena, &repaired);
    struct field *field = fields_get(fields, name);
    if (!field) {
        *unknown = name;
        return NULL;
    }
    remember_spelling(fields, field, key.raw);
    *(previous ? &previous->next : &fields->first) = field;
    return field;
}
