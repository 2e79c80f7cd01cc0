/* cron: a line, a time zone by name or by its file's bytes, and an instant. What is taken has sets that are within their
 * ranges; the next instant comes later and is a minute that the line names on that zone's wall, unless clocks were set; from
 * the next instant the last one is itself. What is refused says why in a line.
 *
 * Input: a line of cron, a name, an instant (a number), each in a line; then a TZif file (RFC 8536). */
#include "fuzz.h"

#include "base/number.h"
#include "os/zone.h"
#include "service/cron.h"

static void check_refusal(int rc, const struct err *err)
{
    CHECK(rc == ERR_CONFIG && err->message[0] && !strchr(err->message, '\n'));
}

static void check_sets(const struct cron *cron)
{
    CHECK(cron->minutes && !(cron->minutes >> 60) && cron->hours && !(cron->hours >> 24));
    CHECK(cron->days && !(cron->days & 1) && cron->months && !(cron->months & 1) && !(cron->months >> 13));
    CHECK(cron->weekdays && !(cron->weekdays >> 7));
}

/* Is there a change of clocks around `at_ms`, so that a skipped or repeated minute may have moved? */
static bool is_near_change(const struct zone *zone, int64_t at_ms)
{
    int64_t change_ms;
    return zone_next_change(zone, at_ms - 3 * 86400000LL, &change_ms) && change_ms <= at_ms + 3 * 86400000LL;
}

static void check_minute(const struct cron *cron, const struct zone *zone, int64_t at_ms)
{
    struct civil local;
    int64_t days;
    zone_utc_to_local(zone, at_ms, &local);
    days = time_days(local.year, local.month, local.day);
    bool is_day = cron->days >> local.day & 1, is_weekday = cron->weekdays >> (((days + 4) % 7 + 7) % 7) & 1;
    CHECK(cron->minutes >> local.minute & 1 && cron->hours >> local.hour & 1 && cron->months >> local.month & 1);
    CHECK(cron->is_any_of_days ? is_day || is_weekday : is_day && is_weekday);
}

static void check_instants(const struct cron *cron, const struct zone *zone, int64_t after_ms)
{
    int64_t next_ms, last_ms;
    if (!cron_next(cron, zone, after_ms, &next_ms)) return;
    CHECK(next_ms > after_ms);
    CHECK(cron_last(cron, zone, next_ms, 2, &last_ms) && last_ms == next_ms);
    if (!is_near_change(zone, next_ms)) check_minute(cron, zone, next_ms);
}

static void check_zone(const struct zone *zone, int64_t at_ms)
{
    struct civil local;
    int64_t change_ms;
    int offset_s = zone_offset_at(zone, at_ms);
    CHECK(offset_s >= -ZONE_OFFSET_MAX_S && offset_s <= ZONE_OFFSET_MAX_S);
    CHECK(!zone_next_change(zone, at_ms, &change_ms) || change_ms > at_ms);
    zone_utc_to_local(zone, at_ms, &local);
    struct zone_instants found = zone_local_to_utc(zone, &local);
    CHECK(found.count >= 0 && found.count <= 2 && (found.count < 2 || found.utc_ms[0] < found.utc_ms[1]));
}

static const struct zone *read_zone(const char *name, struct str file, struct arena *arena)
{
    const struct zone *zone = zone_utc();
    struct err err = ERR_INIT;
    int rc = file.size ? zone_parse(file, "of the input", arena, &zone, &err) : zone_load(name, arena, &zone, &err);
    if (rc == 0) return zone;
    check_refusal(rc, &err);
    return zone_utc();
}

void fuzz(struct str input)
{
    struct str line = fuzz_line(&input);
    char *name = fuzz_text(fuzz_line(&input));
    struct arena arena = ARENA_INIT(64 << 20);
    struct err err = ERR_INIT;
    struct cron cron;
    int64_t at_ms = 0;
    uint32_t weekdays;
    number_to_int64(fuzz_line(&input), &at_ms);
    const int64_t least_ms = -62000000000000LL, most_ms = 250000000000000LL; /* the years 5 to 9892, which zones know */
    at_ms = at_ms < least_ms ? least_ms : at_ms > most_ms ? most_ms : at_ms;
    const struct zone *zone = read_zone(name, input, &arena);
    check_zone(zone, at_ms);
    (void)cron_is_like(line);
    if (cron_parse_weekdays(line, &weekdays, &err) == 0) CHECK(weekdays && !(weekdays >> 7));
    err = ERR_INIT;
    int rc = cron_parse(line, &cron, &err);
    if (rc == 0) {
        check_sets(&cron);
        check_instants(&cron, zone, at_ms);
    } else {
        check_refusal(rc, &err);
    }
    arena_release(&arena);
    free(name);
}
