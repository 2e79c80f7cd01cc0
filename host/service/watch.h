/* watch: looks at every pipeline once a minute, and at one soon after each of its syncs (monitor.h), keeps what it finds in the
 * store, and tells whom `service.alerts` names: once when it begins, again after `repeat` while it lasts, and once when it is
 * over. Of several nodes one does it. What could not be told is told with the next look; so everything is told at least once,
 * whoever dies.
 *
 * A thread of its own, which may wait for a database, a server or a command; nothing else waits for it. */
#ifndef SLUICE_SERVICE_WATCH_H
#define SLUICE_SERVICE_WATCH_H

#include "base/err.h"
#include "service/roster.h"
#include "service/store.h"

struct clock;
struct log;
struct watch;

enum { WATCH_EVERY_MS = 60000, ALERT_TIMEOUT_MS = 30000 };

struct watch_settings {
    struct roster *roster;
    struct store *store;
    struct clock *clock;
    struct log *log;
};

int watch_open(const struct watch_settings *settings, struct watch **out, struct err *err) MUST_USE;
void watch_poke(struct watch *watch, const char *pipeline); /* a job of it has ended. Any thread; NULL is fine */
void watch_close(struct watch *watch);                      /* NULL is fine */

#endif
