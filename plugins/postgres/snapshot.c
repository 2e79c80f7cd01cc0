#include "postgres/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/text.h"

static bool read_number(const char **at, char after, uint64_t *number)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    *number = strtoull(*at, &end, 10);
    if (*end != after) return false;
    *at = end + (after != 0);
    return true;
}

bool snapshot_read(struct snapshot *snapshot, const char *text)
{
    *snapshot = (struct snapshot){0};
    if (!read_number(&text, ':', &snapshot->xmin) || !read_number(&text, ':', &snapshot->xmax) ||
        snapshot->xmax < snapshot->xmin)
        return false;
    size_t count = *text != 0;
    for (const char *at = text; *at; at++) count += *at == ',';
    snapshot->running = text_allocate(count, sizeof *snapshot->running);
    for (size_t i = 0; i < count; i++) {
        if (!read_number(&text, i + 1 < count ? ',' : 0, &snapshot->running[i])) {
            snapshot_release(snapshot);
            return false;
        }
    }
    snapshot->running_count = count;
    return true;
}

void snapshot_release(struct snapshot *snapshot)
{
    free(snapshot->running);
    *snapshot = (struct snapshot){0};
}

bool snapshot_sees(const struct snapshot *snapshot, uint32_t xid)
{
    uint64_t whole = snapshot->xmax + (uint64_t)(int64_t)(int32_t)(xid - (uint32_t)snapshot->xmax);
    if (whole < snapshot->xmin) return true;
    if (whole >= snapshot->xmax) return false;
    for (size_t i = 0; i < snapshot->running_count; i++)
        if (snapshot->running[i] == whole) return false;
    return true;
}

bool lsn_read(const char *text, uint64_t *lsn)
{
    char *end;
    if (!text || strspn(text, "0123456789abcdefABCDEF") == 0) return false;
    uint64_t high = strtoull(text, &end, 16);
    if (*end != '/' || high > UINT32_MAX || strspn(end + 1, "0123456789abcdefABCDEF") == 0) return false;
    uint64_t low = strtoull(end + 1, &end, 16);
    if (*end || low > UINT32_MAX) return false;
    *lsn = high << 32 | low;
    return true;
}

void lsn_write(uint64_t lsn, char text[LSN_TEXT_MAX])
{
    snprintf(text, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
}
