/* How it works: instants and dates are put on one line of microseconds (a date is its midnight), where edges are cut down to
 * the granularity of the source's format and windows are equal steps; integers are moved by the lookback and compared; decimals
 * and strings are only carried.
 *
 * The stored plan is not the list but what the list is made from: first and last edge, step, granularity. The same arithmetic
 * makes the same slices from it, so a plan of 50,000 windows is one short line in the state. */
#include "rest/window.h"

#include "base/check.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"

static const int64_t SECOND_US = 1000000, DAY_US = 86400 * INT64_C(1000000);

static bool is_time(enum type type)
{
    return type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMP_NTZ || type == TYPE_DATE;
}

static bool read_time(struct str text, int64_t *instant_us)
{
    enum time_zone_mark mark;
    return time_parse_iso(str_trim(text), instant_us, &mark);
}

static struct str write_time(enum type type, int64_t instant_us, struct arena *arena)
{
    char text[TIME_TEXT_MAX];
    size_t size = type == TYPE_DATE ? time_write_date(instant_us / DAY_US - (instant_us % DAY_US < 0), text)
                                    : time_write_iso(instant_us, text);
    return arena_copy(arena, (struct str){text, size});
}

/* Down to a multiple of `granularity`, also before 1970. */
static int64_t cut_down(int64_t instant_us, int64_t granularity_us)
{
    int64_t rest = instant_us % granularity_us;
    return instant_us - (rest < 0 ? rest + granularity_us : rest);
}

bool window_canonical(enum type type, struct str text, struct arena *arena, struct str *canonical)
{
    int64_t number;
    text = type == TYPE_STRING ? text : str_trim(text);
    if (is_time(type)) {
        if (!read_time(text, &number)) return false;
        *canonical = write_time(type, number, arena);
        return canonical->size > 0;
    }
    if (type == TYPE_INTEGER && !number_to_int64(text, &number)) return false;
    if (type == TYPE_DECIMAL && !number_is_json(text)) return false;
    *canonical = arena_copy(arena, text);
    return true;
}

void window_plan_whole(struct arena *arena, struct window_plan *plan)
{
    struct window_slice *slice = arena_new(arena, struct window_slice);
    *slice = (struct window_slice){"all", "", ""};
    *plan = (struct window_plan){.type = TYPE_STRING, .stored = "", .end = "", .slices = slice, .slice_count = 1};
}

/* One slice with these edges. */
static void single_slice(struct str from, struct str to, struct arena *arena, struct window_plan *plan)
{
    struct window_slice *slice = arena_new(arena, struct window_slice);
    *slice = (struct window_slice){"all", arena_text(arena, from), arena_text(arena, to)};
    plan->end = slice->to;
    plan->slices = slice;
    plan->slice_count = 1;
}

/* `months` months after `first`, or before it; a day that the month does not have is its last. */
static int64_t add_months(int64_t first, int64_t months)
{
    struct civil civil;
    time_to_civil(first, &civil);
    int64_t month = civil.year * INT64_C(12) + civil.month - 1 + months;
    civil.year = (int)(month / 12);
    civil.month = (int)(month % 12) + 1;
    while (civil.day > 28 && !time_date_is_valid(civil.year, civil.month, civil.day)) civil.day--;
    return time_from_civil(&civil);
}

/* Where the window of this index begins. */
static int64_t edge_at(const struct window_plan *plan, int64_t first, int64_t index)
{
    return plan->step_months ? add_months(first, index * plan->step_months) : first + index * plan->step_us;
}

static int64_t count_windows(const struct window_plan *plan, int64_t first, int64_t last)
{
    int64_t span = last - first;
    if (!plan->step_months) return span / plan->step_us + (span % plan->step_us != 0);
    int64_t count = span / (31 * DAY_US * plan->step_months); /* at least so many */
    while (edge_at(plan, first, count) < last) count++;
    return count;
}

/* Consecutive windows over [first, last]; both are multiples of the granularity. Neighbours share the text of their edge. */
static int list_windows(int64_t first, int64_t last, struct arena *arena, struct window_plan *plan, struct err *err)
{
    plan->slices = NULL;
    plan->slice_count = 0;
    if (first >= last) return 0;
    if (!time_in_range(first) || !time_in_range(last))
        return err_set(err, ERR_BUG, "a window plan's edges are not in the years 1 to 9999");
    int64_t count = count_windows(plan, first, last);
    if (count > WINDOW_MAX_SLICES) {
        err_set(err, ERR_CONFIG, "the cursor's step gives %lld windows, at most %d are possible", (long long)count,
                WINDOW_MAX_SLICES);
        return err_hint(err, "use a larger step, or a later start");
    }
    struct window_slice *slices = arena_array(arena, struct window_slice, (size_t)count);
    const char *edge = write_time(plan->type, first, arena).data;
    for (int64_t i = 0; i < count; i++) {
        int64_t to = i + 1 == count ? last : edge_at(plan, first, i + 1);
        slices[i].id = slices[i].from = edge;
        slices[i].to = edge = write_time(plan->type, to, arena).data;
    }
    plan->slices = slices;
    plan->slice_count = (size_t)count;
    plan->end = slices[count - 1].to;
    return 0;
}

/* The smallest step that the source can say and tells apart: a time, or calendar months. */
struct granularity {
    int64_t us;
    int months; /* 0: `us` counts */
};

static struct granularity granularity_of(const struct window_cursor *cursor)
{
    if (cursor->partitions) return (struct granularity){cursor->step_months ? 28 * DAY_US : DAY_US, cursor->step_months};
    int64_t step = cursor->format ? time_format_step_us(cursor->format) : 1;
    if (step < 1) step = 1;
    if (cursor->type == TYPE_DATE && step < DAY_US) step = DAY_US;
    bool is_coarser = step < 28 * DAY_US && step < cursor->granularity_us;
    if (is_coarser) step *= (cursor->granularity_us - 1) / step + 1; /* the format must be able to say it */
    if (is_coarser) return (struct granularity){step, 0};
    return (struct granularity){step, step >= 365 * DAY_US ? 12 : step >= 28 * DAY_US ? 1 : 0};
}

static int64_t cut_edge(int64_t instant_us, struct granularity granularity)
{
    if (!granularity.months) return cut_down(instant_us, granularity.us);
    struct civil civil;
    time_to_civil(instant_us, &civil);
    return time_from_civil(&(struct civil){.year = civil.year, .month = granularity.months == 12 ? 1 : civil.month, .day = 1});
}

/* The last edge: the sync's start, less the delay. It is cut to whole seconds at least: what the rest of that second brings is
 * the next sync's. */
static int64_t last_edge(const struct window_cursor *cursor, struct granularity granularity, int64_t now_us)
{
    int64_t last;
    if (cursor->partitions) {
        last = cut_edge(now_us, granularity);
        return granularity.months ? add_months(last, granularity.months) : last + granularity.us;
    }
    if (__builtin_sub_overflow(now_us, cursor->delay_us, &last)) last = now_us;
    last = cut_edge(cut_down(last, SECOND_US), granularity);
    if (!cursor->closed_above || granularity.us < SECOND_US) return last;
    return granularity.months ? add_months(last, -granularity.months) : last - granularity.us;
}

/* A step that the source cannot say is rounded up to one that it can. */
static void round_step(struct window_plan *plan, struct granularity granularity)
{
    if (granularity.months) {
        if (!plan->step_months) plan->step_months = (int)(plan->step_us / (31 * DAY_US)) + 1;
        plan->step_us = 0;
        int rest = plan->step_months % granularity.months;
        if (rest) plan->step_months += granularity.months - rest;
    } else if (plan->step_us % granularity.us) {
        plan->step_us += granularity.us - plan->step_us % granularity.us;
    }
}

/* Where reading begins: the stored cursor less the lookback, but not before `start` if that lies before the cursor. */
static int first_instant(const struct window_cursor *cursor, struct str stored, struct str start, int64_t *first, bool *is_open,
                         struct err *err)
{
    int64_t start_us = 0;
    if (start.size && !read_time(start, &start_us)) {
        err_set(err, ERR_CONFIG, "cannot read the cursor's start '" STR_FMT "' as a %s", STR_ARG(start),
                type_name(cursor->type));
        return err_hint(err, "expected a timestamp like 2024-01-15T10:00:00Z or a date like 2024-01-15");
    }
    *is_open = stored.size == 0 && start.size == 0;
    *first = start_us;
    if (stored.size == 0) return 0;
    int64_t stored_us;
    if (!read_time(stored, &stored_us))
        return err_set(err, ERR_BUG, "the stored cursor '" STR_FMT "' is no %s", STR_ARG(stored), type_name(cursor->type));
    if (__builtin_sub_overflow(stored_us, cursor->lookback, first)) *first = stored_us;
    if (start.size && start_us <= stored_us && *first < start_us) *first = start_us;
    return 0;
}

static int plan_time(const struct window_cursor *cursor, struct str stored, struct str start, int64_t now_us,
                     struct arena *arena, struct window_plan *plan, struct err *err)
{
    int64_t first = 0;
    bool is_open = false;
    int rc = first_instant(cursor, stored, start, &first, &is_open, err);
    if (rc != 0) return rc;
    struct granularity granularity = granularity_of(cursor);
    int64_t last = last_edge(cursor, granularity, now_us);
    if (cursor->partitions && stored.size && first >= now_us) first = now_us; /* what is not over is never left out */
    first = is_open ? 0 : cut_edge(first, granularity);
    if (window_has_step(cursor)) {
        if (is_open) {
            err_set(err, ERR_CONFIG, "a cursor with a step needs a start: there is no first window without one");
            return err_hint(err, "give the cursor a start in the connector");
        }
        round_step(plan, granularity);
        return list_windows(first, last, arena, plan, err);
    }
    if (!is_open && first > last) first = last;
    single_slice(is_open ? STR("") : write_time(cursor->type, first, arena), write_time(cursor->type, last, arena), arena,
                 plan);
    return 0;
}

static int plan_value(const struct window_cursor *cursor, struct str stored, struct str start, struct arena *arena,
                      struct window_plan *plan, struct err *err)
{
    struct str from = stored.size ? stored : start, canonical = {0};
    if (from.size && !window_canonical(cursor->type, from, arena, &canonical))
        return err_set(err, stored.size ? ERR_BUG : ERR_CONFIG, "cannot read the cursor's %s '" STR_FMT "' as %s",
                       stored.size ? "stored value" : "start", STR_ARG(from), type_name(cursor->type));
    if (cursor->type == TYPE_INTEGER && stored.size && cursor->lookback) {
        int64_t value, moved;
        CHECK(number_to_int64(canonical, &value));
        if (__builtin_sub_overflow(value, cursor->lookback, &moved)) moved = INT64_MIN;
        char text[NUMBER_TEXT_MAX];
        canonical = arena_copy(arena, (struct str){text, number_from_int64(moved, text)});
    }
    single_slice(canonical, STR(""), arena, plan);
    return 0;
}

int window_plan(const struct window_cursor *cursor, struct str stored, struct str start, int64_t now_us, struct arena *arena,
                struct window_plan *plan, struct err *err)
{
    *plan = (struct window_plan){.type = cursor->type,
                                 .step_us = cursor->step_us,
                                 .step_months = cursor->step_months,
                                 .stored = arena_text(arena, stored)};
    return is_time(cursor->type) ? plan_time(cursor, stored, start, now_us, arena, plan, err)
                                 : plan_value(cursor, stored, start, arena, plan, err);
}

static int refuse_edge(const struct window_cursor *cursor, struct str edge, struct err *err)
{
    err_set(err, ERR_CONFIG, "'" STR_FMT "' is not a %s, which the cursor is", STR_ARG(edge), type_name(cursor->type));
    return err_hint(err, "write it like `sluice state show` does");
}

int window_range(const struct window_cursor *cursor, struct str from, struct str to, int64_t now_us, struct arena *arena,
                 struct window_plan *plan, struct err *err)
{
    struct window_cursor exact = *cursor;
    struct str first, last = {0};
    exact.delay_us = exact.lookback = 0;
    exact.closed_above = false;
    *plan = (struct window_plan){
        .type = cursor->type, .step_us = cursor->step_us, .step_months = cursor->step_months, .stored = ""};
    if (!window_canonical(cursor->type, from, arena, &first)) return refuse_edge(cursor, from, err);
    if (to.size && !window_canonical(cursor->type, to, arena, &last)) return refuse_edge(cursor, to, err);
    if (!is_time(cursor->type)) {
        single_slice(first, last, arena, plan);
        return 0;
    }
    int64_t first_us, last_us = now_us;
    CHECK(read_time(first, &first_us) && (!last.size || read_time(last, &last_us)));
    if (last_us > now_us) last_us = now_us;
    if (first_us >= last_us) {
        err_set(err, ERR_CONFIG, "nothing lies between '" STR_FMT "' and '" STR_FMT "'", STR_ARG(from), STR_ARG(to));
        return err_hint(err, "the range must begin before it ends, and before now");
    }
    return plan_time(&exact, STR(""), first, last_us, arena, plan, err);
}

/* --- as state ------------------------------------------------------------------------------------------------------------ */

void window_to_json(const struct window_plan *plan, struct buf *out)
{
    char step[NUMBER_TEXT_MAX];
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '{');
    json_member(&writer, "first");
    json_cstr(&writer, plan->slice_count ? plan->slices[0].from : NULL);
    json_member(&writer, "last");
    json_cstr(&writer, !plan->slice_count ? NULL : plan->extended ? plan->ends[0] : plan->end);
    if (plan->extended) {
        json_member(&writer, "later");
        json_open(&writer, '[');
        for (size_t i = 1; i < plan->extended; i++) json_cstr(&writer, plan->ends[i]);
        json_cstr(&writer, plan->end);
        json_close(&writer, ']');
    }
    if (plan->split_count) {
        json_member(&writer, "splits");
        json_open(&writer, '[');
        for (size_t i = 0; i < plan->split_count; i++) json_cstr(&writer, plan->splits[i]);
        json_close(&writer, ']');
    }
    json_member(&writer, "step_months");
    json_int(&writer, plan->step_months);
    json_member(&writer, "step_us"); /* as text: a JSON number would go through a double */
    json_text(&writer, (struct str){step, number_from_int64(plan->step_us, step)});
    json_member(&writer, "stored");
    json_cstr(&writer, plan->stored);
    json_member(&writer, "type");
    json_cstr(&writer, type_name(plan->type));
    json_member(&writer, "version");
    json_int(&writer, 1);
    json_close(&writer, '}');
}

/* Puts an edge into the window. */
static void split_at(struct window_plan *plan, size_t index, const char *middle, struct arena *arena)
{
    if (plan->split_count == 0) { /* room for all there may be, once */
        struct window_slice *slices = arena_array(arena, struct window_slice, plan->slice_count + WINDOW_MAX_SPLITS);
        memcpy(slices, plan->slices, plan->slice_count * sizeof *slices);
        plan->slices = slices;
        plan->splits = arena_array(arena, const char *, WINDOW_MAX_SPLITS);
    }
    plan->slices[plan->slice_count++] = (struct window_slice){middle, middle, plan->slices[index].to};
    plan->slices[index].to = middle;
    plan->splits[plan->split_count++] = middle;
}

bool window_split(const struct window_cursor *cursor, struct window_plan *plan, size_t index, struct str done, int64_t min_us,
                  struct arena *arena)
{
    int64_t from, to, read_to;
    const struct window_slice *slice = &plan->slices[index];
    if (!window_plan_has_step(plan) || plan->split_count == WINDOW_MAX_SPLITS || plan->slice_count == WINDOW_MAX_SLICES)
        return false;
    if (!read_time(str_from(slice->from), &from) || !read_time(str_from(slice->to), &to)) return false;
    if (done.size && read_time(done, &read_to) && read_to > from) from = read_to;
    int64_t middle = cut_edge(from + (to - from) / 2, granularity_of(cursor));
    if (middle <= from || middle - from < min_us || to - middle < min_us) return false;
    split_at(plan, index, write_time(plan->type, middle, arena).data, arena);
    return true;
}

/* Windows from the plan's end to a later one. */
static bool extend_to(struct window_plan *plan, int64_t last, struct arena *arena)
{
    int64_t end;
    struct window_plan more = *plan;
    struct err ignored = ERR_INIT;
    if (plan->extended == WINDOW_MAX_EXTENSIONS || !read_time(str_from(plan->end), &end) || last <= end) return false;
    if (list_windows(end, last, arena, &more, &ignored) != 0) return false;
    if (more.slice_count + plan->slice_count > WINDOW_MAX_SLICES) return false;
    struct window_slice *slices =
        arena_array(arena, struct window_slice, plan->slice_count + more.slice_count + WINDOW_MAX_SPLITS);
    const char **ends = arena_array(arena, const char *, plan->extended + 1);
    memcpy(slices, plan->slices, plan->slice_count * sizeof *slices);
    memcpy(slices + plan->slice_count, more.slices, more.slice_count * sizeof *slices);
    if (plan->extended) memcpy(ends, plan->ends, plan->extended * sizeof *ends);
    ends[plan->extended++] = plan->end;
    plan->ends = ends;
    plan->end = more.end;
    plan->slices = slices;
    plan->slice_count += more.slice_count;
    return true;
}

bool window_extend(const struct window_cursor *cursor, struct window_plan *plan, int64_t now_us, struct arena *arena)
{
    if (!window_plan_has_step(plan) || plan->slice_count == 0) return false;
    return extend_to(plan, last_edge(cursor, granularity_of(cursor), now_us), arena);
}

static int read_extensions(const struct cJSON *json, struct arena *arena, struct window_plan *plan, struct err *err)
{
    const struct cJSON *later = json_first(json_get(json, "later"));
    for (; later; later = json_next(later)) {
        const char *text = json_string(later);
        int64_t last;
        if (!text || !read_time(str_from(text), &last) || !extend_to(plan, last, arena))
            return err_set(err, ERR_BUG, "the stored plan's later ends cannot be read");
    }
    return 0;
}

/* The splits of a stored plan, made again one after the other. */
static int read_splits(const struct cJSON *json, struct arena *arena, struct window_plan *plan, struct err *err)
{
    const struct cJSON *split = json_first(json_get(json, "splits"));
    for (; split; split = json_next(split)) {
        const char *text = json_string(split);
        int64_t middle, from, to;
        size_t index = 0;
        bool ok = text && read_time(str_from(text), &middle) && plan->split_count < WINDOW_MAX_SPLITS;
        for (; ok && index < plan->slice_count; index++) {
            bool read =
                read_time(str_from(plan->slices[index].from), &from) && read_time(str_from(plan->slices[index].to), &to);
            if (read && from < middle && middle < to) break;
        }
        if (!ok || index == plan->slice_count) return err_set(err, ERR_BUG, "the stored plan's splits cannot be read");
        split_at(plan, index, arena_strdup(arena, text), arena);
    }
    return 0;
}

static int read_slices(const struct cJSON *json, struct arena *arena, struct window_plan *plan, struct err *err)
{
    const char *first = json_string(json_get(json, "first")), *last = json_string(json_get(json, "last"));
    int64_t first_us, last_us;
    if (!first || !last) return 0; /* a plan without slices */
    if (!window_plan_has_step(plan)) {
        single_slice(str_from(first), str_from(last), arena, plan);
        return 0;
    }
    if (plan->step_us < 0 || !read_time(str_from(first), &first_us) || !read_time(str_from(last), &last_us))
        return err_set(err, ERR_BUG, "the stored plan's edges cannot be read");
    int rc = list_windows(first_us, last_us, arena, plan, err);
    if (rc == 0) rc = read_extensions(json, arena, plan, err);
    return rc ? rc : read_splits(json, arena, plan, err);
}

int window_from_json(struct str json, struct arena *arena, struct window_plan *plan, struct err *err)
{
    struct cJSON *parsed;
    struct err parse = ERR_INIT;
    double version = 0, months = 0;
    *plan = (struct window_plan){0};
    if (json_parse(json, 1024 * 1024, &parsed, &parse) != 0)
        return err_set(err, ERR_BUG, "the stored plan cannot be read: %s", parse.message);
    const char *type = json_string(json_get(parsed, "type")), *step = json_string(json_get(parsed, "step_us"));
    const char *stored = json_string(json_get(parsed, "stored"));
    int rc = 0;
    json_number(json_get(parsed, "step_months"), &months); /* older plans have none */
    if (!json_number(json_get(parsed, "version"), &version) || version != 1 || !type ||
        !type_from_name(str_from(type), &plan->type) || !step || !number_to_int64(str_from(step), &plan->step_us) ||
        !(months >= 0 && months <= WINDOW_MAX_MONTHS) || ((plan->step_us != 0 || months != 0) && !is_time(plan->type))) {
        rc = err_set(err, ERR_BUG, "the stored plan is not one of this version");
        err_hint(err, "`sluice state reset` makes a new one");
    } else {
        plan->stored = arena_strdup(arena, stored ? stored : "");
        plan->step_months = (int)months;
        rc = read_slices(parsed, arena, plan, err);
    }
    json_free(parsed);
    return rc;
}
