/* time_format: see time.h. A format is read anew each time, piece by piece, with one table that says what each directive
 * holds; checking, reading, writing and the step all walk the same pieces, so they cannot disagree. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "base/time.h"
#include "base/time_scan.h"

enum field {
    YEAR = 1 << 0,
    MONTH = 1 << 1,
    DAY = 1 << 2,
    YEAR_DAY = 1 << 3,
    HOUR = 1 << 4,
    HALF = 1 << 5, /* AM or PM: its hour is 1 to 12 */
    MINUTE = 1 << 6,
    SECOND = 1 << 7,
    FRACTION = 1 << 8,
    ZONE = 1 << 9,
    WEEKDAY = 1 << 10,
    EPOCH = 1 << 11,
};

enum { FIELD_COUNT = 12 };

/* A directive. Those with digits are read and written by the numbers here alone. */
struct directive {
    char letter;
    enum field field;
    unsigned needs;  /* one of these fields must stand in the format too; 0: none */
    size_t digits;   /* 0: not a plain number */
    int min, max;    /* of the number */
    int64_t step_us; /* the smallest difference it shows; 0: none of its own */
};

static const struct directive DIRECTIVES[] = {
    {'Y', YEAR, 0, 4, 1, 9999, 365 * DAY_US},    {'y', YEAR, 0, 2, 0, 99, 365 * DAY_US},
    {'m', MONTH, YEAR, 2, 1, 12, 28 * DAY_US},   {'b', MONTH, YEAR, 0, 0, 0, 28 * DAY_US},
    {'d', DAY, MONTH, 2, 1, 31, DAY_US},         {'e', DAY, MONTH, 2, 1, 31, DAY_US},
    {'j', YEAR_DAY, YEAR, 3, 1, 366, DAY_US},    {'H', HOUR, DAY | YEAR_DAY, 2, 0, 23, HOUR_US},
    {'I', HOUR, HALF, 2, 1, 12, HOUR_US},        {'p', HALF, DAY | YEAR_DAY, 0, 0, 0, 0},
    {'M', MINUTE, HOUR, 2, 0, 59, MINUTE_US},    {'S', SECOND, MINUTE, 2, 0, 60, SECOND_US},
    {'f', FRACTION, SECOND | EPOCH, 0, 0, 0, 1}, {'z', ZONE, HOUR, 0, 0, 0, 0},
    {'a', WEEKDAY, DAY | YEAR_DAY, 0, 0, 0, 0},  {'s', EPOCH, 0, 0, 0, 0, SECOND_US},
};

/* One piece of a pattern: a directive or a literal character. */
struct piece {
    const struct directive *directive;
    char literal;
    bool is_short; /* %3f */
    bool adjacent; /* digits stand right before or behind its digits: it cannot be shorter than it is written */
};

static bool has_digits(const struct directive *directive)
{
    return directive && (directive->digits || (directive->field & (FRACTION | EPOCH)));
}

static const struct directive *find_directive(char letter)
{
    for (size_t i = 0; i < ARRAY_SIZE(DIRECTIVES); i++)
        if (DIRECTIVES[i].letter == letter) return &DIRECTIVES[i];
    return NULL;
}

/* The next piece, moving *format behind it; false at the end. `piece` is the one before, all zero at first. An unknown
 * directive is a piece with neither. */
static bool next_piece(const char **format, struct piece *piece)
{
    const char *at = *format;
    bool after_digits = has_digits(piece->directive);
    *piece = (struct piece){0};
    if (*at == '\0') return false;
    if (*at != '%' || at[1] == '%') {
        piece->literal = *at;
        *format = at + (*at == '%' ? 2 : 1);
        return true;
    }
    at++;
    piece->is_short = at[0] == '3' && at[1] == 'f';
    if (piece->is_short) at++;
    piece->directive = find_directive(*at);
    if (*at) at++;
    piece->adjacent = after_digits || (at[0] == '%' && has_digits(find_directive(at[1])));
    *format = at;
    return true;
}

static bool pattern_is_valid(const char *pattern)
{
    struct piece piece = {0};
    unsigned seen = 0;
    bool has_clock12 = false;
    for (const char *at = pattern; next_piece(&at, &piece);) {
        if (!piece.directive) {
            if (!piece.literal) return false;
            continue;
        }
        if (seen & piece.directive->field) return false;
        seen |= piece.directive->field;
        if (piece.directive->letter == 'I') has_clock12 = true;
    }
    for (const char *at = pattern; next_piece(&at, &piece);)
        if (piece.directive && piece.directive->needs && !(seen & piece.directive->needs)) return false;
    if (has_clock12 != ((seen & HALF) != 0)) return false;
    if ((seen & YEAR_DAY) && (seen & MONTH)) return false;
    return (seen & EPOCH) ? (seen & ~(unsigned)(EPOCH | FRACTION)) == 0 : (seen & YEAR) != 0;
}

/* The formats with a name. The epochs are a number times 10^scale microseconds. */
enum named { NAMED_ISO, NAMED_DATE, NAMED_EPOCH, NAMED_NONE };

static const struct named_format {
    const char *name;
    enum named kind;
    int scale;
    int64_t step_us;
} NAMED_FORMATS[] = {
    {"iso8601", NAMED_ISO, 0, 1},       {"date", NAMED_DATE, 0, DAY_US}, {"epoch", NAMED_EPOCH, 6, SECOND_US},
    {"epoch_ms", NAMED_EPOCH, 3, 1000}, {"epoch_us", NAMED_EPOCH, 0, 1},
};

static const struct named_format *find_named(const char *format)
{
    for (size_t i = 0; i < ARRAY_SIZE(NAMED_FORMATS); i++)
        if (strcmp(format, NAMED_FORMATS[i].name) == 0) return &NAMED_FORMATS[i];
    return NULL;
}

bool time_format_is_valid(const char *format)
{
    return find_named(format) || pattern_is_valid(format);
}

int64_t time_format_step_us(const char *format)
{
    const struct named_format *named = find_named(format);
    if (named) return named->step_us;
    int64_t step = 365 * DAY_US;
    struct piece piece = {0};
    while (next_piece(&format, &piece)) {
        int64_t own = piece.is_short ? 1000 : piece.directive ? piece.directive->step_us : 0;
        if (own && own < step) step = own;
    }
    return step;
}

static const char *const MONTHS[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const WEEKDAYS[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* A name in full or its first three letters; the full name wins where both fit. -1 when none does. */
static int scan_name(struct str *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        size_t lengths[] = {strlen(names[i]), 3};
        for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
            if (text->size < lengths[k]) continue;
            if (!str_equal_nocase((struct str){text->data, lengths[k]}, (struct str){names[i], lengths[k]})) continue;
            *text = (struct str){text->data + lengths[k], text->size - lengths[k]};
            return i;
        }
    }
    return -1;
}

/* What a text said, field by field. */
struct reading {
    int fields[FIELD_COUNT]; /* by the place of the field's bit */
    unsigned seen;
    bool is_afternoon;
    int offset_seconds;
    int64_t epoch_seconds;
};

static int *field_of(struct reading *reading, enum field field)
{
    return &reading->fields[__builtin_ctz((unsigned)field)];
}

static bool scan_number(struct str *text, const struct piece *piece, struct reading *reading)
{
    const struct directive *directive = piece->directive;
    size_t min = directive->digits;
    if (directive->letter == 'e' && scan_char(text, ' ')) min = 1;
    if (directive->digits == 2 && directive->letter != 'y' && !piece->adjacent) min = 1;
    int value;
    if (!scan_digits(text, min, directive->digits, &value) || value < directive->min || value > directive->max) return false;
    if (directive->letter == 'y') value += value < 70 ? 2000 : 1900;
    *field_of(reading, directive->field) = value;
    return true;
}

/* The offset is as long as its characters go: "Z", or a sign with digits and a colon. */
static bool scan_offset(struct str *text, int *seconds)
{
    size_t size = 0;
    if (text->size && (text->data[0] == 'Z' || text->data[0] == 'z'))
        size = 1;
    else
        while (size < text->size && size < 6 && text->data[size] && strchr("+-:0123456789", text->data[size])) size++;
    if (!time_parse_offset((struct str){text->data, size}, seconds)) return false;
    *text = (struct str){text->data + size, text->size - size};
    return true;
}

static bool scan_epoch(struct str *text, int64_t *seconds)
{
    size_t size = text->size && text->data[0] == '-' ? 1 : 0;
    while (size < text->size && text->data[size] >= '0' && text->data[size] <= '9') size++;
    if (!number_to_int64((struct str){text->data, size}, seconds)) return false;
    *text = (struct str){text->data + size, text->size - size};
    return true;
}

static bool scan_half(struct str *text, bool *is_afternoon)
{
    if (text->size < 2) return false;
    struct str half = {text->data, 2};
    *is_afternoon = str_equal_nocase(half, STR("PM"));
    if (!*is_afternoon && !str_equal_nocase(half, STR("AM"))) return false;
    *text = (struct str){text->data + 2, text->size - 2};
    return true;
}

static bool scan_piece(struct str *text, const struct piece *piece, struct reading *reading)
{
    const struct directive *directive = piece->directive;
    if (!directive) return scan_char(text, piece->literal);
    reading->seen |= directive->field;
    if (directive->digits) return scan_number(text, piece, reading);
    int *field = field_of(reading, directive->field);
    switch (directive->field) {
    case MONTH:
        *field = scan_name(text, MONTHS, ARRAY_SIZE(MONTHS)) + 1;
        return *field > 0;
    case WEEKDAY:
        return scan_name(text, WEEKDAYS, ARRAY_SIZE(WEEKDAYS)) >= 0;
    case HALF:
        return scan_half(text, &reading->is_afternoon);
    case FRACTION:
        return scan_fraction(text, piece->is_short ? 3 : 9, field);
    case ZONE:
        return scan_offset(text, &reading->offset_seconds);
    default:
        return scan_epoch(text, &reading->epoch_seconds);
    }
}

static bool instant_of(struct reading *reading, int64_t *instant_us)
{
    int64_t instant;
    int fraction = *field_of(reading, FRACTION);
    if (reading->seen & EPOCH) {
        if (__builtin_mul_overflow(reading->epoch_seconds, SECOND_US, &instant) ||
            __builtin_add_overflow(instant, fraction, &instant))
            return false;
    } else {
        struct civil civil = {.year = *field_of(reading, YEAR), .month = 1, .day = 1};
        if (reading->seen & MONTH) civil.month = *field_of(reading, MONTH);
        if (reading->seen & DAY) civil.day = *field_of(reading, DAY);
        if (!time_date_is_valid(civil.year, civil.month, civil.day)) return false;
        if (reading->seen & YEAR_DAY) {
            int day = *field_of(reading, YEAR_DAY);
            if (day == 366 && !time_date_is_valid(civil.year, 2, 29)) return false;
            civil.day = day; /* of January: the days carry over */
        }
        civil.hour = *field_of(reading, HOUR);
        if (reading->seen & HALF) civil.hour = civil.hour % 12 + (reading->is_afternoon ? 12 : 0);
        civil.minute = *field_of(reading, MINUTE);
        civil.second = *field_of(reading, SECOND);
        civil.microsecond = civil.second == 60 ? 0 : fraction;
        instant = time_from_civil(&civil) - reading->offset_seconds * SECOND_US;
    }
    if (!time_in_range(instant)) return false;
    *instant_us = instant;
    return true;
}

static bool parse_pattern(struct str text, const char *pattern, int64_t *instant_us)
{
    struct reading reading = {0};
    struct piece piece = {0};
    if (!pattern_is_valid(pattern)) return false;
    while (next_piece(&pattern, &piece))
        if (!scan_piece(&text, &piece, &reading)) return false;
    return text.size == 0 && instant_of(&reading, instant_us);
}

bool time_parse_format(struct str text, const char *format, int64_t *instant_us)
{
    const struct named_format *named = find_named(format);
    int64_t value;
    enum time_zone_mark mark;
    switch (named ? named->kind : NAMED_NONE) {
    case NAMED_ISO:
        return time_parse_iso(text, instant_us, &mark);
    case NAMED_DATE:
        if (!time_parse_date(text, &value)) return false;
        *instant_us = value * DAY_US;
        return true;
    case NAMED_EPOCH:
        if (!number_scaled(text, named->scale, &value) || !time_in_range(value)) return false;
        *instant_us = value;
        return true;
    default:
        return parse_pattern(text, format, instant_us);
    }
}

bool time_parse_http_date(struct str text, int64_t *seconds)
{
    static const char *const SPELLINGS[] = {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
    int64_t instant;
    for (size_t i = 0; i < ARRAY_SIZE(SPELLINGS); i++) {
        if (!parse_pattern(text, SPELLINGS[i], &instant)) continue;
        *seconds = instant / SECOND_US; /* the spellings have whole seconds */
        return true;
    }
    return false;
}

static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static int number_to_write(const struct civil *civil, const struct directive *directive)
{
    switch (directive->letter) {
    case 'Y':
        return civil->year;
    case 'y':
        return civil->year % 100;
    case 'm':
        return civil->month;
    case 'j':
        return (int)(time_days(civil->year, civil->month, civil->day) - time_days(civil->year, 1, 1)) + 1;
    case 'H':
        return civil->hour;
    case 'I':
        return civil->hour % 12 ? civil->hour % 12 : 12;
    case 'M':
        return civil->minute;
    case 'S':
        return civil->second;
    default:
        return civil->day;
    }
}

/* Returns what snprintf does: the size, which does not fit when it is `size` or more. */
static int write_piece(const struct piece *piece, const struct civil *civil, int64_t instant_us, char *out, size_t size)
{
    const struct directive *directive = piece->directive;
    if (!directive) return snprintf(out, size, "%c", piece->literal);
    if (directive->letter == 'e') return snprintf(out, size, "%2d", civil->day);
    if (directive->digits) return snprintf(out, size, "%0*d", (int)directive->digits, number_to_write(civil, directive));
    switch (directive->field) {
    case MONTH:
        return snprintf(out, size, "%.3s", MONTHS[civil->month - 1]);
    case WEEKDAY: /* 1970-01-01 was a Thursday */
        return snprintf(out, size, "%.3s", WEEKDAYS[(floor_divide(instant_us, DAY_US) % 7 + 11) % 7]);
    case HALF:
        return snprintf(out, size, "%s", civil->hour < 12 ? "AM" : "PM");
    case FRACTION:
        return piece->is_short ? snprintf(out, size, "%03d", civil->microsecond / 1000)
                               : snprintf(out, size, "%06d", civil->microsecond);
    case ZONE:
        return snprintf(out, size, "+0000");
    default:
        return snprintf(out, size, "%lld", (long long)floor_divide(instant_us, SECOND_US));
    }
}

static size_t write_pattern(int64_t instant_us, const char *pattern, char *out, size_t size)
{
    if (!pattern_is_valid(pattern)) return 0;
    struct civil civil;
    struct piece piece = {0};
    size_t used = 0;
    time_to_civil(instant_us, &civil);
    while (next_piece(&pattern, &piece)) {
        used += (size_t)write_piece(&piece, &civil, instant_us, out + used, size - used);
        if (used >= size) return 0;
    }
    return used;
}

size_t time_write_format(int64_t instant_us, const char *format, char *out, size_t size)
{
    if (!time_in_range(instant_us) || size == 0) return 0;
    const struct named_format *named = find_named(format);
    char text[TIME_TEXT_MAX];
    switch (named ? named->kind : NAMED_NONE) {
    case NAMED_ISO:
        time_write_iso(instant_us, text);
        break;
    case NAMED_DATE:
        time_write_date(floor_divide(instant_us, DAY_US), text);
        break;
    case NAMED_EPOCH:
        number_from_int64(floor_divide(instant_us, named->step_us), text);
        break;
    default:
        return write_pattern(instant_us, format, out, size);
    }
    size_t length = strlen(text);
    if (length >= size) return 0;
    memcpy(out, text, length + 1);
    return length;
}
