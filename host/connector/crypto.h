/* crypto: answers sluice.crypto for a worker: the values of secrets are put in here, and only the result goes back.
 *
 * A worker may use the secrets of its own connector's config and no others, whatever names it sends. */
#ifndef SLUICE_CONNECTOR_CRYPTO_H
#define SLUICE_CONNECTOR_CRYPTO_H

#include "connector/connector.h"
#include "wire/wire.h"

/* Fills `result`; its bytes live in `out`, which is cleared first. What cannot be computed is a failed result with the reason,
 * for the script. */
void crypto_answer(const struct connector_options *options, const struct wire_crypto *question, struct buf *out,
                   struct wire_crypto_result *result);

#endif
