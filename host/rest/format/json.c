/* JSON in parts: a document whose records stand in one list, taken apart at the borders of the records.
 *
 * What stands before the list and behind it is kept; each part but the last is `{"data":{"items":[` records `]}}`, and the last
 * is the document as it was, with the records that are left. So the parts together hold every record once, and the last one
 * what paging asks for. Only brackets and strings are looked at: whether values are well formed is seen when a part is decoded,
 * and what is broken in one record cannot be mended by the next, since each begins and ends outside of strings and at the same
 * depth. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/jsonscan.h"
#include "rest/format/format.h"

enum { MAX_STEPS = 64, MAX_KEY_BYTES = 256 };

enum place { BEFORE, AT_RECORDS, BEHIND };
enum expected { VALUE_OR_END, VALUE, COMMA_OR_END };

struct json {
    struct format_out *out;
    struct str steps[MAX_STEPS]; /* of the path to the list */
    size_t step_count;
    enum place place;
    struct buf before, behind;
    uint64_t offset; /* of the bytes in hand, in the body */
    /* where the scanner is */
    size_t depth, on_path; /* open containers, and how many of them the path leads through */
    uint8_t is_object[JSONSCAN_MAX_DEPTH + 1];
    bool in_string, is_escaped, is_key, wants_key, key_matches;
    char key[MAX_KEY_BYTES];
    size_t key_bytes;
    /* among the records */
    enum expected expected;
    bool in_record, in_scalar;
    size_t inner; /* open containers of the record */
};

static void *open_json(const struct format *format, struct format_out *out)
{
    struct json *state = mem_zero(1, sizeof *state);
    struct str rest = str_from(format->records_path), step;
    state->out = out;
    state->before = state->behind = BUF_INIT(FORMAT_MAX_RECORD_BYTES);
    if (str_equal(rest, STR("$"))) rest.size = 0;
    while (rest.size && state->step_count < MAX_STEPS && str_next(&rest, '.', &step)) state->steps[state->step_count++] = step;
    return state;
}

static void close_json(void *context)
{
    struct json *state = context;
    buf_release(&state->before);
    buf_release(&state->behind);
    free(state);
}

static int too_deep(const struct json *state, struct err *err)
{
    err_set(err, ERR_DATA, "cannot take JSON that is nested over %d levels deep, near byte %llu", JSONSCAN_MAX_DEPTH,
            (unsigned long long)state->offset);
    return err_hint(err, "leave the nested field out at the source");
}

/* ---- around the records ---------------------------------------------------------------------------------------------------
 */

static void end_string(struct json *state)
{
    state->in_string = false;
    if (!state->is_key) return;
    struct str key = {state->key, state->key_bytes};
    state->key_matches = state->depth == state->on_path && state->on_path <= state->step_count &&
                         state->key_bytes < MAX_KEY_BYTES && str_equal(key, state->steps[state->on_path - 1]);
    state->is_key = false;
}

static void begin_string(struct json *state)
{
    state->in_string = true;
    state->is_key = state->wants_key;
    state->wants_key = false;
    state->key_bytes = 0;
}

/* A container opens. 1: it is the list of records. */
static int open_container(struct json *state, bool is_object, struct err *err)
{
    bool on_path = state->depth == 0 || (state->key_matches && state->depth == state->on_path);
    if (state->depth == JSONSCAN_MAX_DEPTH) return too_deep(state, err);
    state->is_object[++state->depth] = is_object;
    state->wants_key = is_object;
    state->key_matches = false;
    if (!on_path) return 0;
    state->on_path++;
    return state->on_path == state->step_count + 1 && !is_object;
}

static void close_container(struct json *state)
{
    if (state->depth == 0) return; /* broken; seen when it is decoded */
    if (state->on_path == state->depth) state->on_path--;
    state->depth--;
    state->wants_key = false;
}

/* Bytes before or behind the records, until the list is found. */
static int take_around(struct json *state, const char **at, const char *end, struct err *err)
{
    struct buf *kept = state->place == BEFORE ? &state->before : &state->behind;
    const char *start = *at, *c = start;
    int found = 0;
    for (; c < end && found == 0; c++) {
        if (state->in_string) {
            if (state->is_key && state->key_bytes < MAX_KEY_BYTES && *c != '"') state->key[state->key_bytes++] = *c;
            if (state->is_escaped)
                state->is_escaped = false;
            else if (*c == '\\')
                state->is_escaped = true;
            else if (*c == '"')
                end_string(state);
        } else if (*c == '"') {
            begin_string(state);
        } else if (*c == '{' || *c == '[') {
            found = open_container(state, *c == '{', err);
        } else if (*c == '}' || *c == ']') {
            close_container(state);
        } else if (*c == ',') {
            state->wants_key = state->depth > 0 && state->is_object[state->depth];
            state->key_matches = false;
        }
    }
    buf_append(kept, start, (size_t)(c - start));
    *at = c;
    if (found < 0) return found;
    if (kept->failed)
        return err_set(err, ERR_DATA, "cannot take JSON with over %d bytes beside its records", FORMAT_MAX_RECORD_BYTES);
    if (found && state->place == BEHIND) return err_set(err, ERR_DATA, "the list of records comes twice");
    if (found) {
        state->place = AT_RECORDS;
        state->expected = VALUE_OR_END;
    }
    return 0;
}

/* ---- records --------------------------------------------------------------------------------------------------------------
 */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int unexpected(const struct json *state, struct err *err)
{
    return err_set(err, ERR_TRANSIENT, "the answer is cut or no JSON: unexpected character between records near byte %llu",
                   (unsigned long long)state->offset);
}

static void end_record(struct json *state)
{
    state->in_record = state->in_scalar = false;
    state->expected = COMMA_OR_END;
    format_out_record(state->out);
}

/* Passes over bytes of the record in hand, at most up to its end. */
static const char *pass_record(struct json *state, const char *c, const char *end, bool *has_ended)
{
    while (c < end && !*has_ended) {
        if (state->in_string) {
            if (state->is_escaped) {
                state->is_escaped = false;
                c++;
                continue;
            }
            while (c < end && *c != '"' && *c != '\\') c++;
            if (c == end) return c;
            state->is_escaped = *c == '\\';
            state->in_string = state->is_escaped;
            *has_ended = !state->in_string && state->inner == 0;
        } else if (*c == '"') {
            state->in_string = true;
        } else if (*c == '{' || *c == '[') {
            if (++state->inner > JSONSCAN_MAX_DEPTH) return c;
        } else if (*c == '}' || *c == ']') {
            *has_ended = --state->inner == 0;
        }
        c++;
    }
    return c;
}

static const char *pass_scalar(const char *c, const char *end)
{
    while (c < end && !is_space(*c) && *c != ',' && *c != ']' && *c != '}' && *c != '"' && *c != '[' && *c != '{') c++;
    return c;
}

/* Goes on with a record, to its end or that of the bytes. */
static int go_on(struct json *state, const char **at, const char *end, struct err *err)
{
    bool has_ended = false;
    const char *start = *at, *c;
    if (state->in_scalar) {
        c = pass_scalar(start, end);
        has_ended = c < end;
    } else {
        c = pass_record(state, start, end, &has_ended);
    }
    format_out_text(state->out, (struct str){start, (size_t)(c - start)});
    *at = c;
    if (state->inner > JSONSCAN_MAX_DEPTH) return too_deep(state, err);
    if (has_ended) end_record(state);
    return 0;
}

static int take_records(struct json *state, const char **at, const char *end, struct err *err)
{
    while (*at < end && state->place == AT_RECORDS && !state->out->too_large) {
        char c = **at;
        if (state->in_record) {
            int rc = go_on(state, at, end, err);
            if (rc != 0) return rc;
        } else if (is_space(c)) {
            ++*at;
        } else if (c == ']') {
            if (state->expected == VALUE) return unexpected(state, err);
            state->place = BEHIND;
            close_container(state);
            buf_append_char(&state->behind, c);
            ++*at;
        } else if (c == ',') {
            if (state->expected != COMMA_OR_END) return unexpected(state, err);
            state->expected = VALUE;
            ++*at;
        } else {
            if (state->expected == COMMA_OR_END || c == '}' || c == ':') return unexpected(state, err);
            format_out_begin(state->out);
            state->in_record = true;
            state->in_scalar = c != '{' && c != '[' && c != '"';
        }
    }
    return 0;
}

static int take_json(void *context, struct str text, bool is_end, size_t *taken, struct err *err)
{
    struct json *state = context;
    const char *at = text.data, *end = text.data + text.size;
    int rc = 0;
    while (rc == 0 && at < end && !state->out->too_large)
        rc = state->place == AT_RECORDS ? take_records(state, &at, end, err) : take_around(state, &at, end, err);
    *taken = (size_t)(at - text.data);
    state->offset += *taken;
    if (rc == 0 && is_end && state->place == AT_RECORDS && !state->out->too_large)
        rc = err_set(err, ERR_TRANSIENT, "the answer is cut: it ends among the records, at byte %llu",
                     (unsigned long long)state->offset);
    return rc;
}

void format_json_finish(void *context)
{
    struct json *state = context;
    struct format_out *out = state->out;
    struct block *whole = block_new(out->budget, state->before.size + out->block->size + state->behind.size);
    struct str pieces[] = {buf_str(&state->before),
                           {out->block->data + out->open_bytes, out->block->size - out->open_bytes},
                           buf_str(&state->behind)};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        if (pieces[i].size) memcpy(whole->data + whole->size, pieces[i].data, pieces[i].size);
        whole->size += pieces[i].size;
    }
    block_release(out->block);
    out->block = whole;
}

const struct format_type FORMAT_TYPE_JSON = {open_json, take_json, close_json};
