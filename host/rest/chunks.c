/* chunks: see chunks.h. */
#include "rest/chunks.h"

#include "base/buf.h"

enum { COMMA_CHARS = 3, ASKED_MAX = 8 * 1024 * 1024 }; /* %2C */

/* As url_encode writes it: all but RFC 3986's unreserved characters take three. */
static int64_t chars_of(struct str name)
{
    int64_t chars = 0;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                        c == '_' || c == '~';
        chars += is_plain ? 1 : 3;
    }
    return chars;
}

static bool is_shared(const struct chunks_description *chunks, struct str name)
{
    for (size_t i = 0; i < chunks->shared_count; i++)
        if (str_equal(chunks->shared[i], name)) return true;
    return false;
}

/* One group on its way. */
struct group {
    struct buf text;
    int64_t fields, chars;
};

static void add(struct group *group, struct str name)
{
    if (group->fields++) {
        buf_append_char(&group->text, ',');
        group->chars += COMMA_CHARS;
    }
    buf_append_str(&group->text, name);
    group->chars += chars_of(name);
}

static bool has_room(const struct chunks_description *chunks, const struct group *group, struct str name)
{
    return (!chunks->max_fields || group->fields < chunks->max_fields) &&
           (!chunks->max_chars || group->chars + COMMA_CHARS + chars_of(name) <= chunks->max_chars);
}

struct chunks chunks_of(const struct chunks_description *chunks, struct str asked, struct arena *arena)
{
    struct group first = {.text = BUF_INIT(ASKED_MAX)}, group = {.text = BUF_INIT(ASKED_MAX)};
    struct str rest = asked, name, *groups;
    size_t count = 0, names = 1;
    if (!chunks || asked.size == 0) return (struct chunks){0};
    for (size_t i = 0; i < asked.size; i++) names += asked.data[i] == ',';
    groups = arena_array(arena, struct str, names);
    while (str_next(&rest, ',', &name))
        if (is_shared(chunks, name)) add(&first, name);
    bool is_fresh = true; /* nothing but what is shared */
    group.fields = first.fields, group.chars = first.chars;
    buf_append_str(&group.text, buf_str(&first.text));
    for (rest = asked; str_next(&rest, ',', &name);) {
        if (is_shared(chunks, name)) continue;
        if (!is_fresh && !has_room(chunks, &group, name)) {
            groups[count++] = arena_copy(arena, buf_str(&group.text));
            buf_clear(&group.text);
            buf_append_str(&group.text, buf_str(&first.text));
            group.fields = first.fields, group.chars = first.chars;
        }
        add(&group, name);
        is_fresh = false;
    }
    groups[count++] = arena_copy(arena, buf_str(&group.text));
    buf_release(&group.text);
    buf_release(&first.text);
    return (struct chunks){groups, count};
}
