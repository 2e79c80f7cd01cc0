/* gate: who may ask for what. Three questions, in this order:
 *
 * - Is it meant for us? The Host header is localhost, a loopback address, the address we listen on, or one of `service.hosts`;
 *   else 421. So a name that an attacker points at this machine (DNS rebinding) gets nothing.
 * - Does another site ask in a visitor's name? What changes something must be sent as application/json, with an Origin, if any,
 *   that is ours; else 403 or 415. Browsers send such a request from elsewhere only after asking, and we never say yes.
 * - Who asks? With `service.tokens` every request but those for nothing secret needs "Authorization: Bearer TOKEN" with the
 *   scope; else 401 or 403. Tokens are compared by digest. Without, whoever reaches us may do all; we listen on loopback only
 *   then. */
#ifndef SLUICE_SERVICE_WEB_GATE_H
#define SLUICE_SERVICE_WEB_GATE_H

#include <stdbool.h>

#include "service/web/server.h"
#include "sync/service_settings.h"

enum { TOKEN_TEXT_MAX = 64 };

/* The first question. False, and the answer is a problem, when it is not. `address`: what we listen on. */
bool gate_is_for_us(const struct service_settings *settings, const char *address, struct web_request *request);
/* The others, likewise. SCOPE_NONE: whoever asks. */
bool gate_admits(const struct service_settings *settings, struct web_request *request, enum scope needed);

/* A new token with 256 bits of randomness, and the digest that sluice.yaml is to hold. */
void token_new(char token[TOKEN_TEXT_MAX], char sha256_hex[TOKEN_TEXT_MAX + 1]);

#endif
