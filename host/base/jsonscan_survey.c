/* jsonscan_survey: dotted paths in a document, and the quick look that tells whether it is whole.
 *
 * A path's next step is a key of an object or an index of an array; what is on no path is passed over. The survey passes
 * containers over by their brackets alone, sixty-four bytes at a time: one bit a byte for quotes, backslashes and brackets,
 * strings blanked out by a prefix xor over the quotes, and a look at each bracket that is left. Scalars beside the paths are
 * read strictly, since they are few. Recursion goes as deep as the paths have steps, not as deep as the text. */
#include "base/jsonscan.h"

#include "base/lanes.h"

enum { MAX_STEPS = 64 };

/* The paths still possible at some place, and what is left of each: "" when the path ends here. */
struct trail {
    const char *rest[JSONSCAN_MAX_PATHS];
    uint8_t path[JSONSCAN_MAX_PATHS]; /* which one it is */
    size_t count;
};

struct survey {
    struct jsonscan scan;
    struct json_value *found;
    bool loose; /* containers beside the paths are only balanced */
};

/* ---- the balance of brackets ----------------------------------------------------------------------------------------------
 */

/* Bit i set: an odd number of bits at or below i is set in `bits`. */
static uint64_t prefix_xor(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift <<= 1) bits ^= bits << shift;
    return bits;
}

/* The bytes that follow a backslash that is not itself escaped. *carry: is the next block's first byte one of them? */
static uint64_t escaped_bytes(uint64_t backslash, uint64_t *carry)
{
    uint64_t escaped = *carry;
    *carry = 0;
    backslash &= ~escaped;
    while (backslash) {
        unsigned at = (unsigned)__builtin_ctzll(backslash);
        if (at == 63) {
            *carry = 1;
            break;
        }
        escaped |= UINT64_C(1) << (at + 1);
        backslash &= ~(UINT64_C(3) << at);
    }
    return escaped;
}

struct balance {
    uint64_t objects[JSONSCAN_MAX_DEPTH / 64];
    size_t depth;
};

static bool balance_open(struct balance *balance, bool object)
{
    if (balance->depth == JSONSCAN_MAX_DEPTH) return false;
    uint64_t bit = UINT64_C(1) << (balance->depth & 63);
    uint64_t *word = &balance->objects[balance->depth >> 6];
    *word = object ? *word | bit : *word & ~bit;
    balance->depth++;
    return true;
}

static bool balance_close(struct balance *balance, bool object)
{
    balance->depth--;
    return (balance->objects[balance->depth >> 6] >> (balance->depth & 63) & 1) == object;
}

static bool stop(struct jsonscan *scan, const char *at, const char *error)
{
    scan->at = at;
    scan->error = error;
    return false;
}

/* Goes on behind the bracket that closes the innermost of what is open in `balance` at the start. */
static bool skip_balanced(struct jsonscan *scan, struct balance *balance)
{
    const char *at = scan->at;
    uint64_t in_string = 0, carry = 0; /* in_string: all bits set while a string runs over a block's end */
    for (; at < scan->end; at += 64) {
        struct lanes_structure lanes = lanes_structure64(at);
        size_t left = (size_t)(scan->end - at);
        uint64_t inside = left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
        uint64_t quote = lanes.quote & inside;
        if (carry || lanes.backslash) quote &= ~escaped_bytes(lanes.backslash, &carry);
        uint64_t strings = prefix_xor(quote) ^ in_string;
        in_string = strings >> 63 ? UINT64_MAX : 0;
        for (uint64_t bracket = lanes.bracket & ~strings & inside; bracket; bracket &= bracket - 1) {
            const char *place = at + __builtin_ctzll(bracket);
            bool object = *place & 0x20; /* { and }, not [ and ] */
            if ((*place & 0x0f) == 0x0b) {
                if (!balance_open(balance, object)) return stop(scan, place, JSONSCAN_TOO_DEEP);
                continue;
            }
            if (!balance_close(balance, object)) return stop(scan, place, "a bracket that does not match");
            if (balance->depth == 0) {
                scan->at = place + 1;
                scan->first = false;
                return true;
            }
        }
    }
    return stop(scan, scan->end, "unexpected end");
}

/* Passes over the value that comes next. */
static bool skip_value(struct survey *survey, struct json_value *value)
{
    struct jsonscan *scan = &survey->scan;
    int kind = jsonscan_peek(scan);
    if (!survey->loose || (kind != JSON_OBJECT && kind != JSON_ARRAY)) return jsonscan_value(scan, value);
    struct balance balance = {.depth = 0};
    while (*scan->at != '{' && *scan->at != '[') scan->at++; /* the white space that peek looked through */
    const char *start = scan->at;
    if (!skip_balanced(scan, &balance)) return false;
    *value = (struct json_value){(uint8_t)kind, JSON_ESCAPED | JSON_DIRTY, {start, (size_t)(scan->at - start)}};
    return true;
}

/* Passes over what is left of the array the scanner is in. */
static bool skip_rest_of_array(struct survey *survey)
{
    struct balance balance = {.depth = 0};
    balance_open(&balance, false);
    survey->scan.depth--;
    return skip_balanced(&survey->scan, &balance);
}

/* ---- paths ----------------------------------------------------------------------------------------------------------------
 */

/* The part of `rest` behind `key`, when `rest` begins with it as a whole step; else NULL. */
static const char *behind_step(const char *rest, struct str key)
{
    if (strncmp(rest, key.data, key.size) != 0 || memchr(key.data, '\0', key.size)) return NULL;
    if (rest[key.size] == '\0') return rest + key.size;
    return rest[key.size] == '.' ? rest + key.size + 1 : NULL;
}

/* The trail as it goes on behind a step. */
static void follow(const struct trail *trail, struct str step, struct trail *next)
{
    next->count = 0;
    for (size_t i = 0; i < trail->count; i++) {
        const char *rest = trail->rest[i][0] ? behind_step(trail->rest[i], step) : NULL;
        if (!rest) continue;
        next->rest[next->count] = rest;
        next->path[next->count++] = trail->path[i];
    }
}

/* The same for a key as it stands in the text. */
static void follow_key(const struct trail *trail, const struct json_value *key, struct trail *next)
{
    if (LIKELY(!(key->flags & JSON_ESCAPED))) {
        follow(trail, key->raw, next);
        return;
    }
    struct arena arena = ARENA_INIT(0);
    follow(trail, jsonscan_text(key, &arena, NULL), next);
    arena_release(&arena);
}

/* The highest array index any path asks for here; -1: none. */
static int64_t last_index(const struct trail *trail)
{
    int64_t last = -1;
    for (size_t i = 0; i < trail->count; i++) {
        int64_t index = 0;
        size_t digits = strspn(trail->rest[i], "0123456789");
        if (digits == 0 || digits > 9 || (trail->rest[i][digits] && trail->rest[i][digits] != '.')) continue;
        for (size_t d = 0; d < digits; d++) index = index * 10 + (trail->rest[i][d] - '0');
        if (index > last) last = index;
    }
    return last;
}

static struct str index_text(size_t index, char out[24])
{
    return (struct str){out, (size_t)snprintf(out, 24, "%zu", index)};
}

static bool survey_value(struct survey *survey, const struct trail *trail, size_t step);

static bool survey_array(struct survey *survey, const struct trail *trail, size_t step)
{
    struct trail next;
    char digits[24];
    int64_t last = last_index(trail);
    for (int64_t index = 0; jsonscan_next_element(&survey->scan); index++) {
        if (index > last && survey->loose) return skip_rest_of_array(survey);
        next.count = 0;
        if (index <= last) follow(trail, index_text((size_t)index, digits), &next);
        if (!survey_value(survey, &next, step + 1)) return false;
    }
    return !survey->scan.error;
}

static bool survey_object(struct survey *survey, const struct trail *trail, size_t step)
{
    struct trail next;
    struct json_value key;
    while (jsonscan_next_key(&survey->scan, &key)) {
        follow_key(trail, &key, &next);
        if (!survey_value(survey, &next, step + 1)) return false;
    }
    return !survey->scan.error;
}

/* Reads the value that comes next, noting it for the paths that end at it. */
static bool survey_value(struct survey *survey, const struct trail *trail, size_t step)
{
    struct jsonscan *scan = &survey->scan;
    bool goes_on = false, ends = false;
    for (size_t i = 0; i < trail->count; i++) *(trail->rest[i][0] ? &goes_on : &ends) = true;
    int kind = jsonscan_peek(scan);
    struct json_value value;
    if (ends || !goes_on || step == MAX_STEPS || (kind != JSON_OBJECT && kind != JSON_ARRAY)) {
        struct jsonscan before = *scan;
        if (!skip_value(survey, &value)) return false;
        for (size_t i = 0; i < trail->count; i++)
            if (!trail->rest[i][0]) survey->found[trail->path[i]] = value;
        if (!goes_on || step == MAX_STEPS || (kind != JSON_OBJECT && kind != JSON_ARRAY)) return true;
        *scan = before; /* a path ends here and another goes on inside: once more */
    }
    if (kind == JSON_OBJECT) return jsonscan_enter_object(scan) && survey_object(survey, trail, step);
    return jsonscan_enter_array(scan) && survey_array(survey, trail, step);
}

static void start_trail(struct trail *trail, const char *const *paths, size_t count)
{
    CHECK(count <= JSONSCAN_MAX_PATHS);
    trail->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *path = paths[i];
        if (path[0] == '$' && (path[1] == '\0' || path[1] == '.')) path += path[1] ? 2 : 1;
        trail->rest[i] = path;
        trail->path[i] = (uint8_t)i;
    }
}

bool jsonscan_find(const char *text, size_t size, const char *path, struct json_value *value)
{
    struct trail trail;
    struct json_value found = {.kind = JSON_NULL};
    struct survey survey = {.found = &found};
    start_trail(&trail, &path, 1);
    jsonscan_init(&survey.scan, text, size);
    survey_value(&survey, &trail, 0); /* text that is broken behind what was found does not matter */
    if (found.raw.data) *value = found;
    return found.raw.data != NULL;
}

bool jsonscan_survey(const char *text, size_t size, const char *const *paths, struct json_value *found, size_t count,
                     const char **error, size_t *offset)
{
    struct trail trail;
    struct survey survey = {.found = found, .loose = true};
    for (size_t i = 0; i < count; i++) found[i] = (struct json_value){.kind = JSON_NULL};
    start_trail(&trail, paths, count);
    jsonscan_init(&survey.scan, text, size);
    if (survey_value(&survey, &trail, 0) && jsonscan_finish(&survey.scan)) return true;
    *error = survey.scan.error;
    *offset = jsonscan_offset(&survey.scan);
    return false;
}
