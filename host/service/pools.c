/* pools: see pools.h. */
#include "service/pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/limit_cell.h"
#include "os/clock.h"
#include "os/log.h"

/* A limit counts as used for USED_MS; syncs may go on for GOVERNED_MS by what was said last. */
enum { USED_MS = 15000, GOVERNED_MS = STORE_LEASE_MS + 10000, MARGIN_MS = 3000 };

struct pools {
    struct limit_file *file;
    struct store *store;
    const char *node;
    struct clock *clock;
    struct limit_use uses[LIMIT_FILE_CELLS]; /* of the turn at hand, as many as leases */
    struct pool_lease leases[LIMIT_FILE_CELLS];
    size_t count;
    struct limit_use held_uses[LIMIT_FILE_CELLS]; /* of the turn before */
    struct pool_lease held[LIMIT_FILE_CELLS];
};

struct pools *pools_open(const char *state_folder, struct store *store, const char *node, struct clock *clock, struct log *log)
{
    const struct limit_file_options options = {.folder = state_folder, .clock = clock};
    struct err err = ERR_INIT;
    struct limit_file *file;
    if (limit_file_open(&options, &file, &err) != 0) {
        log_warn(log, "rate limits are not shared with other nodes: %s", err.message);
        return NULL;
    }
    struct pools *pools = mem_zero(1, sizeof *pools);
    *pools = (struct pools){.file = file, .store = store, .node = node, .clock = clock};
    return pools;
}

static void name_pool(struct limit_key key, char name[POOL_NAME_SIZE])
{
    snprintf(name, POOL_NAME_SIZE, "%016llx%016llx", (unsigned long long)key.words[0], (unsigned long long)key.words[1]);
}

static bool is_listed(const struct pools *pools, const char *name)
{
    for (size_t i = 0; i < pools->count; i++)
        if (strcmp(pools->leases[i].pool, name) == 0) return true;
    return false;
}

static struct pool_lease lease_of(const struct limit_use *use, bool is_used, int64_t now_ms)
{
    return (struct pool_lease){.is_used = is_used,
                               .share = use->share,
                               .spent = use->spent,
                               .spent_ms = use->spent_ms,
                               .paused_ms = cell_paused_ms(use->cell, now_ms)};
}

/* What was used lately, and what was held before and is not used any more. */
static void gather(struct pools *pools, bool lets_go, int64_t now_ms)
{
    size_t held_count = pools->count;
    memcpy(pools->held, pools->leases, held_count * sizeof *pools->held);
    memcpy(pools->held_uses, pools->uses, held_count * sizeof *pools->held_uses);
    pools->count = lets_go ? 0 : limit_file_used(pools->file, now_ms - USED_MS, now_ms, pools->uses, LIMIT_FILE_CELLS);
    for (size_t i = 0; i < pools->count; i++) {
        const struct limit_use *use = &pools->uses[i];
        pools->leases[i] = lease_of(use, true, now_ms);
        name_pool(use->key, pools->leases[i].pool);
    }
    for (size_t i = 0; i < held_count && pools->count < LIMIT_FILE_CELLS; i++) {
        if (!pools->held[i].is_used || is_listed(pools, pools->held[i].pool)) continue;
        struct limit_use *use = &pools->uses[pools->count];
        *use = pools->held_uses[i];
        limit_file_look(pools->file, now_ms, use);
        pools->leases[pools->count] = lease_of(use, false, now_ms);
        name_pool(use->key, pools->leases[pools->count++].pool);
    }
}

/* pool_policy.lower */
static void lower(void *context, struct pool_lease *lease)
{
    struct pools *pools = context;
    struct limit_use *use = &pools->uses[lease - pools->leases];
    int64_t now_ms = limit_file_now_ms(pools->file, pools->clock);
    limit_file_set_share(use, lease->share, now_ms + STORE_LEASE_MS - MARGIN_MS);
    limit_file_look(pools->file, now_ms, use);
    lease->spent = use->spent;
    lease->spent_ms = use->spent_ms;
}

static int renew(struct pools *pools, bool lets_go, struct err *err)
{
    const struct pool_policy policy = {lower, pools};
    int64_t now_ms = limit_file_now_ms(pools->file, pools->clock);
    gather(pools, lets_go, now_ms);
    if (pools->count == 0) return 0;
    int rc = store_lease_pools(pools->store, pools->node, pools->leases, pools->count, &policy, err);
    for (size_t i = 0; rc == 0 && i < pools->count; i++) {
        limit_file_set_share(&pools->uses[i], pools->leases[i].share, now_ms + STORE_LEASE_MS - MARGIN_MS);
        if (pools->leases[i].paused_ms > 0 && limit_cell_is(pools->uses[i].cell, pools->uses[i].key))
            cell_pause(pools->uses[i].cell, now_ms + pools->leases[i].paused_ms);
    }
    return rc;
}

int pools_turn(struct pools *pools, struct err *err)
{
    if (!pools) return 0;
    limit_file_govern(pools->file, limit_file_now_ms(pools->file, pools->clock) + GOVERNED_MS);
    return renew(pools, false, err);
}

void pools_close(struct pools *pools)
{
    struct err ignored = ERR_INIT; /* the leases end by themselves */
    if (!pools) return;
    if (renew(pools, true, &ignored) == 0) limit_file_govern(pools->file, 0);
    limit_file_close(pools->file);
    free(pools);
}
