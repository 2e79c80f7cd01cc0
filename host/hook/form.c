/* form: see form.h. */
#include "hook/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { JSON_TIMES_MAX = 6 /* a byte as \u0000 */, FIELD_AROUND = 8 /* "":"", */ };

bool form_is_type(const char *content_type)
{
    struct str rest = str_from(content_type), type;
    return str_next(&rest, ';', &type) && str_equal_nocase(str_trim(type), STR("application/x-www-form-urlencoded"));
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str decode(struct str text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int high = c == '%' && i + 2 < text.size ? digit_of(text.data[i + 1]) : -1;
        int low = high >= 0 ? digit_of(text.data[i + 2]) : -1;
        if (low >= 0) {
            out[size++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[size++] = c;
            if (c == '+') out[size - 1] = ' ';
        }
    }
    out[size] = '\0';
    return (struct str){out, size};
}

bool form_read(struct str body, struct arena *arena, struct form *out)
{
    struct str pair;
    *out = (struct form){.fields = arena_array(arena, struct form_field, FORM_FIELDS_MAX)};
    while (str_next(&body, '&', &pair)) {
        struct str name;
        if (pair.size == 0) continue;
        if (out->count == FORM_FIELDS_MAX) return false;
        const char *sign = memchr(pair.data, '=', pair.size);
        name = (struct str){pair.data, sign ? (size_t)(sign - pair.data) : pair.size};
        struct str value = sign ? (struct str){sign + 1, pair.size - name.size - 1} : (struct str){"", 0};
        out->fields[out->count++] = (struct form_field){decode(name, arena), decode(value, arena)};
    }
    return true;
}

/* --- sorted --------------------------------------------------------------------------------------------------------------- */

/* By name; those of one name as they came, since they are sorted by their places. */
static int compare(const void *a, const void *b)
{
    const struct form_field *one = *(const struct form_field *const *)a, *other = *(const struct form_field *const *)b;
    size_t size = one->name.size < other->name.size ? one->name.size : other->name.size;
    int order = size ? memcmp(one->name.data, other->name.data, size) : 0;
    if (order == 0) order = (one->name.size > other->name.size) - (one->name.size < other->name.size);
    return order ? order : (one > other) - (one < other);
}

static const struct form_field **sorted(const struct form *form, struct arena *arena)
{
    const struct form_field **list = arena_array(arena, const struct form_field *, form->count + 1);
    for (size_t i = 0; i < form->count; i++) list[i] = &form->fields[i];
    if (form->count) qsort(list, form->count, sizeof(*list), compare);
    return list;
}

void form_append_sorted(const struct form *form, struct arena *arena, struct buf *out)
{
    const struct form_field **list = sorted(form, arena);
    for (size_t i = 0; i < form->count; i++) {
        buf_append_str(out, list[i]->name);
        buf_append_str(out, list[i]->value);
    }
}

/* --- as JSON -------------------------------------------------------------------------------------------------------------- */

static bool is_payload(const struct form *form)
{
    const struct form_field *only = form->fields;
    return form->count == 1 && str_equal(only->name, STR("payload")) && only->value.size &&
           (only->value.data[0] == '{' || only->value.data[0] == '[');
}

static void write_member(const struct form_field *const *list, size_t count, struct json_writer *json, struct arena *arena)
{
    json_member(json, arena_text(arena, list[0]->name));
    if (count > 1) json_open(json, '[');
    for (size_t i = 0; i < count; i++) json_text(json, list[i]->value);
    if (count > 1) json_close(json, ']');
}

struct str form_json(const struct form *form, struct arena *arena)
{
    size_t most = 2;
    if (is_payload(form)) return form->fields[0].value;
    for (size_t i = 0; i < form->count; i++)
        most += JSON_TIMES_MAX * (form->fields[i].name.size + form->fields[i].value.size) + FIELD_AROUND;
    struct buf text = BUF_INIT(most);
    struct json_writer json = JSON_WRITER(&text);
    const struct form_field **list = sorted(form, arena);
    json_open(&json, '{');
    for (size_t i = 0, same; i < form->count; i += same) {
        for (same = 1; i + same < form->count && str_equal(list[i]->name, list[i + same]->name);) same++;
        write_member(list + i, same, &json, arena);
    }
    json_close(&json, '}');
    struct str copy = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return copy;
}
