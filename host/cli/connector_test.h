/* connector_test: `sluice connector test [NAME [CASE]]`. */
#ifndef SLUICE_CLI_CONNECTOR_TEST_H
#define SLUICE_CLI_CONNECTOR_TEST_H

#include "cli/command.h"

int connector_test(const struct arguments *arguments); /* returns the exit code */

#endif
