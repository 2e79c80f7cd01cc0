/* reader: one topic, from where the state says to where its partitions ended when the sync began, or on and on. */
#ifndef SLUICE_KAFKA_READER_H
#define SLUICE_KAFKA_READER_H

#include <sluice/plugin.h>

struct reader;

int reader_open(struct reader **reader, struct sluice_session *session, const struct sluice_slice *slice);
int reader_page(struct reader *reader);
void reader_close(struct reader *reader); /* NULL is fine */

#endif
