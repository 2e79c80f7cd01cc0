/* time: what is read lies in the years 1 to 9999, is what a day-by-day calendar says, and written again reads as the same.
 * Input: a format in the first line, the text behind it. */
#include "fuzz.h"

#include "base/time.h"

/* Days since 1970, by counting months. */
static int64_t slow_days(int year, int month, int day)
{
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = 0;
    for (int y = 1; y < year; y++) days += 365 + ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
    for (int m = 1; m < month; m++) days += LENGTHS[m - 1];
    if (month > 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0)) days++;
    return days + day - 1 - 719162;
}

static void check_instant(int64_t instant_us)
{
    char text[TIME_TEXT_MAX];
    int64_t again;
    enum time_zone_mark mark;
    struct civil civil;
    CHECK(time_in_range(instant_us));
    size_t size = time_write_iso(instant_us, text);
    CHECK(size > 0 && size == strlen(text));
    CHECK(time_parse_iso((struct str){text, size}, &again, &mark) && again == instant_us && mark == TIME_ZONE_OFFSET);
    time_to_civil(instant_us, &civil);
    CHECK(time_date_is_valid(civil.year, civil.month, civil.day) && time_from_civil(&civil) == instant_us);
    CHECK(time_days(civil.year, civil.month, civil.day) == slow_days(civil.year, civil.month, civil.day));
}

static void check_iso(struct str text)
{
    int64_t instant_us, days;
    enum time_zone_mark mark;
    bool is_date = time_parse_date(text, &days);
    if (is_date) {
        char date[TIME_TEXT_MAX];
        int64_t again;
        size_t size = time_write_date(days, date);
        CHECK(size == 10 && str_equal((struct str){date, size}, (struct str){text.data, 10}));
        CHECK(time_parse_date((struct str){date, size}, &again) && again == days);
    }
    if (!time_parse_iso(text, &instant_us, &mark)) return;
    CHECK(is_date);
    CHECK(mark == TIME_ZONE_OFFSET || mark == TIME_ZONE_NONE);
    check_instant(instant_us);
}

/* What was written by a format reads back as a thing that is written the same. */
static void check_format(const char *format, struct str text)
{
    enum { OUT_MAX = 512 };
    char first[OUT_MAX], second[OUT_MAX];
    int64_t instant_us, again;
    CHECK(time_format_is_valid(format) || !time_parse_format(text, format, &instant_us));
    if (!time_parse_format(text, format, &instant_us)) return;
    CHECK(time_in_range(instant_us) && time_format_step_us(format) > 0);
    size_t size = time_write_format(instant_us, format, first, sizeof first);
    if (size == 0) return;
    CHECK(size == strlen(first));
    for (size_t room = 0; room <= size && room < 40; room++) { /* never behind the room given */
        char *exact = mem_alloc(room);
        CHECK(time_write_format(instant_us, format, exact, room) == 0 || room > size);
        free(exact);
    }
    if (strstr(format, "%y")) return;                                          /* two digits do not say which century */
    if (!time_parse_format((struct str){first, size}, format, &again)) return; /* "%m%d" and the like */
    CHECK(again <= instant_us + (strstr(format, "%I") ? 0 : 0));
    CHECK(time_write_format(again, format, second, sizeof second) == size && memcmp(first, second, size) == 0);
}

void fuzz(struct str input)
{
    char *format = fuzz_text(fuzz_line(&input));
    int64_t seconds;
    int offset;
    check_iso(input);
    check_format(format, input);
    if (time_parse_http_date(input, &seconds)) check_instant(seconds * 1000000);
    if (time_parse_offset(input, &offset)) CHECK(offset > -86400 && offset < 86400);
    free(format);
}
