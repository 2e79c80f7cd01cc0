/* statsd: what each stream of a sync came to, as datagrams to a StatsD or DogStatsD server
 * (https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/). Never waits and never fails a sync: a datagram that cannot
 * be sent is lost.
 *
 *     ingestion.records_per_second:1052.6|h|#connector:shop,table:orders,status:done
 *     ingestion.duration_minutes:0.0341|h|#connector:shop,table:orders,status:done
 *     ingestion.errors:1|c|#connector:shop,table:orders,status:failed
 *
 * Plain StatsD knows no tags and no histograms: ingestion.records_per_second.shop.orders.done:1052.6|g. One thread. */
#ifndef SLUICE_SERVICE_STATSD_H
#define SLUICE_SERVICE_STATSD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct log;
struct statsd;

/* "HOST:PORT" is looked up here, once; one that is not known is told, and nothing is sent. `prefix` goes before each name. */
struct statsd *statsd_open(const char *address, bool has_tags, const char *prefix, struct log *log);
void statsd_close(struct statsd *statsd); /* NULL is fine */

/* A line that a sync told: a stream that ended becomes datagrams, others nothing. NULL is fine. */
void statsd_take(struct statsd *statsd, const char *connector, struct str line);

/* Sends one event of DogStatsD: a title, a text, and tags of the pipeline and the kind. An error when it could not be sent;
 * whether it came nobody knows. Any thread. */
int statsd_event(const char *address, const char *pipeline, const char *kind, struct str text, bool is_over,
                 struct err *err) MUST_USE;

/* The datagram for such a line, for statsd_take and its tests; empty for others. */
void statsd_write(bool has_tags, const char *prefix, const char *connector, struct str line, struct buf *out);

#endif
