/* cursor_track: see cursor_track.h. Marks hold typed values, so a comparison costs one of integers for all but text cursors. */
#include "rest/cursor_track.h"

#include "base/number.h"
#include "base/time.h"

enum { MARK_MAX_BYTES = 2 * DECODE_MAX_KEY_BYTES };

bool cursor_parse(struct str text, enum type type, struct value *value)
{
    enum time_zone_mark mark;
    switch (type) {
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        value->kind = VALUE_TIMESTAMP;
        return time_parse_iso(text, &value->i, &mark);
    case TYPE_DATE:
        value->kind = VALUE_DATE;
        return time_parse_date(text, &value->i);
    case TYPE_INTEGER:
        value->kind = VALUE_INTEGER;
        return number_to_int64(text, &value->i);
    case TYPE_DECIMAL:
        *value = (struct value){.kind = VALUE_DECIMAL, .size = (uint32_t)text.size, .data = text.data};
        return number_is_json(text);
    default:
        *value = (struct value){.kind = VALUE_STRING, .size = (uint32_t)text.size, .data = text.data};
        return true;
    }
}

static bool points_to_text(const struct value *value)
{
    return value->kind == VALUE_STRING || value->kind == VALUE_DECIMAL;
}

/* Makes the mark's text its own. */
static void own(struct cursor_mark *mark)
{
    if (!mark->set || !points_to_text(&mark->value) || mark->value.data == mark->text.data) return;
    mark->text.max = MARK_MAX_BYTES;
    buf_clear(&mark->text);
    buf_append_str(&mark->text, value_str(&mark->value));
    CHECK(!mark->text.failed); /* the decoder refuses longer ones */
    mark->value.data = buf_text(&mark->text);
}

/* A bound that cannot be read is none: the caller made it with the same type. */
static void set_bound(struct cursor_mark *mark, struct str text, enum type type)
{
    mark->set = text.size > 0 && text.size <= MARK_MAX_BYTES && cursor_parse(text, type, &mark->value);
    own(mark);
}

void cursor_track_init(struct cursor_track *track, enum type type, const struct decode_bounds *bounds)
{
    *track = (struct cursor_track){.type = type, .ascending = true};
    if (!bounds) return;
    track->rule = (int)bounds->rule;
    track->equal = (int)bounds->equal;
    track->seen = bounds->seen;
    track->remembers = bounds->remember;
    track->watches_descent = bounds->newest_first;
    set_bound(&track->drop_up_to, bounds->drop_up_to, type);
    set_bound(&track->from, bounds->from, type);
    set_bound(&track->to, bounds->to, type);
}

void cursor_track_release(struct cursor_track *track)
{
    struct cursor_mark *marks[] = {&track->drop_up_to, &track->from,    &track->to,    &track->last,
                                   &track->max,        &track->covered, &track->lowest};
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) buf_release(&marks[i]->text);
    boundary_release(&track->newest);
}

void cursor_track_page(struct cursor_track *track)
{
    track->covered_rows = 0;
    boundary_clear(&track->newest);
}

static int order(const struct cursor_track *track, const struct value *value, const struct cursor_mark *mark)
{
    return value_compare(value, &mark->value, track->type);
}

static bool is_outside(const struct cursor_track *track, const struct value *cursor)
{
    if (track->rule == BOUNDS_AS_SENT) return false;
    bool open_below = track->rule == BOUNDS_OPEN_CLOSED, open_above = track->rule == BOUNDS_CLOSED_OPEN;
    if (track->from.set) {
        int from = order(track, cursor, &track->from);
        if (from < 0 || (open_below && from == 0)) return true;
    }
    if (track->to.set) {
        int to = order(track, cursor, &track->to);
        if (to > 0 || (open_above && to == 0)) return true;
    }
    return false;
}

/* The mark takes a value of the page in hand, keeping its buffer for later. */
static void move_mark(struct cursor_mark *mark, const struct value *value)
{
    mark->set = true;
    mark->value = *value;
}

/* `covered` becomes what `max` is; when that lives in max's own buffer, the buffer goes with it. */
static void cover_max(struct cursor_track *track)
{
    struct buf spare = track->covered.text;
    track->covered = track->max;
    track->max.text = spare;
}

static void lose_order(struct cursor_track *track)
{
    if (!track->ascending) return;
    track->ascending = false;
    track->covered.set = false;
    track->covered_rows = 0;
}

void cursor_track_missing(struct cursor_track *track)
{
    lose_order(track);
    track->order_is_lost = track->watches_descent;
}

/* Newest first: has the order held, and did it come down to what is known? */
static void watch_descent(struct cursor_track *track, const struct value *cursor)
{
    int step = track->lowest.set ? order(track, cursor, &track->lowest) : -1;
    if (step < 0) move_mark(&track->lowest, cursor);
    if (step > 0) track->order_is_lost = true;
    if (track->drop_up_to.set && order(track, cursor, &track->drop_up_to) < 0) track->reached_known = true;
}

static enum cursor_verdict compare_known(const struct cursor_track *track, const struct value *cursor,
                                         uint64_t (*key)(void *context), void *context)
{
    int step = track->drop_up_to.set ? order(track, cursor, &track->drop_up_to) : 1;
    if (step > 0) return CURSOR_KEEP;
    if (step < 0 || track->equal == EQUAL_DROP) return CURSOR_COMMITTED;
    if (track->equal == EQUAL_KEEP) return CURSOR_KEEP;
    if (track->seen->too_many) return CURSOR_UNKNOWN;
    return boundary_has(track->seen, key(context)) ? CURSOR_COMMITTED : CURSOR_KEEP;
}

enum cursor_verdict cursor_track_record(struct cursor_track *track, const struct value *cursor, size_t rows,
                                        uint64_t (*key)(void *context), void *context)
{
    int step = track->last.set ? order(track, cursor, &track->last) : 1;
    if (step > 0) move_mark(&track->last, cursor);
    if (step < 0) lose_order(track);
    if (UNLIKELY(track->watches_descent)) watch_descent(track, cursor);
    enum cursor_verdict known = compare_known(track, cursor, key, context);
    if (known != CURSOR_KEEP) return known;
    if (is_outside(track, cursor)) return CURSOR_OUTSIDE;
    int rise = track->max.set ? order(track, cursor, &track->max) : 1;
    if (track->max.set && rise > 0 && track->ascending) {
        cover_max(track);
        track->covered_rows = rows;
    }
    if (rise > 0) move_mark(&track->max, cursor);
    if (track->remembers && rise >= 0) {
        if (rise > 0) boundary_clear(&track->newest);
        boundary_add(&track->newest, key(context));
    }
    return CURSOR_KEEP;
}

void cursor_track_page_end(struct cursor_track *track)
{
    own(&track->last);
    own(&track->lowest);
    own(&track->covered);
    own(&track->max);
}

struct str cursor_mark_text(const struct cursor_mark *mark, enum type type, struct arena *arena)
{
    if (!mark->set) return (struct str){NULL, 0};
    struct buf text = BUF_INIT(MARK_MAX_BYTES + TIME_TEXT_MAX);
    value_to_text(&mark->value, type, &text);
    struct str copy = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

int cursor_compare(struct str a, struct str b, enum type type)
{
    struct value left = {.kind = VALUE_NULL}, right = {.kind = VALUE_NULL};
    if (!a.size || !cursor_parse(a, type, &left)) left.kind = VALUE_NULL;
    if (!b.size || !cursor_parse(b, type, &right)) right.kind = VALUE_NULL;
    return value_compare(&left, &right, type);
}
