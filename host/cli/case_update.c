/* case_update: how it works: the file's lines are copied, but for those of the keys that say what is expected; where a sync's
 * lines end, what it came to is written. So comments, order and exchanges stay as their author wrote them. */
#include <stdio.h>
#include <string.h>

#include "cli/case.h"

struct text_line {
    struct str text;
    size_t indent; /* of its first character; of an item's first key, that of the key */
    bool is_blank;
};

static size_t split_lines(struct str text, struct arena *arena, struct text_line **out)
{
    struct str rest = text, line;
    size_t count = 0;
    while (str_next(&rest, '\n', &line)) count++;
    *out = arena_array(arena, struct text_line, count + 1);
    count = 0;
    for (rest = text; str_next(&rest, '\n', &line); count++) {
        struct text_line *made = &(*out)[count];
        made->text = line;
        while (made->indent < line.size && line.data[made->indent] == ' ') made->indent++;
        made->is_blank = made->indent == line.size;
        if (made->indent + 1 < line.size && line.data[made->indent] == '-' && line.data[made->indent + 1] == ' ')
            for (made->indent++; made->indent < line.size && line.data[made->indent] == ' ';) made->indent++;
    }
    return count;
}

/* Behind the last line of the block that begins at `at`, blank lines at its end left out. */
static size_t block_end(const struct text_line *lines, size_t count, size_t at)
{
    size_t end = at + 1;
    for (size_t i = at + 1; i < count; i++) {
        struct str text = lines[i].text;
        size_t first = 0;
        while (first < text.size && text.data[first] == ' ') first++;
        if (!lines[i].is_blank && first <= lines[at].indent) break;
        if (!lines[i].is_blank) end = i + 1;
    }
    return end;
}

static void append_outcome(const struct case_outcome *outcome, bool says_state, size_t indent, struct buf *out)
{
    struct str rest = outcome->rows, line;
    buf_printf(out, "%*srows:%s\n", (int)indent, "", rest.size ? "" : " {}");
    while (str_next(&rest, '\n', &line))
        buf_printf(out, "%*s", (int)indent, ""), buf_append_str(out, line), buf_append_char(out, '\n');
    if (says_state && outcome->state.size) case_append_block("state", outcome->state, indent, out);
    if (outcome->rejects.size) case_append_block("rejects", outcome->rejects, indent, out);
    if (outcome->error_class.size == 0 || outcome->error_fits) return;
    buf_printf(out, "%*serror:\n%*sclass: " STR_FMT "\n", (int)indent, "", (int)indent + 2, "", STR_ARG(outcome->error_class));
    if (outcome->error_stream.size)
        buf_printf(out, "%*sstream: " STR_FMT "\n", (int)indent + 2, "", STR_ARG(outcome->error_stream));
    buf_printf(out, "%*smessage: ", (int)indent + 2, "");
    buf_append_json_string(out, outcome->error_message);
    buf_append_char(out, '\n');
}

/* Each key of a sync begins a line. */
static bool has_lines(const struct node *sync)
{
    for (size_t k = 0; k + 1 < sync->count; k++)
        if (sync->children[k].line == sync->children[k + 1].line) return false;
    return true;
}

bool case_update(const struct case_file *file, const struct case_result *result, struct buf *out)
{
    static const char *const EXPECTED[] = {"rows", "state", "rejects", "error"};
    struct arena arena = ARENA_INIT(0);
    for (size_t s = 0; s < result->sync_count; s++)
        if (!has_lines(&file->syncs->children[s]) || file->syncs->line == file->syncs->children[s].line) return false;
    struct text_line *lines;
    size_t count = split_lines(file->text, &arena, &lines), next = 0;
    bool *goes = arena_array(&arena, bool, count + 1);
    for (size_t s = 0; s < result->sync_count; s++) {
        const struct node *sync = &file->syncs->children[s];
        size_t end = 0, indent = 4;
        for (size_t k = 0; k < sync->count; k++) {
            size_t at = sync->children[k].line - 1, key_end = block_end(lines, count, at);
            indent = lines[at].indent;
            if (key_end > end) end = key_end;
            bool stays = result->outcomes[s].error_fits && str_equal(sync->children[k].key, STR("error"));
            for (size_t e = 0; !stays && e < sizeof EXPECTED / sizeof EXPECTED[0]; e++)
                if (str_equal(sync->children[k].key, str_from(EXPECTED[e])))
                    for (size_t i = at; i < key_end; i++) goes[i] = true;
        }
        for (; next < end; next++)
            if (!goes[next]) buf_append_str(out, lines[next].text), buf_append_char(out, '\n');
        append_outcome(&result->outcomes[s], !result->outcomes[s].error_class.size || node_get(sync, "state"), indent, out);
    }
    for (; next < count; next++) buf_append_str(out, lines[next].text), buf_append_char(out, '\n');
    arena_release(&arena);
    return true;
}
