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
    while (str_next(&text, '\n', &line)) buf_printf(out, "%*s" STR_FMT "\n", (int)indent + 2, "", STR_ARG(line));
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

enum expected { EXPECTS_ROWS, EXPECTS_STATE, EXPECTS_REJECTS, EXPECTS_ERROR, EXPECTED_COUNT };
static const char *const EXPECTED[EXPECTED_COUNT] = {"rows", "state", "rejects", "error"};

static bool fits(const struct case_outcome *outcome, enum expected what)
{
    switch (what) {
    case EXPECTS_ROWS:
        return outcome->rows_fit;
    case EXPECTS_STATE:
        return outcome->state_fit;
    case EXPECTS_REJECTS:
        return outcome->rejects_fit;
    default:
        return outcome->failures_fit;
    }
}

static void append_expected(const struct case_outcome *outcome, const struct node *sync, enum expected what, size_t indent,
                            struct arena *arena, struct buf *out)
{
    const struct node *was = node_get(sync, EXPECTED[what]);
    struct str text = what == EXPECTS_STATE ? outcome->state : outcome->rejects;
    if (what == EXPECTS_ROWS)
        append_rows(outcome, sync, indent, arena, out);
    else if (what == EXPECTS_ERROR)
        append_failures(outcome, was, indent, out);
    else if (text.size)
        append_block(str_from(EXPECTED[what]), case_merge_lines(node_text(was), text, arena), indent, out);
}

/* What a sync that was expected to say nothing of its state came to is its state, but when it failed. */
static bool is_wanted(const struct case_outcome *outcome, enum expected what)
{
    return what != EXPECTS_STATE || outcome->failure_count == 0;
}

static enum expected expected_key(struct str key)
{
    size_t what = 0;
    while (what < EXPECTED_COUNT && !str_equal(key, str_from(EXPECTED[what]))) what++;
    return (enum expected)what;
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
        enum expected what = expected_key(sync->children[k].key);
        for (; next < at; next++)
            if (item.size) append_text_line(lines[next].text, &item);
        if (what != EXPECTED_COUNT && !fits(outcome, what))
            append_expected(outcome, sync, what, indent, arena, &item), next = end;
        for (; next < end; next++) append_text_line(lines[next].text, &item);
    }
    for (enum expected what = 0; what < EXPECTED_COUNT; what++)
        if (!node_get(sync, EXPECTED[what]) && !fits(outcome, what) && is_wanted(outcome, what))
            append_expected(outcome, sync, what, indent, arena, &item);
    buf_append_str(out, dash);
    buf_append_str(out, (struct str){item.data + indent, item.size - indent});
    buf_release(&item);
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
        for (; next < sync->children[0].line - 1; next++) append_text_line(lines[next].text, out);
        next = append_sync(&result->outcomes[s], sync, lines, count, &arena, out);
    }
    for (; next < count; next++) append_text_line(lines[next].text, out);
    arena_release(&arena);
    return true;
}
