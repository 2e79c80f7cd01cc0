/* zone: a time zone of the IANA database: which offset is in force at an instant, and which instants a wall clock means.
 *
 * Read from the system's compiled files (TZif, RFC 8536, versions 2 to 4, with the POSIX TZ string behind the last transition,
 * so years past 2037 are right, too) below $TZDIR, or /usr/share/zoneinfo. libc's own way, TZ and tzset, is one zone per
 * process and no thread may read it while another sets it; here a zone is an object, read-only once loaded, that any thread may
 * use. Nothing is cached and nothing follows a newer database: load it again for that.
 *
 *     const struct zone *zone;
 *     if ((rc = zone_load("Europe/Oslo", arena, &zone, err)) != 0) return rc;
 *     int east_s = zone_offset_at(zone, clock_wall_us(clock) / 1000);                  // 7200 in summer
 *     struct zone_instants found = zone_local_to_utc(zone, &(struct civil){.year = 2026, .month = 10, .day = 25, .hour = 2});
 *
 * Instants are milliseconds since 1970 UTC, offsets seconds east of UTC. The years are 1 to 9999; what is outside, or within
 * two days of their ends, is taken for an instant there. */
#ifndef SLUICE_OS_ZONE_H
#define SLUICE_OS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/time.h"

struct zone;

enum {
    ZONE_NAME_MAX = 64,
    ZONE_FILE_MAX = 64 * 1024, /* bytes; the largest of the database has 4 KiB */
    ZONE_OFFSET_MAX_S = 26 * 3600 - 1
};

const struct zone *zone_utc(void); /* needs no file */

/* Loads "Area/City" into the arena; "UTC" and "Etc/UTC" need no file. Errors: ERR_CONFIG with a hint: a name that is not one
 * (letters, digits, '_', '+', '-', between single slashes), no such zone, no database at all, a file that is not TZif or is
 * broken, one that counts leap seconds ("right/..."). */
int zone_load(const char *name, struct arena *arena, const struct zone **out, struct err *err) MUST_USE;

/* The same from a file's bytes, which are not kept. */
int zone_parse(struct str bytes, const char *name, struct arena *arena, const struct zone **out, struct err *err) MUST_USE;

const char *zone_name(const struct zone *zone);

/* Seconds east of UTC, -ZONE_OFFSET_MAX_S to ZONE_OFFSET_MAX_S. */
int zone_offset_at(const struct zone *zone, int64_t utc_ms);
/* The first instant after `after_ms` at which the offset may become another one; false when it stays. */
bool zone_next_change(const struct zone *zone, int64_t after_ms, int64_t *change_ms);
/* The wall clock at an instant. */
void zone_utc_to_local(const struct zone *zone, int64_t utc_ms, struct civil *local);

/* "2026-10-25T02:30:00+01:00" (RFC 3339), rounded down to seconds; an offset of seconds, as before time zones, to minutes.
 * Terminated. Returns the size. */
size_t zone_write_iso(const struct zone *zone, int64_t utc_ms, char out[TIME_TEXT_MAX]);

/* What a wall clock means. Most mean one instant; where clocks were set forward some mean none (the gap), where they were set
 * back some mean two (the overlap). */
struct zone_instants {
    int count;         /* 0, 1 or 2 */
    int64_t utc_ms[2]; /* ascending. Count 0: [0] is when clocks were set, the gap's end */
    int shift_s;       /* how far they were set: positive in a gap, negative in an overlap, 0 for count 1 */
};

/* Fields past their range carry over, as in time_from_civil. */
struct zone_instants zone_local_to_utc(const struct zone *zone, const struct civil *local);

#endif
