/* landlock: a ruleset that handles everything this kernel knows and allows nothing of it.
 *
 * The rights are numbers from the kernel's documentation (Documentation/userspace-api/landlock.rst), by ABI version: the
 * build machine's header may be older than the running kernel. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/walls.h"

enum { CREATE_RULESET_VERSION = 1 };

struct ruleset { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

/* What each ABI version added: how many file rights there are, whether TCP and scopes exist. */
static const struct {
    unsigned fs_rights;
    uint64_t net, scoped;
    size_t size;
} ABI[] = {
    {0, 0, 0, 0},   {13, 0, 0, 8}, /* 1 */
    {14, 0, 0, 8},                 /* 2: refer */
    {15, 0, 0, 8},                 /* 3: truncate */
    {15, 3, 0, 16},                /* 4: bind and connect TCP */
    {16, 3, 0, 16},                /* 5: ioctl of devices */
    {16, 3, 3, 24},                /* 6: abstract sockets, signals */
};

void walls_raise_landlock(struct wall_state *state)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (version < 1) {
        snprintf(state->detail, sizeof state->detail, "not in this kernel");
        return;
    }
    size_t known = (size_t)version < ARRAY_SIZE(ABI) ? (size_t)version : ARRAY_SIZE(ABI) - 1;
    struct ruleset ruleset = {(1ULL << ABI[known].fs_rights) - 1, ABI[known].net, ABI[known].scoped};
    long fd = syscall(SYS_landlock_create_ruleset, &ruleset, ABI[known].size, 0);
    if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
        snprintf(state->detail, sizeof state->detail, "refused: %s", strerror(errno));
    } else {
        state->is_up = true;
        snprintf(state->detail, sizeof state->detail, "ABI %ld", version);
    }
    if (fd >= 0) close((int)fd);
}
