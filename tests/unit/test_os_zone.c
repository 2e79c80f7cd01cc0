/* zone: against libc for every zone of the system, the named oddities of a dozen, and files that are broken in every place. */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "os/fs.h"
#include "os/zone.h"

#define DATABASE "/usr/share/zoneinfo"

static struct arena arena;

static const struct zone *load(const char *name)
{
    const struct zone *zone = NULL;
    struct err err = ERR_INIT;
    if (zone_load(name, &arena, &zone, &err) != 0) fail_msg("%s: %s", name, err.message);
    return zone;
}

static int64_t utc_ms(const char *text)
{
    int64_t instant_us;
    enum time_zone_mark mark;
    assert_true(time_parse_iso(str_from(text), &instant_us, &mark));
    return instant_us / 1000;
}

static struct zone_instants at_wall(const char *zone, const char *local)
{
    struct civil civil;
    time_to_civil(utc_ms(local) * 1000, &civil);
    return zone_local_to_utc(load(zone), &civil);
}

/* --- against libc -------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void compare_at(const char *name, const struct zone *zone, int64_t at_s)
{
    time_t time = (time_t)at_s;
    struct tm libc;
    struct civil ours;
    localtime_r(&time, &libc);
    if (zone_offset_at(zone, at_s * 1000) != (int)libc.tm_gmtoff)
        fail_msg("%s at %lld: offset %d, libc says %ld", name, (long long)at_s, zone_offset_at(zone, at_s * 1000),
                 libc.tm_gmtoff);
    zone_utc_to_local(zone, at_s * 1000, &ours);
    if (ours.year != libc.tm_year + 1900 || ours.month != libc.tm_mon + 1 || ours.day != libc.tm_mday ||
        ours.hour != libc.tm_hour || ours.minute != libc.tm_min || ours.second != libc.tm_sec)
        fail_msg("%s at %lld: another wall clock than libc's", name, (long long)at_s);
    struct zone_instants back = zone_local_to_utc(zone, &ours);
    if (back.count < 1 || (back.utc_ms[0] != at_s * 1000 && (back.count < 2 || back.utc_ms[1] != at_s * 1000)))
        fail_msg("%s at %lld: its wall clock does not lead back", name, (long long)at_s);
    for (int i = 0; i < back.count; i++) {
        struct civil again;
        zone_utc_to_local(zone, back.utc_ms[i], &again);
        assert_memory_equal(&again, &ours, sizeof again);
    }
}

static size_t zones_compared;

/* Random instants from 1900 to 2500, and both sides of every change there is. */
static int compare_file(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    const char *name = path + strlen(DATABASE "/");
    char magic[4] = "";
    (void)about, (void)place;
    FILE *file = kind == FTW_F ? fopen(path, "r") : NULL;
    size_t got = file ? fread(magic, 1, sizeof magic, file) : 0;
    if (file) fclose(file);
    if (got < 4 || memcmp(magic, "TZif", 4) != 0 || strncmp(name, "right/", 6) == 0 || strcmp(name, "localtime") == 0) return 0;
    char text[128];
    snprintf(text, sizeof text, ":%s", name);
    setenv("TZ", text, 1);
    tzset();
    const struct zone *zone = load(name);
    const int64_t first_s = -2208988800, last_s = 16725225600;
    for (int i = 0; i < 300; i++) compare_at(name, zone, first_s + (int64_t)(next_random() % (uint64_t)(last_s - first_s)));
    int64_t change_ms = first_s * 1000;
    while (zone_next_change(zone, change_ms, &change_ms) && change_ms < INT64_C(7258118400000)) { /* 2200 */
        for (int64_t s = -1; s <= 1; s++) compare_at(name, zone, change_ms / 1000 + s);
        compare_at(name, zone, change_ms / 1000 - 3600);
        compare_at(name, zone, change_ms / 1000 + 3600);
    }
    zones_compared++;
    return 0;
}

static void test_every_zone_of_the_system_is_as_libc_has_it(void **state)
{
    (void)state;
    assert_int_equal(nftw(DATABASE, compare_file, 16, FTW_PHYS), 0);
    unsetenv("TZ");
    tzset();
    assert_true(zones_compared > 200);
}

/* --- walls and instants -------------------------------------------------------------------------------------------------- */

static void test_what_a_wall_clock_means(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *local;
        int count;
        const char *first, *second; /* without any: the gap's end */
        int shift_s;
    } CASES[] = {
        {"Europe/Oslo", "2026-07-01T12:00:00", 1, "2026-07-01T10:00:00Z", NULL, 0},
        {"Europe/Oslo", "2026-03-29T01:59:59", 1, "2026-03-29T00:59:59Z", NULL, 0},
        {"Europe/Oslo", "2026-03-29T02:00:00", 0, "2026-03-29T01:00:00Z", NULL, 3600},
        {"Europe/Oslo", "2026-03-29T02:59:59", 0, "2026-03-29T01:00:00Z", NULL, 3600},
        {"Europe/Oslo", "2026-03-29T03:00:00", 1, "2026-03-29T01:00:00Z", NULL, 0},
        {"Europe/Oslo", "2026-10-25T02:30:00", 2, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", -3600},
        {"Europe/Oslo", "2026-10-25T03:00:00", 1, "2026-10-25T02:00:00Z", NULL, 0},
        {"Europe/Oslo", "2099-10-25T02:30:00", 2, "2099-10-25T00:30:00Z", "2099-10-25T01:30:00Z", -3600},
        {"America/New_York", "2045-03-12T02:30:00", 0, "2045-03-12T07:00:00Z", NULL, 3600},
        {"America/New_York", "2026-11-01T01:30:00", 2, "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", -3600},
        {"Australia/Lord_Howe", "2026-10-04T02:15:00", 0, "2026-10-03T15:30:00Z", NULL, 1800},
        {"Australia/Lord_Howe", "2026-04-05T01:45:00", 2, "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", -1800},
        {"Asia/Kathmandu", "2026-01-01T00:00:00", 1, "2025-12-31T18:15:00Z", NULL, 0},
        {"Africa/Casablanca", "2026-02-15T02:30:00", 2, "2026-02-15T01:30:00Z", "2026-02-15T02:30:00Z", -3600},
        {"Europe/Dublin", "2026-03-29T01:30:00", 0, "2026-03-29T01:00:00Z", NULL, 3600},
        {"Pacific/Apia", "2011-12-30T12:00:00", 0, "2011-12-30T10:00:00Z", NULL, 86400},
        {"Pacific/Apia", "2011-12-31T00:00:00", 1, "2011-12-30T10:00:00Z", NULL, 0},
        {"America/Godthab", "2024-03-30T23:30:00", 0, "2024-03-31T01:00:00Z", NULL, 3600},
        {"UTC", "2026-03-29T02:30:00", 1, "2026-03-29T02:30:00Z", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct zone_instants found = at_wall(CASES[i].zone, CASES[i].local);
        if (found.count != CASES[i].count || found.utc_ms[0] != utc_ms(CASES[i].first) || found.shift_s != CASES[i].shift_s ||
            (CASES[i].second && found.utc_ms[1] != utc_ms(CASES[i].second)))
            fail_msg("%s %s: %d instants, %lld, %lld, shift %d", CASES[i].zone, CASES[i].local, found.count,
                     (long long)found.utc_ms[0], (long long)found.utc_ms[1], found.shift_s);
    }
}

static void test_fractions_and_far_years(void **state)
{
    (void)state;
    const struct zone *oslo = load("Europe/Oslo");
    struct civil local;
    zone_utc_to_local(oslo, -1, &local);
    assert_true(local.year == 1970 && local.day == 1 && local.minute == 59 && local.second == 59 &&
                local.microsecond == 999000);
    assert_int_equal(zone_local_to_utc(oslo, &local).utc_ms[0], -1);
    zone_utc_to_local(oslo, INT64_MAX, &local);
    assert_int_equal(local.year, 10000); /* the end of 9999 in UTC */
    zone_utc_to_local(oslo, INT64_MIN, &local);
    assert_int_equal(local.year, 1);
    assert_int_equal(zone_offset_at(zone_utc(), INT64_MIN), 0);
    struct civil late = {.year = 9999, .month = 12, .day = 31, .hour = 23};
    assert_int_equal(zone_local_to_utc(oslo, &late).count, 1);
    int64_t change_ms;
    assert_false(zone_next_change(zone_utc(), 0, &change_ms));
    assert_false(zone_next_change(oslo, INT64_MAX, &change_ms));
    assert_string_equal(zone_name(oslo), "Europe/Oslo");
}

static void test_an_instant_as_text(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    assert_int_equal(zone_write_iso(load("Europe/Oslo"), utc_ms("2026-10-25T01:30:00.999Z"), text), 25);
    assert_string_equal(text, "2026-10-25T02:30:00+01:00");
    zone_write_iso(load("America/St_Johns"), utc_ms("2026-01-01T00:00:00Z"), text);
    assert_string_equal(text, "2025-12-31T20:30:00-03:30");
    zone_write_iso(zone_utc(), utc_ms("0005-01-01T00:00:00Z"), text);
    assert_string_equal(text, "0005-01-01T00:00:00+00:00");
}

/* --- names and files ----------------------------------------------------------------------------------------------------- */

static void expect_refused(const char *name, const char *message, const char *hint)
{
    const struct zone *zone = NULL;
    struct err err = ERR_INIT;
    if (zone_load(name, &arena, &zone, &err) != ERR_CONFIG) fail_msg("'%s' was taken", name);
    if (!strstr(err.message, message) || !strstr(err.hint, hint)) fail_msg("'%s': %s (%s)", name, err.message, err.hint);
}

static void test_names_stay_in_the_folder(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "/etc/passwd",
                                      "../shadow",
                                      "Europe/../../../etc/passwd",
                                      "Europe//Oslo",
                                      "Europe/",
                                      "a.b",
                                      "localtime",
                                      "Europe/Oslo\n",
                                      "zone.tab",
                                      "tzdata.zi"};
    char large[ZONE_NAME_MAX + 2];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) expect_refused(BAD[i], "is not the name of a time zone", "Europe/Oslo");
    expect_refused(large, "is not the name of a time zone", "IANA");
    expect_refused("Europe/Nowhere", "unknown time zone 'Europe/Nowhere'", "tzdata");
    expect_refused("Europe", "unknown time zone 'Europe'", "tzdata");
    setenv("TZDIR", "/nonexistent/zoneinfo", 1);
    expect_refused("Europe/Oslo", "no database of time zones in /nonexistent/zoneinfo", "install the package tzdata");
    assert_ptr_equal(load("UTC"), zone_utc());
    assert_ptr_equal(load("Etc/UTC"), zone_utc());
    unsetenv("TZDIR");
}

static void test_a_folder_of_ones_own(void **state)
{
    (void)state;
    char folder[] = "/tmp/sluice-zone-XXXXXX", path[64];
    struct err err = ERR_INIT;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/Large", folder);
    char *large = mem_alloc(ZONE_FILE_MAX + 1);
    memset(large, 'x', ZONE_FILE_MAX + 1);
    assert_int_equal(fs_write_file(path, 0600, (struct str){large, ZONE_FILE_MAX + 1}, &err), 0);
    setenv("TZDIR", folder, 1);
    expect_refused("Large", "more than 64 KiB", "");
    assert_int_equal(fs_write_file(path, 0600, STR("Europe/Oslo"), &err), 0);
    expect_refused("Large", "it is no TZif file", "tzdata");
    unsetenv("TZDIR");
    assert_int_equal(unlink(path) | rmdir(folder), 0);
    free(large);
}

/* A file of version 2: two types (0 s and 3600 s), the changes given, a footer. */
static void build(struct buf *out, const int64_t *at_s, size_t count, const char *footer)
{
    const unsigned char empty[44] = {'T', 'Z', 'i', 'f', '2'};
    unsigned char header[44] = {'T', 'Z', 'i', 'f', '2'};
    header[35] = (unsigned char)count;
    header[39] = 2; /* types */
    header[43] = 4; /* characters */
    buf_append(out, empty, sizeof empty);
    buf_append(out, header, sizeof header);
    for (size_t i = 0; i < count; i++)
        for (int shift = 56; shift >= 0; shift -= 8) buf_append_char(out, (char)((uint64_t)at_s[i] >> shift));
    for (size_t i = 0; i < count; i++) buf_append_char(out, (char)((i + 1) % 2));
    buf_append(out, "\0\0\0\0\0\0\0\0\x0e\x10\1\0", 12);
    buf_append(out, "ABC", 4);
    buf_append_text(out, footer);
}

static int parse(struct buf *bytes, const struct zone **zone, struct err *err)
{
    return zone_parse(buf_str(bytes), "Test/Zone", &arena, zone, err);
}

static void test_a_file_by_hand(void **state)
{
    (void)state;
    const int64_t at_s[] = {1000000, 2000000};
    struct buf bytes = BUF_INIT(4096);
    struct err err = ERR_INIT;
    const struct zone *zone;
    build(&bytes, at_s, 2, "\n<+01>-1\n");
    assert_int_equal(parse(&bytes, &zone, &err), 0);
    assert_int_equal(zone_offset_at(zone, 999999999), 0);
    assert_int_equal(zone_offset_at(zone, 1000000000), 3600);
    assert_int_equal(zone_offset_at(zone, 1999999999), 3600);
    assert_int_equal(zone_offset_at(zone, 2000000000), 3600); /* by the rule, from the last change on */
    buf_clear(&bytes);
    build(&bytes, at_s, 2, "\n\n");
    assert_int_equal(parse(&bytes, &zone, &err), 0);
    assert_int_equal(zone_offset_at(zone, 2000000000), 0); /* without one, what the last change says */
    buf_release(&bytes);
}

static void test_every_cut_of_a_file_is_refused(void **state)
{
    (void)state;
    const int64_t at_s[] = {1000000, 2000000};
    struct buf bytes = BUF_INIT(4096);
    const struct zone *zone;
    build(&bytes, at_s, 2, "\nABC0\n");
    for (size_t size = 0; size < buf_str(&bytes).size; size++) {
        struct err err = ERR_INIT;
        char *exact = mem_alloc(size + !size);
        memcpy(exact, buf_str(&bytes).data, size);
        assert_int_equal(zone_parse((struct str){exact, size}, "Test/Zone", &arena, &zone, &err), ERR_CONFIG);
        assert_true(err.message[0] && err.hint[0]);
        free(exact);
    }
    buf_release(&bytes);
}

static void expect_broken(size_t offset, unsigned char byte, const char *message)
{
    const int64_t at_s[] = {1000000, 2000000};
    struct buf bytes = BUF_INIT(4096);
    struct err err = ERR_INIT;
    const struct zone *zone;
    build(&bytes, at_s, 2, "\nABC0\n");
    char *copy = str_dup(buf_str(&bytes));
    copy[offset] = (char)byte;
    int rc = zone_parse((struct str){copy, buf_str(&bytes).size}, "Test/Zone", &arena, &zone, &err);
    if (rc != ERR_CONFIG || !strstr(err.message, message)) fail_msg("byte %zu: %d, '%s'", offset, rc, err.message);
    free(copy);
    buf_release(&bytes);
}

static void test_broken_files_say_what_is_wrong(void **state)
{
    (void)state;
    const size_t second = 44, data = 88;
    expect_broken(0, 'X', "no TZif file");
    expect_broken(4, 0, "version 1");
    expect_broken(second, 'X', "cut off");
    expect_broken(second + 20, 0xff, "cut off");             /* a count past everything */
    expect_broken(second + 35, 200, "cut off");              /* more changes than bytes */
    expect_broken(data, 1, "not in order");                  /* the first change after the second */
    expect_broken(data + 16, 2, "a type that is not there"); /* of two */
    expect_broken(data + 24, 0x7f, "passes a day");          /* the second type's offset */
    expect_broken(data + 34, 'X', "missing");                /* the footer's line end */
    const int64_t none[1] = {0};
    struct buf bytes = BUF_INIT(4096);
    struct err err = ERR_INIT;
    const struct zone *zone;
    build(&bytes, none, 0, "\nABC0\n");
    char *copy = str_dup(buf_str(&bytes));
    copy[second + 39] = 0, copy[second + 43] = 16; /* its bytes are characters now */
    assert_int_equal(zone_parse((struct str){copy, buf_str(&bytes).size}, "Test/Zone", &arena, &zone, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "no types"));
    free(copy);
    buf_release(&bytes);
    if (fs_kind(DATABASE "/right/Europe/Oslo") == FS_FILE) expect_refused("right/Europe/Oslo", "leap seconds", "tzdata");
}

/* --- rules --------------------------------------------------------------------------------------------------------------- */

static const struct zone *by_rule(const char *rule, struct err *err)
{
    struct buf bytes = BUF_INIT(4096);
    const struct zone *zone = NULL;
    char footer[256];
    snprintf(footer, sizeof footer, "\n%s\n", rule);
    build(&bytes, NULL, 0, footer);
    if (parse(&bytes, &zone, err) != 0) zone = NULL;
    buf_release(&bytes);
    return zone;
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *at;
        int offset_s;
    } CASES[] = {
        {"EST5", "2050-07-01T00:00:00Z", -18000},
        {"<+0530>-5:30", "2050-07-01T00:00:00Z", 19800},
        {"<-00>0", "2050-07-01T00:00:00Z", 0},
        {"ABC-1:02:03", "2050-07-01T00:00:00Z", 3723},
        {"EST5EDT,M3.2.0,M11.1.0", "2050-03-13T06:59:59Z", -18000},
        {"EST5EDT,M3.2.0,M11.1.0", "2050-03-13T07:00:00Z", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2050-11-06T05:59:59Z", -14400},
        {"EST5EDT,M3.2.0,M11.1.0", "2050-11-06T06:00:00Z", -18000},
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2050-01-01T00:00:00Z", 46800}, /* over the new year */
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", "2050-06-01T00:00:00Z", 43200},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2050-01-01T00:00:00Z", 0}, /* negative: Dublin's winter */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2050-07-01T00:00:00Z", 3600},
        {"XXX3EDT4,0/0,J365/23", "2050-01-01T12:00:00Z", -14400}, /* RFC 8536: all of the year */
        {"EST5EDT,0/0,J365/25", "2050-12-31T23:59:59Z", -14400},  /* likewise */
        {"EST5EDT,0/0,J365/25", "2051-01-01T05:00:00Z", -14400},
        {"ABC0DEF,J60/0,J61/0", "2048-03-01T00:00:00Z", 3600}, /* J60 is 1 March also in a leap year */
        {"ABC0DEF,J60/0,J61/0", "2048-02-29T12:00:00Z", 0},
        {"ABC0DEF,59/0,60/0", "2048-02-29T12:00:00Z", 3600}, /* 59 is 29 February in one */
        {"ABC0DEF,59/0,60/0", "2049-03-01T12:00:00Z", 3600},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2050-03-27T00:59:59Z", -7200}, /* Greenland: the evening before */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2050-03-27T01:00:00Z", -3600},
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2050-03-24T23:59:59Z", 7200}, /* Israel: 26 hours after Thursday began */
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2050-03-25T00:00:00Z", 10800},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        const struct zone *zone = by_rule(CASES[i].rule, &err);
        if (!zone) fail_msg("%s: %s", CASES[i].rule, err.message);
        int offset_s = zone_offset_at(zone, utc_ms(CASES[i].at));
        if (offset_s != CASES[i].offset_s) fail_msg("%s at %s: %d", CASES[i].rule, CASES[i].at, offset_s);
    }
}

static void test_no_rules(void **state)
{
    (void)state;
    static const char *const BAD[] = {"E5",
                                      "EST",
                                      "EST25",
                                      "EST5EDT",
                                      "EST5EDT,M3.2.0",
                                      "EST5EDT,M3.2.0,",
                                      "EST5EDT,M13.2.0,M11.1.0",
                                      "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.7,M11.1.0",
                                      "EST5EDT,M3.2.0/168,M11.1.0",
                                      "EST5EDT,J0,J365",
                                      "EST5EDT,366,1",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "<+05",
                                      "<+0 5>5",
                                      "EST5:60",
                                      "EST5:",
                                      "EST99999999999999999999",
                                      ":Europe/Oslo"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct err err = ERR_INIT;
        if (by_rule(BAD[i], &err)) fail_msg("'%s' was taken", BAD[i]);
        assert_non_null(strstr(err.message, "none of POSIX"));
    }
}

static void test_a_rule_without_a_difference_has_no_changes(void **state)
{
    (void)state;
    static const char *const RULES[] = {"EST5EDT,0/0,J365/25", "EST5", "EST5EDT5,M3.2.0,M11.1.0"};
    for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
        struct err err = ERR_INIT;
        int64_t change_ms;
        const struct zone *zone = by_rule(RULES[i], &err);
        assert_non_null(zone);
        assert_false(zone_next_change(zone, utc_ms("2050-01-01T00:00:00Z"), &change_ms));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_zone_of_the_system_is_as_libc_has_it),
        cmocka_unit_test(test_what_a_wall_clock_means),
        cmocka_unit_test(test_fractions_and_far_years),
        cmocka_unit_test(test_an_instant_as_text),
        cmocka_unit_test(test_names_stay_in_the_folder),
        cmocka_unit_test(test_a_folder_of_ones_own),
        cmocka_unit_test(test_a_file_by_hand),
        cmocka_unit_test(test_every_cut_of_a_file_is_refused),
        cmocka_unit_test(test_broken_files_say_what_is_wrong),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_a_rule_without_a_difference_has_no_changes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
