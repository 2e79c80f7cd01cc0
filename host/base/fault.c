/* fault: see fault.h. The variables are read under pthread_once and only read afterwards; the counts are atomic, and a line of
 * the log is one write to a file opened for appending, so threads and processes do not mix theirs. */
#include "base/fault.h"

#ifdef SLUICE_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"

enum { FAULTS_MAX = 8, DELAY_MS = 50 };

enum action { KILL, FAIL, DELAY, STOP };

static const char *const ACTIONS[] = {[KILL] = "kill", [FAIL] = "error", [DELAY] = "delay", [STOP] = "stop"};

struct fault {
    struct str label;
    int64_t at; /* passage; 0: each */
    enum action action;
    int64_t delay_ms;
    _Atomic int64_t passed;
};

static struct {
    pthread_once_t once;
    char *text; /* of SLUICE_FAULT; the labels point into it */
    struct fault faults[FAULTS_MAX];
    size_t count;
    int log; /* -1: none */
} chosen = {.once = PTHREAD_ONCE_INIT, .log = -1};

NORETURN static void refuse(const char *name, const char *value)
{
    fprintf(stderr, "sluice: %s: cannot use '%s'\n", name, value);
    _exit(1);
}

static bool parse_action(struct str text, struct fault *fault)
{
    struct str name;
    if (!str_next(&text, '=', &name)) return false;
    fault->delay_ms = DELAY_MS;
    for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++) {
        if (!str_equal(name, str_from(ACTIONS[i]))) continue;
        fault->action = (enum action)i;
        return text.size == 0 || (fault->action == DELAY && number_to_int64(text, &fault->delay_ms));
    }
    return false;
}

static void read_variables(void)
{
    const char *path = getenv("SLUICE_FAULT_LOG"), *given = getenv("SLUICE_FAULT");
    if (path && (chosen.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        refuse("SLUICE_FAULT_LOG", path);
    if (!given) return;
    chosen.text = mem_strdup(given);
    struct str rest = str_from(chosen.text), item, at;
    while (str_next(&rest, ',', &item)) {
        struct fault *fault = &chosen.faults[chosen.count];
        bool is_good = chosen.count++ < FAULTS_MAX && str_next(&item, ':', &fault->label) && str_next(&item, ':', &at) &&
                       number_to_int64(at, &fault->at) && parse_action(item, fault);
        if (!is_good) refuse("SLUICE_FAULT", given);
    }
}

static void note(const char *label, const char *what)
{
    char line[256];
    if (chosen.log < 0) return;
    int size = snprintf(line, sizeof line, "%s%s%s\n", label, what ? " " : "", what ? what : "");
    if (write(chosen.log, line, (size_t)size) != size) refuse("SLUICE_FAULT_LOG", "it, the write failed");
}

bool fault_pass(const char *label, bool can_fail)
{
    bool fails = false;
    pthread_once(&chosen.once, read_variables);
    note(label, can_fail ? ACTIONS[FAIL] : NULL);
    for (size_t i = 0; i < chosen.count; i++) {
        struct fault *fault = &chosen.faults[i];
        if (!str_equal(fault->label, str_from(label))) continue;
        int64_t passage = atomic_fetch_add(&fault->passed, 1) + 1;
        if (fault->at && fault->at != passage) continue;
        char what[32];
        snprintf(what, sizeof what, "struck %s", ACTIONS[fault->action]);
        note(label, what);
        const struct timespec delay = {fault->delay_ms / 1000, fault->delay_ms % 1000 * 1000000};
        if (fault->action == KILL) kill(getpid(), SIGKILL);
        if (fault->action == STOP) kill(getpid(), SIGSTOP);
        if (fault->action == DELAY) nanosleep(&delay, NULL);
        fails = fails || (fault->action == FAIL && can_fail);
    }
    return fails;
}

#endif
