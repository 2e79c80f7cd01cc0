/* landlock: a ruleset that handles everything this kernel knows and allows nothing of it but what it is given.
 *
 * The rights are numbers from the kernel's documentation (Documentation/userspace-api/landlock.rst), by ABI version: the
 * build machine's header may be older than the running kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
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

enum {
    RULE_PATH_BENEATH = 1,
    RULE_NET_PORT = 2,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    NET_CONNECT_TCP = 1 << 1,
};

struct path_beneath { /* struct landlock_path_beneath_attr */
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

struct net_port { /* struct landlock_net_port_attr */
    uint64_t allowed_access;
    uint64_t port;
};

static bool allow_path(int ruleset_fd, const char *path)
{
    struct stat about;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return true;
    struct path_beneath rule = {FS_READ_FILE, fd};
    if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) rule.allowed_access |= FS_READ_DIR;
    bool added = syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return added;
}

static bool allow(int ruleset_fd, const struct landlock_rules *rules, bool knows_net)
{
    for (size_t i = 0; i < rules->path_count; i++)
        if (!allow_path(ruleset_fd, rules->paths[i])) return false;
    for (size_t i = 0; knows_net && i < rules->port_count; i++) {
        struct net_port rule = {NET_CONNECT_TCP, rules->ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset_fd, RULE_NET_PORT, &rule, 0) != 0) return false;
    }
    return true;
}

void walls_raise_landlock(const struct landlock_rules *rules, struct wall_state *state)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (version < 1) {
        snprintf(state->detail, sizeof state->detail, "not in this kernel");
        return;
    }
    size_t known = (size_t)version < ARRAY_SIZE(ABI) ? (size_t)version : ARRAY_SIZE(ABI) - 1;
    struct ruleset ruleset = {(1ULL << ABI[known].fs_rights) - 1, ABI[known].net, ABI[known].scoped};
    long fd = syscall(SYS_landlock_create_ruleset, &ruleset, ABI[known].size, 0);
    if (fd < 0 || !allow((int)fd, rules, ABI[known].net != 0) || syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
        snprintf(state->detail, sizeof state->detail, "refused: %s", strerror(errno));
    } else {
        state->is_up = true;
        snprintf(state->detail, sizeof state->detail, "ABI %ld", version);
    }
    if (fd >= 0) close((int)fd);
}
