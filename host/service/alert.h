/* alert: tells somebody: an HTTP server that takes {"text": ..} (Slack's incoming webhooks and what is compatible with them),
 * or a command that gets the alert as JSON on its standard input; or a DogStatsD server, as an event.
 *
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
#ifndef SLUICE_SERVICE_ALERT_H
#define SLUICE_SERVICE_ALERT_H

#include "base/arena.h"
#include "base/err.h"
#include "service/store.h"
#include "sync/monitor_settings.h"

struct cancel;
struct clock;

bool alert_is_for(const struct alert_target *target, const char *kind);
/* Waits at most ALERT_TIMEOUT_MS. Errors name neither the URL nor what came back. */
int alert_send(const struct alert_target *target, const struct alert *alert, struct clock *clock, struct cancel *cancel,
               struct err *err) MUST_USE;

#endif
