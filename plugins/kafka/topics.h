/* topics: the list of those that `topics` wants, each a stream. */
#ifndef SLUICE_KAFKA_TOPICS_H
#define SLUICE_KAFKA_TOPICS_H

#include <sluice/plugin.h>

/* The stream that lists them. Topics that begin so are Kafka's own; this one is nobody's. */
#define TOPICS_STREAM "__topics"

/* Connects, and emits a row per topic with its name and declaration, its schema's columns included: the page of TOPICS_STREAM.
 * CONFIG when there is none. */
int topics_list(struct sluice_session *session, const struct sluice_slice *slice);
/* Likewise, without rows. */
int topics_check(struct sluice_session *session);

#endif
