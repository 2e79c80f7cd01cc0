/* zone: see zone.h. A zone is a sorted list of changes and the offset behind each, and a rule for what is behind the last. The
 * file is hostile until it was looked at: every count is checked against the bytes there are before anything is read. */
#include "os/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "os/fs.h"
#include "os/zone_rule.h"

#define DATABASE "/usr/share/zoneinfo"

enum { HEADER_SIZE = 44, TYPE_SIZE = 6 };
#define FIRST_S (-62135596800) /* 0001-01-01 */
#define LAST_S 253402300799    /* 9999-12-31 */

struct zone {
    const char *name;
    size_t count;           /* of changes */
    const int64_t *at_s;    /* when, ascending */
    const int32_t *after_s; /* the offset from then on; of the last one only where there is no rule */
    int32_t before_s;       /* the offset before the first one */
    bool has_rule;
    struct zone_rule rule;
};

static const struct zone UTC = {.name = "UTC"};

const struct zone *zone_utc(void)
{
    return &UTC;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* One of a file's two blocks (RFC 8536 3.2): the first has 32-bit times, for readers of old, the second 64-bit ones. */
struct block {
    unsigned version;
    size_t ut_count, standard_count, leap_count, time_count, type_count, char_count;
    const unsigned char *times; /* behind the header */
    size_t size;                /* of all that is there */
};

static uint64_t read_big(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
    return value;
}

/* Cuts a block off the front. False when it is none, or passes the end. */
static bool take_block(struct str *rest, size_t time_size, struct block *block)
{
    const unsigned char *header = (const unsigned char *)rest->data;
    if (rest->size < HEADER_SIZE || memcmp(header, "TZif", 4) != 0) return false;
    size_t counts[6];
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        counts[i] = (size_t)read_big(header + 20 + i * 4, 4);
        if (counts[i] > ZONE_FILE_MAX) return false;
    }
    *block = (struct block){.version = header[4],
                            .ut_count = counts[0],
                            .standard_count = counts[1],
                            .leap_count = counts[2],
                            .time_count = counts[3],
                            .type_count = counts[4],
                            .char_count = counts[5],
                            .times = header + HEADER_SIZE};
    block->size =
        counts[3] * (time_size + 1) + counts[4] * TYPE_SIZE + counts[5] + counts[2] * (time_size + 4) + counts[1] + counts[0];
    if (block->size > rest->size - HEADER_SIZE) return false;
    rest->data += HEADER_SIZE + block->size;
    rest->size -= HEADER_SIZE + block->size;
    return true;
}

static bool read_offset(const unsigned char *types, size_t index, int32_t *offset_s)
{
    *offset_s = (int32_t)(uint32_t)read_big(types + index * TYPE_SIZE, 4);
    return *offset_s >= -ZONE_OFFSET_MAX_S && *offset_s <= ZONE_OFFSET_MAX_S;
}

/* The 64-bit block's changes; what is wrong with them, or NULL. */
static const char *read_changes(const struct block *block, struct arena *arena, struct zone *zone)
{
    const unsigned char *indices = block->times + block->time_count * 8, *types = indices + block->time_count;
    int64_t *at_s = arena_array(arena, int64_t, block->time_count + 1);
    int32_t *after_s = arena_array(arena, int32_t, block->time_count + 1);
    if (block->type_count == 0 || block->type_count > 256) return "it has no types of local time";
    if (!read_offset(types, 0, &zone->before_s)) return "an offset passes a day";
    for (size_t i = 0; i < block->time_count; i++) {
        at_s[i] = (int64_t)read_big(block->times + i * 8, 8);
        if (i > 0 && at_s[i] <= at_s[i - 1]) return "its changes are not in order";
        if (indices[i] >= block->type_count) return "a change names a type that is not there";
        if (!read_offset(types, indices[i], &after_s[i])) return "an offset passes a day";
    }
    zone->at_s = at_s;
    zone->after_s = after_s;
    zone->count = block->time_count;
    return NULL;
}

/* The rule between two line ends; an empty one is none. */
static const char *read_rule(struct str footer, struct zone *zone)
{
    if (footer.size < 2 || footer.data[0] != '\n') return "the rule behind its changes is missing";
    const char *end = memchr(footer.data + 1, '\n', footer.size - 1);
    if (!end) return "the rule behind its changes is cut off";
    struct str text = {footer.data + 1, (size_t)(end - footer.data) - 1};
    if (text.size == 0) return NULL;
    zone->has_rule = true;
    return zone_rule_parse(text, &zone->rule) ? NULL : "the rule behind its changes is none of POSIX";
}

int zone_parse(struct str bytes, const char *name, struct arena *arena, const struct zone **out, struct err *err)
{
    struct zone *zone = arena_new(arena, struct zone);
    struct block old, block;
    const char *wrong = NULL;
    zone->name = arena_strdup(arena, name);
    if (!take_block(&bytes, 4, &old))
        wrong = "it is no TZif file, or cut off";
    else if (old.version < '2')
        wrong = "it is of version 1, which ends in 2037";
    else if (!take_block(&bytes, 8, &block))
        wrong = "it is cut off";
    else if (block.leap_count > 0)
        wrong = "it counts leap seconds, which clocks do not";
    else if (!(wrong = read_changes(&block, arena, zone)))
        wrong = read_rule(bytes, zone);
    if (wrong) {
        err_set(err, ERR_CONFIG, "cannot use the time zone '%s': %s", name, wrong);
        return err_hint(err, "its file comes with the package tzdata: install that again");
    }
    *out = zone;
    return 0;
}

/* Letters, digits, '_', '+' and '-' between single slashes: so no dot, and no way out of the folder. */
static bool is_zone_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > ZONE_NAME_MAX || name[0] == '/' || name[size - 1] == '/') return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (!is_plain && !(c == '/' && name[i + 1] != '/')) return false;
    }
    return strcmp(name, "localtime") != 0; /* whatever this machine is set to */
}

int zone_load(const char *name, struct arena *arena, const struct zone **out, struct err *err)
{
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        *out = &UTC;
        return 0;
    }
    if (!is_zone_name(name)) {
        err_set(err, ERR_CONFIG, "'%s' is not the name of a time zone", name);
        return err_hint(err, "names are those of the IANA database: Europe/Oslo, America/New_York, UTC");
    }
    const char *folder = getenv("TZDIR");
    if (!folder || !folder[0]) folder = DATABASE;
    const char *path = fs_join(arena, folder, name);
    if (fs_kind(folder) != FS_FOLDER) {
        err_set(err, ERR_CONFIG, "cannot find the time zone '%s': there is no database of time zones in %s", name, folder);
        return err_hint(err, "install the package tzdata");
    }
    if (fs_kind(path) != FS_FILE) {
        err_set(err, ERR_CONFIG, "unknown time zone '%s': there is no file %s", name, path);
        return err_hint(err, "names are like Europe/Oslo, upper and lower case as in the package tzdata, which has to be "
                             "installed; old names such as US/Eastern may be in tzdata-legacy");
    }
    struct buf bytes = BUF_INIT(ZONE_FILE_MAX);
    int rc = fs_read_file(path, ZONE_FILE_MAX, &bytes, err);
    if (rc == 0) rc = zone_parse(buf_str(&bytes), name, arena, out, err);
    if (rc == ERR_DATA) rc = err_set(err, ERR_CONFIG, "cannot use the time zone '%s': its file has more than 64 KiB", name);
    buf_release(&bytes);
    return rc;
}

/* --- asking -------------------------------------------------------------------------------------------------------------- */

static int64_t clamp_s(int64_t utc_s)
{
    return utc_s < FIRST_S ? FIRST_S : utc_s > LAST_S ? LAST_S : utc_s;
}

static int64_t floor_s(int64_t ms)
{
    return ms / 1000 - (ms % 1000 < 0);
}

/* How many changes are at or before an instant. */
static size_t changes_until(const struct zone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->at_s[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int offset_at_s(const struct zone *zone, int64_t utc_s)
{
    size_t passed = changes_until(zone, utc_s);
    if (passed == zone->count && zone->has_rule) return zone_rule_offset(&zone->rule, utc_s);
    return passed ? zone->after_s[passed - 1] : zone->before_s;
}

/* The first change after an instant, also one that leaves the offset as it is. */
static bool next_change(const struct zone *zone, int64_t utc_s, int64_t *change_s)
{
    size_t passed = changes_until(zone, utc_s);
    if (passed < zone->count) {
        *change_s = zone->at_s[passed];
        return true;
    }
    return zone->has_rule && zone_rule_next(&zone->rule, utc_s, change_s);
}

int zone_offset_at(const struct zone *zone, int64_t utc_ms)
{
    return offset_at_s(zone, clamp_s(floor_s(utc_ms)));
}

bool zone_next_change(const struct zone *zone, int64_t after_ms, int64_t *change_ms)
{
    int64_t change_s;
    if (!next_change(zone, clamp_s(floor_s(after_ms)), &change_s) || change_s > LAST_S) return false;
    *change_ms = change_s * 1000;
    return true;
}

void zone_utc_to_local(const struct zone *zone, int64_t utc_ms, struct civil *local)
{
    int64_t utc_s = floor_s(utc_ms), known_s = clamp_s(utc_s), rest_ms = utc_s == known_s ? utc_ms - utc_s * 1000 : 0;
    time_to_civil(((known_s + offset_at_s(zone, known_s)) * 1000 + rest_ms) * 1000, local);
}

size_t zone_write_iso(const struct zone *zone, int64_t utc_ms, char out[TIME_TEXT_MAX])
{
    struct civil local;
    int east_s = zone_offset_at(zone, utc_ms), minutes = abs(east_s) / 60;
    zone_utc_to_local(zone, utc_ms, &local);
    return (size_t)snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", local.year, local.month, local.day,
                            local.hour, local.minute, local.second, east_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

struct zone_instants zone_local_to_utc(const struct zone *zone, const struct civil *local)
{
    const int64_t local_us = time_from_civil(local), local_ms = local_us / 1000 - (local_us % 1000 < 0);
    const int64_t rest_ms = local_ms - floor_s(local_ms) * 1000;
    const int64_t earliest_s = FIRST_S + 2 * ZONE_OFFSET_MAX_S, latest_s = LAST_S - 2 * ZONE_OFFSET_MAX_S;
    int64_t local_s = floor_s(local_ms);
    if (local_s < earliest_s) local_s = earliest_s;
    if (local_s > latest_s) local_s = latest_s;
    int64_t change_s = local_s - ZONE_OFFSET_MAX_S;
    int offset_s = offset_at_s(zone, change_s);
    struct zone_instants found = {0}, gap = {0};
    /* From change to change over all that an offset may make of it: the wall clock fits a stretch where its own instant by
     * that stretch's offset lies within. */
    for (int64_t begin_s = change_s;; begin_s = change_s) {
        const int64_t instant_s = local_s - offset_s;
        bool has_end = next_change(zone, begin_s, &change_s) && change_s <= local_s + ZONE_OFFSET_MAX_S;
        if (instant_s >= begin_s && (!has_end || instant_s < change_s)) {
            if (found.count < 2) found.count++;
            found.utc_ms[found.count - 1] = instant_s * 1000 + rest_ms;
        }
        if (!has_end) break;
        int after_s = offset_at_s(zone, change_s);
        if (instant_s >= change_s && local_s - after_s < change_s)
            gap = (struct zone_instants){.utc_ms = {change_s * 1000}, .shift_s = after_s - offset_s};
        offset_s = after_s;
    }
    if (found.count == 0) return gap;
    if (found.count == 2) found.shift_s = (int)((found.utc_ms[0] - found.utc_ms[1]) / 1000);
    return found;
}
