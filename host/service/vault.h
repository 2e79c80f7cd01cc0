/* vault: tokens of logins in the service's store, so that every node has them: a server that rotates refresh tokens takes each
 * of them once, whichever node asks. Sealed with AES-256-GCM under the key `service.token_key` of sluice.yaml, which the store
 * never sees; bound to their credential, so that a row put in another's place does not open.
 *
 *     rc = vault_open(project, clock, secrets, &vault, err);          // CONFIG when the key is none
 *     store = vault_token_store(vault, credential, cancel);           // net/token_store.h
 *
 * A connection is open from lock to unlock only. Who dies with the lock gives it back by its death on the same machine, and
 * after STORE_HOLD_MS elsewhere. Any thread may ask a vault for token stores. */
#ifndef SLUICE_SERVICE_VAULT_H
#define SLUICE_SERVICE_VAULT_H

#include "net/token_store.h"
#include "sync/project.h"

struct vault;

/* NULL in *out where sluice.yaml has no `service.token_key`: tokens are files in the state directory then. */
int vault_open(const struct project *project, struct clock *clock, struct secrets *secrets, struct vault **out,
               struct err *err) MUST_USE;
void vault_free(struct vault *vault); /* after its token stores; NULL is fine */

struct token_store *vault_token_store(struct vault *vault, const char *credential, struct cancel *cancel);

#endif
