/* monitor_settings: the keys `monitors` of a pipeline and `service.alerts`: what is watched (service/monitor.h), and who is
 * told (service/alert.h). What is read is copied: the tree may go. */
#ifndef SLUICE_SYNC_MONITOR_SETTINGS_H
#define SLUICE_SYNC_MONITOR_SETTINGS_H

#include "base/arena.h"
#include "data/node.h"
#include "data/option.h"
#include "data/problems.h"

/* A stream's own limit. */
struct stream_freshness {
    const char *stream;
    int64_t limit_ms;
};

/* The key `monitors` of a pipeline. Limits of 0: not watched. */
struct monitor_settings {
    int64_t freshness_ms;
    const struct stream_freshness *streams;
    size_t stream_count;
    bool schema;
    double volume; /* of standard deviations */
    bool by_weekday;
    int64_t rejects; /* -1: not watched */
};
extern const struct option_table MONITOR_OPTIONS;
void monitor_settings_read(const struct node *node, struct arena *arena, struct monitor_settings *out); /* NULL: the defaults */

/* An entry of `service.alerts`. */
struct alert_target {
    const char *webhook;        /* NULL: a command, or */
    const char *statsd;         /* HOST:PORT of a DogStatsD server, which takes events */
    const char *const *command; /* ends with NULL */
    const char *const *on;      /* kinds (monitor.h) that it is for */
    size_t on_count;            /* 0: all */
    int64_t repeat_ms;
    bool allow_private; /* the server may be on this machine or in the own network */
};
extern const struct option_table ALERT_OPTIONS;
void alert_target_read(const struct node *node, struct arena *arena, struct alert_target *out);

void alerts_check(const struct node *alerts, struct problems *problems); /* what the table does not say */

#endif
