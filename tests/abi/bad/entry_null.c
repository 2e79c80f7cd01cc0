#include "bad.h"
SLUICE_EXPORT const struct sluice_plugin *sluice_plugin_entry(void)
{
    return NULL;
}
