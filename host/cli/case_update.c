/* case_update: how it works: the file's lines are copied, but for those of the keys that say what is expected and are wrong:
 * what came stands in their place, or, of a key that was not there, behind the last one. So comments, order and exchanges stay
 * as their author wrote them. */
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

static void append_text_line(struct str line, struct buf *out)
{
    buf_append_str(out, line);
    buf_append_char(out, '\n');
}

/* "KEY: |" and the lines of `text`, all indented by `indent`. */
static void append_block(struct str key, struct str text, size_t indent, struct buf *out)
{
    struct str line;
    buf_printf(out, "%*s" STR_FMT ": |\n", (int)indent, "", STR_ARG(key));
    while (str_next(&text, '\n', &line)) {
        if (line.size) buf_printf(out, "%*s", (int)indent + 2, "");
        append_text_line(line, out);
    }
}

static void append_table(const struct case_table *table, const struct node *wanted, size_t indent, struct arena *arena,
                         struct buf *out)
{
    if (table->rows.size)
        append_block(str_from(table->stream), case_merge_lines(node_text(wanted), table->rows, arena), indent, out);
}

/* Streams in the order of the case, then the others. */
static void append_rows(const struct case_outcome *outcome, const struct node *sync, size_t indent, struct arena *arena,
                        struct buf *out)
{
    const struct node *rows = node_get(sync, "rows");
    bool has_rows = false;
    for (size_t t = 0; t < outcome->table_count; t++) has_rows = has_rows || outcome->tables[t].rows.size;
    buf_printf(out, "%*srows:%s\n", (int)indent, "", has_rows ? "" : " {}");
    for (size_t i = 0; rows && i < rows->count; i++)
        for (size_t t = 0; t < outcome->table_count; t++)
            if (str_equal(rows->children[i].key, str_from(outcome->tables[t].stream)))
                append_table(&outcome->tables[t], &rows->children[i], indent + 2, arena, out);
    for (size_t t = 0; t < outcome->table_count; t++)
        if (!node_get(rows, outcome->tables[t].stream)) append_table(&outcome->tables[t], NULL, indent + 2, arena, out);
}

static void append_member(struct str key, struct str value, bool is_quoted, size_t indent, bool *begins_item, struct buf *out)
{
    buf_printf(out, "%*s%s" STR_FMT ": ", (int)indent - (*begins_item ? 2 : 0), "", *begins_item ? "- " : "", STR_ARG(key));
    *begins_item = false;
    if (is_quoted)
        buf_append_json_string(out, value);
    else
        buf_append_str(out, value);
    buf_append_char(out, '\n');
}

static void append_failure(const struct case_failure *failure, size_t indent, bool begins_item, struct buf *out)
{
    append_member(STR("class"), str_from(failure->class), false, indent, &begins_item, out);
    if (failure->stream) append_member(STR("stream"), str_from(failure->stream), false, indent, &begins_item, out);
    append_member(STR("message"), str_from(failure->message), true, indent, &begins_item, out);
}

/* Entries of the case that came, then failures that it does not expect. */
static void append_failures(const struct case_outcome *outcome, const struct node *error, size_t indent, struct buf *out)
{
    const struct node *entries;
    size_t count = case_errors(error, &entries), left = 0;
    for (size_t i = 0; i < count; i++) left += case_error_came(&entries[i], outcome);
    for (size_t i = 0; i < outcome->failure_count; i++) left += !case_failure_is_expected(error, &outcome->failures[i]);
    bool is_list = node_is(error, NODE_LIST) || left > 1;
    if (left) buf_printf(out, "%*serror:\n", (int)indent, "");
    indent += is_list ? 4 : 2;
    for (size_t i = 0; i < count; i++) {
        bool begins_item = is_list;
        for (size_t k = 0; k < entries[i].count && case_error_came(&entries[i], outcome); k++) {
            const struct node *member = &entries[i].children[k];
            append_member(member->key, node_text(member), str_equal(member->key, STR("message")), indent, &begins_item, out);
        }
    }
    for (size_t i = 0; i < outcome->failure_count; i++)
        if (!case_failure_is_expected(error, &outcome->failures[i]))
            append_failure(&outcome->failures[i], indent, is_list, out);
}

/* Each key of a sync begins a line. */
static bool has_lines(const struct node *sync)
{
    for (size_t k = 0; k + 1 < sync->count; k++)
        if (sync->children[k].line == sync->children[k + 1].line) return false;
    return true;
}

enum part { PART_NOW, PART_EXCHANGES, PART_ROWS, PART_STATE, PART_REJECTS, PART_ERROR, PART_COUNT };
static const char *const PARTS[PART_COUNT] = {"now", "exchanges", "rows", "state", "rejects", "error"};

static enum part part_of(struct str key)
{
    size_t part = 0;
    while (part < PART_COUNT && !str_equal(key, str_from(PARTS[part]))) part++;
    return (enum part)part;
}

static bool stays(const struct case_outcome *outcome, enum part part)
{
    const bool is_right[PART_COUNT] = {
        [PART_NOW] = !outcome->now,
        [PART_EXCHANGES] = outcome->exchanges.size == 0,
        [PART_ROWS] = outcome->rows_fit,
        [PART_STATE] = outcome->state_fit,
        [PART_REJECTS] = outcome->rejects_fit,
        [PART_ERROR] = outcome->failures_fit,
    };
    return part == PART_COUNT || is_right[part];
}

static void append_part(const struct case_outcome *outcome, const struct node *sync, enum part part, size_t indent,
                        struct arena *arena, struct buf *out)
{
    const struct node *was = node_get(sync, PARTS[part]);
    struct str text = part == PART_STATE ? outcome->state : outcome->rejects;
    if (part == PART_NOW)
        buf_printf(out, "%*snow: %s\n", (int)indent, "", outcome->now);
    else if (part == PART_EXCHANGES)
        append_block(STR("exchanges"), outcome->exchanges, indent, out);
    else if (part == PART_ROWS)
        append_rows(outcome, sync, indent, arena, out);
    else if (part == PART_ERROR)
        append_failures(outcome, was, indent, out);
    else if (text.size)
        append_block(str_from(PARTS[part]), case_merge_lines(node_text(was), text, arena), indent, out);
}

/* A case that says nothing of the state of a sync that fails goes on doing so. */
static bool is_added(const struct case_outcome *outcome, enum part part)
{
    return !stays(outcome, part) && (part != PART_STATE || outcome->failure_count == 0);
}

/* A sync's lines from its first key on; returns behind the last one copied. Its first line keeps the item's dash. */
static size_t append_sync(const struct case_outcome *outcome, const struct node *sync, const struct text_line *lines,
                          size_t count, struct arena *arena, struct buf *out)
{
    size_t next = sync->children[0].line - 1, indent = lines[next].indent;
    struct str dash = {lines[next].text.data, indent};
    struct buf item = BUF_INIT(2 * CASE_MAX_BYTES);
    for (size_t k = 0; k < sync->count; k++) {
        size_t at = sync->children[k].line - 1, end = block_end(lines, count, at);
        enum part part = part_of(sync->children[k].key);
        for (; next < at; next++)
            if (item.size) append_text_line(lines[next].text, &item);
        if (part == PART_EXCHANGES && !stays(outcome, PART_NOW) && !node_get(sync, "now"))
            append_part(outcome, sync, PART_NOW, indent, arena, &item);
        if (!stays(outcome, part)) append_part(outcome, sync, part, indent, arena, &item), next = end;
        for (; next < end; next++) append_text_line(lines[next].text, &item);
    }
    for (enum part part = PART_ROWS; part < PART_COUNT; part++)
        if (!node_get(sync, PARTS[part]) && is_added(outcome, part)) append_part(outcome, sync, part, indent, arena, &item);
    buf_append_str(out, dash);
    buf_append_str(out, (struct str){item.data + indent, item.size - indent});
    buf_release(&item);
    return next;
}

/* Lines outside of syncs, from `next` to `end`: of these only the configuration may be another one. Returns `end`, or behind
 * it. */
static size_t append_others(const struct case_file *file, struct str config, const struct text_line *lines, size_t count,
                            size_t next, size_t end, struct buf *out)
{
    const struct node *was = node_get(file->root, "config");
    size_t at = (was ? was->line : file->syncs->line) - 1;
    for (; next < end; next++) {
        if (next == at && config.size) buf_append_str(out, config);
        if (next == at && config.size && was)
            next = block_end(lines, count, at) - 1;
        else
            append_text_line(lines[next].text, out);
    }
    return next;
}

bool case_update(const struct case_file *file, const struct case_result *result, struct buf *out)
{
    struct arena arena = ARENA_INIT(0);
    for (size_t s = 0; s < result->sync_count; s++)
        if (!has_lines(&file->syncs->children[s]) || file->syncs->line == file->syncs->children[s].line) return false;
    struct text_line *lines;
    size_t count = split_lines(file->text, &arena, &lines), next = 0;
    for (size_t s = 0; s < result->sync_count; s++) {
        const struct node *sync = &file->syncs->children[s];
        next = append_others(file, result->config, lines, count, next, sync->children[0].line - 1, out);
        next = append_sync(&result->outcomes[s], sync, lines, count, &arena, out);
    }
    append_others(file, result->config, lines, count, next, count, out);
    arena_release(&arena);
    return true;
}
