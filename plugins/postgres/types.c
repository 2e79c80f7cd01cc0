/* types: the fast ones first. Dates and instants come in one spelling (the session's settings see to that), so they are read by
 * position; whatever is spelled otherwise is left a text. */
#include "postgres/types.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/literal.h"

static const struct {
    const char *name; /* typname */
    enum pg_kind kind;
} NAMES[] = {
    {"bool", PG_BOOLEAN},
    {"int2", PG_INTEGER},
    {"int4", PG_INTEGER},
    {"int8", PG_INTEGER},
    {"oid", PG_INTEGER},
    {"float4", PG_FLOAT},
    {"float8", PG_FLOAT},
    {"numeric", PG_DECIMAL},
    {"date", PG_DATE},
    {"timestamp", PG_TIMESTAMP},
    {"timestamptz", PG_TIMESTAMPTZ},
    {"json", PG_JSON},
    {"jsonb", PG_JSON},
    {"bytea", PG_BYTEA},
    {"hstore", PG_HSTORE},
    {"vector", PG_JSON},
    {"halfvec", PG_JSON}, /* "[1,2,3]" is JSON already */
};

static const char *const FIELDS[] = {
    [PG_STRING] = "string",
    [PG_BOOLEAN] = "boolean",
    [PG_INTEGER] = "integer",
    [PG_FLOAT] = "float",
    [PG_DECIMAL] = "decimal",
    [PG_DATE] = "date",
    [PG_TIMESTAMP] = "timestamp_ntz",
    [PG_TIMESTAMPTZ] = "timestamp",
    [PG_JSON] = "json",
    [PG_BYTEA] = "binary",
    [PG_ARRAY] = "json",
    [PG_HSTORE] = "json",
};

const char *type_field(enum pg_kind kind)
{
    return FIELDS[kind];
}

static int by_oid(const void *key, const void *row)
{
    uint32_t oid = *(const uint32_t *)key, other = ((const struct pg_type_row *)row)->oid;
    return oid < other ? -1 : oid > other;
}

/* The type itself, or what it is a domain of; a chain longer than any real one ends. */
static const struct pg_type_row *find(const struct pg_type_row *rows, size_t count, uint32_t oid)
{
    const struct pg_type_row *row = NULL;
    for (int depth = 0; depth < 64; depth++) {
        row = count ? bsearch(&oid, rows, count, sizeof *rows, by_oid) : NULL;
        if (!row || !row->base) return row;
        oid = row->base;
    }
    return row;
}

static enum pg_kind kind_of(const struct pg_type_row *row)
{
    for (size_t i = 0; row && i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(row->name, NAMES[i].name) == 0) return NAMES[i].kind;
    return PG_STRING;
}

struct pg_type type_of(const struct pg_type_row *rows, size_t count, uint32_t oid, bool *is_known)
{
    const struct pg_type_row *row = find(rows, count, oid);
    *is_known = row != NULL;
    if (row && row->category == 'A' && row->element) {
        const struct pg_type_row *element = find(rows, count, row->element);
        return (struct pg_type){PG_ARRAY, kind_of(element), row->delimiter ? row->delimiter : ','};
    }
    return (struct pg_type){kind_of(row), PG_STRING, 0};
}

/* --- numbers and times --------------------------------------------------------------------------------------------------- */

bool value_integer(const char *data, size_t size, int64_t *out)
{
    size_t at = size && data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + at, number = 0;
    if (at == size || size - at > 19) return false;
    for (size_t i = at; i < size; i++) {
        unsigned digit = (unsigned)(data[i] - '0');
        if (digit > 9) return false;
        number = number * 10 + digit;
    }
    if (number > limit) return false;
    *out = at ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

bool value_is_number(const char *data, size_t size)
{
    size_t at = size && data[0] == '-';
    size_t start = at;
    while (at < size && data[at] >= '0' && data[at] <= '9') at++;
    if (at == start || (data[start] == '0' && at - start > 1)) return false;
    if (at < size && data[at] == '.') {
        start = ++at;
        while (at < size && data[at] >= '0' && data[at] <= '9') at++;
        if (at == start) return false;
    }
    if (at < size && (data[at] == 'e' || data[at] == 'E')) {
        at++;
        if (at < size && (data[at] == '+' || data[at] == '-')) at++;
        start = at;
        while (at < size && data[at] >= '0' && data[at] <= '9') at++;
        if (at == start) return false;
    }
    return at == size;
}

/* The number of `count` digits; -1 when there are others. */
static int digits(const char *data, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)(data[i] - '0');
        if (digit > 9) return -1;
        number = number * 10 + (int)digit;
    }
    return number;
}

/* Days since 1970 in the Gregorian calendar: years begin in March, so that the leap day is the last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool value_date(const char *data, size_t size, int64_t *days)
{
    static const int LENGTHS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 10 || data[4] != '-' || data[7] != '-') return false;
    int year = digits(data, 4), month = digits(data + 5, 2), day = digits(data + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > LENGTHS[month - 1]) return false;
    if (month == 2 && day == 29 && !((year % 4 == 0 && year % 100 != 0) || year % 400 == 0)) return false;
    *days = days_of(year, month, day);
    return true;
}

/* "+00", "-03:30", "+05:53:28", as a number of seconds; `at` is behind it then. */
static bool offset_of(const char *data, size_t size, size_t *at, int *seconds)
{
    static const int UNITS[] = {3600, 60, 1};
    int sign = data[*at] == '-' ? -1 : 1, sum = 0;
    for (int part = 0; part < 3; part++) {
        if (part && (*at >= size || data[*at] != ':')) break;
        ++*at;
        if (size - *at < 2) return false;
        int number = digits(data + *at, 2);
        if (number < 0 || number > 59) return false;
        sum += number * UNITS[part];
        *at += 2;
    }
    *seconds = sign * sum;
    return true;
}

bool value_timestamp(const char *data, size_t size, bool has_zone, int64_t *us)
{
    int64_t days;
    if (size < 19 || data[10] != ' ' || data[13] != ':' || data[16] != ':' || !value_date(data, 10, &days)) return false;
    int hour = digits(data + 11, 2), minute = digits(data + 14, 2), second = digits(data + 17, 2), offset = 0;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    int64_t fraction = 0;
    size_t at = 19;
    if (at < size && data[at] == '.') {
        int64_t unit = 100000;
        for (at++; at < size && data[at] >= '0' && data[at] <= '9'; at++, unit /= 10) {
            if (unit == 0) return false;
            fraction += (data[at] - '0') * unit;
        }
    }
    bool is_signed = at < size && (data[at] == '+' || data[at] == '-');
    if (is_signed != has_zone || (is_signed && !offset_of(data, size, &at, &offset)) || at != size) return false;
    *us = (days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1000000 + fraction;
    return true;
}

/* --- values -------------------------------------------------------------------------------------------------------------- */

static struct sluice_value float_of(const char *data, size_t size)
{
    char text[64];
    if (size == 0 || size >= sizeof text) return sluice_text(data, size);
    memcpy(text, data, size);
    text[size] = 0;
    char *end;
    double number = strtod(text, &end);
    return end == text + size && isfinite(number) ? sluice_float(number) : sluice_text(data, size);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \x0aff: half as long, so it fits where it stands. */
static struct sluice_value bytes_of(char *data, size_t size)
{
    if (size < 2 || size % 2 || data[0] != '\\' || data[1] != 'x') return sluice_text(data, size);
    for (size_t i = 2; i < size; i++)
        if (hex(data[i]) < 0) return sluice_text(data, size);
    for (size_t i = 2; i < size; i += 2) data[i / 2 - 1] = (char)(hex(data[i]) << 4 | hex(data[i + 1]));
    return sluice_binary(data, size / 2 - 1);
}

struct sluice_value value_of(struct pg_type type, char *data, size_t size, struct text *scratch)
{
    int64_t number;
    size_t before = scratch->size;
    switch (type.kind) {
    case PG_STRING:
        break;
    case PG_BOOLEAN:
        if (size == 1 && (*data == 't' || *data == 'f')) return sluice_boolean(*data == 't');
        break;
    case PG_INTEGER:
        if (value_integer(data, size, &number)) return sluice_integer(number);
        break;
    case PG_FLOAT:
        return float_of(data, size);
    case PG_DECIMAL:
        if (value_is_number(data, size)) return sluice_decimal(data, size);
        break;
    case PG_DATE:
        if (value_date(data, size, &number)) return sluice_date(number);
        break;
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
        if (value_timestamp(data, size, type.kind == PG_TIMESTAMPTZ, &number)) return sluice_timestamp(number);
        break;
    case PG_JSON:
        return sluice_json(data, size);
    case PG_BYTEA:
        return bytes_of(data, size);
    case PG_ARRAY:
        if (literal_array(data, size, type.element, type.delimiter, scratch))
            return sluice_json(scratch->data + before, scratch->size - before);
        break;
    case PG_HSTORE:
        if (literal_hstore(data, size, scratch)) return sluice_json(scratch->data + before, scratch->size - before);
        break;
    }
    return sluice_text(data, size);
}
