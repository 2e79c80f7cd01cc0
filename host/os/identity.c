/* process identity: see process.h. (boot, pid namespace, pid, start time) never names two processes; each part closes one hole:
 * pids are used again, start times only count within a boot, and containers on one machine number their processes alike. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/number.h"
#include "os/fs.h"
#include "os/process.h"

struct proc_stat {
    int64_t pid;
    char state;      /* 'R', 'Z', ... */
    int64_t threads; /* 1 in a zombie whose other threads have ended, too */
    uint64_t start_ticks;
};

/* Reads /proc/WHO/stat (proc(5)): "pid (name) state ppid ...", 20 is the number of threads, 22 the start time. The name may
 * hold anything, so all is counted from its last parenthesis. False when it cannot be read. */
static bool read_stat(const char *who, struct proc_stat *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/stat", who);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char text[1024];
    ssize_t size = fs_read_some(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return false;
    text[size] = '\0';

    const char *space = strchr(text, ' ');
    char *after_name = strrchr(text, ')');
    if (!space || !after_name || after_name[1] != ' ') return false;
    struct str rest = str_from(after_name + 2), field = {0};
    out->state = rest.size ? rest.data[0] : '\0';
    for (int number = 3; number <= 22; number++) {
        if (!str_next(&rest, ' ', &field)) return false;
        if (number == 20 && !number_to_int64(field, &out->threads)) return false;
    }
    return number_to_int64((struct str){text, (size_t)(space - text)}, &out->pid) && number_to_uint64(field, &out->start_ticks);
}

void process_identity(struct process_identity *identity)
{
    *identity = (struct process_identity){.pid = getpid()};
    if (gethostname(identity->host, sizeof identity->host - 1) != 0) identity->host[0] = '\0';

    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : fs_read_some(fd, identity->boot_id, sizeof identity->boot_id - 1);
    if (fd >= 0) close(fd);
    identity->boot_id[size > 0 ? strcspn(identity->boot_id, "\n") : 0] = '\0';

    struct stat info;
    if (stat("/proc/self/ns/pid", &info) == 0) identity->pid_namespace = info.st_ino;
    struct proc_stat self;
    /* A /proc of another pid namespace would tell about strangers. */
    if (read_stat("self", &self) && self.pid == identity->pid) identity->start_ticks = self.start_ticks;
}

enum process_life process_life(const struct process_identity *identity)
{
    struct process_identity self;
    process_identity(&self);
    bool is_known = identity->boot_id[0] && identity->pid_namespace && identity->pid > 0 && identity->start_ticks;
    bool can_look = self.start_ticks != 0;
    if (!is_known || !can_look || strcmp(identity->boot_id, self.boot_id) != 0 || identity->pid_namespace != self.pid_namespace)
        return PROCESS_UNKNOWN;
    if (identity->pid > INT32_MAX) return PROCESS_DEAD;
    /* Not by /proc alone: with hidepid other users' processes are not shown there. */
    char who[24];
    snprintf(who, sizeof who, "%lld", (long long)identity->pid);
    struct proc_stat stat;
    bool is_shown = read_stat(who, &stat);
    if (kill((pid_t)identity->pid, 0) != 0 && errno == ESRCH) return PROCESS_DEAD;
    if (!is_shown) return PROCESS_UNKNOWN;
    bool has_ended = stat.state == 'X' || (stat.state == 'Z' && stat.threads <= 1);
    return stat.start_ticks == identity->start_ticks && !has_ended ? PROCESS_ALIVE : PROCESS_DEAD;
}
