/* coerce: see coerce.h. A table of one reader a type; what they share is that null and "" are seen to before, and that text is
 * decoded before it is looked at. */
#include "rest/coerce.h"

#include "base/buf.h"
#include "base/number.h"
#include "base/time.h"
#include "os/crypto.h"

static const int64_t US_PER_SECOND = 1000000, US_PER_DAY = INT64_C(86400) * 1000000;

typedef bool coerce_read(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                         uint64_t *repaired, struct value *value);

static bool set_text(struct value *value, enum value_kind kind, struct str text)
{
    if (!text.data && text.size) return false; /* past the arena's cap */
    *value = (struct value){.kind = (uint8_t)kind, .size = (uint32_t)text.size, .data = text.data};
    return true;
}

static bool set_integer(struct value *value, enum value_kind kind, int64_t i)
{
    *value = (struct value){.kind = (uint8_t)kind, .i = i};
    return true;
}

static bool read_string(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                        uint64_t *repaired, struct value *value)
{
    (void)rule;
    if (json->kind == JSON_ARRAY || json->kind == JSON_OBJECT) text = jsonscan_clean(json, arena, repaired);
    return set_text(value, VALUE_STRING, text);
}

static bool read_integer(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                         uint64_t *repaired, struct value *value)
{
    (void)rule, (void)arena, (void)repaired;
    int64_t i;
    if (json->kind != JSON_NUMBER && json->kind != JSON_STRING) return false;
    bool plain = json->kind == JSON_NUMBER && !(json->flags & JSON_FRACTION);
    return (plain ? number_to_int64(text, &i) : number_integral(text, &i)) && set_integer(value, VALUE_INTEGER, i);
}

static bool read_decimal(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                         uint64_t *repaired, struct value *value)
{
    (void)rule, (void)arena, (void)repaired;
    uint8_t flags = json->flags;
    if (json->kind != JSON_NUMBER && (json->kind != JSON_STRING || !jsonscan_is_number(text, &flags))) return false;
    return !(flags & JSON_DIRTY) && set_text(value, VALUE_DECIMAL, text);
}

static bool read_float(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                       uint64_t *repaired, struct value *value)
{
    (void)rule, (void)arena, (void)repaired;
    double f;
    if ((json->kind != JSON_NUMBER && json->kind != JSON_STRING) || !number_to_double(text, &f)) return false;
    *value = (struct value){.kind = VALUE_FLOAT, .f = f};
    return true;
}

static bool read_boolean(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                         uint64_t *repaired, struct value *value)
{
    (void)rule, (void)arena, (void)repaired;
    int64_t i;
    if (json->kind == JSON_TRUE || json->kind == JSON_FALSE) return set_integer(value, VALUE_BOOLEAN, json->kind == JSON_TRUE);
    if (json->kind != JSON_NUMBER && json->kind != JSON_STRING) return false;
    if (json->kind == JSON_STRING && str_equal_nocase(text, STR("true"))) return set_integer(value, VALUE_BOOLEAN, 1);
    if (json->kind == JSON_STRING && str_equal_nocase(text, STR("false"))) return set_integer(value, VALUE_BOOLEAN, 0);
    return number_integral(text, &i) && (i == 0 || i == 1) && set_integer(value, VALUE_BOOLEAN, i);
}

/* A reading by the declared format: numbers are for the epoch spellings, which read their text. */
static bool read_by_format(const struct coerce_rule *rule, const struct json_value *json, struct str text, int64_t *instant_us)
{
    return rule->format && (json->kind == JSON_STRING || json->kind == JSON_NUMBER) &&
           time_parse_format(text, rule->format, instant_us);
}

static int64_t days_of(int64_t instant_us)
{
    return instant_us / US_PER_DAY - (instant_us % US_PER_DAY < 0);
}

static bool read_date(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                      uint64_t *repaired, struct value *value)
{
    (void)arena, (void)repaired;
    int64_t days, instant;
    if (read_by_format(rule, json, text, &instant)) return set_integer(value, VALUE_DATE, days_of(instant));
    return json->kind == JSON_STRING && time_parse_date(text, &days) && set_integer(value, VALUE_DATE, days);
}

static bool read_timestamp(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                           uint64_t *repaired, struct value *value)
{
    (void)arena, (void)repaired;
    int64_t instant;
    enum time_zone_mark mark;
    if (read_by_format(rule, json, text, &instant)) return set_integer(value, VALUE_TIMESTAMP, instant);
    if (json->kind != JSON_STRING || !time_parse_iso(text, &instant, &mark)) return false;
    if (mark == TIME_ZONE_NONE) instant -= rule->zone_seconds * US_PER_SECOND;
    return set_integer(value, VALUE_TIMESTAMP, instant);
}

/* An ISO timestamp without the zone it ends with: 'Z', or the last sign behind the date. */
static struct str without_zone(struct str text)
{
    enum { DATE_SIZE = 10 };
    size_t size = text.size;
    char last = text.data[size - 1];
    if (last == 'Z' || last == 'z') return (struct str){text.data, size - 1};
    while (size > DATE_SIZE && text.data[size - 1] != '+' && text.data[size - 1] != '-') size--;
    return (struct str){text.data, size > DATE_SIZE ? size - 1 : text.size};
}

static bool read_timestamp_ntz(const struct coerce_rule *rule, const struct json_value *json, struct str text,
                               struct arena *arena, uint64_t *repaired, struct value *value)
{
    (void)arena, (void)repaired;
    int64_t instant;
    enum time_zone_mark mark;
    if (read_by_format(rule, json, text, &instant)) return set_integer(value, VALUE_TIMESTAMP, instant);
    if (json->kind != JSON_STRING || !time_parse_iso(text, &instant, &mark)) return false;
    if (mark == TIME_ZONE_OFFSET && !time_parse_iso(without_zone(text), &instant, &mark)) return false;
    return set_integer(value, VALUE_TIMESTAMP, instant);
}

static bool read_json(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                      uint64_t *repaired, struct value *value)
{
    (void)rule, (void)text;
    return set_text(value, VALUE_JSON, jsonscan_clean(json, arena, repaired));
}

static bool read_binary(const struct coerce_rule *rule, const struct json_value *json, struct str text, struct arena *arena,
                        uint64_t *repaired, struct value *value)
{
    (void)rule, (void)repaired;
    if (json->kind != JSON_STRING) return false;
    struct buf bytes = BUF_INIT(text.size);
    bool fits = crypto_base64_decode(text, &bytes);
    if (fits) {
        char *copy = arena_try(arena, bytes.size + 1);
        fits = copy != NULL;
        if (copy && bytes.size) memcpy(copy, bytes.data, bytes.size);
        if (fits) set_text(value, VALUE_BINARY, (struct str){copy, bytes.size});
    }
    buf_release(&bytes);
    return fits;
}

static coerce_read *const READERS[TYPE_COUNT] = {
    [TYPE_STRING] = read_string,       [TYPE_INTEGER] = read_integer,
    [TYPE_DECIMAL] = read_decimal,     [TYPE_FLOAT] = read_float,
    [TYPE_BOOLEAN] = read_boolean,     [TYPE_DATE] = read_date,
    [TYPE_TIMESTAMP] = read_timestamp, [TYPE_TIMESTAMP_NTZ] = read_timestamp_ntz,
    [TYPE_JSON] = read_json,           [TYPE_BINARY] = read_binary,
};

struct coerce_rule coerce_rule_for(const struct column *column, const char *format)
{
    struct coerce_rule rule = {.type = column->type, .strict = !column->declared};
    rule.format = column->format ? column->format : format;
    if (column->zone.size && !time_parse_offset(column->zone, &rule.zone_seconds)) rule.zone_seconds = 0;
    return rule;
}

/* What an inferred column takes. Types that nothing infers (a column the target remembers from a declaration) are lenient. */
static bool kind_fits(enum type type, uint8_t kind)
{
    switch (type) {
    case TYPE_STRING:
        return kind == JSON_STRING;
    case TYPE_DECIMAL:
        return kind == JSON_NUMBER || kind == JSON_STRING; /* "" is null; other strings are refused below */
    case TYPE_BOOLEAN:
        return kind == JSON_TRUE || kind == JSON_FALSE || kind == JSON_STRING;
    default:
        return true;
    }
}

bool coerce_value(const struct coerce_rule *rule, const struct json_value *json, struct arena *arena, uint64_t *repaired,
                  struct value *value)
{
    enum type type = rule->type;
    *value = (struct value){.kind = VALUE_NULL, .i = 0};
    if (json->kind == JSON_NULL) return true;
    if (rule->strict && !kind_fits(type, json->kind)) return false;
    struct str text = json->raw;
    if (json->kind == JSON_STRING && type != TYPE_JSON) {
        if (text.size == 0 && type != TYPE_STRING) return true;
        if (rule->strict && (type == TYPE_DECIMAL || type == TYPE_BOOLEAN)) return false;
        uint64_t replaced = 0;
        text = jsonscan_text(json, arena, &replaced);
        if (type == TYPE_STRING) *repaired += replaced; /* no other type has a place for what was put in */
        if (!text.data && text.size) return false;
    }
    return READERS[type](rule, json, text, arena, repaired, value);
}

enum type coerce_infer(const struct json_value *json)
{
    switch (json->kind) {
    case JSON_STRING:
        return TYPE_STRING;
    case JSON_NUMBER:
        return TYPE_DECIMAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return TYPE_BOOLEAN;
    default:
        return TYPE_JSON;
    }
}
