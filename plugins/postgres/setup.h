/* setup: what `sluice source setup` and `sluice source teardown` do: the slot and the publication of the pipeline. */
#ifndef SLUICE_POSTGRES_SETUP_H
#define SLUICE_POSTGRES_SETUP_H

#include <sluice/plugin.h>

/* As of struct sluice_plugin. */
int source_setup(struct sluice_session *session, const struct sluice_slice *slice);
int source_teardown(struct sluice_session *session, const struct sluice_slice *slice);

#endif
